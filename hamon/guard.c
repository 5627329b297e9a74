/* One order at a time is to be told: the last one. It is sent at once, and again after each new
 * connection; a STATUS every quarter of a second keeps the answers coming. */
#include "hamon/guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TICK_MS = 250, ALIVE_MS = 1000 };

struct guard {
        struct loop *loop;
        guard_fn changed;
        void *arg;
        int fd;
        struct event *readable;
        struct timer tick;
        uint64_t seq;

        bool have_order; /* something was ever to be told */
        bool told;       /* and was answered */
        struct guard_message order;

        bool answered, alive; /* alive: as last told */
        msec_t answered_at, connected_at;
        struct guard_answer seen;
        struct sockaddr_un address;
};

static int open_socket(const struct sockaddr_un *sa, int *ret_fd)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof *sa) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

static void hang_up(struct guard *g)
{
        if (g->readable)
                event_free(take_ptr(g->readable));
        closep(&g->fd);
}

static void tell_changes(struct guard *g)
{
        g->alive = guard_alive(g);
        if (g->changed)
                g->changed(g->arg);
}

static void say(struct guard *g, struct guard_message *m)
{
        m->magic = GUARD_MAGIC;
        m->seq = ++g->seq;
        if (g->fd >= 0 && send(g->fd, m, sizeof *m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                hang_up(g); /* gone, or so slow that its queue is full: tick() tries again */
}

static void say_order(struct guard *g)
{
        g->told = false;
        say(g, &g->order);
}

static bool differs(const struct guard_answer *a, const struct guard_answer *b)
{
        return a->mode != b->mode || a->error != b->error || a->epoch != b->epoch ||
               a->deadline != b->deadline || a->fencing != b->fencing ||
               a->watchdog != b->watchdog || a->lacks_watchdog != b->lacks_watchdog ||
               a->tripped != b->tripped || a->fences != b->fences;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        struct guard *g = arg;
        struct guard_answer a;
        bool news = false;

        (void)what;
        for (unsigned i = 0; i < 64; i++) {
                ssize_t n = recv(fd, &a, sizeof a, MSG_DONTWAIT | MSG_TRUNC);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        break;
                if (n != sizeof a || a.magic != GUARD_MAGIC) { /* 0: the end */
                        hang_up(g);
                        break;
                }
                a.text[sizeof a.text - 1] = '\0';
                bool of_order = g->have_order && a.seq == g->order.seq;
                if (of_order)
                        g->told = true;
                else
                        a.error = g->seen.error; /* of the order, which STATUS does not repeat */
                news |= !g->answered || differs(&a, &g->seen);
                g->seen = a;
                g->answered = true;
                g->answered_at = loop_now(g->loop);
        }
        if (news || g->alive != guard_alive(g))
                tell_changes(g);
}

static void hook_up(struct guard *g)
{
        if (open_socket(&g->address, &g->fd) < 0)
                return;
        g->readable = event_new(g->loop->base, g->fd, EV_READ | EV_PERSIST, on_readable, g);
        if (!g->readable || event_add(g->readable, NULL) < 0) {
                hang_up(g);
                return;
        }
        g->connected_at = loop_now(g->loop);
        /* A new guard knows what the old one kept; saying it again does no harm. But it fences once
         * for each time it is told to. */
        if (g->have_order && (!g->told || g->order.verb != GUARD_SAY_FENCE))
                say_order(g);
}

static void on_tick(void *arg)
{
        struct guard *g = arg;
        struct guard_message status = { .verb = GUARD_SAY_STATUS };
        msec_t now = loop_now(g->loop);

        timer_set(&g->tick, TICK_MS);
        if (g->fd >= 0 && now - MAX(g->answered_at, g->connected_at) > ALIVE_MS)
                hang_up(g);
        if (g->fd < 0)
                hook_up(g);
        else if (g->have_order && !g->told)
                say_order(g);
        say(g, &status);
        if (g->alive != guard_alive(g))
                tell_changes(g);
}

int guard_new(struct loop *l, const char *path, guard_fn changed, void *arg, struct guard **ret)
{
        struct guard *g = calloc(1, sizeof *g);
        if (!g)
                return -ENOMEM;

        *g = (struct guard){ .loop = l, .changed = changed, .arg = arg, .fd = -1 };
        g->address.sun_family = AF_UNIX;
        int r = str_copy(g->address.sun_path, sizeof g->address.sun_path, path) ? 0 : -ENAMETOOLONG;
        if (r == 0)
                r = timer_init(&g->tick, l, on_tick, g);
        if (r < 0) {
                free(g);
                return r;
        }
        timer_set(&g->tick, 0);
        *ret = g;
        return 0;
}

void guard_free(struct guard *g)
{
        if (!g)
                return;
        hang_up(g);
        timer_done(&g->tick);
        free(g);
}

static bool is_target(const struct fence_target *a, const struct fence_target *b)
{
        return a->n == b->n && a->dev == b->dev && strcmp(a->device, b->device) == 0 &&
               strcmp(a->mount, b->mount) == 0 && memcmp(a->id, b->id, a->n * sizeof a->id[0]) == 0;
}

static bool is_order(const struct guard *g, enum guard_verb verb, msec_t deadline, uint64_t epoch,
                     const struct fence_target *target)
{
        const struct guard_message *o = &g->order;

        return g->have_order && o->verb == verb && o->deadline == deadline && o->epoch == epoch &&
               (!target || is_target(&o->target, target));
}

void guard_set(struct guard *g, enum guard_order order, msec_t deadline, uint64_t epoch,
               const struct fence_target *target)
{
        bool on = order == GUARD_SET_ARM;

        if (is_order(g, on ? GUARD_SAY_ARM : GUARD_SAY_OFF, on ? deadline : 0, epoch,
                     on ? target : NULL))
                return; /* told, or on_tick() sees to it */
        g->order = (struct guard_message){ .verb = on ? GUARD_SAY_ARM : GUARD_SAY_OFF,
                                           .epoch = epoch,
                                           .deadline = on ? deadline : 0 };
        if (on && target)
                g->order.target = *target;
        g->have_order = true;
        say_order(g);
}

void guard_fence_now(struct guard *g)
{
        g->order.verb = GUARD_SAY_FENCE; /* with the targets of the last ARM */
        g->have_order = true;
        say_order(g);
}

bool guard_alive(struct guard *g)
{
        return g->answered && loop_now(g->loop) - g->answered_at <= ALIVE_MS;
}

bool guard_ready(struct guard *g)
{
        return guard_alive(g) && !g->seen.lacks_watchdog;
}

msec_t guard_acked(const struct guard *g)
{
        bool ours =
                g->answered && g->seen.mode == GUARD_IS_ARMED && g->seen.epoch == g->order.epoch;

        return ours && !g->seen.lacks_watchdog ? g->seen.deadline : 0;
}

const struct guard_answer *guard_seen(const struct guard *g)
{
        return g->answered ? &g->seen : NULL;
}

/* ---- without a loop ---- */

int guard_ask(const char *path, const struct guard_message *m, msec_t deadline,
              struct guard_answer *ret)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        struct guard_message copy = *m;
        struct guard_answer a;
        CLEANUP(closep) int fd = -1;
        msec_t end = clock_ms() + deadline;

        if (!str_copy(sa.sun_path, sizeof sa.sun_path, path))
                return -ENAMETOOLONG;
        int r = open_socket(&sa, &fd);
        if (r < 0)
                return r;
        copy.magic = GUARD_MAGIC;
        if (send(fd, &copy, sizeof copy, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return -errno;
        for (msec_t left; (left = end - clock_ms()) > 0;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, (int)left) <= 0)
                        continue;
                if (recv(fd, &a, sizeof a, MSG_DONTWAIT | MSG_TRUNC) != sizeof a ||
                    a.magic != GUARD_MAGIC)
                        return -EBADMSG;
                a.text[sizeof a.text - 1] = '\0';
                *ret = a;
                return 0;
        }
        return -ETIMEDOUT;
}
