/* The guard: small, locked into memory, with one poll loop. The daemon tells it each new deadline
 * of the lease. When one passes (the daemon was stopped, hangs, was killed) it fences this node;
 * when that proves nothing in time, it stops petting the watchdog. It asks nobody, and nothing it
 * does itself can hang: the fence runs in a child. The clock is CLOCK_BOOTTIME: after a suspend, or
 * when all of this node was frozen, the deadline is found overdue at the first wake-up. */
#include "hamon/guard_main.h"

#include "hamon/config.h"
#include "hamon/guard_deed.h"
#include "hamon/guard_state.h"
#include "hamon/watchdog.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { CLIENTS = 8, WATCHDOG_TICK_MS = 500, LAST_PET_MS = 20, RETRY_MS = 1000, PER_TURN = 16 };
enum { FD_LISTEN, FD_TIMER, FD_SIGNAL, FD_DEED, FD_CLIENTS, FDS = FD_CLIENTS + CLIENTS };

struct client {
        int fd; /* -1 = free place */
        msec_t heard;
};

struct server {
        char socket_path[108], state_path[128], lock_path[128], watchdog_path[TARGET_PATH];
        unsigned watchdog_s; /* 0 = no watchdog is wanted */
        bool must;           /* nothing else keeps a silent node from writing */
        bool slow;           /* it would come too late for that */
        msec_t ttl, patience;
        int lock, listen, timer, signals, watchdog, watchdog_error;
        struct client clients[CLIENTS];
        struct guard_state state;
        struct guard_deed deed;
        struct fence_result last;
        uint64_t fences, failures;
        msec_t retry_at; /* after a fence that proved nothing */
        bool stop;
};

/* ---- the watchdog ---- */

/* How long after the deadline the petting goes on without proof. Where storage can be fenced, as
 * long as our own fence may take. Where it cannot, this node must have been reset by the time
 * another one may take the lease, a tenth of ttl after the deadline (ha.c: half of the margin), and
 * the device takes its timeout for that: so the petting ends before the deadline. */
static msec_t patience(const struct server *s, unsigned timeout)
{
        return s->must && !s->slow ? s->ttl / 10 - (msec_t)timeout * 1000 : FENCE_BUDGET;
}

static int open_watchdog(struct server *s)
{
        unsigned timeout;
        int r = watchdog_open(s->watchdog_path, s->watchdog_s, &timeout, &s->watchdog);

        if (r == 0) {
                s->slow = s->must && (msec_t)timeout * 1000 > s->ttl * 2 / 5;
                s->patience = patience(s, timeout);
                log_event(s->slow ? LOG_ERROR : LOG_INFO, "watchdog",
                          LS("device", s->watchdog_path), LI("timeout_s", timeout),
                          LS("msg", s->slow ? "too slow for lease.ttl: this node must not lead"
                                            : "armed"));
        } else if (r != s->watchdog_error) {
                log_event(s->must ? LOG_ERROR : LOG_WARN, "watchdog",
                          LS("device", s->watchdog_path),
                          LS("msg", r == -ENOTTY ? "it is no watchdog" : strerror(-r)));
        }
        s->watchdog_error = r;
        return r;
}

static void tend_watchdog(struct server *s, msec_t now)
{
        if (s->watchdog_s == 0 || (s->watchdog < 0 && open_watchdog(s) < 0))
                return;
        if (!guard_state_may_pet(&s->state, now, s->patience))
                return;
        int r = watchdog_pet(s->watchdog);
        if (r < 0 && r != -EAGAIN) { /* try another one: closing this one ends nothing */
                log_event(LOG_ERROR, "watchdog", LS("error", strerror(-r)));
                closep(&s->watchdog);
                s->watchdog_error = r;
        }
}

/* ---- the deed ---- */

static void begin_deed(struct server *s, msec_t now)
{
        int keep_out[FDS + 4] = { s->lock, s->listen, s->timer, s->signals };
        unsigned n = 4;

        if (s->watchdog >= 0)
                keep_out[n++] = s->watchdog;
        for (unsigned i = 0; i < CLIENTS; i++)
                if (s->clients[i].fd >= 0)
                        keep_out[n++] = s->clients[i].fd;
        keep_out[n] = -1;
        s->fences++;
        s->retry_at = now + RETRY_MS;
        int r = guard_deed_start(&s->deed, &s->state.target, keep_out, now);
        log_event(LOG_ERROR, "fence", LI("epoch", s->state.epoch),
                  LI("late_ms", now - s->state.deadline), LI("containers", s->state.target.n),
                  LS("device", s->state.target.device),
                  LS("msg", r < 0             ? strerror(-r)
                            : s->state.forced ? "the daemon asked for it"
                                              : "the daemon missed its deadline"));
        s->failures += r < 0;
}

static void end_deed(struct server *s, msec_t now)
{
        if (!guard_deed_over(&s->deed, now, &s->last))
                return;
        if (s->last.free &&
            guard_state_due(&s->state, now)) { /* else it was told better meanwhile */
                guard_state_fenced(&s->state);
                int r = guard_state_save(s->state_path, &s->state);
                if (r < 0) /* a restarted guard would only do it again */
                        log_event(LOG_WARN, "state", LS("error", strerror(-r)));
        }
        s->failures += !s->last.free;
        s->retry_at = now + RETRY_MS;
        log_event(s->last.free ? LOG_WARN : LOG_ERROR, "fenced", LI("free", s->last.free),
                  LI("killed", s->last.killed), LI("left", s->last.left),
                  LI("ms", s->last.total_ms), LI("kill_ms", s->last.kill_ms),
                  LI("umount_ms", s->last.umount_ms), LI("probe_ms", s->last.probe_ms),
                  LS("msg", s->last.text));
}

static void act(struct server *s, msec_t now)
{
        if (s->deed.pid)
                end_deed(s, now);
        if (!s->deed.pid && guard_state_due(&s->state, now) && now >= s->retry_at) {
                if (guard_deed_hangs(&s->deed))
                        s->retry_at = now + RETRY_MS;
                else
                        begin_deed(s, now);
        }
        tend_watchdog(s, now);
}

/* ---- clients ---- */

static void answer(struct server *s, int fd, const struct guard_message *m, int error, msec_t now)
{
        bool pets = guard_state_may_pet(&s->state, now, s->patience);
        struct guard_answer a = { .magic = GUARD_MAGIC,
                                  .mode = s->state.mode,
                                  .seq = m->seq,
                                  .error = error,
                                  .epoch = s->state.epoch,
                                  .deadline = s->state.deadline,
                                  .fencing = s->deed.pid != 0,
                                  .watchdog = s->watchdog >= 0 && pets,
                                  .tripped = s->watchdog >= 0 && !pets,
                                  .lacks_watchdog = s->must && (s->watchdog < 0 || s->slow),
                                  .fences = s->fences,
                                  .failures = s->failures,
                                  .took = s->last.total_ms };

        str_copy(a.text, sizeof a.text, s->last.text);
        if (send(fd, &a, sizeof a, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                shutdown(fd, SHUT_RDWR); /* it does not read: it comes again if it lives */
}

static void take(struct server *s, int fd, const struct guard_message *m, size_t len, msec_t now)
{
        struct guard_message none = { .magic = 0 };
        int r;

        if (!guard_message_ok(m, len)) {
                log_event(LOG_WARN, "message", LS("msg", "not one of ours"));
                answer(s, fd, &none, -EBADMSG, now);
                return;
        }
        r = guard_state_apply(&s->state, m, now);
        if (r < 0)
                log_event(LOG_WARN, "refused", LI("epoch", m->epoch), LI("ours", s->state.epoch),
                          LI("deadline", m->deadline), LI("armed", s->state.deadline),
                          LS("msg", strerror(-r)));
        else if (m->verb != GUARD_SAY_STATUS)
                r = guard_state_save(s->state_path, &s->state);
        if (m->verb == GUARD_SAY_FENCE && !s->deed.pid)
                s->retry_at = now; /* not at the next round: now */
        answer(s, fd, m, r, now);
}

static void hear(struct server *s, struct client *c)
{
        struct guard_message m;

        for (unsigned i = 0; i < PER_TURN; i++) {
                ssize_t n = recv(c->fd, &m, sizeof m, MSG_DONTWAIT | MSG_TRUNC);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) { /* it ended: that says nothing about the lease */
                        closep(&c->fd);
                        return;
                }
                /* First the deadline, by a clock read after the message: we may have been frozen
                 * right here, and what comes too late does not undo a deadline that passed. */
                msec_t now = clock_ms();
                act(s, now);
                c->heard = now;
                take(s, c->fd, &m, (size_t)n, now);
        }
}

/* With all places taken, the one that has been silent longest has to go. */
static void let_in(struct server *s, msec_t now)
{
        struct client *place = &s->clients[0];
        struct ucred peer;
        socklen_t len = sizeof peer;
        CLEANUP(closep) int fd = accept4(s->listen, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
            (peer.uid != 0 && peer.uid != geteuid()))
                return;
        for (unsigned i = 0; i < CLIENTS; i++) {
                struct client *c = &s->clients[i];
                if (c->fd < 0) {
                        place = c;
                        break;
                }
                if (c->heard < place->heard)
                        place = c;
        }
        closep(&place->fd);
        *place = (struct client){ .fd = take_fd(&fd), .heard = now };
}

/* ---- the loop ---- */

static void set_timer(struct server *s, msec_t now)
{
        msec_t at = now + 3600 * 1000;

        if (s->watchdog_s) {
                msec_t last = s->state.deadline + s->patience - LAST_PET_MS;
                at = now + WATCHDOG_TICK_MS;
                if (s->state.mode == GUARD_IS_ARMED && last > now)
                        at = MIN(at, last);
        }
        if (s->deed.pid)
                at = MIN(at, s->deed.end);
        else if (s->state.mode == GUARD_IS_ARMED)
                at = MIN(at, MAX(s->state.deadline, s->retry_at));
        at = MAX(at, 1); /* 0 would switch it off */
        struct itimerspec when = { .it_value = { at / 1000, at % 1000 * 1000000 } };
        timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn(struct server *s)
{
        struct pollfd p[FDS] = { [FD_LISTEN] = { .fd = s->listen, .events = POLLIN },
                                 [FD_TIMER] = { .fd = s->timer, .events = POLLIN },
                                 [FD_SIGNAL] = { .fd = s->signals, .events = POLLIN },
                                 [FD_DEED] = { .fd = s->deed.pid ? s->deed.fd : -1,
                                               .events = POLLIN } };
        uint64_t ticks;

        for (unsigned i = 0; i < CLIENTS; i++)
                p[FD_CLIENTS + i] = (struct pollfd){ .fd = s->clients[i].fd, .events = POLLIN };
        set_timer(s, clock_ms());
        if (poll(p, FDS, -1) < 0 && errno != EINTR)
                log_event(LOG_ERROR, "poll", LS("error", strerror(errno)));

        msec_t now = clock_ms();
        act(s, now);
        if (p[FD_TIMER].revents && read(s->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
                log_event(LOG_ERROR, "timer", LS("error", strerror(errno)));
        if (p[FD_SIGNAL].revents)
                s->stop = true;
        for (unsigned i = 0; i < CLIENTS; i++)
                if (p[FD_CLIENTS + i].revents && s->clients[i].fd == p[FD_CLIENTS + i].fd)
                        hear(s, &s->clients[i]);
        if (p[FD_LISTEN].revents)
                let_in(s, now);
        act(s, now);
}

/* ---- from start to end ---- */

static int start_listening(struct server *s)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        struct stat st;

        s->lock = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->lock < 0)
                return -errno;
        if (flock(s->lock, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
        if (lstat(s->socket_path, &st) == 0) {
                if (!S_ISSOCK(st.st_mode))
                        return -EEXIST;
                unlink(s->socket_path);
        }
        str_copy(sa.sun_path, sizeof sa.sun_path, s->socket_path);
        s->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (s->listen < 0)
                return -errno;
        mode_t old = umask(0177);
        int r = bind(s->listen, (struct sockaddr *)&sa, sizeof sa) < 0 ? -errno : 0;
        umask(old);
        if (r == 0 && listen(s->listen, CLIENTS) < 0)
                r = -errno;
        return r;
}

static int start(struct server *s)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (s->signals < 0 || s->timer < 0)
                return -errno;
        int r = make_parents(s->socket_path);
        if (r == 0)
                r = start_listening(s);
        if (r < 0)
                return r;
        guard_state_init(&s->state);
        r = guard_state_load(s->state_path, &s->state);
        if (r < 0 && r != -ENOENT)
                log_event(LOG_WARN, "state", LS("error", strerror(-r)), LS("msg", "forgotten"));
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                log_event(LOG_WARN, "mlockall", LS("error", strerror(errno)));
        /* Before everything that is busy; the fence inherits it. Where the kernel has no time for
         * real-time groups it stays with the unit's nice value. */
        struct sched_param rr = { .sched_priority = sched_get_priority_min(SCHED_RR) };
        if (sched_setscheduler(0, SCHED_RR, &rr) < 0)
                log_event(LOG_DEBUG, "sched", LS("error", strerror(errno)));
        return 0;
}

static void finish(struct server *s)
{
        /* Armed and stopped by hand: nobody guards what writes here. If nobody else could stop it
         * either, the watchdog goes on. */
        if (s->state.mode != GUARD_IS_ARMED || !s->must)
                watchdog_close(&s->watchdog);
        if (s->listen >= 0)
                unlink(s->socket_path);
        for (unsigned i = 0; i < CLIENTS; i++)
                closep(&s->clients[i].fd);
        closep(&s->watchdog);
        closep(&s->listen);
        closep(&s->timer);
        closep(&s->signals);
        closep(&s->lock);
}

/* With a mistake in hamon.conf the daemon does not start again either. Then at least the guard
 * must, or a restart of both would leave a master that nobody stops. */
static bool was_armed(const struct config *c)
{
        struct guard_state s;
        char path[128];

        return guard_path(c->control.socket, "guard.state", path, sizeof path) == 0 &&
               guard_state_load(path, &s) == 0 && s.mode == GUARD_IS_ARMED;
}

static int configure(struct server *s, const char *file)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };

        if (config_load_client(file, &c, &errors) < 0) {
                fputs(buf_str(&errors), stderr);
                buf_reset(&errors);
                if (config_load_client("/dev/null", &c, &errors) < 0 || !was_armed(&c))
                        return -EINVAL;
                log_event(LOG_ERROR, "config",
                          LS("msg", "refused; the guard was armed and goes on by the defaults"));
        }
        log_set_level((enum log_level)c.log.level);
        int r = guard_path(c.control.socket, "guard.sock", s->socket_path, sizeof s->socket_path);
        if (r == 0)
                r = guard_path(c.control.socket, "guard.state", s->state_path,
                               sizeof s->state_path);
        if (r == 0)
                r = guard_path(c.control.socket, "guard.lock", s->lock_path, sizeof s->lock_path);
        str_copy(s->watchdog_path, sizeof s->watchdog_path, c.watchdog.device);
        s->ttl = c.lease.ttl;
        if (c.cluster.nodes.n > 0 && c.watchdog.mode != CONFIG_WATCHDOG_OFF) {
                s->must = config_needs_watchdog(&c);
                s->watchdog_s = (unsigned)MIN(60, MAX(1, c.lease.ttl / (s->must ? 5000 : 2000)));
                s->patience = patience(s, s->watchdog_s);
        }
        return r;
}

int guard_main(const char *file)
{
        struct server s = { .lock = -1, .listen = -1, .timer = -1, .signals = -1, .watchdog = -1 };

        for (unsigned i = 0; i < CLIENTS; i++)
                s.clients[i].fd = -1;
        log_init(STDERR_FILENO, LOG_INFO);
        if (configure(&s, file) < 0)
                return EX_CONFIG;
        int r = start(&s);
        if (r < 0) {
                fprintf(stderr, "guard: %s: %s\n", s.socket_path, strerror(-r));
                s.listen = -1; /* if it is not ours, it is not ours to remove */
                finish(&s);
                return r == -EADDRINUSE ? EX_UNAVAILABLE : EX_OSERR;
        }
        log_event(LOG_INFO, "start", LI("armed", s.state.mode == GUARD_IS_ARMED),
                  LI("epoch", s.state.epoch), LI("deadline", s.state.deadline));
        act(&s, clock_ms());
        sd_notify_send("READY=1");
        while (!s.stop)
                turn(&s);
        log_event(LOG_INFO, "stop", LI("armed", s.state.mode == GUARD_IS_ARMED));
        finish(&s);
        log_done();
        return EX_OK;
}
