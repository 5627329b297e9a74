/* Which containers of the project are to be started or stopped, and who has to wait for whom. Pure
 * data: no sockets, no clock, no allocation. An order, not a condition: who depends on something
 * that failed has its turn all the same, because it may work by the time it needs it. */
#pragma once

#include "hamon/core/judge.h"
#include <sys/types.h>

enum {
        STACK_ID_SIZE = 65,
        STACK_SERVICE_SIZE = 64,
        STACK_NEEDS_SIZE = 512,
        STACK_TEXT_SIZE = 256,
        STACK_MAX = 128, /* containers of the project */
        STACK_IMAGE_SIZE = 160,
        STACK_PORTS = 12, /* of one container, published on this node */
};

enum stack_image { /* does the name a container was made from still mean its image? */
                   IMAGE_UNKNOWN, /* nobody asked, or it was not told */
                   IMAGE_SAME,
                   IMAGE_OTHER, /* a newer one was pulled */
                   IMAGE_GONE,
};

struct stack_port {
        char address[46]; /* "" = on every address */
        unsigned port;
};

enum stack_goal {
        STACK_LOOK,  /* nothing is changed */
        STACK_START, /* the set runs */
        STACK_STOP,  /* the set does not run */
};

enum stack_part { /* of the set */
                  PART_ALL,
                  PART_MAIL,  /* what taking mail needs */
                  PART_EARLY, /* of that, what can do without the volume */
                  PART_REST,  /* what mail can do without */
                  PART_COUNT_
};

enum stack_turn {               /* of one container within one operation */
                  TURN_NONE,    /* it is no concern of this operation */
                  TURN_WAITING, /* for others */
                  TURN_BUSY,
                  TURN_OVER, /* done, or failed: then `error` says why */
};

struct stack_member {
        char id[STACK_ID_SIZE];
        char service[STACK_SERVICE_SIZE];
        char needs[STACK_NEEDS_SIZE]; /* services, with blanks between them */
        enum set set;
        bool optional;
        bool first;    /* it is stopped before all others */
        bool mail;     /* taking mail needs it */
        bool early;    /* so too, and it mounts nothing of the shared volume */
        bool slow;     /* told to end, it may wait for nothing: then it is killed */
        unsigned port; /* where it has to listen for that, inside its container; 0 = nowhere */
        bool rival;    /* an ignored service that starts containers by its own rules */

        enum ctr_state state;
        enum ctr_health health; /* while it runs */
        int exit_code;          /* EXITED, RESTARTING */
        char policy[24];        /* restart policy, "" = not told */
        char address[46];       /* in its first network, "" = not told */
        pid_t pid;              /* of its first process, 0 = not told, or none */

        char image[STACK_IMAGE_SIZE]; /* the name it was made from, "" = not told, or too long */
        char image_id[80];
        enum stack_image image_is;
        struct stack_port ports[STACK_PORTS]; /* TCP ports it publishes while it runs */
        size_t n_ports;

        enum stack_turn turn;
        bool stop;    /* it is to be stopped, whatever the goal */
        bool changed; /* something had to be done */
        bool failed;
        bool temporary; /* failed, but it may work next time */
        char error[STACK_TEXT_SIZE];
};

struct stack_plan {
        enum stack_goal goal;
        bool hurry; /* nobody waits for anybody any more */
        size_t n;
        struct stack_member v[STACK_MAX];
};

/* The services in a label com.docker.compose.depends_on: "a:service_started:false,b:…". */
void stack_plan_parse_needs(const char *label, char dst[STACK_NEEDS_SIZE]);

/* Give each member its part in the operation. With `only`, that service and no other. Starting the
 * active set (but for what is early), and stopping whatever, also stops the rivals. */
void stack_plan_aim(struct stack_plan *p, enum stack_goal goal, enum set set, enum stack_part part,
                    const char *only);

/* The next member whose turn it is, now TURN_BUSY; -1 = there is none now. */
ssize_t stack_plan_next(struct stack_plan *p);
extern const char *const STACK_PARTS[PART_COUNT_]; /* all, mail, early, rest */

/* True once nobody waits and nobody is busy. */
bool stack_plan_over(const struct stack_plan *p);

bool stack_is_up(enum ctr_state s);                /* it has processes */
bool stack_plan_met(const struct stack_member *m); /* its state is what was wanted */
struct stack_member *stack_plan_find(struct stack_plan *p, const char *service); /* NULL: none */
