/* Where requests come from: an inherited socket, a path, an address. We make it ourselves, because
 * libfcgi takes away the path of a living server and ends the process when it cannot have it. */
#include "signup/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, STALLED_S = 30, SYSTEMD_FD = 3 };

/* systemd's first socket, else standard input (FCGI_LISTENSOCK_FILENO). */
static int inherited(int *ret_fd)
{
        const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
        uint64_t value;
        bool systemd = pid && n && parse_uint(pid, 1, INT32_MAX, &value) == 0 &&
                       (pid_t)value == getpid() && parse_uint(n, 1, 100, &value) == 0;
        int fd = systemd ? SYSTEMD_FD : STDIN_FILENO, listening = 0;
        socklen_t len = sizeof listening;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
                return -ENOTSOCK;
        *ret_fd = fd;
        return 0;
}

/* A path left by a server that is gone may be taken; one that answers not. */
static int clear_path(const struct sockaddr_un *sa)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (lstat(sa->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        if (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        return unlink(sa->sun_path) < 0 ? -errno : 0;
}

static int give_group(const char *path, const char *group)
{
        if (!*group)
                return 0;
        const struct group *g = getgrnam(group);
        if (!g)
                return -ENOENT;
        return chown(path, (uid_t)-1, g->gr_gid) < 0 ? -errno : 0;
}

static int listen_unix(const char *path, const char *group, int *ret_fd)
{
        CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        if (fd < 0)
                return -errno;
        if (!str_copy(sa.sun_path, sizeof sa.sun_path, path))
                return -ENAMETOOLONG;
        int r = clear_path(&sa);
        if (r < 0)
                return r;
        mode_t mask = umask(0117); /* 0660 from the first moment */
        r = bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ? -errno : 0;
        umask(mask);
        if (r == 0)
                r = give_group(path, group);
        if (r == 0 && listen(fd, BACKLOG) < 0)
                r = -errno;
        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
}

static int listen_tcp(const struct listen *l, int *ret_fd)
{
        bool v6 = strchr(l->address, ':') != NULL;
        CLEANUP(closep) int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
        struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)l->port) };
        struct timeval stalled = { .tv_sec = STALLED_S };
        int on = 1;

        if (fd < 0)
                return -errno;
        inet_pton(AF_INET, l->address, &a4.sin_addr);
        inet_pton(AF_INET6, l->address, &a6.sin6_addr);
        /* accepted connections inherit the time-outs: libfcgi itself waits for ever */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
            setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) <
                    0 || /* Docker's bridge, later */
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stalled, sizeof stalled) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stalled, sizeof stalled) < 0 ||
            bind(fd, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4,
                 v6 ? sizeof a6 : sizeof a4) < 0 ||
            listen(fd, BACKLOG) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

int server_listen(const struct config *c, int *ret_fd, struct buf *error)
{
        struct listen l;
        int fd = -1, flags;

        int r = listen_parse(c->signup.listen, &l);
        if (r == 0)
                r = l.kind == LISTEN_INHERITED ? inherited(&fd)
                    : l.kind == LISTEN_UNIX    ? listen_unix(l.address, c->signup.socket_group, &fd)
                                               : listen_tcp(&l, &fd);
        if (r == 0) {
                flags = fcntl(fd, F_GETFL);
                r = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
        }
        if (r < 0)
                buf_addf(error, "[signup] listen = %s: %s", c->signup.listen, strerror(-r));
        else
                *ret_fd = fd;
        return r;
}
