/* The other nodes, asked directly: each tick every one is asked for its own words. A direct answer
 * is fresher than any row in a database, and silence is what makes a holder lose its lease early.
 */
#include "hamon/lead_recover.h"

#include "lib/log.h"
#include "lib/secret.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 600, SUSPECT_MS = 300, FRESH_ASKS = 3 };

/* ---- what we heard ---- */

size_t lead_index(const struct lead *l, const char *name)
{
        size_t i = 0, n = l->needs.config->cluster.nodes.n;

        while (i < n && !str_eq(config_cluster_node(l->needs.config, i).name, name))
                i++;
        return i;
}

static msec_t fresh_for(const struct lead *l)
{
        return FRESH_ASKS * l->needs.config->check.interval + ASK_MS;
}

static bool is_fresh(const struct lead *l, const struct lead_other *o, msec_t now)
{
        return o->heard && now - o->heard_at <= fresh_for(l);
}

bool lead_peer_answers(const struct lead *l, const char *name, msec_t now)
{
        size_t i = lead_index(l, name);

        return i < l->needs.config->cluster.nodes.n && is_fresh(l, &l->others[i], now) &&
               l->others[i].end == PEER_ANSWERED;
}

static bool is_candidate(const struct lead *l, const char *name, msec_t now)
{
        size_t i = lead_index(l, name);

        return i < l->needs.config->cluster.nodes.n && is_fresh(l, &l->others[i], now) &&
               l->others[i].state.candidate;
}

/* R: who waits less long than the holder believes in its lease must not take it. All nodes should
 * have the same ttl, but they get another one by and by. */
bool lead_peer_outlasts(const struct lead *l)
{
        size_t i = lead_index(l, l->ha.lease.row.holder);

        return i < l->needs.config->cluster.nodes.n && l->others[i].heard &&
               l->others[i].state.ttl_ms > l->needs.config->lease.ttl;
}

void lead_peer_facts(struct lead *l, struct ha_facts *f, msec_t now)
{
        const struct config *c = l->needs.config;
        size_t holder = lead_index(l, l->ha.lease.row.holder);

        f->unheard = lead_unclean_unknown(l, now);

        for (size_t i = 0; i < c->cluster.nodes.n && !f->other[0]; i++) {
                struct cluster_node n = config_cluster_node(c, i);
                if (!str_eq(n.name, c->node.name) && is_candidate(l, n.name, now))
                        str_copy(f->other, sizeof f->other, n.name);
        }
        f->order_fit = *l->order_to && is_candidate(l, l->order_to, now);
        f->asked = l->asked && is_candidate(l, l->asker, now);
        if (f->asked)
                str_copy(f->asker, sizeof f->asker, l->asker);
        str_copy(f->release_to, sizeof f->release_to, l->release_to);
        f->release_epoch = l->release_epoch;

        bool suspected = f->vrrp_master && f->silent_view;
        bool anew = suspected && !l->suspected;
        l->suspected = suspected;
        if (anew) {
                l->suspected_at = now;
                lead_peer_tick(l); /* at once: is it really silent? */
        }
        if (holder >= c->cluster.nodes.n)
                return;
        const struct lead_other *o = &l->others[holder];
        f->outlasted = lead_peer_outlasts(l);
        f->holder_answers = lead_peer_answers(l, l->ha.lease.row.holder, now);
        f->silent_peer = suspected && o->end == PEER_SILENT && o->asked_at >= l->suspected_at &&
                         o->ended_at >= o->asked_at;
}

/* ---- asking ---- */

static void on_state(void *arg, const struct peer_answer *a);

/* A holder that two witnesses miss has less time: it is on our own network, and asked for a word.
 */
void lead_peer_ask(struct lead *l, size_t i)
{
        struct lead_other *o = &l->others[i];
        bool suspect = l->suspected && i == lead_index(l, l->ha.lease.row.holder);

        o->asked_at = loop_now(l->needs.loop);
        o->asking = peer_ask(l->peer, i, PEER_STATE, "", suspect ? SUSPECT_MS : ASK_MS, on_state,
                             l) == 0;
}

static void on_state(void *arg, const struct peer_answer *a)
{
        struct lead *l = arg;
        struct lead_other *o = &l->others[a->node];

        bool twice = o->ended_at > 0 && o->end == a->end;
        o->asking = false;
        o->end = a->end;
        o->ended_at = loop_now(l->needs.loop);
        o->done_at = o->asked_at;
        if (twice)
                lead_tell_peer(l, a->node, a);
        if (a->end == PEER_ANSWERED && peer_state_parse(a->text, &o->state) == 0) {
                o->heard = true;
                o->heard_at = o->asked_at;
                if (str_eq(o->state.state, HA_STATES[ST_MASTER]) && o->state.valid_ms > 0)
                        l->settled_epoch = o->state.epoch;
        }
        if (l->suspected && o->asked_at < l->suspected_at)
                lead_peer_ask(l, a->node); /* that was before the suspicion: it proves nothing */
        if (l->suspected)
                lead_wake(l);
}

void lead_peer_tick(struct lead *l)
{
        for (size_t i = 0; i < l->needs.config->cluster.nodes.n; i++) {
                if ((int)i != config_cluster_rank(l->needs.config) && !l->others[i].asking)
                        lead_peer_ask(l, i);
        }
}

static void on_told(void *arg, const struct peer_answer *a)
{
        (void)arg;
        if (a->end != PEER_ANSWERED)
                log_event(LOG_DEBUG, "peer_told", LS("command", PEER_COMMANDS[a->command]),
                          LS("end", PEER_ENDS[a->end]));
}

void lead_others(struct lead *l, const struct ha_action *a)
{
        size_t n = l->needs.config->cluster.nodes.n, to = lead_index(l, a->to);
        char words[32 + LEASE_NAME];

        if (a->kind == ACTION_ASK && to < n) {
                peer_ask(l->peer, to, PEER_RELEASE, "unfit", ASK_MS, on_told, l);
                return;
        }
        str_copy(l->release_to, sizeof l->release_to, a->to); /* we wait too, for whom it is for */
        l->release_epoch = a->epoch;
        snprintf(words, sizeof words, "%" PRIu64 "%s%s", a->epoch, a->to[0] ? " " : "", a->to);
        for (size_t i = 0; a->kind == ACTION_HINT && i < n; i++)
                if ((int)i != config_cluster_rank(l->needs.config))
                        peer_ask(l->peer, i, PEER_RELEASED, words, ASK_MS, on_told, l);
}

/* ---- answering ---- */

static void own_words(struct lead *l, struct buf *out)
{
        const struct ha *h = &l->ha;
        const struct node *n = l->needs.node;
        msec_t now = loop_now(l->needs.loop);
        struct peer_state s = { .epoch = h->lease.held ? h->lease.epoch : h->lease.row.epoch,
                                .incarnation = h->lease.incarnation,
                                .ttl_ms = l->needs.config->lease.ttl,
                                .mounted = l->mounted,
                                .candidate = l->candidate };

        if (lease_valid(&h->lease, now))
                s.valid_ms = h->lease.valid_until - now;
        str_copy(s.name, sizeof s.name, l->needs.config->node.name);
        str_copy(s.role, sizeof s.role, ROLES[n->role]);
        str_copy(s.state, sizeof s.state, HA_STATES[h->state]);
        str_copy(s.verdict, sizeof s.verdict, FITNESSES[n->verdict.fitness]);
        str_copy(s.reason, sizeof s.reason, reason_name(n->verdict.reason));
        str_copy(s.vrrp, sizeof s.vrrp, VRRP_STATES[l->vrrp]);
        str_copy(s.mailcow, sizeof s.mailcow, l->mailcow.version);
        str_copy(s.schema, sizeof s.schema, l->mailcow.schema);
        str_copy(s.images, sizeof s.images, l->mailcow.images);
        str_copy(s.sync, sizeof s.sync, l->sync.reason);
        str_copy(s.digest, sizeof s.digest, l->sync.digest);
        s.out_ms = l->sync.out_ms;
        peer_state_write(out, &s);
}

static void released(struct lead *l, const char *words)
{
        char number[24];
        size_t len = strcspn(words, " ");

        if (len >= sizeof number)
                return;
        memcpy(number, words, len);
        number[len] = '\0';
        if (parse_uint(number, 1, UINT64_MAX, &l->release_epoch) < 0)
                return;
        str_copy(l->release_to, sizeof l->release_to, words[len] ? words + len + 1 : "");
        l->poke = true;
        lead_wake(l);
}

static void on_peer(void *arg, const char *from, enum peer_command command, const char *words,
                    struct buf *out)
{
        struct lead *l = arg;

        switch (command) {
        case PEER_STATE:
                own_words(l, out);
                return;
        case PEER_RELEASE:
                l->asked = true;
                str_copy(l->asker, sizeof l->asker, from);
                lead_wake(l);
                break;
        case PEER_RELEASED:
                released(l, words);
                break;
        case PEER_SWITCHOVER:
                lead_request(l, REQ_SWITCHOVER, words, out);
                if (out->len > 0 && out->data[out->len - 1] == '\n')
                        out->data[--out->len] = '\0'; /* an answer to a peer is a line without it */
                return;
        case PEER_GALERA:
                lead_recover_peer(l, from, words, out);
                return;
        case PEER_COMMAND_COUNT_:
                break;
        }
        buf_adds(out, "ok");
}

/* ---- building up ---- */

int lead_peer_start(struct lead *l)
{
        const struct config *c = l->needs.config;
        CLEANUP(secret_wipe) char *secret = NULL;
        CLEANUP(secret_wipe) char *other = NULL; /* while it is being changed */
        CLEANUP(buf_done) struct buf error = BUF(1024);
        struct cluster_node nodes[CLUSTER_MAX];
        struct peer_node peers[CLUSTER_MAX];
        char address[64];
        unsigned port;
        int rank = config_cluster_rank(c);

        if (secret_read_two(c->cluster.secret_file, &secret, &other, &error) < 0 || !secret) {
                log_event(LOG_ERROR, "config", LS("key", "cluster.secret_file"),
                          LS("error", secret || error.len > 0 ? buf_str(&error)
                                                              : "a cluster needs a secret"));
                return -EINVAL;
        }
        const struct cluster_node me = config_cluster_node(c, (size_t)rank);
        int r = config_peer_listen(c->peer.listen, me.address, address, sizeof address, &port);
        if (r < 0)
                return r; /* was checked when it was loaded */
        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                nodes[i] = config_cluster_node(c, i);
                peers[i] = (struct peer_node){ nodes[i].name, nodes[i].address, port };
        }
        const struct peer_config pc = { .address = address,
                                        .port = port,
                                        .nodes = peers,
                                        .n_nodes = c->cluster.nodes.n,
                                        .me = (size_t)rank,
                                        .secret = secret,
                                        .other = other };
        r = peer_new(l->needs.loop, &pc, on_peer, l, &l->peer);
        if (r < 0)
                log_event(LOG_ERROR, "peer", LS("address", address), LI("port", port),
                          LS("error", strerror(-r)));
        return r;
}
