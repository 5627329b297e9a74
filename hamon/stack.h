/* Starting and stopping a set of the compose project's containers through the Docker engine's unix
 * socket: in the order of stack_plan.h, in parallel where nobody waits for anybody. An operation
 * looks first and acts only where it must ("already so" is success), looks again at the end, and
 * ends by its one callback, at the latest when its deadline has come. An adapter: it reports and
 * judges nothing. Containers of other projects are never touched. */
#pragma once

#include "hamon/stack_json.h"
#include "lib/loop.h"

struct stack;

struct stack_config {
        const char *socket;  /* /run/docker.sock; copied */
        const char *project; /* label com.docker.compose.project; copied */
        msec_t timeout;      /* for what the engine should answer at once; 0 = 5 s */
        msec_t stop_timeout; /* from SIGTERM to SIGKILL, for all of a stop together */
        msec_t kill_after;   /* how long after stop_timeout we kill what the engine did not; 0 = 1 s
                              */
        msec_t kill_wait;    /* how long we wait for that; 0 = 5 s */
        stack_classify_fn classify;
        void *arg; /* of classify */
};

enum stack_result {
        STACK_DONE,      /* all that must be so is so */
        STACK_TEMPORARY, /* not now; it may work next time */
        STACK_FAILED,    /* it will not work until somebody changes something */
};

struct stack_outcome {
        enum stack_result result;
        const char *text; /* a sentence that names who; also what was only noted. Never NULL */
        const struct stack_plan *plan; /* valid in the callback */
        unsigned changed;              /* how many had to be started or stopped, with so_far */
};

struct stack_request {
        enum stack_goal goal;
        enum set set;
        enum stack_part part; /* of the set */
        bool images;          /* of a look: is each container still of the image its name means? */
        const char *only;     /* this service alone; NULL = the set. Copied */
        const char *without;  /* this one of the set is let be; NULL = none. Copied */
        unsigned so_far;      /* what operations before, which this one completes, have changed */
        msec_t deadline;      /* of a look or a start, from now on; 0 = 60 s. A stop has its own:
                                 stop_timeout + kill_after + kill_wait */

        void *arg;
        /* Asked right before each start: false ends the operation with nothing more sent. NULL =
         * always. It must not end or free anything. */
        bool (*may)(void *arg);
        /* Once, from the loop, unless cancelled. Here everything may be called, stack_free() too.
         */
        void (*done)(void *arg, const struct stack_outcome *o);
};

int stack_new(struct loop *l, const struct stack_config *c, struct stack **ret);
void stack_free(struct stack *s); /* cancels; NULL is fine */

/* One at a time: -EBUSY. */
int stack_begin(struct stack *s, const struct stack_request *r);
bool stack_busy(const struct stack *s);
void stack_cancel(struct stack *s); /* no callback any more; what the engine does it goes on with */
