/* Ports outside are hamon.conf's (and so Mailcow's), ports inside postfix's own container are
 * fixed. */
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
        LISTEN_MS = 10000, /* from the container's start; postfix needs a second */
        HOLD_MS = 60000,   /* the door stays closed so much longer than all that may follow */
};

static const unsigned INSIDE[] = { 25, 465, 587 };

static const struct {
        enum probe probe;
        bool mail;
} OUTSIDE[] = {
        { PROBE_SMTP, true },   { PROBE_SMTPS, true },  { PROBE_SUBMISSION, true },
        { PROBE_IMAP, false },  { PROBE_IMAPS, false }, { PROBE_POP3, false },
        { PROBE_POP3S, false }, { PROBE_SIEVE, false }, { PROBE_HTTPS, false },
};

void door_close(struct step *s, enum door which)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        const struct config *c = &s->config;
        unsigned ports[ARRAY_SIZE(OUTSIDE)];
        char address[64];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(OUTSIDE); i++)
                if ((which == DOOR_ALL || OUTSIDE[i].mail) &&
                    config_probe_where(config_probe_value(c, OUTSIDE[i].probe), c->probe.host,
                                       address, sizeof address, &ports[n]) == 0)
                        n++;
        msec_t hold = c->stack.drain_timeout + c->stack.stop_timeout + HOLD_MS;
        if (stack_door_close(ports, n, hold, step_left(s, NFT_MS), &tick, &error) < 0)
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

/* Until there is one, or none, of a kind. Returns how many there are, 0 if nobody can tell. */
static size_t await(struct step *s, pid_t pid, enum stack_door_kind kind, bool wanted, msec_t ms)
{
        msec_t end = MIN(clock_ms() + ms, s->deadline);

        for (;;) {
                ssize_t n = stack_door_look(pid, kind, INSIDE, ARRAY_SIZE(INSIDE));
                if (n == -ENOENT || n == -ESRCH) /* its process is gone */
                        return 0;
                if (n < 0) {
                        step_note(s, "connections cannot be counted: %s", strerror((int)-n));
                        return 0;
                }
                if ((n > 0) == wanted || clock_ms() >= end)
                        return (size_t)n;
                step_pulse(s);
                poll(NULL, 0, LOOK_MS);
        }
}

size_t door_await_quiet(struct step *s, pid_t pid)
{
        return await(s, pid, DOOR_SESSIONS, false, s->config.stack.drain_timeout);
}

void door_await_listener(struct step *s, pid_t pid)
{
        await(s, pid, DOOR_LISTENERS, true, LISTEN_MS);
}
