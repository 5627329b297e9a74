/* The inside of the Docker adapter: its limits, its state, and what its two halves want of each
 * other. docker.c has the connection, docker_sync.c the containers; nobody else includes this. */
#pragma once

#include "hamon/docker.h"

#include "hamon/docker_json.h"
#include "hamon/docker_pid.h"
#include "hamon/docker_table.h"
#include "lib/http.h"
#include "lib/jsplit.h"

enum {
        MAX_CONTAINERS = 10000,
        MAX_OBJECT = 256 * 1024,
        MAX_INSPECT = 1024 * 1024,
        N_INSPECT = 2,      /* at once */
        SETTLE = 1000,      /* ms; see docker_config */
        FOLLOW_MAX = 16,    /* settles between a list and the next one, if events go on */
        INSPECT_AGAIN = 10, /* settles after a failed inspection; else one */
        START_SOON = 10,    /* a start is inspected this part of a settle after the last time */
        BACKOFF_MIN = 100,  /* ms; the very first retry is at once */
        BACKOFF_MAX = 1000, /* ms */
        LIST_PATIENCE = 10, /* a list that keeps coming may take so many timeouts */
};

#define API_OLDEST DOCKER_API(1, 24) /* Actor and Action in events */
#define API_NEWEST DOCKER_API(1, 43) /* what we know and ask for */

_Static_assert(sizeof(((struct docker_container *)0)->id) == DOCKER_ID_SIZE, "ids fit");
_Static_assert(sizeof(((struct docker_pid *)0)->id) == DOCKER_ID_SIZE, "ids fit");

enum phase {
        PHASE_WAIT,    /* for the next attempt */
        PHASE_VERSION, /* asking GET /version */
        PHASE_STREAM,  /* opening the event stream */
        PHASE_LIVE,    /* the stream is open; lists and inspects may run */
};

enum {
        TIMER_STEP,     /* now: see docker.c */
        TIMER_RETRY,    /* the next attempt */
        TIMER_DEADLINE, /* for the stream's header, then for each piece of a list */
        TIMER_RELIST,   /* the list after a contested one */
        TIMER_INSPECT,  /* the next inspection is due */
        N_TIMERS
};

struct inspection {
        struct docker *d;
        struct http_call *call;
        char id[DOCKER_ID_SIZE];
        uint64_t seq; /* the container's last event when we asked */
};

struct docker {
        struct loop *loop;
        struct http *http;
        char *socket, *project, *proc;
        msec_t timeout, settle;
        docker_changed_fn changed;
        void *arg;

        enum engine_state engine;
        char text[256];
        bool synced;
        bool dirty; /* the owner is to be told */

        enum phase phase;
        bool broken;     /* drop everything in the next step */
        unsigned tries;  /* since it last worked */
        msec_t works_at; /* since when it works, 0 = it does not */
        unsigned api;
        struct http_call *version, *ping, *events, *list;
        struct timer timer[N_TIMERS];

        struct docker_table table;
        struct docker_pids pids; /* kept while the engine is gone */
        struct jsplit event_split, list_split;
        uint64_t seq; /* events so far */
        bool list_wanted;
        bool list_contested; /* an event contradicts the list or may */
        int list_error;
        msec_t list_at; /* when it was asked for */
        uint32_t list_mark;
        msec_t follow; /* pause before the list after this one */

        struct inspection inspect[N_INSPECT];
        struct docker_stats stats;
};

/* ---- docker.c: the connection ---- */

/* Run a step when this turn's callbacks are through. */
void docker_soon(struct docker *d);
/* Start a GET; fills in what is the same for all. On failure the connection is given up. */
void docker_ask(struct docker *d, struct http_request *rq, const char *url,
                struct http_call **call);
/* A list is complete: all is well. */
void docker_works(struct docker *d);
/* The connection is of no use any more: unsynced at once, the rest in the next step. While we wait
 * for the next attempt this only says why (a ping may know better). */
void docker_lose(struct docker *d, enum engine_state state, const char *text);
/* A request failed. `what` names it in the sentence. */
void docker_lose_http(struct docker *d, const char *what, const struct http_result *r);

/* ---- docker_sync.c: the containers. Called by the step only, but for the first ---- */

void docker_on_end(void *arg, const char *id); /* a docker_pid_fn */
void docker_start_events(struct docker *d);
void docker_start_list(struct docker *d);
void docker_start_inspects(struct docker *d); /* as many as are due and may run at once */
