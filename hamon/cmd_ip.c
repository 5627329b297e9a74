/* `hamon ip assign` and `release`. Assign: the address on the interface, the provider's pointer to
 * us, the neighbours told, then the source NAT; release: the other way round. One change at the
 * provider at a time. */
#include "hamon/cmd_ip.h"

#include "hamon/outbound.h"
#include "hamon/provider/local_net.h"
#include "hamon/providers.h"
#include "hamon/step.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60000, MOVE = 30000, NFT_WAIT = 10000, ADDRESSES_MAX = 16 };
enum { ANNOUNCEMENTS = 3, ANNOUNCE_PAUSE = 20 };

struct service {
        struct local_address addresses[ADDRESSES_MAX];
        size_t n;
        char me[PROVIDER_ID_SIZE];
        bool changed;
        struct step_seen seen;
};

/* ---- which addresses ---- */

static int add_address(struct step *s, struct service *v, const char *text)
{
        if (v->n == ADDRESSES_MAX || local_net_parse(text, &v->addresses[v->n]) < 0)
                return step_end(s, STEP_FAILED,
                                "[ip] address: \"%s\" is no address, or one too many", text);
        v->n++;
        return 0;
}

/* The API names an IPv6 by its network; the first address in it is the one to be used. */
static int add_floating(struct step *s, struct service *v, const char *text)
{
        struct local_address a;
        int r = add_address(s, v, text);

        if (r != 0)
                return r;
        a = v->addresses[v->n - 1];
        static const unsigned char ZERO[8];
        if (a.family != AF_INET6 || memcmp(a.bytes + 8, ZERO, sizeof ZERO) != 0)
                return 0;
        a.bytes[15] = 1;
        inet_ntop(AF_INET6, a.bytes, a.text, sizeof a.text);
        v->addresses[v->n - 1] = a;
        return 0;
}

/* What assign put on the interface, for a release that can ask nobody. */
static void memory(const struct step *s, char *dst, size_t size)
{
        const char *socket = s->config.control.socket;

        snprintf(dst, size, "%.*s" STEP_IP_MEMORY, (int)(strrchr(socket, '/') + 1 - socket),
                 socket);
}

static void remember(struct step *s, const struct service *v)
{
        CLEANUP(buf_done) struct buf text = BUF(4096);
        char path[256];

        memory(s, path, sizeof path);
        for (size_t i = 0; i < v->n; i++)
                buf_addf(&text, "%s/%u\n", v->addresses[i].text, v->addresses[i].prefix);
        int r = write_file_atomic(path, 0600, buf_str(&text), text.len);
        if (r < 0)
                step_note(s, "%s: %s", path, strerror(-r));
}

static int recall(struct step *s, struct service *v)
{
        CLEANUP(freep) char *text = NULL;
        char path[256], *rest = NULL;
        int r = 0;

        memory(s, path, sizeof path);
        if (read_file(path, 4096, &text, NULL) < 0)
                return 0; /* since this node started nothing was assigned */
        for (char *line = strtok_r(text, "\n", &rest); line && r == 0;
             line = strtok_r(NULL, "\n", &rest))
                r = add_address(s, v, line);
        return r;
}

static int ask_provider(struct step *s, struct service *v)
{
        const struct config *c = &s->config;
        int r = 0;

        for (size_t i = 0; r == 0 && i < c->ip.id.n; i++) {
                step_operate(s, s->provider->ops->ip_get,
                             (struct provider_request){ .id = c->ip.id.v[i] }, MOVE, &v->seen);
                r = step_went_well(&v->seen) ? add_floating(s, v, v->seen.seen.ip.address)
                                             : step_end_provider(s, &v->seen);
        }
        return r;
}

/* [ip] address; without it (hetzner) what the provider says, or said when they came here. */
static int gather(struct step *s, struct service *v, bool here)
{
        const struct config *c = &s->config;
        int r = step_provider(s, (enum config_provider)c->ip.provider);

        for (size_t i = 0; r == 0 && i < c->ip.address.n; i++)
                r = add_address(s, v, c->ip.address.v[i]);
        if (r != 0 || c->ip.address.n > 0)
                return r;
        if (!here)
                return recall(s, v);
        r = ask_provider(s, v);
        if (r == 0 && !s->rehearsal)
                remember(s, v);
        return r;
}

/* ---- the address on the interface ---- */

static int no_address(struct step *s, const struct local_address *a, int r)
{
        return step_end(s, STEP_FAILED, "%s on %s: %s", a->text, s->config.ip.interface,
                        strerror(-r));
}

static int set_address(struct step *s, struct service *v, size_t i, bool there)
{
        const struct local_address *a = &v->addresses[i];
        const char *interface = s->config.ip.interface;
        int r = local_net_has(a, interface);

        if (r == (there ? 1 : 0))
                return 0;
        if (r >= 0)
                r = there ? local_net_add(a, interface) : local_net_del(a, interface);
        if (r < 0)
                return no_address(s, a, r);
        v->changed = true;
        return 0;
}

static int set_addresses(struct step *s, struct service *v, bool there)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < v->n; i++)
                r = set_address(s, v, i, there);
        return r;
}

/* A neighbour that missed it keeps the old one for minutes. */
static void announce(struct step *s, const struct service *v)
{
        for (unsigned n = 0; n < ANNOUNCEMENTS; n++) {
                for (size_t i = 0; i < v->n; i++)
                        local_net_announce(&v->addresses[i], s->config.ip.interface);
                if (n + 1 < ANNOUNCEMENTS)
                        poll(NULL, 0, ANNOUNCE_PAUSE);
        }
}

/* ---- the provider ---- */

/* local: the address is the assignment. */
static int move_all(struct step *s, struct service *v, bool here)
{
        const struct config *c = &s->config;
        const struct provider_ops *ops = s->provider->ops;

        if (c->ip.provider == CONFIG_LOCAL)
                return 0;
        step_own_server(s, &v->seen);
        if (!step_went_well(&v->seen))
                return step_end_provider(s, &v->seen);
        str_copy(v->me, sizeof v->me, v->seen.seen.server.id);
        for (size_t i = 0; i < c->ip.id.n; i++) {
                const struct provider_request rq = { .id = c->ip.id.v[i], .server = v->me };
                step_operate(s, here ? ops->ip_assign : ops->ip_unassign, rq, MOVE, &v->seen);
                if (!step_went_well(&v->seen))
                        return step_end_provider(s, &v->seen);
                v->changed |= v->seen.result == PROVIDER_DONE;
        }
        return 0;
}

/* ---- what goes out ---- */

struct direct {
        struct cluster_node nodes[CLUSTER_MAX];
        const char *words[CLUSTER_MAX];
};

/* The nodes talk to each other by their own addresses. */
static size_t peers(const struct config *c, struct direct *d)
{
        size_t n = MIN(c->cluster.nodes.n, CLUSTER_MAX);

        for (size_t i = 0; i < n; i++) {
                d->nodes[i] = config_cluster_node(c, i);
                d->words[i] = d->nodes[i].address;
        }
        return n;
}

/* False: there is no address of that family. */
static bool describe_outbound(const struct config *c, const struct service *v, int family,
                              struct direct *d, struct outbound *ret)
{
        *ret = (struct outbound){ .family = family,
                                  .interface = c->ip.interface,
                                  .networks = (const char *const *)c->ip.outbound_networks.v,
                                  .n_networks = c->ip.outbound_networks.n,
                                  .direct = d->words,
                                  .n_direct = peers(c, d) };
        for (size_t i = 0; i < v->n && !ret->address; i++)
                if (v->addresses[i].family == family)
                        ret->address = v->addresses[i].text;
        return ret->address;
}

static int set_outbound(struct step *s, struct service *v, int family)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        struct outbound o;
        struct direct d;

        if (!describe_outbound(&s->config, v, family, &d, &o))
                return 0;
        int r = outbound_look(&o, step_left(s, NFT_WAIT), &tick);
        if (r == 1 || r == -ENODATA) /* as it should be; no network of that family */
                return 0;
        r = outbound_set(&o, step_left(s, NFT_WAIT), &tick, &error);
        if (r < 0)
                return step_end(s, r == -ETIMEDOUT ? STEP_TEMPORARY : STEP_FAILED,
                                "[ip] outbound: %s", buf_str(&error));
        v->changed = true;
        return 0;
}

/* Also when the option is off: it may have been on a moment ago. */
static int clear_outbound(struct step *s, struct service *v, int family)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        int r = outbound_is_there(family, step_left(s, NFT_WAIT), &tick);

        if (r == 0 || r == -ENOENT) /* no table, or no nft that could have made one */
                return 0;
        r = outbound_clear(family, step_left(s, NFT_WAIT), &tick, &error);
        if (r < 0)
                return step_end(s, r == -ETIMEDOUT ? STEP_TEMPORARY : STEP_FAILED,
                                "[ip] outbound: %s", buf_str(&error));
        v->changed = true;
        return 0;
}

static int outbound(struct step *s, struct service *v, bool on)
{
        int (*set)(struct step *, struct service *, int) = on ? set_outbound : clear_outbound;
        int r = set(s, v, AF_INET);

        return r != 0 ? r : set(s, v, AF_INET6);
}

/* ---- the verbs ---- */

/* A hook takes this step whether or not there is anything to move. */
static bool nothing_to_do(const struct step *s)
{
        return s->config.ip.provider == CONFIG_NONE;
}

static int assign_run(struct step *s)
{
        struct service v = { .n = 0 };

        if (nothing_to_do(s))
                return step_end(s, STEP_ALREADY, "[ip] provider is none");
        int r = gather(s, &v, true);

        if (r != 0)
                return r;
        if (!step_confirm(s, "The service addresses will be moved to this node, whoever has them."))
                return step_end_refused(s);
        r = set_addresses(s, &v, true);
        if (r == 0)
                r = move_all(s, &v, true);
        if (r != 0)
                return r;
        if (v.changed)
                announce(s, &v);
        r = outbound(s, &v, s->config.ip.outbound);
        if (r != 0)
                return r;
        return step_end(s, v.changed ? STEP_DONE : STEP_ALREADY, "%zu address%s at this node", v.n,
                        v.n == 1 ? "" : "es");
}

/* Without the lease what is ours alone is taken away: the rules and the address here. What the
 * provider points to may be the next master's already, and is its to take. */
static int release_run(struct step *s)
{
        struct service v = { .n = 0 };
        bool all = true;

        if (nothing_to_do(s))
                return step_end(s, STEP_ALREADY, "[ip] provider is none");
        int r = outbound(s, &v, false);

        if (r == 0)
                r = gather(s, &v, false);
        if (r != 0)
                return r;
        if (!step_confirm(s, "The service addresses will be taken from this node."))
                return step_end_refused(s);
        r = set_addresses(s, &v, false);
        if (r != 0)
                return r;
        if (s->config.ip.provider != CONFIG_LOCAL) {
                all = step_may(s);
                r = all ? move_all(s, &v, false) : 0;
                if (r != 0)
                        return r;
        }
        return step_end(s, v.changed ? STEP_DONE : STEP_ALREADY,
                        "%zu address%s gone from this node%s", v.n, v.n == 1 ? "" : "es",
                        all ? "" : "; the provider was not asked, the next master does that");
}

/* ---- rehearsal ---- */

/* The API names an IPv6 by its network: any address in it will do. */
static bool is_among(const struct service *v, const struct local_address *a)
{
        for (size_t i = 0; i < v->n; i++)
                if (v->addresses[i].family == a->family &&
                    memcmp(v->addresses[i].bytes, a->bytes, a->family == AF_INET ? 4 : 8) == 0)
                        return true;
        return false;
}

/* What the provider would send here is what is put on the interface. */
static bool rehearse_pointers(struct step *s, const struct service *v)
{
        const struct config *c = &s->config;
        struct service theirs = { .n = 0 };

        if (ask_provider(s, &theirs) != 0)
                return false;
        for (size_t i = 0; i < theirs.n; i++)
                if (!is_among(v, &theirs.addresses[i])) {
                        step_found(s, FOUND_FAIL,
                                   "the provider has %s for id %s, and [ip] address does not",
                                   theirs.addresses[i].text, c->ip.id.v[i]);
                        return false;
                }
        return true;
}

static bool rehearse_outbound(struct step *s, const struct service *v, int family)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct child_tick tick = { step_pulse, s };
        struct outbound o;
        struct direct d;

        if (!s->config.ip.outbound || !describe_outbound(&s->config, v, family, &d, &o))
                return true;
        int r = outbound_check(&o, step_left(s, NFT_WAIT), &tick, &error);
        if (r == 0 || r == -ENODATA)
                return true;
        step_end(s, r == -ETIMEDOUT ? STEP_TEMPORARY : STEP_FAILED, "[ip] outbound: %s",
                 buf_str(&error));
        return false;
}

void ip_assign_rehearse(struct step *s)
{
        const struct config *c = &s->config;
        struct service v = { .n = 0 };

        if (nothing_to_do(s)) {
                step_found(s, FOUND_OK, "[ip] provider is none");
                return;
        }
        if (gather(s, &v, true) != 0)
                return;
        for (size_t i = 0; i < v.n; i++) {
                int r = local_net_has(&v.addresses[i], c->ip.interface);
                if (r < 0) {
                        no_address(s, &v.addresses[i], r);
                        return;
                }
        }
        if ((c->ip.provider == CONFIG_LOCAL || rehearse_pointers(s, &v)) &&
            rehearse_outbound(s, &v, AF_INET) && rehearse_outbound(s, &v, AF_INET6))
                step_found(s, FOUND_OK, "%zu address%s can be had on %s", v.n, v.n == 1 ? "" : "es",
                           c->ip.interface);
}

static const struct step_verb VERBS[] = {
        { .name = "assign",
          .flags = STEP_COMMON | STEP_REPAIR,
          .needs_lease = true,
          .timeout = MINUTE,
          .run = assign_run },
        { .name = "release",
          .flags = STEP_COMMON | STEP_REPAIR,
          .timeout = MINUTE / 2,
          .run = release_run },
};

int ip_command(const char *file, int argc, char **argv)
{
        if (argc > 0 && strcmp(argv[0], "status") == 0)
                return providers_ip(file, argc, argv);
        return step_main("ip", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
