/* Inside daemon*.c only: the seam's own state, and what its files ask of one another. */
#pragma once

#include "hamon/lead.h"

#include "hamon/beat.h"
#include "hamon/control.h"
#include "hamon/docker.h"
#include "hamon/events.h"
#include "hamon/galera.h"
#include "hamon/keepalived.h"

struct daemon {
        const char *file;
        struct loop loop;
        struct config config;
        struct node node;

        struct docker *docker;
        struct galera *galera;
        struct keepalived *keepalived;
        struct control *control;
        struct lead *lead; /* NULL: no cluster, this node is only watched */
        struct events *events;
        enum fitness told; /* the last verdict that was an event */
        struct beat beat;

        struct timer tick, judge, due, resync, watchdog;
        struct event *signals[3];
        msec_t last_tick, started;
        bool docker_dirty, ready;
        int exit_code;
};

/* daemon.c */
void daemon_judge(struct daemon *d, enum fold fold);
void daemon_vrrp(struct daemon *d, enum vrrp_state s);
msec_t daemon_slept(const struct daemon *d,
                    msec_t now); /* how long the loop stood still; 0 = not */
int daemon_make_galera(struct daemon *d, struct galera **ret);
int daemon_start_keepalived(struct daemon *d);
int daemon_start_docker(struct daemon *d);

/* daemon_ask.c */
void daemon_request(void *arg, enum request req, const char *words, struct buf *out);

/* daemon_reload.c */
void daemon_reload(struct daemon *d);
