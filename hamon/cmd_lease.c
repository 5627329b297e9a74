/* Status is one causal read through our own member. What it shows may be old when it is printed:
 * nobody may act on it but by compare-and-set. Take and release are orders to the daemon, which has
 * the lease: nothing else writes that row. */
#include "hamon/cmd_lease.h"

#include "hamon/order.h"
#include "hamon/store.h"
#include "hamon/store_sql.h"
#include "hamon/verb.h"
#include "lib/secret.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { NO_ROW = 1 };

struct look {
        struct loop loop;
        bool json;
        int code;
};

static int print(const struct lease_row *r, bool json)
{
        if (*r->holder && !store_name_valid(r->holder)) {
                fputs("hamon: the holder in the row has no name hamon would write\n", stderr);
                return NO_ROW;
        }
        printf(json ? "{\"holder\":\"%s\",\"incarnation\":\"%016" PRIx64 "\",\"epoch\":%" PRIu64
                      ",\"beat\":%" PRIu64 "}\n"
                    : "holder=%s incarnation=%016" PRIx64 " epoch=%" PRIu64 " beat=%" PRIu64 "\n",
               *r->holder || json ? r->holder : "-", r->incarnation, r->epoch, r->beat);
        return EX_OK;
}

static void on_answer(void *arg, const struct store_answer *a)
{
        struct look *l = arg;

        if (a->answer == ANSWER_DONE) {
                l->code = print(&a->row, l->json);
        } else if (a->answer == ANSWER_NONE) {
                fputs("hamon: the lease has no row; hamon store init makes it\n", stderr);
                l->code = NO_ROW;
        } else {
                fprintf(stderr, "hamon: the lease cannot be read: %s\n", a->text);
                l->code = EX_TEMPFAIL;
        }
        loop_stop(&l->loop);
}

static int look(const struct config *c, const char *password, bool json)
{
        const struct store_member own = { .socket = c->galera.socket,
                                          .host = c->galera.host,
                                          .port = (unsigned)c->galera.port };
        struct store_config sc = { .members = &own,
                                   .n_members = 1,
                                   .user = c->galera.user,
                                   .password = password,
                                   .database = c->galera.database,
                                   .lease = STORE_LEASE,
                                   .me = "-",
                                   .connect = c->check.timeout,
                                   .answer = c->check.timeout };
        struct lease_statement read = { .op = OP_READ };
        struct look l = { .json = json, .code = EX_OSERR };
        struct store *store = NULL;

        if (loop_init(&l.loop) < 0)
                return EX_OSERR;
        if (store_new(&l.loop, &sc, &store) < 0)
                fputs("hamon: [galera] database: not a name hamon can use\n", stderr);
        else if (store_send(store, &read, on_answer, &l) == 0)
                loop_run(&l.loop);
        store_free(store);
        loop_done(&l.loop);
        return l.code;
}

static int status(const char *file, bool json)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        CLEANUP(secret_wipe) char *password = NULL;

        if (verb_config(file, &c) < 0 || verb_password(file, &c, &password) < 0)
                return EX_CONFIG;
        return look(&c, password, json);
}

/* The daemon does it, by its own rules, and is followed until it is done. */
static int order(const char *file, const char *verb, const char *request)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        struct order_talk t = { .verb = verb,
                                .socket = c.control.socket,
                                .timeout = c.check.timeout };
        return order_run(&t, request);
}

int lease_command(const char *file, int argc, char **argv)
{
        bool json = argc == 2 && strcmp(argv[0], "status") == 0 && strcmp(argv[1], "--json") == 0;

        if (argc == 1 + json && strcmp(argv[0], "status") == 0)
                return status(file, json);
        if (argc == 1 && strcmp(argv[0], "take") == 0)
                return order(file, "lease take", "take");
        if (argc == 1 && strcmp(argv[0], "release") == 0)
                return order(file, "lease release", "release");
        fprintf(stderr, "lease: unexpected argument: %s (try `hamon help lease`)\n",
                argc > 0 ? argv[argc - 1] : "none");
        return EX_USAGE;
}
