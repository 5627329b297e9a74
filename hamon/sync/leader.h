/* Who leads, asked of this node's own daemon. */
#pragma once

#include "hamon/config.h"

struct leader {
        char name[64]; /* "" = nobody, or it is not known */
        uint64_t epoch;
        bool here;        /* this node leads, and its lease is good */
        bool maintenance; /* of this node */
};

/* -ENOENT, -ECONNREFUSED, -ETIMEDOUT, -EPROTO: no daemon, or no answer of one. */
int leader_ask(const struct config *c, struct leader *ret);
/* Its answer to `status-json`. -EPROTO: none of a node in a cluster. */
int leader_parse(const char *json, struct leader *ret);
