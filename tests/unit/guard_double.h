/* What the leading part sees of the guard: a socket that takes its messages and answers as told. */
#pragma once

#include "harness.h"

#include "hamon/guard_proto.h"
#include "lib/loop.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>

enum guard_mood {
        GUARD_GOOD,
        GUARD_DEAF,  /* takes what it is told and says nothing */
        GUARD_BARE,  /* lacks the watchdog it needs */
        GUARD_LAZY,  /* lives, but does not arm */
        GUARD_CLOSED /* nobody listens */
};

struct guard_double {
        enum guard_mood mood;
        struct event_base *base;
        char path[128];
        int listener, fd;
        struct event *accepting, *reading;
        struct guard_message last; /* but STATUS */
        unsigned armed, off, fenced;
};

static inline void guard_hang_up(struct guard_double *g)
{
        if (g->reading)
                event_free(g->reading);
        g->reading = NULL;
        closep(&g->fd);
        g->fd = -1;
}

static inline void guard_answers(struct guard_double *g, const struct guard_message *m)
{
        bool armed = g->last.verb == GUARD_SAY_ARM && g->mood != GUARD_LAZY;
        struct guard_answer a = { .magic = GUARD_MAGIC,
                                  .seq = m->seq,
                                  .mode = armed ? GUARD_IS_ARMED : GUARD_IS_OFF,
                                  .epoch = g->last.epoch,
                                  .deadline = armed ? g->last.deadline : 0,
                                  .lacks_watchdog = g->mood == GUARD_BARE };

        if (g->mood != GUARD_DEAF && send(g->fd, &a, sizeof a, MSG_NOSIGNAL) < 0)
                guard_hang_up(g); /* the daemon has ended */
}

static inline void on_guard_message(evutil_socket_t fd, short what, void *arg)
{
        struct guard_double *g = arg;
        struct guard_message m;

        (void)what;
        if (recv(fd, &m, sizeof m, MSG_DONTWAIT) != sizeof m) {
                guard_hang_up(g);
                return;
        }
        g->armed += m.verb == GUARD_SAY_ARM;
        g->off += m.verb == GUARD_SAY_OFF;
        g->fenced += m.verb == GUARD_SAY_FENCE;
        if (m.verb != GUARD_SAY_STATUS)
                g->last = m;
        guard_answers(g, &m);
}

static inline void on_guard_client(evutil_socket_t fd, short what, void *arg)
{
        struct guard_double *g = arg;

        (void)what;
        guard_hang_up(g);
        g->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        g->reading = event_new(g->base, g->fd, EV_READ | EV_PERSIST, on_guard_message, g);
        assert_int_equal(event_add(g->reading, NULL), 0);
}

static inline void guard_double_down(struct guard_double *g)
{
        guard_hang_up(g);
        if (g->accepting)
                event_free(g->accepting);
        g->accepting = NULL;
        closep(&g->listener);
        g->listener = -1;
        unlink(g->path);
}

static inline void guard_double_up(struct guard_double *g, const struct loop *loop,
                                   const char *at_path, enum guard_mood mood)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        *g = (struct guard_double){ .mood = mood, .base = loop->base, .fd = -1, .listener = -1 };
        str_copy(g->path, sizeof g->path, at_path);
        if (mood == GUARD_CLOSED)
                return;
        str_copy(sa.sun_path, sizeof sa.sun_path, at_path);
        g->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(g->listener, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(listen(g->listener, 4), 0);
        g->accepting = event_new(g->base, g->listener, EV_READ | EV_PERSIST, on_guard_client, g);
        assert_int_equal(event_add(g->accepting, NULL), 0);
}
