/* connect, write, read to the end: each step waits in poll(2) for what is left of the deadline. */
#include "hamon/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { RESTART_MS = 300, PAUSE_MS = 20 };

static void pause_ms(msec_t ms)
{
        struct timespec ts = { .tv_sec = (time_t)(ms / 1000),
                               .tv_nsec = (long)(ms % 1000) * 1000000 };

        nanosleep(&ts, NULL);
}

/* Wait until fd is ready; -ETIMEDOUT at the deadline. */
static int ready(int fd, short events, msec_t deadline)
{
        for (;;) {
                msec_t left = deadline - clock_ms();
                struct pollfd p = { .fd = fd, .events = events };
                if (left <= 0)
                        return -ETIMEDOUT;
                int r = poll(&p, 1, (int)MIN(left, 60000));
                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
        }
}

static int dial(const char *path, msec_t deadline, int *ret)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (!str_copy(sa.sun_path, sizeof sa.sun_path, path))
                return -ENAMETOOLONG;
        while (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
                if (errno != EAGAIN) /* EAGAIN: the backlog is full, the daemon may be stopped */
                        return -errno;
                if (clock_ms() + PAUSE_MS >= deadline)
                        return -ETIMEDOUT;
                pause_ms(PAUSE_MS);
        }
        *ret = take_fd(&fd);
        return 0;
}

static int send_line(int fd, const char *request, msec_t deadline)
{
        char line[1024];

        int len = snprintf(line, sizeof line, "%s\n", request);
        if (len < 0 || (size_t)len >= sizeof line)
                return -EMSGSIZE;
        int r = ready(fd, POLLOUT, deadline);
        if (r < 0)
                return r;
        ssize_t n =
                send(fd, line, (size_t)len, MSG_NOSIGNAL); /* a fresh socket takes one line whole */
        return n == len ? 0 : -EPROTO;
}

static int collect(int fd, msec_t deadline, struct buf *answer)
{
        char chunk[4096];

        for (;;) {
                int r = ready(fd, POLLIN, deadline);
                if (r < 0)
                        return r;
                ssize_t n = recv(fd, chunk, sizeof chunk, 0);
                if (n < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (n < 0)
                        return -EPROTO;
                if (n == 0)
                        return answer->len > 0 ? 0 : -EPROTO;
                r = buf_add(answer, chunk, (size_t)n);
                if (r < 0)
                        return r;
        }
}

static int ask_once(const char *path, const char *request, msec_t deadline, struct buf *answer)
{
        CLEANUP(closep) int fd = -1;

        int r = dial(path, deadline, &fd);
        if (r == 0)
                r = send_line(fd, request, deadline);
        if (r == 0)
                r = collect(fd, deadline, answer);
        return r;
}

int client_ask_until(const char *path, const char *request, const char *not_yet, msec_t timeout,
                     struct buf *answer)
{
        msec_t start = clock_ms();
        msec_t deadline = start + timeout, patience = start + MIN(timeout / 2, RESTART_MS);

        for (;;) {
                buf_reset(answer);
                int r = ask_once(path, request, deadline, answer);
                bool absent = r == -ENOENT || r == -ECONNREFUSED || r == -EPROTO;
                bool early = r == 0 && not_yet && strstr(buf_str(answer), not_yet);
                msec_t now = clock_ms();
                if ((!absent || now >= patience) && (!early || now + 2 * PAUSE_MS >= deadline))
                        return r;
                pause_ms(PAUSE_MS);
        }
}

int client_ask(const char *path, const char *request, msec_t timeout, struct buf *answer)
{
        return client_ask_until(path, request, NULL, timeout, answer);
}
