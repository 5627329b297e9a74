/* The seam: the only file that knows core and adapters. One turn: an adapter reports (or the tick
 * comes) -> facts go into the node -> node_eval() -> carry out what changed: track_file, log,
 * sd_notify. Adapters' reports are gathered and judged once per wake-up, so that an event storm
 * costs one judgement, not thousands. */
#include "hamon/daemon.h"

#include "hamon/daemon_impl.h"

#include "hamon/feed.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include "lib/secret.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- carrying out ---- */

static void track_write(struct daemon *d, int value)
{
        int r = keepalived_track(d->keepalived, value);

        if (r < 0)
                log_event(LOG_ERROR, "track_file", LS("file", d->config.keepalived.track_file),
                          LS("error", strerror(-r)));
        else if (r > 0)
                log_event(LOG_INFO, "track_file", LI("value", value));
}

/* What keepalived is told. A fit node is a candidate, an unfit one is not. While a verdict is not
 * known: a standby is no candidate, a master keeps what it had; and a daemon that just started
 * leaves the file alone, so that a restart of it moves nothing. */
static void track(struct daemon *d, msec_t now)
{
        int value = d->node.verdict.fitness == FIT ? TRACK_FIT : TRACK_UNFIT;

        if (d->lead) { /* keepalived follows the lease */
                if (lead_track(d->lead, &value))
                        track_write(d, value);
                return;
        }
        if (d->node.verdict.fitness == UNSURE &&
            (d->node.role == ROLE_MASTER || now - d->started < d->config.check.stale))
                return;
        track_write(d, value);
}

static void on_change(void *arg, const struct node_change *c)
{
        enum log_level level = c->to == V_UP ? LOG_INFO : LOG_WARN;

        (void)arg;
        if (c->from == V_UNKNOWN && c->to == V_UP)
                level = LOG_DEBUG; /* the usual start */
        log_event(level, "check", LS("check", c->name), LS("from", VERDICTS[c->from]),
                  LS("to", VERDICTS[c->to]), LS("reason", reason_name(c->reason)));
}

static void tell(struct daemon *d, const struct happening *e)
{
        events_add(d->events, e);
        lead_event(d->lead, e);
}

static void tell_verdict(struct daemon *d)
{
        const struct node_verdict *v = &d->node.verdict;
        char msg[320];

        tell(d, &(struct happening){ .kind = EVENT_VERDICT,
                                     .bad = v->fitness != FIT,
                                     .from = FITNESSES[d->told],
                                     .to = FITNESSES[v->fitness],
                                     .reason = reason_name(v->reason),
                                     .detail = node_message(&d->node, msg, sizeof msg),
                                     .took = -1 });
        d->told = v->fitness;
}

static void tell_gap(struct daemon *d, msec_t gap)
{
        tell(d, &(struct happening){ .kind = EVENT_GAP, .took = gap });
}

static void on_docker(void *arg);

int daemon_start_docker(struct daemon *d)
{
        struct docker_config c = { .socket = d->config.docker.socket,
                                   .project = d->config.docker.project,
                                   .timeout = d->config.check.timeout };

        docker_free(d->docker);
        d->docker = NULL;
        return docker_new(&d->loop, &c, on_docker, d, &d->docker);
}

/* This process did not run for a while: what it believes may be long untrue, and what waits in its
 * sockets too. */
static void after_gap(struct daemon *d, msec_t gap, msec_t now)
{
        tell_gap(d, gap);
        d->last_tick = now;
        node_gap(&d->node, now);
        lead_gap(d->lead, gap);
        track_write(d, TRACK_UNFIT); /* somebody else may lead by now */
        if (daemon_start_docker(d) < 0)
                log_event(LOG_ERROR, "docker", LS("error", "out of memory"));
}

/* How long the loop stood still; 0 = it did not. */
msec_t daemon_slept(const struct daemon *d, msec_t now)
{
        msec_t gap = now - d->last_tick;

        return gap > d->config.check.interval + d->config.check.stale ? gap : 0;
}

void daemon_judge(struct daemon *d, enum fold fold)
{
        msec_t now = loop_now(&d->loop), gap = daemon_slept(d, now);

        if (gap > 0)
                after_gap(d, gap, now);
        if (d->docker_dirty && d->docker) {
                d->docker_dirty = false;
                feed_docker(&d->node, d->docker);
                if (docker_synced(d->docker)) {
                        struct fence_target t;
                        feed_target(&d->node, d->docker, &t);
                        lead_target(d->lead, &t);
                }
        }
        if (node_eval(&d->node, fold, now, on_change, d))
                tell_verdict(d);
        track(d, now);
        lead_wake(d->lead);

        msec_t next = node_next(&d->node, now);
        if (next >= 0)
                timer_set(&d->due, next + 1);
        else
                timer_clear(&d->due);
}

/* ---- what wakes us ---- */

static void on_docker(void *arg)
{
        struct daemon *d = arg;

        d->docker_dirty = true;
        timer_set(&d->judge, 0); /* once, after all events of this wake-up */
}

static void on_galera(void *arg, const struct galera_facts *f)
{
        struct daemon *d = arg;

        node_galera(&d->node, f, loop_now(&d->loop));
        timer_set(&d->judge, 0);
}

static enum role role_of(enum vrrp_state s)
{
        return s == VRRP_MASTER ? ROLE_MASTER : ROLE_STANDBY;
}

void daemon_vrrp(struct daemon *d, enum vrrp_state s)
{
        enum role before = d->node.role;

        tell(d, &(struct happening){ .kind = EVENT_VRRP, .to = VRRP_STATES[s], .took = -1 });
        if (d->lead) { /* a hint */
                lead_vrrp(d->lead, s);
                return;
        }
        node_set_role(&d->node, role_of(s), s == VRRP_FAULT);
        if (d->node.role != before)
                timer_set(&d->judge, 0);
}

static void on_vrrp(void *arg, enum vrrp_state s)
{
        daemon_vrrp(arg, s);
}

static void on_lead(void *arg)
{
        struct daemon *d = arg;

        node_set_lead(&d->node, lead_role(d->lead));
        timer_set(&d->judge, 0);
}

static void on_judge(void *arg)
{
        daemon_judge(arg, FOLD_CHANGES);
}

static void on_tick(void *arg)
{
        struct daemon *d = arg;

        timer_set(&d->tick, d->config.check.interval);
        daemon_judge(d, FOLD_TICK); /* before last_tick moves: a gap shows here at the latest */
        d->last_tick = loop_now(&d->loop);
        beat_write(&d->beat, d->last_tick);
        lead_tick(d->lead);
        if (d->docker || daemon_start_docker(d) == 0)
                docker_poll(d->docker);
        galera_poll(d->galera);
}

static void on_resync(void *arg)
{
        struct daemon *d = arg;

        timer_set(&d->resync, d->config.check.resync);
        if (d->docker)
                docker_resync(d->docker);
}

static void on_watchdog(void *arg)
{
        struct daemon *d = arg;

        timer_set(&d->watchdog, sd_watchdog_interval());
        sd_notify_send("WATCHDOG=1");
}

/* ---- building up and taking down ---- */

int daemon_make_galera(struct daemon *d, struct galera **ret)
{
        CLEANUP(secret_wipe) char *password = NULL;
        CLEANUP(buf_done) struct buf error = BUF(1024);

        if (secret_read(d->config.galera.password_file, &password, &error) < 0) {
                log_event(LOG_ERROR, "config", LS("key", "galera.password_file"),
                          LS("error", buf_str(&error)));
                return -EINVAL;
        }
        struct galera_config c = { .socket = d->config.galera.socket,
                                   .host = d->config.galera.host,
                                   .port = (unsigned)d->config.galera.port,
                                   .user = d->config.galera.user,
                                   .password = password,
                                   .timeout = d->config.check.timeout };
        int r = galera_new(&d->loop, &c, on_galera, d, ret);
        if (r < 0)
                log_event(LOG_ERROR, "galera", LS("error", strerror(-r)));
        return r;
}

int daemon_start_keepalived(struct daemon *d)
{
        struct keepalived_config c = { .track_file = d->config.keepalived.track_file,
                                       .fifo = d->config.keepalived.fifo,
                                       .state_file = d->config.keepalived.state_file,
                                       .instance = d->config.keepalived.instance };
        struct keepalived *k;

        int r = keepalived_new(&d->loop, &c, on_vrrp, d, &k);
        if (r < 0) {
                log_event(LOG_ERROR, "keepalived", LS("fifo", c.fifo), LS("error", strerror(-r)));
                return r;
        }
        if (d->keepalived && keepalived_state(k) == VRRP_UNKNOWN)
                keepalived_set_state(k, keepalived_state(d->keepalived)); /* another state_file */
        keepalived_free(d->keepalived);
        d->keepalived = k;
        return 0;
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
        struct daemon *d = arg;

        (void)what;
        if (sig == SIGHUP) {
                daemon_reload(d);
                return;
        }
        tell(d, &(struct happening){ .kind = EVENT_STOP,
                                     .detail = sig == SIGTERM ? "by SIGTERM" : "by SIGINT",
                                     .took = -1 });
        loop_stop(&d->loop);
}

static int start_signals(struct daemon *d)
{
        static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP };

        signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++) {
                d->signals[i] = evsignal_new(d->loop.base, SIGNALS[i], on_signal, d);
                if (!d->signals[i] || event_add(d->signals[i], NULL) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int start_timers(struct daemon *d)
{
        struct {
                struct timer *t;
                timer_fn fn;
        } timers[] = { { &d->tick, on_tick },
                       { &d->judge, on_judge },
                       { &d->due, on_judge },
                       { &d->resync, on_resync },
                       { &d->watchdog, on_watchdog } };

        for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
                int r = timer_init(timers[i].t, &d->loop, timers[i].fn, d);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int start_control(struct daemon *d)
{
        int r = control_new(&d->loop, d->config.control.socket, daemon_request, d, &d->control);

        if (r == -EADDRINUSE)
                d->exit_code = EX_UNAVAILABLE;
        if (r < 0)
                log_event(LOG_ERROR, "control", LS("socket", d->config.control.socket),
                          LS("error", r == -EADDRINUSE ? "another hamon runs here" : strerror(-r)));
        return r;
}

static int start_beat(struct daemon *d)
{
        char path[128];

        snprintf(path, sizeof path, "%s.beat", d->config.control.socket);
        int r = beat_open(&d->beat, path);
        if (r < 0)
                log_event(LOG_ERROR, "beat", LS("file", path), LS("error", strerror(-r)));
        return r;
}

/* Where did we leave off? After a restart everything stands as it was. After a boot there is no
 * track file, and keepalived would take us for fit; after a freeze (the watchdog killed us on
 * waking) there is one, and somebody else may lead. */
static int take_up(struct daemon *d)
{
        enum vrrp_state last = keepalived_state(d->keepalived);
        msec_t beat = beat_last(&d->beat);

        int r = node_init(&d->node, &d->config, role_of(last), d->started);
        if (r < 0)
                return r;
        node_set_role(&d->node, role_of(last), last == VRRP_FAULT);

        if (beat >= 0)
                d->last_tick = MIN(beat, d->started);
        if (daemon_slept(d, d->started) > 0) {
                tell_gap(d, daemon_slept(d, d->started));
                node_gap(&d->node, d->started);
                track_write(d, TRACK_UNFIT);
        } else if (!keepalived_track_valid(d->keepalived)) {
                track_write(d, TRACK_UNFIT);
        }
        d->last_tick = d->started;
        return 0;
}

static int start_lead(struct daemon *d)
{
        const struct lead_needs needs = { .loop = &d->loop,
                                          .file = d->file,
                                          .config = &d->config,
                                          .node = &d->node,
                                          .events = d->events,
                                          .arg = d,
                                          .changed = on_lead };

        if (d->config.cluster.nodes.n == 0)
                return 0;
        int r = lead_new(&needs, &d->lead);
        if (r < 0)
                return r;
        lead_vrrp(d->lead, keepalived_state(d->keepalived));
        on_lead(d);
        return 0;
}

static int start(struct daemon *d)
{
        int r;

        d->exit_code = EX_OSERR;
        d->started = d->last_tick = clock_ms();
        if ((r = loop_init(&d->loop)) < 0 || (r = start_signals(d)) < 0 ||
            (r = start_timers(d)) < 0 || (r = start_control(d)) < 0 ||
            (r = events_new(&d->loop, d->config.log.events, d->config.node.name, &d->events)) < 0 ||
            (r = start_beat(d)) < 0 || (r = daemon_start_keepalived(d)) < 0)
                return r;
        if ((r = take_up(d)) < 0)
                return r;
        d->exit_code = EX_CONFIG;
        if ((r = daemon_make_galera(d, &d->galera)) < 0 || (r = start_lead(d)) < 0)
                return r;
        d->exit_code = EX_OSERR;
        if ((r = daemon_start_docker(d)) < 0)
                return r;

        timer_set(&d->tick, 0);
        timer_set(&d->resync, d->config.check.resync);
        if (sd_watchdog_interval() > 0)
                timer_set(&d->watchdog, 0);
        d->exit_code = EX_OK;
        return 0;
}

static void stop(struct daemon *d)
{
        sd_notify_send("STOPPING=1");
        control_free(d->control);
        lead_stop(d->lead);
        lead_free(d->lead); /* the lease stays ours, and what runs here runs on */
        docker_free(d->docker);
        galera_free(d->galera);
        keepalived_free(d->keepalived); /* its files stay: a restart moves nothing */
        beat_close(&d->beat);
        node_done(&d->node);
        events_free(d->events);
        struct timer *timers[] = { &d->tick, &d->judge, &d->due, &d->resync, &d->watchdog };
        for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
                timer_done(timers[i]);
        for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
                if (d->signals[i])
                        event_free(d->signals[i]);
        loop_done(&d->loop);
        log_set_node(NULL);
        config_free(&d->config);
}

int daemon_run(const char *file)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        struct daemon d = { .file = file, .beat = { .fd = -1 } };

        if (config_load(file, &d.config, &errors, NULL) < 0) {
                fprintf(stderr, "%s", buf_str(&errors));
                return EX_CONFIG;
        }
        log_init(STDERR_FILENO, (enum log_level)d.config.log.level);
        log_set_node(d.config.node.name);

        if (start(&d) == 0) {
                tell(&d, &(struct happening){ .kind = EVENT_START,
                                              .to = ROLES[d.node.role],
                                              .detail = "version " MHA_VERSION,
                                              .took = -1 });
                sd_notify_send("READY=1");
                if (loop_run(&d.loop) < 0)
                        d.exit_code = EX_OSERR;
        }
        stop(&d);
        log_done();
        return d.exit_code;
}
