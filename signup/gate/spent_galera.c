/* One row per nonce. The primary key is what makes the take atomic, on one server and across the
 * cluster: of two inserts on two nodes the later one fails when it is certified, is tried again,
 * and then meets the row. An insert whose fate is not known is not repeated: the caller refuses. */
#include "signup/gate/tables.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { TRIES = 3, SWEEP_EVERY = 64 };

struct galera {
        struct spent spent;
        struct db *db;
        atomic_uint takes;
};

static int insert(struct db_conn *c, const unsigned char *nonce, int64_t until)
{
        const struct db_value in[] = { DB_BYTES(nonce, TICKET_NONCE), DB_NUMBER(until) };
        int r = -EAGAIN;

        for (int i = 0; i < TRIES && r == -EAGAIN; i++)
                r = db_run(c, "INSERT INTO signup_spent (nonce, until) VALUES (?, ?)", in,
                           ARRAY_SIZE(in), NULL, NULL, NULL);
        return r == -EEXIST ? -EALREADY : r;
}

/* What may be forgotten goes little by little, and whether that works is nobody's concern now. */
static void sweep(struct db_conn *c, int64_t now)
{
        const struct db_value in[] = { DB_NUMBER(now) };

        db_run(c, "DELETE FROM signup_spent WHERE until < ? LIMIT 1000", in, 1, NULL, NULL, NULL);
}

static int galera_take(struct spent *s, const unsigned char nonce[TICKET_NONCE], int64_t until,
                       int64_t now)
{
        struct galera *g = (struct galera *)s;
        struct db_conn *c = NULL;

        int r = db_take(g->db, &c);
        if (r < 0)
                return r;
        r = insert(c, nonce, until);
        if (r == 0 && atomic_fetch_add(&g->takes, 1) % SWEEP_EVERY == 0)
                sweep(c, now);
        db_give(c);
        return r;
}

static void galera_free(struct spent *s)
{
        free(s);
}

static const struct spent_ops OPS = { .take = galera_take, .free = galera_free };

int spent_galera_new(struct db *db, struct spent **ret)
{
        struct galera *g = calloc(1, sizeof *g);

        if (!g)
                return -ENOMEM;
        g->spent.ops = &OPS;
        g->db = db;
        *ret = &g->spent;
        return 0;
}
