/* The writer is a child that gets lines over a socket, one packet each, and opens, appends, syncs
 * and closes: events are few, and so the file may be moved or deleted under it. A system call on a
 * dead disk hangs the child and nothing else; packets then pile up in the socket until it is full.
 * It is no thread, because a thread that hangs in the kernel keeps the whole process from ending.
 */
#include "hamon/events_spool.h"

#include "lib/log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PACKET_MAX = 4096, PATH_SIZE = 4096, AGAIN_MS = 5000, FD_IN = 3 };

struct events_spool {
        struct loop *loop;
        char path[PATH_SIZE - 8];
        size_t max;
        int fd, pidfd; /* -1: no writer */
        pid_t pid;
        struct event *ended;
        msec_t again_at; /* a writer that died is not started anew before this */
        uint64_t lost, told;
};

/* ---- in the child ---- */

static int open_file(const char *path, size_t max, size_t len)
{
        char old[PATH_SIZE];
        struct stat st;
        int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
        int fd = open(path, flags, 0640);

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0 || (size_t)st.st_size + len <= max)
                return fd;
        close(fd);
        snprintf(old, sizeof old, "%s.1", path);
        return rename(path, old) < 0 ? -1 : open(path, flags, 0640);
}

/* After a power cut the last line may be half of one. */
static bool ends_in_line(int fd)
{
        char last = '\n';
        off_t size = lseek(fd, 0, SEEK_END);

        return size <= 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

static bool more_waits(void)
{
        char any;

        return recv(FD_IN, &any, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int append(const char *path, size_t max, const char *line, size_t len)
{
        CLEANUP(closep) int fd = open_file(path, max, len);

        if (fd < 0)
                return -errno;
        if (!ends_in_line(fd) && write(fd, "\n", 1) != 1)
                return -errno;
        ssize_t n = write(fd, line, len);
        if (n < 0)
                return -errno;
        if ((size_t)n < len)
                return -ENOSPC;
        return !more_waits() && fdatasync(fd) < 0 ? -errno : 0; /* once for all that came at once */
}

_Noreturn static void write_on(const struct events_spool *s)
{
        char line[PACKET_MAX];
        int last = 0;

        make_parents(s->path);
        for (;;) {
                ssize_t n = recv(FD_IN, line, sizeof line, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        _exit(EXIT_SUCCESS); /* the daemon is gone, and all is written */
                int r = append(s->path, s->max, line, (size_t)n);
                if (r < 0 && r != last) /* once, not for each event */
                        log_event(LOG_WARN, "events", LS("file", s->path),
                                  LS("error", strerror(-r)));
                last = r;
        }
}

/* Whoever stops the daemon sends its signals to us too; we end with our work instead. */
_Noreturn static void become_writer(const struct events_spool *s, int in)
{
        static const int DEAF_TO[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
        sigset_t none;

        for (size_t i = 0; i < ARRAY_SIZE(DEAF_TO); i++)
                signal(DEAF_TO[i], SIG_IGN);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setpgid(0, 0);
        prctl(PR_SET_NAME, "hamon-events");
        if (in != FD_IN && dup2(in, FD_IN) < 0)
                _exit(EXIT_FAILURE);
        close_range(FD_IN + 1, ~0U, 0);
        log_init(STDERR_FILENO, LOG_WARN);
        write_on(s);
}

/* ---- in the daemon ---- */

static void let_go(struct events_spool *s)
{
        if (s->ended)
                event_free(take_ptr(s->ended));
        closep(&s->fd);
        closep(&s->pidfd);
        s->pid = 0;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
        struct events_spool *s = arg;

        (void)fd;
        (void)what;
        if (waitpid(s->pid, NULL, WNOHANG) == 0)
                return;
        log_event(LOG_WARN, "events", LS("file", s->path), LS("error", "its writer has died"));
        let_go(s);
        s->again_at = loop_now(s->loop) + AGAIN_MS;
}

static int start_writer(struct events_spool *s)
{
        sigset_t all, before;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before); /* until it is deaf to them */
        s->pid = fork();
        if (s->pid == 0) {
                close(pair[0]);
                become_writer(s, pair[1]);
        }
        int r = s->pid < 0 ? -errno : 0;
        sigprocmask(SIG_SETMASK, &before, NULL);
        close(pair[1]);
        s->fd = pair[0];
        if (r == 0) {
                s->pidfd = pidfd_open(s->pid, 0);
                r = s->pidfd < 0 ? -errno : 0;
        }
        if (r == 0) {
                s->ended = event_new(s->loop->base, s->pidfd, EV_READ | EV_PERSIST, on_ended, s);
                r = s->ended && event_add(s->ended, NULL) == 0 ? 0 : -ENOMEM;
        }
        if (r < 0)
                let_go(s); /* it sees the end of its socket */
        return r;
}

int events_spool_new(struct loop *l, const char *path, size_t max, struct events_spool **ret)
{
        struct events_spool *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;

        s->loop = l;
        s->max = max;
        s->fd = s->pidfd = -1;
        int r = str_copy(s->path, sizeof s->path, path) ? start_writer(s) : -ENAMETOOLONG;
        if (r < 0) {
                events_spool_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void events_spool_free(struct events_spool *s)
{
        if (!s)
                return;
        let_go(s);
        free(s);
}

void events_spool_write(struct events_spool *s, const char *line, size_t len)
{
        if (s->fd < 0 && loop_now(s->loop) >= s->again_at && start_writer(s) < 0)
                s->again_at = loop_now(s->loop) + AGAIN_MS;
        if (s->fd >= 0 && len <= PACKET_MAX &&
            send(s->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len) {
                s->told = s->lost;
                return;
        }
        if (s->lost++ == s->told) /* the first of a row */
                log_event(LOG_WARN, "events", LS("file", s->path),
                          LS("error", "the disk does not take events; they are in the log only"));
}

uint64_t events_spool_lost(const struct events_spool *s)
{
        return s->lost;
}
