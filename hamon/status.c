/* Two renderings of the same facts. cJSON is used for strings only through its printer: the
 * document is small (one object per service) and built once per request. */
#include "hamon/status.h"

#include "lib/json.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { SYNC_TOLD_MS = 60 * 1000 };

static msec_t since(const struct check_state *c, msec_t now)
{
        return c->seen ? now - c->changed_at : 0;
}

static void add_checks(cJSON *root, const struct node *n, msec_t now)
{
        cJSON *list = cJSON_AddArrayToObject(root, "checks");
        char msg[256];

        for (size_t i = 0; i < node_n_checks(n); i++) {
                const struct check_state *c = node_check_state(n, i);
                if (!node_check_shown(n, i))
                        continue;
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "name", node_check_name(n, i));
                cJSON_AddStringToObject(o, "verdict", VERDICTS[c->verdict]);
                cJSON_AddStringToObject(o, "reason",
                                        reason_name(c->seen ? c->reason : REASON_STARTING));
                cJSON_AddStringToObject(o, "message", node_check_message(n, i, msg, sizeof msg));
                json_add_int(o, "since_ms", since(c, now));
                json_add_int(o, "took_ms", node_check_took(n, i));
                cJSON_AddBoolToObject(o, "required", node_check_required(n, i));
                cJSON_AddItemToArray(list, o);
        }
}

static void add_galera(cJSON *root, const struct galera_facts *f)
{
        cJSON *o = cJSON_AddObjectToObject(root, "galera");
        bool known = f->reach == DB_OK;

        cJSON_AddStringToObject(o, "status", known ? f->cluster_status : "unknown");
        cJSON_AddStringToObject(o, "state", known ? f->state_comment : "unknown");
        json_add_int(o, "size", known ? f->size : 0);
        cJSON_AddBoolToObject(o, "ready", known && f->ready);
        cJSON_AddBoolToObject(o, "connected", known && f->connected);
        json_add_int(o, "last_committed", known ? f->last_committed : -1);
        json_add_int(o, "conf_id", known ? f->conf_id : -1);
        cJSON_AddStringToObject(o, "cluster_uuid", known ? f->cluster_uuid : "");
        json_add_int(o, "recv_queue", known ? (int64_t)f->recv_queue : 0);
        json_add_int(o, "flow_control_paused_ns", known ? (int64_t)f->flow_control_ns : 0);
        json_add_int(o, "cert_failures", known ? (int64_t)f->cert_failures : 0);
        json_add_int(o, "bf_aborts", known ? (int64_t)f->bf_aborts : 0);
        cJSON_AddStringToObject(o, "evs_delayed", known ? f->evs_delayed : "");
}

static void add_containers(cJSON *root, const struct node *n)
{
        cJSON *list = cJSON_AddArrayToObject(root, "containers");

        for (size_t i = 0; i < n->n_services; i++) {
                const struct service *s = &n->services[i];
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "service", s->name);
                cJSON_AddStringToObject(o, "state", CTR_STATES[s->facts.state]);
                cJSON_AddStringToObject(o, "health", CTR_HEALTHS[s->facts.health]);
                json_add_int(o, "restarts", s->restarts);
                cJSON_AddStringToObject(o, "set", SETS[s->set]);
                cJSON_AddBoolToObject(o, "optional", s->optional);
                if (s->since > 0)
                        json_add_int(o, "since", s->since);
                else
                        cJSON_AddNullToObject(o, "since");
                cJSON_AddItemToArray(list, o);
        }
}

static void add_mailcow(cJSON *node, const struct release *r)
{
        cJSON *o = cJSON_AddObjectToObject(node, "mailcow");

        cJSON_AddStringToObject(o, "version", r->version);
        cJSON_AddStringToObject(o, "schema", r->schema);
        cJSON_AddStringToObject(o, "images", r->images);
}

/* `well` is missing where hamon-sync does not run. */
static void add_sync(cJSON *node, const struct sync_word *s, msec_t patience)
{
        cJSON *o = cJSON_AddObjectToObject(node, "sync");

        cJSON_AddStringToObject(o, "reason", s->reason);
        cJSON_AddStringToObject(o, "message", *s->reason ? sync_sentence(s->reason) : "");
        cJSON_AddStringToObject(o, "digest", s->digest);
        if (!*s->reason)
                return;
        cJSON_AddBoolToObject(o, "well", sync_reason_well(s->reason));
        cJSON_AddBoolToObject(o, "late", s->out_ms > patience);
        json_add_int(o, "out_ms", s->out_ms);
}

static void add_nodes(cJSON *root, const struct status_cluster *c, msec_t patience)
{
        cJSON *list = cJSON_AddArrayToObject(root, "nodes");

        for (size_t i = 0; i < c->n_nodes; i++) {
                const struct status_node *n = &c->nodes[i];
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "name", n->name);
                cJSON_AddStringToObject(o, "address", n->address);
                cJSON_AddStringToObject(o, "role", n->role);
                cJSON_AddStringToObject(o, "state", n->state);
                cJSON_AddStringToObject(o, "verdict", n->verdict);
                cJSON_AddStringToObject(o, "reason", n->reason);
                json_add_int(o, "age_ms", n->age);
                cJSON_AddBoolToObject(o, "self", n->self);
                cJSON_AddBoolToObject(o, "holder", n->leads);
                cJSON_AddBoolToObject(o, "candidate", n->candidate);
                cJSON_AddBoolToObject(o, "mounted", n->mounted);
                add_mailcow(o, &n->mailcow);
                add_sync(o, &n->sync, patience);
                cJSON_AddItemToArray(list, o);
        }
}

static void add_volume(cJSON *root, const struct status_cluster *c)
{
        cJSON *o = cJSON_AddObjectToObject(root, "volume");

        cJSON_AddStringToObject(o, "provider", c->volume.provider);
        cJSON_AddBoolToObject(o, "answers", c->volume.answers);
        json_add_int(o, "age_ms", c->volume.age);
        cJSON_AddStringToObject(o, "attached_to", c->volume.at);
        cJSON_AddStringToObject(o, "mount", c->volume.mount);
        cJSON_AddBoolToObject(o, "mounted", c->volume.mounted);
}

static void add_ip(cJSON *root, const struct status_cluster *c)
{
        cJSON *o = cJSON_AddObjectToObject(root, "ip");
        cJSON *list;

        cJSON_AddStringToObject(o, "provider", c->ip.provider);
        cJSON_AddStringToObject(o, "interface", c->ip.interface);
        cJSON_AddBoolToObject(o, "outbound_missing", c->ip.outbound_missing);
        list = cJSON_AddArrayToObject(o, "addresses");
        for (size_t i = 0; i < c->ip.n; i++) {
                cJSON *a = cJSON_CreateObject();
                cJSON_AddStringToObject(a, "address", c->ip.addresses[i].text);
                cJSON_AddBoolToObject(a, "here", c->ip.addresses[i].here);
                cJSON_AddItemToArray(list, a);
        }
}

static void add_lease(cJSON *root, const struct status_cluster *c, msec_t now)
{
        const struct ha *ha = c->ha;
        const struct lease *l = &ha->lease;
        cJSON *o;

        cJSON_AddStringToObject(root, "state", HA_STATES[ha->state]);
        cJSON_AddStringToObject(root, "why", ha->why_not);
        cJSON_AddStringToObject(root, "repair", c->repair ? c->repair : "");
        json_add_int(root, "epoch", (int64_t)(l->held ? l->epoch : l->row.epoch));
        o = cJSON_AddObjectToObject(root, "lease");
        cJSON_AddStringToObject(o, "holder", l->held ? l->me : l->known ? l->row.holder : "");
        json_add_int(o, "epoch", (int64_t)(l->held ? l->epoch : l->row.epoch));
        json_add_int(o, "age_ms",
                     l->held    ? lease_renewed(l, now)
                     : l->known ? now - l->still_since
                                : -1);
        json_add_int(o, "valid_ms", lease_valid(l, now) ? l->valid_until - now : 0);
        cJSON_AddBoolToObject(o, "known", l->known);
        o = cJSON_AddObjectToObject(root, "breaker");
        bool banned = breaker_banned(&ha->breaker, now);
        cJSON_AddBoolToObject(o, "open", banned || ha->state == ST_HALTED);
        json_add_int(o, "until_ms", banned ? ha->breaker.banned_until - now : 0);
}

int status_json(const struct node *n, const struct status_cluster *c, msec_t now, struct buf *out)
{
        char msg[320], mark[CONFIG_FINGERPRINT];
        cJSON *root = cJSON_CreateObject();

        cJSON_AddStringToObject(root, "node", n->config->node.name);
        cJSON_AddStringToObject(root, "role", ROLES[n->role]);
        cJSON_AddStringToObject(root, "verdict", FITNESSES[n->verdict.fitness]);
        cJSON_AddStringToObject(root, "reason", reason_name(n->verdict.reason));
        cJSON_AddStringToObject(root, "message", node_message(n, msg, sizeof msg));
        json_add_int(root, "age_ms", n->verdict.age + now - n->judged_at);
        json_add_int(root, "since_ms", now - n->verdict_since);
        cJSON_AddStringToObject(root, "version", MHA_VERSION);
        config_fingerprint(n->config, mark);
        cJSON_AddStringToObject(root, "config_mark", mark);
        if (c) {
                add_lease(root, c, now);
                add_nodes(root, c, n->config->sync.patience);
                add_volume(root, c);
                add_ip(root, c);
        }
        add_checks(root, n, now);
        add_galera(root, &n->galera_facts);
        add_containers(root, n);

        char *text = cJSON_PrintUnformatted(root);
        cJSON_Delete(root);
        if (!text)
                return -ENOMEM;
        int r = buf_adds(out, text);
        free(text);
        return r < 0 ? r : buf_adds(out, "\n");
}

/* "3s", "12m", "5h", "9d": one number is enough for people. */
static const char *ago(msec_t ms, char *dst, size_t size)
{
        static const struct {
                msec_t unit, below;
                const char *name;
        } STEPS[] = { { 1000, 120000, "s" },
                      { 60000, 7200000, "m" },
                      { 3600000, 172800000, "h" },
                      { 86400000, INT64_MAX, "d" } };
        size_t i = 0;

        while (ms >= STEPS[i].below)
                i++;
        snprintf(dst, size, "%lld%s", (long long)(ms / STEPS[i].unit), STEPS[i].name);
        return dst;
}

static void text_checks(const struct node *n, msec_t now, struct buf *out)
{
        char msg[256], age[24];

        buf_addf(out, "\n  %-26s %-8s %5s  %s\n", "CHECK", "VERDICT", "SINCE", "STATE");
        for (size_t i = 0; i < node_n_checks(n); i++) {
                const struct check_state *c = node_check_state(n, i);
                const struct service *s = node_check_service(n, i);
                bool probe = node_check_probe(n, i) != PROBE_COUNT_;
                if (!node_check_shown(n, i))
                        continue;
                buf_addf(out, "  %-26s %-8s %5s  %s%s%s\n", node_check_name(n, i),
                         VERDICTS[c->verdict], ago(since(c, now), age, sizeof age),
                         node_check_message(n, i, msg, sizeof msg),
                         probe                ? " [probe]"
                         : !s                 ? ""
                         : s->set == SET_WARM ? " [warm]"
                                              : " [active]",
                         node_check_required(n, i) ? "" : " (optional)");
        }
}

static void text_lease(const struct status_cluster *c, msec_t now, struct buf *out)
{
        const struct ha *ha = c->ha;
        const struct lease *l = &ha->lease;
        char age[24];

        buf_addf(out, "  %s for %s; ", HA_STATES[ha->state],
                 ago(now - ha->state_since, age, sizeof age));
        if (!l->known && !l->held)
                buf_adds(out, "who leads is not known\n");
        else if (lease_valid(l, now))
                buf_addf(out, "leads in epoch %llu, lease good for %lld ms\n",
                         (unsigned long long)l->epoch, (long long)(l->valid_until - now));
        else if (!l->row.holder[0])
                buf_addf(out, "nobody leads (epoch %llu)\n", (unsigned long long)l->row.epoch);
        else
                buf_addf(out, "%s leads in epoch %llu\n", l->row.holder,
                         (unsigned long long)l->row.epoch);
        if (*ha->why_not)
                buf_addf(out, "  %s\n", ha->why_not);
        if (c->repair && *c->repair)
                buf_addf(out, "  %s hangs, and is restarted once\n", c->repair);
}

/* The holder of the lease has a star. */
static void text_nodes(const struct status_cluster *c, struct buf *out)
{
        char age[24];

        buf_addf(out, "\n  %-14s %-15s %-11s %-8s %5s  %s\n", "NODE", "ADDRESS", "STATE", "VERDICT",
                 "HEARD", "REASON");
        for (size_t i = 0; i < c->n_nodes; i++) {
                const struct status_node *n = &c->nodes[i];
                buf_addf(out, "%c %-14s %-15s %-11s %-8s %5s  %s%s\n", n->leads ? '*' : ' ',
                         n->name, n->address, *n->state ? n->state : n->role, n->verdict,
                         n->self      ? "here"
                         : n->age < 0 ? "never"
                                      : ago(n->age, age, sizeof age),
                         n->reason, n->candidate ? ", could lead" : "");
        }
}

/* Nothing while all have the same: it is a word on an upgrade that is not through. */
static void text_mailcow(const struct status_cluster *c, struct buf *out)
{
        const struct release *first = NULL;
        bool differ = false;

        for (size_t i = 0; i < c->n_nodes; i++) {
                const struct release *r = &c->nodes[i].mailcow;
                if (!*r->images)
                        continue;
                differ = differ || (first && !release_same(first, r));
                first = first ? first : r;
        }
        if (differ)
                buf_adds(out, "\n  mailcow  is not the same everywhere; hamon upgrade goes on\n");
        for (size_t i = 0; differ && i < c->n_nodes; i++)
                buf_addf(out, "  mailcow  %s has %s\n", c->nodes[i].name,
                         *c->nodes[i].mailcow.version ? c->nodes[i].mailcow.version
                                                      : "a version that is not known");
}

/* Nothing while all are in step: a minute is what a switchover may take. */
static void text_sync(const struct status_cluster *c, struct buf *out)
{
        char age[24];
        bool any = false;

        for (size_t i = 0; i < c->n_nodes; i++) {
                const struct sync_word *s = &c->nodes[i].sync;
                if (s->out_ms < SYNC_TOLD_MS)
                        continue;
                buf_addf(out, "%s  sync     %s is not in step for %s: %s\n", any ? "" : "\n",
                         c->nodes[i].name, ago(s->out_ms, age, sizeof age),
                         sync_sentence(s->reason));
                any = true;
        }
}

static void text_places(const struct status_cluster *c, struct buf *out)
{
        char age[24];

        buf_addf(out, "\n  volume   %s here; provider %s ",
                 c->volume.mounted ? "mounted" : "not mounted", c->volume.provider);
        if (c->volume.age < 0)
                buf_adds(out, "was not asked yet\n");
        else if (!c->volume.answers)
                buf_addf(out, "does not answer (%s ago)\n", ago(c->volume.age, age, sizeof age));
        else
                buf_addf(out, "says %s%s (%s ago)\n", *c->volume.at ? "it is at " : "it is there",
                         c->volume.at, ago(c->volume.age, age, sizeof age));
        for (size_t i = 0; i < c->ip.n; i++)
                buf_addf(out, "  address  %s is %s %s\n", c->ip.addresses[i].text,
                         c->ip.addresses[i].here ? "here, on" : "not here on", c->ip.interface);
        if (c->ip.outbound_missing)
                buf_adds(out, "  outbound mail does not leave by these addresses: the source NAT "
                              "is missing\n");
}

int status_text(const struct node *n, const struct status_cluster *c, msec_t now, struct buf *out)
{
        char msg[320], age[24];

        buf_addf(out, "%s  %s  %s (%s) for %s\n", n->config->node.name, ROLES[n->role],
                 FITNESSES[n->verdict.fitness], reason_name(n->verdict.reason),
                 ago(now - n->verdict_since, age, sizeof age));
        buf_addf(out, "  %s\n", node_message(n, msg, sizeof msg));
        if (c) {
                text_lease(c, now, out);
                text_nodes(c, out);
                text_mailcow(c, out);
                text_sync(c, out);
                text_places(c, out);
        }
        text_checks(n, now, out);
        return out->error;
}
