/* May this node be upgraded now, and who comes after it? Pure: from the daemon's own JSON
 * (`hamon status --json`) to a word of BARS[] and a name. */
#pragma once

#include "hamon/config.h"
#include "hamon/release.h"
#include <cjson/cJSON.h>

struct upgrade_node {
        char name[64], state[16], verdict[33], reason[65];
        bool self, leads, heard, candidate;
        struct release mailcow;
};

struct upgrade_view {
        struct upgrade_node nodes[CLUSTER_MAX];
        size_t n, me;
        char galera_status[32], galera_state[32], verdict[33], message[320];
        uint64_t galera_size;
};

/* -EBADMSG: it makes no sense, or is of no cluster. */
int upgrade_view_parse(const cJSON *status, struct upgrade_view *ret);

enum upgrade_bar {
        UPGRADE_MAY,
        UPGRADE_MAY_HAND_OVER, /* it leads, and all others are through */
        UPGRADE_NOBODY_LEADS,
        UPGRADE_SILENT,
        UPGRADE_OTHER_MAINTENANCE,
        UPGRADE_OTHER_UNFIT,
        UPGRADE_GALERA,
        UPGRADE_OWN_MAINTENANCE,
        UPGRADE_MASTER_LAST,
        UPGRADE_BARS_
};
struct upgrade_bar_row {
        const char *name, *sentence; /* the sentence follows the name of the node */
};
extern const struct upgrade_bar_row UPGRADE_BARS[UPGRADE_BARS_];

/* `ret_node`: the node it is about, an index. */
enum upgrade_bar upgrade_may(const struct upgrade_view *v, size_t *ret_node);

/* Every member of the database is there, Primary and Synced. */
bool upgrade_is_whole(const struct upgrade_view *v);

/* Who has another Mailcow than this node: a standby first, the leader last. v->n = nobody. */
size_t upgrade_next(const struct upgrade_view *v);
