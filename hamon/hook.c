/* The daemon's side: pipes, a pidfd of the keeper, and lines for the log. Nothing here waits. A
 * keeper that ends without a report was killed itself; then its session is looked through, as after
 * a restart of the daemon (hook_left.c), before the end is told. */
#include "hamon/hook.h"

#include "hamon/hook_keeper.h"
#include "hamon/hook_left.h"
#include "hamon/hook_safe.h"
#include "lib/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { LOOK_MS = 100, FORCE_AFTER_MS = 3000, STUCK_MS = 5000, DRAIN_READS = 64 };

struct stream { /* one of the hook's outputs, cut into lines */
        struct hook *hook;
        const char *name;
        int fd;
        struct event *readable;
        char line[HOOK_LINE + 1];
        size_t len; /* beyond HOOK_LINE nothing is kept */
};

struct hook {
        struct loop *loop;
        char record[128];
        hook_fn fn;
        hook_line_fn line_fn;
        void *arg;

        bool busy;
        struct ha_hook_facts facts;
        pid_t keeper; /* 0 = reaped */
        int pidfd, orders, report;
        struct event *ended;
        struct stream out, err;

        struct hook_mark mark; /* whose session is looked through by `look` */
        struct timer look, stuck;
        msec_t look_since;

        struct hook_result result;
        char name[32], last[HOOK_LAST + 1];
        msec_t started;
        unsigned lines;
};

/* ---- what it says ---- */

static void take_line(struct stream *s)
{
        struct hook *h = s->hook;

        s->line[MIN(s->len, HOOK_LINE)] = '\0';
        s->len = 0;
        if (!*s->line)
                return;
        if (s == &h->err)
                str_copy(h->last, sizeof h->last, s->line);
        if (h->lines++ >= HOOK_LINES)
                return;
        if (h->line_fn)
                h->line_fn(h->arg, h->result.id, s->line, loop_now(h->loop) - h->started);
        else
                log_event(LOG_INFO, "hook_output", LS("hook", h->name), LS("stream", s->name),
                          LS("line", s->line));
}

static void take_bytes(struct stream *s, const char *data, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                if (data[i] == '\n') {
                        take_line(s);
                        continue;
                }
                if (s->len < HOOK_LINE && data[i] != '\0')
                        s->line[s->len++] = data[i];
        }
}

/* false: nothing more to be had now. */
static bool read_some(struct stream *s)
{
        char data[4096];

        ssize_t n = read(s->fd, data, sizeof data);
        if (n > 0)
                take_bytes(s, data, (size_t)n);
        else if (n == 0)
                event_del(s->readable);
        return n > 0;
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        read_some(arg); /* the rest with the next round: the loop has other things to do */
}

static void stream_close(struct stream *s)
{
        if (s->readable)
                event_free(take_ptr(s->readable));
        closep(&s->fd);
}

static int stream_open(struct stream *s, struct hook *h, const char *name, int fd)
{
        *s = (struct stream){ .hook = h, .name = name, .fd = fd };
        s->readable = event_new(h->loop->base, fd, EV_READ | EV_PERSIST, on_output, s);
        return s->readable && event_add(s->readable, NULL) == 0 ? 0 : -ENOMEM;
}

/* All writers are dead: what is in the pipe is all there will be. */
static void drain(struct stream *s)
{
        for (int i = 0; s->readable && i < DRAIN_READS && read_some(s); i++)
                ;
        if (s->len > 0)
                take_line(s);
        stream_close(s);
}

/* ---- the end ---- */

static void close_all(struct hook *h)
{
        stream_close(&h->out);
        stream_close(&h->err);
        if (h->ended)
                event_free(take_ptr(h->ended));
        closep(&h->pidfd);
        closep(&h->orders);
        closep(&h->report);
        timer_clear(&h->look);
        timer_clear(&h->stuck);
}

/* The last act: fn may start the next one. */
static void finish(struct hook *h)
{
        drain(&h->out);
        drain(&h->err);
        close_all(h);
        unlink(h->record);
        if (h->lines > HOOK_LINES)
                log_event(LOG_WARN, "hook_output", LS("hook", h->name),
                          LI("lines_lost", h->lines - HOOK_LINES));
        h->busy = false;
        h->facts.state = h->result.id ? HOOK_ENDED : HOOK_IDLE;
        h->facts.end = h->result.end;
        h->result.took = loop_now(h->loop) - h->started;
        h->result.last = h->last;
        struct hook_result r = h->result;
        h->fn(h->arg, &r);
}

static void judge_report(struct hook *h, const struct hook_report *report)
{
        struct hook_result *r = &h->result;

        r->overdue = report->overdue;
        if (WIFEXITED(report->status))
                r->code = WEXITSTATUS(report->status);
        else if (WIFSIGNALED(report->status))
                r->signal = WTERMSIG(report->status);
        r->end = report->overdue || report->killed ? HOOK_KILLED
                 : r->signal                       ? HOOK_FAILED
                 : r->code == EX_OK                ? HOOK_OK
                 : r->code == EX_TEMPFAIL          ? HOOK_TEMP
                                                   : HOOK_FAILED;
}

/* Until the session is empty. The keeper itself, if it lives, gets time to do its work. */
static void on_look(void *arg)
{
        struct hook *h = arg;
        msec_t since = loop_now(h->loop) - h->look_since;

        if (hook_left_kill(&h->mark, since >= FORCE_AFTER_MS) == 0)
                finish(h);
        else
                timer_set(&h->look, since < STUCK_MS ? LOOK_MS : 10 * LOOK_MS);
}

static void look_through(struct hook *h)
{
        h->look_since = loop_now(h->loop);
        timer_set(&h->look, 0);
}

static void on_keeper(evutil_socket_t fd, short what, void *arg)
{
        struct hook *h = arg;
        struct hook_report report;
        siginfo_t info = { .si_pid = 0 };

        (void)fd;
        (void)what;
        int r = waitid(P_PID, (id_t)h->keeper, &info, WEXITED | WNOHANG);
        if (r == 0 && info.si_pid == 0)
                return;
        event_del(h->ended);
        h->keeper = 0;
        if (read(h->report, &report, sizeof report) == sizeof report) {
                judge_report(h, &report);
                finish(h);
                return;
        }
        h->result.end = HOOK_KILLED;
        h->result.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
        if (h->mark.started > 0)
                look_through(h);
        else
                finish(h);
}

static void on_stuck(void *arg)
{
        const struct hook *h = arg;

        log_event(LOG_ERROR, "hook_stuck", LS("hook", h->name),
                  LS("msg", "killed, but something of it hangs in the kernel"));
}

/* ---- the start ---- */

struct pipes {
        int orders[2], report[2], out[2], err[2];
};

static void pipes_close(struct pipes *p)
{
        int *const all[] = { p->orders, p->report, p->out, p->err };

        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                closep(&all[i][0]);
                closep(&all[i][1]);
        }
}

static int pipes_open(struct pipes *p)
{
        int *const all[] = { p->orders, p->report, p->out, p->err };

        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if (pipe2(all[i], O_CLOEXEC) < 0)
                        return -errno;
        /* our ends only: a writer in the hook may wait for us, we never wait for it */
        const int ours[] = { p->orders[1], p->report[0], p->out[0], p->err[0] };
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
                if (fcntl(ours[i], F_SETFL, O_NONBLOCK) < 0)
                        return -errno;
        return 0;
}

static int watch(struct hook *h, struct pipes *p)
{
        h->pidfd = pidfd_open(h->keeper, 0);
        if (h->pidfd < 0)
                return -errno;
        h->ended = event_new(h->loop->base, h->pidfd, EV_READ | EV_PERSIST, on_keeper, h);
        if (!h->ended || event_add(h->ended, NULL) < 0)
                return -ENOMEM;
        h->orders = take_fd(&p->orders[1]);
        h->report = take_fd(&p->report[0]);
        int r = stream_open(&h->out, h, "stdout", take_fd(&p->out[0]));
        return r < 0 ? r : stream_open(&h->err, h, "stderr", take_fd(&p->err[0]));
}

static void order(struct hook *h, char what)
{
        if (write(h->orders, &what, 1) != 1) /* a full pipe, or a keeper that has just ended */
                log_event(LOG_DEBUG, "hook", LS("hook", h->name), LS("msg", "order not taken"));
}

static int spawn(struct hook *h, const struct hook_run *run)
{
        CLEANUP(pipes_close)
        struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
        int r = pipes_open(&p);

        if (r < 0)
                return r;
        const struct hook_keeper k = { .path = run->path,
                                       .env = run->env,
                                       .deadline = run->deadline,
                                       .orders = p.orders[0],
                                       .report = p.report[1],
                                       .out = p.out[1],
                                       .err = p.err[1] };
        h->keeper = fork();
        if (h->keeper < 0) {
                h->keeper = 0;
                return -errno;
        }
        if (h->keeper == 0) {
                close(p.orders[1]); /* or it would never see its end */
                hook_keeper_run(&k);
        }
        r = watch(h, &p);
        if (r < 0) { /* it sees the end of its orders, and is reaped by whoever adopts it */
                close_all(h);
                waitpid(h->keeper, NULL, WNOHANG);
                h->keeper = 0;
                return r;
        }
        if (hook_mark_of(h->keeper, &h->mark) < 0)
                h->mark.started = 0; /* it has ended already, with its report */
        else if ((r = hook_mark_write(h->record, &h->mark)) < 0)
                log_event(LOG_WARN, "hook", LS("file", h->record), LS("error", strerror(-r)));
        order(h, HOOK_ORDER_GO);
        return 0;
}

int hook_start(struct hook *h, const struct hook_run *run, struct buf *error)
{
        if (h->busy) {
                buf_adds(error, "the last hook has not ended yet");
                return -EBUSY;
        }
        int r = hook_safe(run->path, error);
        if (r == 0 && run->also)
                r = hook_safe_dir(run->also, error);
        if (r < 0)
                return r;

        h->result = (struct hook_result){ .id = run->id };
        str_copy(h->name, sizeof h->name, run->name);
        h->last[0] = '\0';
        h->lines = 0;
        h->started = loop_now(h->loop);
        r = spawn(h, run);
        if (r < 0) {
                buf_addf(error, "%s: %s", run->path, strerror(-r));
                return r;
        }
        h->busy = true;
        h->facts = (struct ha_hook_facts){ .state = HOOK_RUNNING, .id = run->id };
        timer_set(&h->stuck, run->deadline + HOOK_GRACE_MS + STUCK_MS);
        return 0;
}

void hook_kill(struct hook *h, bool now)
{
        if (h->keeper == 0)
                return;
        order(h, now ? HOOK_ORDER_KILL : HOOK_ORDER_TERM);
        timer_set(&h->stuck, HOOK_GRACE_MS + STUCK_MS);
}

/* ---- the object ---- */

void hook_lines(struct hook *h, hook_line_fn fn)
{
        h->line_fn = fn;
}

bool hook_busy(const struct hook *h)
{
        return h->busy;
}

struct ha_hook_facts hook_facts(const struct hook *h)
{
        return h->facts;
}

/* A daemon before us was killed, and left this. */
static void take_up_leftover(struct hook *h)
{
        int r = hook_mark_read(h->record, &h->mark);

        if (r == -ENOENT)
                return;
        if (r < 0) {
                log_event(LOG_WARN, "hook", LS("file", h->record), LS("error", strerror(-r)));
                unlink(h->record);
                return;
        }
        log_event(LOG_WARN, "hook_left", LI("pid", h->mark.keeper),
                  LS("msg", "killing what an earlier hook may have left"));
        str_copy(h->name, sizeof h->name, "leftover");
        h->busy = true;
        h->facts.state = HOOK_RUNNING;
        h->started = loop_now(h->loop);
        timer_set(&h->stuck, STUCK_MS);
        look_through(h);
}

int hook_new(struct loop *l, const char *record, hook_fn fn, void *arg, struct hook **ret)
{
        struct hook *h = calloc(1, sizeof *h);
        if (!h)
                return -ENOMEM;

        h->loop = l;
        h->fn = fn;
        h->arg = arg;
        h->pidfd = h->orders = h->report = h->out.fd = h->err.fd = -1;
        int r = str_copy(h->record, sizeof h->record, record) ? make_parents(record)
                                                              : -ENAMETOOLONG;
        if (r == 0)
                r = timer_init(&h->look, l, on_look, h);
        if (r == 0)
                r = timer_init(&h->stuck, l, on_stuck, h);
        if (r < 0) {
                hook_free(h);
                return r;
        }
        take_up_leftover(h);
        *ret = h;
        return 0;
}

void hook_free(struct hook *h)
{
        if (!h)
                return;
        close_all(h);
        timer_done(&h->look);
        timer_done(&h->stuck);
        free(h);
}
