/* Ports outside are hamon.conf's (and so Mailcow's), ports inside a container are fixed. */
#include "hamon/cmd_stack_door.h"

#include "hamon/core/probes.h"
#include "hamon/stack_door.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        NFT_MS = 5000,
        LOOK_MS = 50,
        KNOCK_MS = 200,
        HOLD_MS = 60000, /* the door stays closed so much longer than all that may follow */
};

static const unsigned INSIDE[] = { 25, 465, 587 }; /* postfix's container */

enum { MAIL = 1 << DOOR_MAIL, LOGIN = 1 << DOOR_LOGIN, ALL = 1 << DOOR_ALL };

static const struct {
        enum probe probe;
        unsigned doors; /* it lies behind these */
} OUTSIDE[] = {
        { PROBE_SMTP, MAIL | ALL },
        { PROBE_SMTPS, MAIL | LOGIN | ALL },
        { PROBE_SUBMISSION, MAIL | LOGIN | ALL },
        { PROBE_IMAP, LOGIN | ALL },
        { PROBE_IMAPS, LOGIN | ALL },
        { PROBE_POP3, LOGIN | ALL },
        { PROBE_POP3S, LOGIN | ALL },
        { PROBE_SIEVE, LOGIN | ALL },
        { PROBE_HTTPS, LOGIN | ALL },
};

void door_close(struct step *s, enum door which)
{
        int (*close_it)(const unsigned *, size_t, msec_t, msec_t, const struct child_tick *,
                        struct buf *) = s->rehearsal ? stack_door_check : stack_door_close;
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        const struct config *c = &s->config;
        unsigned ports[ARRAY_SIZE(OUTSIDE)];
        char address[64];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(OUTSIDE); i++)
                if ((OUTSIDE[i].doors & 1U << which) > 0 &&
                    config_probe_where(config_probe_value(c, OUTSIDE[i].probe), c->probe.host,
                                       address, sizeof address, &ports[n]) == 0)
                        n++;
        msec_t hold = c->stack.drain_timeout + c->stack.stop_timeout + HOLD_MS;
        if (close_it(ports, n, hold, step_left(s, NFT_MS), &tick, &error) < 0)
                step_note(s, "newcomers will be refused for a while: %s", buf_str(&error));
}

void door_open(struct step *s)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        int r = stack_door_open(step_left(s, NFT_MS), &tick, &error);

        if (r < 0 && r != -ENOENT) /* without nft it cannot have been closed */
                step_note(s, "new connections may still be dropped for a while: %s",
                          buf_str(&error));
}

bool door_is_bare(const struct step *s)
{
        const struct config *c = &s->config;
        struct sockaddr_in in = { .sin_family = AF_INET };
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        char address[64];
        unsigned port;
        int error = 0;
        socklen_t len = sizeof error;

        if (fd < 0 ||
            config_probe_where(c->probe.smtp, c->probe.host, address, sizeof address, &port) < 0 ||
            inet_pton(AF_INET, address, &in.sin_addr) != 1)
                return false;
        in.sin_port = htons((uint16_t)port);
        if (connect(fd, (struct sockaddr *)&in, sizeof in) < 0 && errno != EINPROGRESS)
                return errno == ECONNREFUSED;
        if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, KNOCK_MS) <= 0)
                return false;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        return error == ECONNREFUSED;
}

/* Sessions or listeners; -1 if its process is gone, or nobody can tell. */
static ssize_t count(struct step *s, pid_t pid, enum stack_door_kind kind, const unsigned *ports,
                     size_t n)
{
        ssize_t found = stack_door_look(pid, kind, ports, n);

        if (found < 0 && found != -ENOENT && found != -ESRCH)
                step_note(s, "connections cannot be counted: %s", strerror((int)-found));
        return found < 0 ? -1 : found;
}

static void nap(struct step *s)
{
        step_pulse(s);
        poll(NULL, 0, LOOK_MS);
}

size_t door_await_quiet(struct step *s, pid_t pid)
{
        msec_t end = MIN(clock_ms() + s->config.stack.drain_timeout, s->deadline);
        ssize_t left;

        while ((left = count(s, pid, DOOR_SESSIONS, INSIDE, ARRAY_SIZE(INSIDE))) > 0 &&
               clock_ms() < end)
                nap(s);
        return left > 0 ? (size_t)left : 0;
}

bool door_all_listen(struct step *s, const struct stack_plan *p)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                if (m->mail && m->port > 0 && m->pid > 0 &&
                    count(s, m->pid, DOOR_LISTENERS, &m->port, 1) == 0)
                        return false;
        }
        return true;
}

void door_await_listeners(struct step *s, const struct stack_plan *p, msec_t end)
{
        while (!door_all_listen(s, p) && clock_ms() < MIN(end, s->deadline))
                nap(s);
}
