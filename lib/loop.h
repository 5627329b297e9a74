/* The few things we add to libevent: one-shot timers in milliseconds and the loop's clock, read
 * once per wake-up. Everything else uses libevent directly. */
#pragma once

#include "util.h"
#include <event2/event.h>

struct loop {
        struct event_base *base;
        msec_t now; /* of this wake-up: loop_now() */
        bool now_valid, stop;
};

int loop_init(struct loop *l);
void loop_done(struct loop *l); /* after everything that lives in it; runs what libevent put off */
int loop_run(struct loop *l);   /* until loop_stop(); 0 or negative errno */
void loop_stop(struct loop *l); /* after the current callback */

/* Milliseconds on CLOCK_BOOTTIME, read at most once per wake-up of the loop. */
msec_t loop_now(struct loop *l);

typedef void (*timer_fn)(void *arg);

struct timer {
        struct event *ev;
        timer_fn fn;
        void *arg;
};

int timer_init(struct timer *t, struct loop *l, timer_fn fn, void *arg); /* not armed */
void timer_set(struct timer *t, msec_t after); /* (re)arm: fires once, `after` ms from now */
void timer_clear(struct timer *t);
void timer_done(struct timer *t); /* a zeroed timer is fine */
