/* The order is: standbys, one after the other, each only while all others are well; the leader when
 * all of them have the same other Mailcow. */
#include "hamon/setup/upgrade_plan.h"

#include <errno.h>
#include <string.h>

const struct upgrade_bar_row UPGRADE_BARS[UPGRADE_BARS_] = {
        [UPGRADE_MAY] = { "may", "may be upgraded" },
        [UPGRADE_MAY_HAND_OVER] = { "hand_over", "leads, and hands over first" },
        [UPGRADE_NOBODY_LEADS] = { "nobody_leads",
                                   "sees nobody lead; see hamon status, and begin when one does" },
        [UPGRADE_SILENT] = { "silent",
                             "is not heard: one node away is enough; bring it back first" },
        [UPGRADE_OTHER_MAINTENANCE] = { "maintenance",
                                        "is in maintenance: one node away is enough; there: hamon "
                                        "upgrade, or hamon maintenance off" },
        [UPGRADE_OTHER_UNFIT] = { "unfit", "is not fit, and could not help; there: hamon status" },
        [UPGRADE_GALERA] = { "galera",
                             "does not see every member of the database, Primary and Synced; see "
                             "hamon status" },
        [UPGRADE_OWN_MAINTENANCE] = { "own_maintenance",
                                      "is in maintenance, and not by hamon upgrade: hamon "
                                      "maintenance off first" },
        [UPGRADE_MASTER_LAST] = { "master_last",
                                  "has not been upgraded, and the leader comes last; there: hamon "
                                  "upgrade" },
};

/* ---- the daemon's words ---- */

static const cJSON *field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

static void word(const cJSON *o, const char *name, char *dst, size_t size)
{
        const char *s = cJSON_GetStringValue(field(o, name));

        str_copy(dst, size, s ? s : "");
}

static void parse_node(const cJSON *o, struct upgrade_node *n)
{
        const cJSON *mailcow = field(o, "mailcow");

        *n = (struct upgrade_node){ .self = cJSON_IsTrue(field(o, "self")),
                                    .leads = cJSON_IsTrue(field(o, "holder")),
                                    .candidate = cJSON_IsTrue(field(o, "candidate")) };
        word(o, "name", n->name, sizeof n->name);
        word(o, "state", n->state, sizeof n->state); /* "": its own words are not known */
        word(o, "verdict", n->verdict, sizeof n->verdict);
        word(o, "reason", n->reason, sizeof n->reason);
        word(mailcow, "version", n->mailcow.version, sizeof n->mailcow.version);
        word(mailcow, "schema", n->mailcow.schema, sizeof n->mailcow.schema);
        word(mailcow, "images", n->mailcow.images, sizeof n->mailcow.images);
        n->heard = n->self || *n->state;
}

int upgrade_view_parse(const cJSON *status, struct upgrade_view *ret)
{
        const cJSON *galera = field(status, "galera"), *size = field(galera, "size"), *o;
        struct upgrade_view v = { .n = 0, .me = CLUSTER_MAX };

        cJSON_ArrayForEach(o, field(status, "nodes"))
        {
                if (v.n == CLUSTER_MAX)
                        return -EBADMSG;
                parse_node(o, &v.nodes[v.n]);
                if (v.nodes[v.n].self)
                        v.me = v.n;
                v.n++;
        }
        if (v.me == CLUSTER_MAX)
                return -EBADMSG;
        word(galera, "status", v.galera_status, sizeof v.galera_status);
        word(galera, "state", v.galera_state, sizeof v.galera_state);
        word(status, "verdict", v.verdict, sizeof v.verdict);
        word(status, "message", v.message, sizeof v.message);
        v.galera_size =
                cJSON_IsNumber(size) && size->valuedouble > 0 ? (uint64_t)size->valuedouble : 0;
        *ret = v;
        return 0;
}

/* ---- may it ---- */

bool upgrade_is_whole(const struct upgrade_view *v)
{
        return str_eq(v->galera_status, "Primary") && str_eq(v->galera_state, "Synced") &&
               v->galera_size >= v->n;
}

static enum upgrade_bar bar_of_other(const struct upgrade_node *n)
{
        if (!n->heard)
                return UPGRADE_SILENT;
        if (str_eq(n->state, "maintenance"))
                return UPGRADE_OTHER_MAINTENANCE;
        return str_eq(n->verdict, "fit") ? UPGRADE_MAY : UPGRADE_OTHER_UNFIT;
}

static enum upgrade_bar bar_of_others(const struct upgrade_view *v, size_t *ret_node)
{
        for (size_t i = 0; i < v->n; i++) {
                enum upgrade_bar b = i == v->me ? UPGRADE_MAY : bar_of_other(&v->nodes[i]);
                if (b == UPGRADE_MAY)
                        continue;
                *ret_node = i;
                return b;
        }
        return UPGRADE_MAY;
}

/* All the others have one Mailcow, and it is not ours. */
static enum upgrade_bar bar_of_leader(const struct upgrade_view *v, size_t *ret_node)
{
        const struct release *first = NULL;

        for (size_t i = 0; i < v->n; i++) {
                const struct release *r = &v->nodes[i].mailcow;
                if (i == v->me)
                        continue;
                if (!*r->images || release_same(r, &v->nodes[v->me].mailcow) ||
                    (first && !release_same(r, first))) {
                        *ret_node = i;
                        return UPGRADE_MASTER_LAST;
                }
                first = r;
        }
        return first ? UPGRADE_MAY_HAND_OVER : UPGRADE_MAY;
}

enum upgrade_bar upgrade_may(const struct upgrade_view *v, size_t *ret_node)
{
        const struct upgrade_node *me = &v->nodes[v->me];
        bool led = false;

        *ret_node = v->me;
        for (size_t i = 0; i < v->n; i++)
                led |= v->nodes[i].leads;
        if (!led)
                return UPGRADE_NOBODY_LEADS;
        enum upgrade_bar b = bar_of_others(v, ret_node);
        if (b != UPGRADE_MAY)
                return b;
        if (!upgrade_is_whole(v))
                return UPGRADE_GALERA;
        if (str_eq(me->state, "maintenance"))
                return UPGRADE_OWN_MAINTENANCE;
        return me->leads ? bar_of_leader(v, ret_node) : UPGRADE_MAY;
}

size_t upgrade_next(const struct upgrade_view *v)
{
        size_t leader = v->n;

        for (size_t i = 0; i < v->n; i++) {
                const struct upgrade_node *n = &v->nodes[i];
                if (i == v->me || release_same(&n->mailcow, &v->nodes[v->me].mailcow))
                        continue;
                if (!n->leads)
                        return i;
                leader = i;
        }
        return leader;
}
