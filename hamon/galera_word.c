/* db=primary|runs|down data=placed|unplaced|empty uuid=… seqno=… me=… view=…,… */
#include "hamon/galera_word.h"

#include "hamon/galera_data.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { LINE = 1024 };

void galera_word_write(struct buf *out, const struct recover_node *n)
{
        buf_addf(out, "db=%s data=%s",
                 n->primary ? "primary"
                 : n->runs  ? "runs"
                            : "down",
                 n->empty    ? "empty"
                 : n->placed ? "placed"
                             : "unplaced");
        if (n->placed)
                buf_addf(out, " uuid=%s seqno=%" PRId64, n->uuid, n->seqno);
        if (n->n_view == 0 || n->n_view > RECOVER_NODES)
                return;
        buf_addf(out, " me=%s view=", n->me);
        for (size_t i = 0; i < n->n_view; i++)
                buf_addf(out, "%s%s", i > 0 ? "," : "", n->view[i]);
}

static bool one_of(const char *value, const char *a, const char *b, const char *c)
{
        return str_eq(value, a) || str_eq(value, b) || str_eq(value, c);
}

static int take_id(const char *value, char dst[RECOVER_ID])
{
        return galera_is_uuid(value) && str_copy(dst, RECOVER_ID, value) ? 0 : -EBADMSG;
}

static int take_view(char *value, struct recover_node *n)
{
        char *rest = NULL;

        for (char *id = strtok_r(value, ",", &rest); id; id = strtok_r(NULL, ",", &rest)) {
                if (n->n_view == RECOVER_NODES || take_id(id, n->view[n->n_view]) < 0)
                        return -EBADMSG;
                n->n_view++;
        }
        return n->n_view > 0 ? 0 : -EBADMSG;
}

static int take_pair(const char *key, char *value, struct recover_node *n)
{
        uint64_t seqno;

        if (str_eq(key, "db")) {
                n->primary = str_eq(value, "primary");
                n->runs = !str_eq(value, "down");
                n->known = one_of(value, "primary", "runs", "down");
                return n->known ? 0 : -EBADMSG;
        }
        if (str_eq(key, "data")) {
                n->empty = str_eq(value, "empty");
                n->placed = str_eq(value, "placed");
                return one_of(value, "empty", "placed", "unplaced") ? 0 : -EBADMSG;
        }
        if (str_eq(key, "seqno")) {
                if (parse_uint(value, 0, INT64_MAX, &seqno) < 0)
                        return -EBADMSG;
                n->seqno = (int64_t)seqno;
                return 0;
        }
        if (str_eq(key, "uuid"))
                return take_id(value, n->uuid);
        if (str_eq(key, "me"))
                return take_id(value, n->me);
        if (str_eq(key, "view"))
                return take_view(value, n);
        return 0; /* of a later version */
}

/* R: who says that it is placed must say where. */
static bool is_whole(const struct recover_node *n)
{
        return n->known && (!n->placed || (*n->uuid && n->seqno >= 0)) &&
               (n->n_view == 0 || *n->me);
}

int galera_word_parse(const char *text, struct recover_node *ret)
{
        struct recover_node n = { .seqno = -1 };
        char copy[LINE], *rest = NULL;
        int r = str_copy(copy, sizeof copy, text) ? 0 : -EBADMSG;

        for (char *pair = strtok_r(copy, " \n", &rest); r == 0 && pair;
             pair = strtok_r(NULL, " \n", &rest)) {
                char *value = strchr(pair, '=');
                if (!value)
                        return -EBADMSG;
                *value++ = '\0';
                r = take_pair(pair, value, &n);
        }
        if (r == 0 && !is_whole(&n))
                r = -EBADMSG;
        if (r == 0)
                *ret = n;
        return r;
}
