/* Why a check or a node is as it is: one row per reason. The name is what scripts, logs, metrics
 * and alerts see; the sentence is for people. Pure. */
#pragma once

#include <stdbool.h>

enum reason {
        REASON_OK,
        REASON_STARTING,
        REASON_STALE,
        REASON_NO_DAEMON,
        REASON_TIMEOUT,
        REASON_DOCKER_REFUSED,
        REASON_DOCKER_TIMEOUT,
        REASON_DOCKER_ERROR,
        REASON_DOCKER_API,
        REASON_CONTAINER_MISSING,
        REASON_CONTAINER_CREATED,
        REASON_CONTAINER_EXITED,
        REASON_CONTAINER_PAUSED,
        REASON_CONTAINER_RESTARTING,
        REASON_CONTAINER_DEAD,
        REASON_CONTAINER_UNHEALTHY,
        REASON_CONTAINER_WAITING,
        REASON_GALERA_REFUSED,
        REASON_GALERA_AUTH,
        REASON_GALERA_TIMEOUT,
        REASON_GALERA_ERROR,
        REASON_GALERA_OFF,
        REASON_GALERA_NON_PRIMARY,
        REASON_GALERA_LEAVING,
        REASON_GALERA_DISCONNECTED,
        REASON_GALERA_NOT_READY,
        REASON_GALERA_NOT_SYNCED,
        REASON_GALERA_REJECTING,
        REASON_GALERA_READ_ONLY,
        REASON_GALERA_DONOR,
        REASON_STACK_DOWN,
        REASON_PROBE_REFUSED,
        REASON_PROBE_TIMEOUT,
        REASON_PROBE_BAD_ANSWER,
        REASON_VOLUME_NOT_MOUNTED,
        REASON_VOLUME_READ_ONLY,
        REASON_VOLUME_FULL,
        REASON_VOLUME_IO_ERROR,
        REASON_VOLUME_HUNG,
        REASON_COUNT_
};

enum reason_flags {
        REASON_CERTAIN = 1 << 0,  /* a fact, not a sample: `fall` does not apply */
        REASON_NO_GRACE = 1 << 1, /* waiting makes it worse: DOWN at once */
};

struct reason_row {
        const char *name;
        const char *sentence;
        unsigned flags;
};

extern const struct reason_row REASONS[REASON_COUNT_];

const char *reason_name(enum reason r);
const char *reason_sentence(enum reason r);
bool reason_has(enum reason r, unsigned flag);
