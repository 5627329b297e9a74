/* keepalived.conf beside hamon.conf: does keepalived hear hamon, and hamon keepalived, and can the
 * instances of all nodes hear one another? Its own check of the syntax comes last. */
#include "hamon/doctor/doctor.h"
#include "hamon/doctor/keepalived_conf.h"
#include "lib/child.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONF    "/etc/keepalived/keepalived.conf"
#define PROGRAM "/usr/sbin/keepalived"

enum { FILE_MAX = 512 * 1024, TEST_MS = 5000 };

static void where(struct flaw *f, const struct kc *k, int item)
{
        if (item < 0)
                found_at(f, "%s", CONF);
        else
                found_at(f, "%s:%u", CONF, k->v[item].line);
}

/* ---- the whole file ---- */

static void first_line(char *text)
{
        char *end = strchr(text, '\n');

        while (end && end == text) {
                memmove(text, text + 1, strlen(text));
                end = strchr(text, '\n');
        }
        if (end)
                *end = '\0';
}

static void look_syntax(struct doctor *d)
{
        const char *const argv[] = { PROGRAM, "-t", "-f", CONF, NULL };
        CLEANUP(buf_done) struct buf out = BUF(64L * 1024);
        int code = 0;

        if (child_program(argv, NULL, TEST_MS, NULL, &out, &code) < 0 || code == 0)
                return;
        char *text = out.data ? out.data : (char[]){ "it does not say why" };
        first_line(text);
        struct flaw *f = found(d, F_KEEPALIVED_SYNTAX, "%s", text);
        found_at(f, "%s", CONF);
        found_fix(f, "keepalived -t -f %s, and mend what it says", CONF);
}

/* ---- hamon's part ---- */

/* The name of the top block of this kind whose `key` has the value (or contains it). */
static bool named_by(const struct kc *k, const char *kind, const char *key, const char *value,
                     bool part, int *ret)
{
        for (int i = -1; (i = kc_find(k, KC_TOP, kind, i)) >= 0;) {
                const char *v = kc_value(k, i, key);
                if (v && (part ? strstr(v, value) != NULL : str_eq(v, value))) {
                        *ret = i;
                        return true;
                }
        }
        return false;
}

static const char *name_of(const struct kc *k, int item)
{
        const char *blank = strchr(k->v[item].text, ' ');

        return blank ? blank + 1 : "";
}

/* Is the thing of this name tracked in the instance's block `track`? */
static bool tracked(const struct kc *k, int instance, const char *track, const char *name)
{
        for (int b = -1; (b = kc_find(k, instance, track, b)) >= 0;)
                if (*name && kc_has(k, b, name))
                        return true;
        return false;
}

static void look_track(struct doctor *d, const struct kc *k, int instance)
{
        const char *file = d->config.keepalived.track_file;
        int item = -1;

        if (!*file)
                return;
        bool there = named_by(k, "vrrp_track_file", "file", file, false, &item) ||
                     named_by(k, "track_file", "file", file, false, &item);
        if (there && tracked(k, instance, "track_file", name_of(k, item)))
                return;
        struct flaw *f = found(d, F_KEEPALIVED_TRACK,
                               there ? "the instance %s does not track %s"
                                     : "the instance %s: no vrrp_track_file reads %s",
                               name_of(k, instance), file);
        where(f, k, there ? instance : -1);
        found_fix(f,
                  "vrrp_track_file hamon { file %s\n weight 1 }\nand in the instance: track_file { "
                  "hamon }",
                  file);
}

static msec_t seconds(const char *s, msec_t otherwise)
{
        char *end;
        double v = s ? strtod(s, &end) : -1;

        return v >= 0 && v < 100000 ? (msec_t)(v * 1000) : otherwise;
}

static void look_script(struct doctor *d, const struct kc *k, int instance)
{
        int item = -1;
        struct flaw *f;

        if (!named_by(k, "vrrp_script", "script", "hamon check", true, &item) ||
            !tracked(k, instance, "track_script", name_of(k, item))) {
                f = found(d, F_KEEPALIVED_CHECK, "the instance %s does not run `hamon check`",
                          name_of(k, instance));
                where(f, k, instance);
                found_fix(f, "vrrp_script hamon { script \"/usr/sbin/hamon check\"\n interval 1\n "
                             "timeout 2\n fall 2\n rise 1 }\n"
                             "and in the instance: track_script { hamon }");
                return;
        }
        msec_t interval = seconds(kc_value(k, item, "interval"), 1000);
        msec_t timeout = seconds(kc_value(k, item, "timeout"), interval);
        if (timeout > d->config.check.timeout)
                return;
        f = found(d, F_KEEPALIVED_TIMEOUT,
                  "it gives `hamon check` %lld ms, [check] timeout is %lld ms", (long long)timeout,
                  (long long)d->config.check.timeout);
        where(f, k, item);
        found_fix(f, "timeout %lld", (long long)d->config.check.timeout / 1000 + 1);
}

static void look_global(struct doctor *d, const struct kc *k)
{
        const char *fifo = d->config.keepalived.fifo;
        int global = kc_find(k, KC_TOP, "global_defs", -1);
        const char *have = global >= 0 ? kc_value(k, global, "vrrp_notify_fifo") : NULL;
        const char *common = global >= 0 ? kc_value(k, global, "notify_fifo") : NULL;
        struct flaw *f;

        if (*fifo && !(have && str_eq(have, fifo)) && !(common && str_eq(common, fifo))) {
                f = have ? found(d, F_KEEPALIVED_FIFO, "vrrp_notify_fifo is %s, hamon reads %s",
                                 have, fifo)
                         : found(d, F_KEEPALIVED_FIFO, "there is no vrrp_notify_fifo");
                where(f, k, global);
                found_fix(f, "global_defs {\n vrrp_notify_fifo %s\n}", fifo);
        }
        if (global >= 0 && kc_has(k, global, "enable_script_security"))
                return;
        f = found(d, F_KEEPALIVED_SECURITY, "enable_script_security is not set");
        where(f, k, global);
        found_fix(f, "global_defs {\n enable_script_security\n script_user root\n}");
}

/* ---- the instance ---- */

static void look_peers_of(struct doctor *d, const struct kc *k, int instance)
{
        const struct config *c = &d->config;
        int peers = kc_find(k, instance, "unicast_peer", -1), rank = config_cluster_rank(c);
        const char *source = kc_value(k, instance, "unicast_src_ip");
        struct flaw *f;

        if (peers < 0) {
                if (c->volume.provider != CONFIG_HETZNER && c->ip.provider != CONFIG_HETZNER)
                        return;
                f = found(d, F_KEEPALIVED_UNICAST, "the instance %s has no unicast_peer",
                          name_of(k, instance));
                where(f, k, instance);
                found_fix(f,
                          "unicast_src_ip %s\nunicast_peer { the addresses of the other nodes, one "
                          "a line }",
                          *c->node.address ? c->node.address : "ADDRESS OF THIS NODE");
                return;
        }
        for (size_t i = 0; rank >= 0 && i < c->cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(c, i);
                if ((int)i == rank || kc_has(k, peers, n.address))
                        continue;
                f = found(d, F_KEEPALIVED_PEERS, "unicast_peer lacks %s (%s)", n.address, n.name);
                where(f, k, peers);
                found_fix(f, "unicast_peer {\n %s\n}", n.address);
        }
        if (rank < 0 || !source || str_eq(source, config_cluster_node(c, (size_t)rank).address))
                return;
        f = found(d, F_KEEPALIVED_SOURCE, "unicast_src_ip is %s, this node is %s", source,
                  config_cluster_node(c, (size_t)rank).address);
        where(f, k, kc_find(k, instance, "unicast_src_ip", -1));
        found_fix(f, "unicast_src_ip %s", config_cluster_node(c, (size_t)rank).address);
}

static void look_addresses(struct doctor *d, const struct kc *k, int instance)
{
        const struct config *c = &d->config;
        int block = kc_find(k, instance, "virtual_ipaddress", -1);
        char address[64];

        for (size_t i = 0; block >= 0 && c->ip.provider != CONFIG_NONE && i < c->ip.address.n;
             i++) {
                size_t len = strcspn(c->ip.address.v[i], "/");
                snprintf(address, sizeof address, "%.*s", (int)len, c->ip.address.v[i]);
                for (size_t n = 0; n < k->n; n++) {
                        const char *t = k->v[n].text;
                        if (k->v[n].parent != block || strncmp(t, address, len) != 0 ||
                            !strchr("/ ", t[len]))
                                continue;
                        struct flaw *f = found(d, F_KEEPALIVED_VIP,
                                               "keepalived has the service address %s", address);
                        where(f, k, (int)n);
                        found_fix(f, "take it out; an instance needs an address: 192.0.2.51/32 dev "
                                     "lo scope host");
                }
        }
}

static void look_preempt(struct doctor *d, const struct kc *k, int instance)
{
        const char *state = kc_value(k, instance, "state");

        if (!kc_has(k, instance, "nopreempt") || !state || !str_eq(state, "MASTER"))
                return;
        struct flaw *f = found(d, F_KEEPALIVED_PREEMPT, "nopreempt with state MASTER");
        where(f, k, kc_find(k, instance, "state", -1));
        found_fix(f, "state BACKUP");
}

/* The instance that hamon means; -1 = there is none. */
static int instance_of(struct doctor *d, const struct kc *k)
{
        const char *want = d->config.keepalived.instance;
        int first = kc_find(k, KC_TOP, "vrrp_instance", -1), one = first;
        struct flaw *f;

        while (*want && one >= 0 && !str_eq(name_of(k, one), want))
                one = kc_find(k, KC_TOP, "vrrp_instance", one);
        if (one < 0) {
                f = *want ? found(d, F_KEEPALIVED_INSTANCE, "there is no vrrp_instance %s", want)
                          : found(d, F_KEEPALIVED_INSTANCE, "there is no vrrp_instance");
                where(f, k, -1);
                found_fix(f, "[keepalived]\ninstance = %s",
                          first >= 0 ? found_word(name_of(k, first)) : "NAME");
                return first;
        }
        if (*want || kc_find(k, KC_TOP, "vrrp_instance", one) < 0)
                return one;
        f = found(d, F_KEEPALIVED_INSTANCE,
                  "there are several vrrp_instances, and hamon listens to all of them");
        where(f, k, one);
        found_fix(f, "[keepalived]\ninstance = %s", found_word(name_of(k, one)));
        return one;
}

static void look_all(struct doctor *d, const struct kc *k)
{
        look_global(d, k);
        int instance = instance_of(d, k);
        if (instance < 0)
                return;
        look_track(d, k, instance);
        look_script(d, k, instance);
        look_peers_of(d, k, instance);
        look_addresses(d, k, instance);
        look_preempt(d, k, instance);
}

/* Its own words come last: for what is found here they are vaguer. */
void look_keepalived(struct doctor *d)
{
        CLEANUP(freep) char *text = NULL;
        size_t before = d->found.n;
        int r = read_file(CONF, FILE_MAX, &text, NULL);

        if (r < 0) {
                struct flaw *f = found(d, F_KEEPALIVED_NONE, "%s: %s", CONF, strerror(-r));
                found_at(f, "%s", CONF);
                found_fix(
                        f,
                        "apt-get install -y keepalived, and write it as README.md shows (Install)");
                return;
        }
        CLEANUP(freep) struct kc *k = calloc(1, sizeof *k);
        if (k && kc_parse(text, k) == 0 && !k->includes) /* what is included is not read */
                look_all(d, k);
        if (d->found.n == before)
                look_syntax(d);
}
