/* The Docker engine's JSON -> plain structs. Pure: no sockets, no state. Everything is checked
 * again on this side: the compose project, one-off containers, ids fit for a URL, numbers in range.
 *
 * The functions that look for our containers return 1 (filled), 0 (well-formed but not ours:
 * another project, a one-off, an event we do not follow) or -EBADMSG (not what the API promises).
 */
#pragma once

#include "hamon/core/facts.h"
#include "lib/buf.h"
#include <sys/types.h>

enum {
        DOCKER_ID_SIZE = 65,
        DOCKER_SERVICE_SIZE = 64,
};

/* API versions as one number: 1.41 -> 1041. */
#define DOCKER_API(major, minor) ((unsigned)(major)*1000U + (unsigned)(minor))

struct docker_version {
        unsigned api, min_api; /* newest and oldest API the engine speaks; min_api 0 = not told */
};

/* One element of GET /containers/json. */
struct docker_item {
        char id[DOCKER_ID_SIZE];
        char service[DOCKER_SERVICE_SIZE];
        enum ctr_state state;
        enum ctr_health health; /* told only while RUNNING */
        int exit_code;          /* EXITED, RESTARTING */
        int64_t created;        /* unix time */
};

enum docker_action {
        DOCKER_CREATE,
        DOCKER_START,
        DOCKER_DIE,
        DOCKER_PAUSE,
        DOCKER_UNPAUSE,
        DOCKER_OOM,
        DOCKER_DESTROY,
        DOCKER_HEALTH,
        DOCKER_ACTION_COUNT_
};

/* The engine's words for them; DOCKER_HEALTH is followed by ": healthy". */
extern const char *const DOCKER_ACTIONS[DOCKER_ACTION_COUNT_];

struct docker_event {
        char id[DOCKER_ID_SIZE];
        char service[DOCKER_SERVICE_SIZE];
        enum docker_action action;
        enum ctr_health health; /* DOCKER_HEALTH */
        int exit_code;          /* DOCKER_DIE */
        int64_t time;           /* unix time, 0 = not told */
};

/* The answer of GET /containers/<id>/json. */
struct docker_detail {
        enum ctr_state state;
        enum ctr_health health;
        bool has_healthcheck; /* configured, whatever the state */
        int exit_code;
        bool oom;
        bool no_start; /* as in container_facts */
        pid_t pid;     /* of its first process as the engine sees it, 0 = none */
        unsigned restarts;
        int64_t since; /* unix time of the last start or stop, else of the creation; 0 = not told */
};

int docker_json_version(const char *json, size_t len, struct docker_version *ret);
int docker_json_item(const char *json, size_t len, const char *project, struct docker_item *ret);
int docker_json_event(const char *json, size_t len, const char *project, struct docker_event *ret);
int docker_json_detail(const char *json, size_t len, struct docker_detail *ret);

/* A request that failed: what the HTTP client says of it and, if it got that far, the answer. */
struct docker_failure {
        const char *what, *socket;
        int error; /* negative errno; 0: the status is the matter */
        const char *message;
        int status;
        const char *body; /* maybe the engine's own sentence, {"message":"…"} */
        size_t len;
};

/* What it means, and a sentence for people. */
enum engine_state docker_json_failure(const struct docker_failure *f, char *text, size_t size);

/* Add the `filters` value of a query, percent-encoded: our project's label and, if `events`, the
 * container events above. */
int docker_json_filters(const char *project, bool events, struct buf *out);
