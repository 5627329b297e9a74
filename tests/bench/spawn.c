/* spawn COUNT PAUSE_MS COMMAND [ARG…]: runs a command COUNT times (0 = until killed), PAUSE_MS
 * apart, and prints one line for each run: wall time in µs, CPU time in µs of it and all its
 * children, the peak RSS in KiB of the biggest of them, its exit status. Small and static itself,
 * because a child's peak RSS starts with that of the process it was forked from. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t us(struct timeval t)
{
        return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static int run(char **argv, const posix_spawn_file_actions_t *quiet)
{
        struct rusage ru;
        int status;
        pid_t pid;

        int64_t start = now_us();
        int r = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);
        if (r != 0) {
                fprintf(stderr, "spawn: %s: %s\n", argv[0], strerror(r));
                return -r;
        }
        if (wait4(pid, &status, 0, &ru) < 0)
                return -errno;
        printf("%lld %lld %ld %d\n", (long long)(now_us() - start),
               (long long)(us(ru.ru_utime) + us(ru.ru_stime)), ru.ru_maxrss,
               WIFEXITED(status) ? WEXITSTATUS(status) : 255);
        fflush(stdout);
        return 0;
}

int main(int argc, char **argv)
{
        posix_spawn_file_actions_t quiet;

        if (argc < 4) {
                fprintf(stderr, "usage: spawn COUNT PAUSE_MS COMMAND [ARG…]\n");
                return 64;
        }
        long count = strtol(argv[1], NULL, 10), pause = strtol(argv[2], NULL, 10);
        posix_spawn_file_actions_init(&quiet);
        posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
        for (long i = 0; count == 0 || i < count; i++) {
                struct timespec t = { .tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000 };
                if (i > 0 && pause > 0)
                        nanosleep(&t, NULL);
                if (run(argv + 3, &quiet) < 0)
                        return 1;
        }
        return 0;
}
