/* The inside of the stack adapter, shared by its two halves: stack.c has the operation as a whole,
 * stack_job.c what is asked of the engine for one container. Nobody else includes this. */
#pragma once

#include "hamon/stack.h"

#include "lib/http.h"

enum {
        STACK_AT_ONCE = 8,       /* containers; a stop in a hurry has no limit */
        STACK_QUICK = 5000,      /* ms; default of config.timeout */
        STACK_DEADLINE = 60000,  /* ms; default of request.deadline */
        STACK_KILL_AFTER = 1000, /* ms; default of config.kill_after: the engine kills by itself */
        STACK_KILL_WAIT = 5000,  /* ms; default of config.kill_wait */
        STACK_LINGER = 100,      /* ms between two looks at one that may wait for nothing */
        STACK_IDLE = 2,          /* so many in a row, and it is killed */
        STACK_AGAIN = 500,       /* ms; a failed start is tried once more after this */
        STACK_BODY = 4096 * 1024 /* bytes of a list */
};

struct stack;

enum stack_step {
        STEP_INSPECT,
        STEP_IMAGE,
        STEP_UPDATE,
        STEP_START,
        STEP_UNPAUSE,
        STEP_STOP,
        STEP_COUNT_
};

struct stack_job { /* belongs to the member of the same index */
        struct stack *stack;
        struct http_call *call, *kill;
        struct timer again, linger;
        enum stack_step step;
        bool again_used;
        bool look_first; /* its first process is asked for, then it is stopped */
        unsigned idle;   /* looks in a row that found nothing it could still write */
};

enum stack_phase { PHASE_IDLE, PHASE_LIST, PHASE_JOBS, PHASE_VERIFY, PHASE_END };

enum { STACK_STEP, STACK_END, STACK_HURRY, STACK_KILL, STACK_TIMERS };

struct stack {
        struct loop *loop;
        struct http *http;
        char *socket, *project, *list_url;
        msec_t timeout, stop_timeout, kill_after, kill_wait;
        stack_classify_fn classify;
        void *classify_arg;

        struct stack_request rq;
        char only[STACK_SERVICE_SIZE], without[STACK_SERVICE_SIZE];
        enum stack_phase phase;
        msec_t ends_at, stop_ends_at;
        bool refused; /* `may` said no */
        struct http_call *list;
        struct timer timer[STACK_TIMERS];
        unsigned busy, changed;

        enum stack_result result; /* of the operation itself, with its text */
        char text[STACK_TEXT_SIZE * 2];
        struct stack_plan plan, seen;
        struct stack_job jobs[STACK_MAX];
};

/* ---- stack.c ---- */
void stack_soon(struct stack *s); /* take the next step when this turn's callbacks are through */

/* ---- stack_job.c ---- */
void stack_job_begin(struct stack *s, size_t i);
void stack_job_kill(struct stack *s, size_t i); /* SIGKILL beside the stop that goes on */
void stack_job_drop(struct stack_job *j);       /* cancel what is under way */
void stack_job_fail(struct stack_job *j, bool temporary, const char *text);
/* A sentence for a request that failed; true if it is worth trying again. */
bool stack_explain(const struct stack *s, const char *what, const struct http_result *r, char *dst,
                   size_t size);
