/* fork(2) and a timer for each. A child that is stuck in the kernel keeps its place until it is
 * gone: nobody starts the same work a second time beside it. */
#include "hamon/sync/crew.h"

#include "lib/log.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_end(void *arg)
{
        const struct crew_hand *h = arg;

        if (h->pid > 0)
                kill(h->pid, SIGKILL);
}

int crew_init(struct crew *c, struct loop *l, unsigned servers, enum log_level level)
{
        int r = 0;

        *c = (struct crew){ .loop = l, .servers = servers, .level = level };
        for (size_t i = 0; r == 0 && i < CREW_MAX; i++)
                r = timer_init(&c->hands[i].end, l, on_end, &c->hands[i]);
        return r;
}

void crew_done(struct crew *c)
{
        for (size_t i = 0; i < CREW_MAX; i++) {
                if (c->hands[i].pid > 0)
                        kill(c->hands[i].pid, SIGKILL);
                timer_done(&c->hands[i].end);
        }
}

/* In the child: nothing of the parent's but standard error and `fd`, which becomes 3. */
static void bare(int fd, pid_t parent)
{
        static const int SIGNALS[] = { SIGTERM, SIGINT, SIGCHLD };

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++)
                signal(SIGNALS[i], SIG_DFL);
        log_done();
        if (fd >= 0 && fd != 3)
                dup2(fd, 3);
        close_range(fd >= 0 ? 4 : 3, ~0U, 0);
}

static struct crew_hand *free_hand(struct crew *c, enum crew_kind kind)
{
        struct crew_hand *found = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < CREW_MAX; i++) {
                if (c->hands[i].pid == 0)
                        found = &c->hands[i];
                else
                        n += c->hands[i].kind == kind;
        }
        return n < (kind == CREW_PULL ? 1 : c->servers) ? found : NULL;
}

int crew_start(struct crew *c, enum crew_kind kind, int (*fn)(void *arg, int fd), void *arg, int fd,
               msec_t deadline)
{
        struct crew_hand *h = free_hand(c, kind);
        pid_t parent = getpid();

        if (!h)
                return -EBUSY;
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                bare(fd, parent);
                log_init(STDERR_FILENO, c->level);
                _exit(fn(arg, fd >= 0 ? 3 : -1) < 0);
        }
        h->pid = pid;
        h->kind = kind;
        timer_set(&h->end, deadline);
        return 0;
}

void crew_reap(struct crew *c)
{
        int status;

        for (size_t i = 0; i < CREW_MAX; i++) {
                struct crew_hand *h = &c->hands[i];
                if (h->pid <= 0 || waitpid(h->pid, &status, WNOHANG) != h->pid)
                        continue;
                if (WIFSIGNALED(status))
                        log_event(LOG_WARN, "sync_child", LI("signal", WTERMSIG(status)),
                                  LS("did", h->kind == CREW_PULL ? "pull" : "serve"));
                h->pid = 0;
                timer_clear(&h->end);
        }
}
