/* One step: facts, core's decision, deeds. Everything that may have changed something only wakes
 * it, so that whatever came in one turn of the loop is decided once, on one view of the world. */
#include "hamon/lead_outage.h"
#include "hamon/lead_recover.h"
#include "hamon/lead_rejoin.h"
#include "hamon/lead_warm.h"

#include "hamon/boot_state.h"
#include "hamon/epoch_file.h"
#include "hamon/probe_set.h"
#include "hamon/providers.h"
#include "hamon/store_sql.h"
#include "lib/child.h"
#include "lib/log.h"
#include "lib/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        CONNECT_MS = 300,
        ANSWER_MS = 2000,
        AVOID_MS = 3000,
        HELD_LOOK_MS = 50,
        FILE_LOOK_MS = 2000
};

/* ---- the lease row ---- */

static void on_store(void *arg, const struct store_answer *a)
{
        struct lead *l = arg;
        msec_t now = loop_now(l->needs.loop);

        if (*a->text)
                log_event(LOG_DEBUG, "lease_answer", LI("answer", a->answer), LI("error", a->error),
                          LS("text", a->text));
        bool no_row = l->out.statement.op == OP_READ && a->answer == ANSWER_NONE;
        if (no_row && !l->no_row)
                log_event(LOG_ERROR, "lease", LS("error", "the lease has no row"),
                          LS("msg", "hamon store init makes it"));
        l->no_row = no_row;
        ha_answer(&l->ha, a->answer, &a->row, now);
        lead_wake(l);
}

static void send_statement(struct lead *l, msec_t now)
{
        if (l->out.statement.op == OP_NONE)
                return;
        int r = store_send(l->store, &l->out.statement, on_store, l);
        if (r < 0) {
                log_event(LOG_ERROR, "lease", LS("error", strerror(-r)));
                ha_answer(&l->ha, ANSWER_REFUSED, NULL, now);
        }
}

/* ---- one step ---- */

static void step(void *arg)
{
        struct lead *l = arg;
        msec_t now = loop_now(l->needs.loop);
        enum ha_state before = l->ha.state;
        struct ha_facts f;

        lead_facts(l, &f, now);
        ha_step(&l->ha, &f, now, &l->out);
        l->candidate = ha_candidate(&l->ha, &f, now);
        l->gap = 0;
        l->poke = l->asked = false;
        l->order = ORDER_NONE;

        lead_settle(l);
        lead_guard_carry(l);
        for (unsigned i = 0; i < l->out.n; i++)
                lead_act(l, &l->out.actions[i], now);
        lead_hold_look(l, now);
        send_statement(l, now);
        lead_follow(l, now);
        lead_tell_lease(l, before);
        timer_set(&l->wake, l->is_held_back ? MIN(l->out.next, HELD_LOOK_MS) : l->out.next);
        if (l->ha.state != before)
                l->needs.changed(l->needs.arg);
}

void lead_wake(struct lead *l)
{
        if (l)
                timer_set(&l->wake, 0);
}

void lead_gap(struct lead *l, msec_t gap)
{
        if (!l)
                return;
        l->gap += gap;
        l->vrrp_old = true;
        l->provider_ok = false;
        lead_wake(l);
}

void lead_vrrp(struct lead *l, enum vrrp_state s)
{
        if (!l)
                return;
        l->vrrp = s;
        l->vrrp_old = false;
        l->poke = true;
        lead_wake(l);
}

/* As `hamon sync` left it on tmpfs: a few hundred bytes. */
static void read_sync(struct lead *l)
{
        const struct config *c = l->needs.config;
        struct sync_state s;

        l->sync = (struct sync_word){ .reason = "" };
        if (sync_state_read(c->sync.state, &s) == 0)
                sync_state_word(&s, c->sync.interval, loop_now(l->needs.loop), &l->sync);
}

void lead_tick(struct lead *l)
{
        if (!l)
                return;
        l->mounted = lead_looks_mounted(l->needs.config->volume.mount);
        if (!l->mounted)
                l->file.known = false;
        lead_address_look(l);
        read_sync(l);
        lead_peer_tick(l);
        lead_recover_tick(l);
        lead_warm_tick(l);
        lead_outage_tick(l);
        lead_rejoin_tick(l);
        lead_rows_tick(l);
        lead_wake(l);
}

enum role lead_role(const struct lead *l)
{
        return l->ha.state == ST_MASTER ? ROLE_MASTER : ROLE_STANDBY;
}

bool lead_track(const struct lead *l, int *ret_value)
{
        static const int VALUES[] = { [HA_TRACK_UNFIT] = TRACK_UNFIT,
                                      [HA_TRACK_FIT] = TRACK_FIT,
                                      [HA_TRACK_HOLDER] = TRACK_HOLDER };

        if (l->out.track == HA_TRACK_KEEP)
                return false;
        *ret_value = VALUES[l->out.track];
        return true;
}

const struct ha *lead_ha(const struct lead *l)
{
        return &l->ha;
}

/* ---- the probes: does mail work, seen from outside the containers? ---- */

void lead_on_probe(void *arg, const struct probe_answer *a)
{
        struct lead *l = arg;

        node_probe(l->needs.node, a->probe, a->finding, a->text, loop_now(l->needs.loop));
        l->needs.node->probes[a->probe].took = a->took;
        l->needs.changed(l->needs.arg);
}

static void on_probe_time(void *arg)
{
        struct lead *l = arg;
        bool master = l->ha.state == ST_MASTER;

        timer_set(&l->probe_time, l->needs.config->probe.interval);
        node_probing(l->needs.node, master);
        if (master)
                probes_run(l->probes);
}

static int start_probes(struct lead *l)
{
        int r = timer_init(&l->probe_time, l->needs.loop, on_probe_time, l);

        if (r == 0)
                r = probe_set_new(l->needs.loop, l->needs.config, lead_on_probe, l, &l->probes);
        if (r == 0)
                timer_set(&l->probe_time, 0);
        return r;
}

/* ---- building up ---- */

int lead_make_store(const struct lead *l, uint64_t incarnation, struct store **ret)
{
        const struct config *c = l->needs.config;
        CLEANUP(secret_wipe) char *password = NULL;
        CLEANUP(buf_done) struct buf error = BUF(1024);
        struct cluster_node nodes[CLUSTER_MAX];
        struct store_member members[CLUSTER_MAX];
        size_t n = 0;

        if (secret_read(c->galera.password_file, &password, &error) < 0) {
                log_event(LOG_ERROR, "config", LS("key", "galera.password_file"),
                          LS("error", buf_str(&error)));
                return -EINVAL;
        }
        members[n++] = (struct store_member){ .socket = c->galera.socket,
                                              .host = c->galera.host,
                                              .port = (unsigned)c->galera.port };
        for (size_t i = 0; i < c->cluster.nodes.n && n < CLUSTER_MAX; i++) {
                nodes[i] = config_cluster_node(c, i);
                if (!str_eq(nodes[i].name, c->node.name))
                        members[n++] =
                                (struct store_member){ .host = nodes[i].address,
                                                       .port = (unsigned)c->galera.peer_port };
        }
        const struct store_config sc = { .members = members,
                                         .n_members = n,
                                         .user = c->galera.user,
                                         .password = password,
                                         .database = c->galera.database,
                                         .lease = STORE_LEASE,
                                         .me = c->node.name,
                                         .incarnation = incarnation,
                                         .connect = CONNECT_MS,
                                         .answer = ANSWER_MS,
                                         .avoid = AVOID_MS };
        return store_new(l->needs.loop, &sc, ret);
}

void lead_ha_config(const struct lead *l, struct ha_config *ret)
{
        const struct config *c = l->needs.config;

        *ret = (struct ha_config){
                .lease = { .ttl = c->lease.ttl, .renew = c->lease.renew },
                .breaker = { .wait = c->breaker.security_wait,
                             .max = (unsigned)c->breaker.max_failovers },
                .rank = (unsigned)config_cluster_rank(c),
                .n_nodes = (unsigned)c->cluster.nodes.n,
                .stale = c->check.stale,
                .master_timeout = c->hooks.master_timeout,
                .backup_timeout = c->hooks.backup_timeout,
        };
        ha_config_fill(ret);
}

static void on_hook(void *arg, const struct hook_result *r)
{
        struct lead *l = arg;

        lead_tell_end(l, r);
        l->mounted = lead_looks_mounted(l->needs.config->volume.mount);
        lead_wake(l);
}

static int start_hook(struct lead *l)
{
        char record[LEAD_PATH + 8];

        snprintf(record, sizeof record, "%s/hook", l->dir);
        int r = hook_new(l->needs.loop, record, on_hook, l, &l->hook);
        if (r == 0)
                hook_lines(l->hook, lead_tell_step);
        return r;
}

/* ---- the life before ---- */

struct file_look {
        char dir[PATH_MAX];
        struct epoch_mark mark;
};

static int read_mark(void *arg)
{
        struct file_look *look = arg;

        return epoch_file_read(look->dir, &look->mark);
}

/* R: a restarted daemon goes on as master only if the volume's own file says so too. Read once, in
 * a child that may hang there, before anything is decided. */
static void read_epoch_file(struct lead *l)
{
        static struct file_look look;

        if (!l->mounted || !str_copy(look.dir, sizeof look.dir, l->needs.config->volume.mount))
                return;
        int r = child_call(read_mark, &look, sizeof look, FILE_LOOK_MS, NULL);
        if (r < 0) {
                log_event(LOG_WARN, "epoch_file", LS("error", strerror(-r)));
                return;
        }
        l->file = (struct ha_epoch){ .known = true,
                                     .epoch = look.mark.epoch,
                                     .incarnation = look.mark.incarnation };
        str_copy(l->file.holder, sizeof l->file.holder, look.mark.holder);
}

static void dir_of(char *dst, size_t size, const char *path)
{
        const char *slash = strrchr(path, '/');

        snprintf(dst, size, "%.*s", slash && slash > path ? (int)(slash - path) : 1,
                 slash ? path : ".");
}

static int build(struct lead *l)
{
        char path[LEAD_PATH + 16];
        struct ha_config hc;
        uint64_t incarnation;

        dir_of(l->dir, sizeof l->dir, l->needs.config->control.socket);
        snprintf(path, sizeof path, "%s/incarnation", l->dir);
        int r = boot_incarnation(path, &incarnation, &l->same_boot);
        if (r < 0) {
                log_event(LOG_ERROR, "incarnation", LS("file", path), LS("error", strerror(-r)));
                return r;
        }
        lead_ha_config(l, &hc);
        l->started = loop_now(l->needs.loop);
        ha_init(&l->ha, &hc, l->needs.config->node.name, incarnation, l->started);
        if ((r = timer_init(&l->wake, l->needs.loop, step, l)) < 0 ||
            (r = lead_make_store(l, incarnation, &l->store)) < 0 || (r = start_hook(l)) < 0 ||
            (r = lead_guard_start(l)) < 0 || (r = lead_recover_start(l)) < 0 ||
            (r = lead_warm_start(l)) < 0 || (r = lead_outage_start(l)) < 0 ||
            (r = lead_rejoin_start(l)) < 0 || (r = lead_peer_start(l)) < 0 ||
            (r = lead_make_rows(l, &l->rows)) < 0 || (r = start_probes(l)) < 0 ||
            (r = lead_look_start(l)) < 0)
                return r;
        l->maintenance = lead_maintenance_load(l);
        release_read(l->needs.config->mailcow.dir, &l->mailcow);
        lead_tick(l);
        read_epoch_file(l);
        return 0;
}

int lead_new(const struct lead_needs *n, struct lead **ret)
{
        struct lead *l = calloc(1, sizeof *l);

        if (!l)
                return -ENOMEM;
        l->needs = *n;
        int r = build(l);
        if (r < 0) {
                log_event(LOG_ERROR, "lead", LS("error", strerror(-r)));
                lead_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

void lead_free(struct lead *l)
{
        if (!l)
                return;
        if (l->guard)
                guard_free(l->guard);
        if (l->peer)
                peer_free(l->peer);
        lead_recover_free(l);
        lead_warm_free(l);
        lead_outage_free(l);
        lead_rejoin_free(l);
        probes_free(l->probes);
        timer_done(&l->probe_time);
        rows_free(l->rows);
        store_free(l->store);
        if (l->hook)
                hook_free(l->hook);
        if (l->provider)
                l->provider->ops->free(l->provider);
        timer_done(&l->wake);
        timer_done(&l->look);
        free(l);
}
