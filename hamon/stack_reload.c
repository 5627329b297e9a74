/* Mailcow's container has supervisord in front, another may have master(8) itself. It is found by
 * its name and the pid namespace of the container. A pid is only a number: what is told is the
 * pidfd that was open before both were looked at. */
#include "hamon/stack_reload.h"

#include "lib/util.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char MASTER[] = "master\n"; /* as /proc/PID/comm has it */

/* 0: that process has ended, or nobody may know. */
static ino_t pid_namespace(pid_t pid)
{
        char path[64];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%lld/ns/pid", (long long)pid);
        return stat(path, &st) == 0 ? st.st_ino : 0;
}

static bool is_master(pid_t pid, ino_t where)
{
        CLEANUP(freep) char *name = NULL;
        char path[64];

        snprintf(path, sizeof path, "/proc/%lld/comm", (long long)pid);
        return read_file(path, 64, &name, NULL) == 0 && strcmp(name, MASTER) == 0 &&
               pid_namespace(pid) == where;
}

static int tell(pid_t pid, ino_t where)
{
        CLEANUP(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        if (fd < 0)
                return -errno;
        if (!is_master(pid, where))
                return -ESRCH;
        return syscall(SYS_pidfd_send_signal, fd, SIGHUP, NULL, 0) < 0 ? -errno : 0;
}

int stack_reload_postfix(pid_t pid)
{
        ino_t where = pid_namespace(pid);
        int r = -ESRCH;

        if (where == 0 || where == pid_namespace(getpid()))
                return r; /* its number is somebody else's by now: a container has its own */

        DIR *proc = opendir("/proc");
        if (!proc)
                return -errno;
        for (const struct dirent *e; r == -ESRCH && (e = readdir(proc));) {
                long n = strtol(e->d_name, NULL, 10);
                if (n > 0 && is_master((pid_t)n, where))
                        r = tell((pid_t)n, where);
        }
        closedir(proc);
        return r;
}
