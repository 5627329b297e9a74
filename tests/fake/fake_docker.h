/* Test side of fake_docker.py: start it in a directory of its own, say one-line commands, end it.
 * Header only, for tests and benchmarks; needs MHA_SOURCE in the environment. */
#pragma once

#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct fake_docker {
        pid_t pid;
        int control; /* non-blocking */
        char dir[32], socket[48], control_path[48];
        char reply[8192];
        size_t len;
};

static inline int fake_docker_connect(const char *path)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        str_copy(a.sun_path, sizeof(a.sun_path), path);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
                fcntl(fd, F_SETFL, O_NONBLOCK);
                return fd;
        }
        if (fd >= 0)
                close(fd);
        return -1;
}

/* Ends only the process we started, and what it left behind. */
static inline void fake_docker_stop(struct fake_docker *f)
{
        if (f->pid > 0) {
                kill(f->pid, SIGKILL);
                waitpid(f->pid, NULL, 0);
        }
        if (f->control >= 0)
                close(f->control);
        unlink(f->socket);
        unlink(f->control_path);
        rmdir(f->dir);
        *f = (struct fake_docker){ .control = -1 };
}

/* 0, or a negative errno if it is not up within ten seconds. */
static inline int fake_docker_start(struct fake_docker *f)
{
        const char *source = getenv("MHA_SOURCE");
        char script[512];

        *f = (struct fake_docker){ .control = -1, .dir = "/tmp/fake_docker.XXXXXX" };
        if (!source || !mkdtemp(f->dir))
                return -ENOENT;
        snprintf(script, sizeof(script), "%s/tests/fake/fake_docker.py", source);
        snprintf(f->socket, sizeof(f->socket), "%s/engine", f->dir);
        snprintf(f->control_path, sizeof(f->control_path), "%s/control", f->dir);

        f->pid = fork();
        if (f->pid == 0) {
                execlp("python3", "python3", script, "--with-parent", f->socket, f->control_path,
                       (char *)NULL);
                _exit(127);
        }
        for (msec_t end = clock_ms() + 10000; f->pid > 0 && clock_ms() < end;) {
                f->control = fake_docker_connect(f->control_path);
                if (f->control >= 0)
                        return 0;
                poll(NULL, 0, 2);
        }
        fake_docker_stop(f);
        return -ETIMEDOUT;
}

static inline bool fake_docker_say(struct fake_docker *f, const char *command)
{
        f->len = 0;
        return dprintf(f->control, "%s\n", command) > 0;
}

/* True once the whole answer is in f->reply. The engine under test may have to be read meanwhile,
 * so this does not wait. */
static inline bool fake_docker_answered(struct fake_docker *f)
{
        ssize_t n = read(f->control, f->reply + f->len, sizeof(f->reply) - 1 - f->len);

        if (n > 0)
                f->len += (size_t)n;
        if (f->len == 0 || f->reply[f->len - 1] != '\n')
                return false;
        f->reply[f->len - 1] = '\0';
        f->len = 0;
        return true;
}
