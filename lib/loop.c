/* Timers and the clock on top of libevent. The base runs one round at a time, so that the clock is
 * read afresh after each sleep and stays the same within one wake-up. */
#include "lib/loop.h"

#include <errno.h>
#include <sys/time.h>

enum { ROUNDS_MAX = 8 }; /* a connection under a TLS one, and what their ends put off */

int loop_init(struct loop *l)
{
        *l = (struct loop){ .base = NULL };

        struct event_config *c = event_config_new();
        if (!c)
                return -ENOMEM;
        event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
        l->base = event_base_new_with_config(c);
        event_config_free(c);
        return l->base ? 0 : -ENOMEM;
}

/* libevent frees a connection one round later, or when a callback of it that is due has run; its
 * event_base_free() forgets both, and the connection with its TLS would be lost. */
static void give_back(struct loop *l)
{
        for (int round = 0; round < ROUNDS_MAX; round++)
                if (event_base_get_num_events(l->base, EVENT_BASE_COUNT_ACTIVE) == 0 ||
                    event_base_loop(l->base, EVLOOP_NONBLOCK) < 0)
                        return;
}

void loop_done(struct loop *l)
{
        if (l->base) {
                give_back(l);
                event_base_free(l->base);
        }
        *l = (struct loop){ .base = NULL };
}

int loop_run(struct loop *l)
{
        int r = 0;

        l->stop = false;
        while (!l->stop && r == 0) {
                l->now_valid = false; /* the wait is inside the round: whoever asks first reads */
                r = event_base_loop(l->base, EVLOOP_ONCE);
        }
        return r < 0 ? -EIO : 0; /* 1: nothing left to wait for */
}

void loop_stop(struct loop *l)
{
        l->stop = true;
        event_base_loopbreak(l->base);
}

msec_t loop_now(struct loop *l)
{
        if (!l->now_valid) {
                l->now = clock_ms();
                l->now_valid = true;
        }
        return l->now;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        struct timer *t = arg;

        (void)fd;
        (void)what;
        t->fn(t->arg);
}

int timer_init(struct timer *t, struct loop *l, timer_fn fn, void *arg)
{
        *t = (struct timer){ .fn = fn, .arg = arg };
        t->ev = event_new(l->base, -1, 0, on_timer, t);
        return t->ev ? 0 : -ENOMEM;
}

void timer_set(struct timer *t, msec_t after)
{
        if (after < 0)
                after = 0;
        struct timeval tv = { .tv_sec = (time_t)(after / 1000),
                              .tv_usec = (suseconds_t)(after % 1000) * 1000 };
        event_add(t->ev, &tv);
}

void timer_clear(struct timer *t)
{
        if (t->ev)
                event_del(t->ev);
}

void timer_done(struct timer *t)
{
        if (t->ev)
                event_free(t->ev);
        t->ev = NULL;
}
