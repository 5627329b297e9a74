/* What each operation of the hetzner provider does. All walk the same way, again from the top after
 * every mishap, so that nothing is ever sent without having looked first:
 *
 *   look at the server, then at the thing -> as wanted? done.
 *        -> wait while the server is locked by anybody
 *        -> send one change -> poll its action to the end -> look */
#include "hamon/provider/hetzner_impl.h"

#include <errno.h>
#include <string.h>

enum { SETTLE = 5000, POLL_PART = 4, POLLS_FAST = 20 };

static void nonsense(struct provider_call *c)
{
        hetzner_reason(c, -EAGAIN, "%s: the answer makes no sense", c->subject);
        hetzner_again(c);
}

/* ---- decisions: pure, from what was seen ---- */

static void aim(struct provider_call *c, const char *first, const char *second)
{
        str_copy(c->target[0], sizeof c->target[0], first);
        str_copy(c->target[1], sizeof c->target[1], second);
}

static enum hetzner_next decide_attach(struct provider_call *c)
{
        const struct provider_volume *v = &c->seen.volume;

        if (strcmp(v->server, c->server) == 0)
                return HETZNER_THERE;
        if (*v->server) {
                hetzner_reason(c, -EBUSY, "it is attached to server %s", v->server);
                return HETZNER_NEVER;
        }
        if (strcmp(v->status, "available") != 0) {
                hetzner_reason(c, -EAGAIN, "the volume is in state %s", v->status);
                return HETZNER_WAIT;
        }
        aim(c, c->server, "");
        snprintf(c->path, sizeof c->path, "/volumes/%s/actions/attach", c->id);
        buf_addf(&c->body, "{\"server\":%s,\"automount\":false}", c->server);
        return HETZNER_ACT;
}

static enum hetzner_next decide_detach(struct provider_call *c)
{
        const struct provider_volume *v = &c->seen.volume;

        if (!*v->server)
                return HETZNER_THERE;
        if (*c->server && strcmp(v->server, c->server) != 0) {
                hetzner_reason(c, -EBUSY, "it is attached to server %s, not to server %s",
                               v->server, c->server);
                return HETZNER_NEVER;
        }
        aim(c, v->server, "");
        snprintf(c->path, sizeof c->path, "/volumes/%s/actions/detach", c->id);
        return HETZNER_ACT;
}

static enum hetzner_next decide_label(struct provider_call *c)
{
        if (strcmp(c->seen.volume.label, c->label) == 0)
                return HETZNER_THERE;
        aim(c, "", "");
        snprintf(c->path, sizeof c->path, "/volumes/%s", c->id);
        return HETZNER_ACT; /* the body was made while its labels were at hand */
}

static enum hetzner_next decide_assign(struct provider_call *c)
{
        const struct provider_ip *ip = &c->seen.ip;

        if (strcmp(ip->server, c->server) == 0)
                return HETZNER_THERE;
        if (!*ip->server)
                c->unassign_first = false;
        aim(c, c->server, ip->server);
        snprintf(c->path, sizeof c->path, "/floating_ips/%s/actions/%s", c->id,
                 c->unassign_first ? "unassign" : "assign");
        if (!c->unassign_first)
                buf_addf(&c->body, "{\"server\":%s}", c->server);
        return HETZNER_ACT;
}

static enum hetzner_next decide_unassign(struct provider_call *c)
{
        const struct provider_ip *ip = &c->seen.ip;

        if (!*ip->server || (*c->server && strcmp(ip->server, c->server) != 0))
                return HETZNER_THERE;
        aim(c, ip->server, "");
        snprintf(c->path, sizeof c->path, "/floating_ips/%s/actions/unassign", c->id);
        return HETZNER_ACT;
}

static enum hetzner_next decide_poweroff(struct provider_call *c)
{
        if (strcmp(c->seen.server.status, "off") == 0)
                return HETZNER_THERE;
        aim(c, c->server, "");
        snprintf(c->path, sizeof c->path, "/servers/%s/actions/poweroff", c->server);
        return HETZNER_ACT;
}

/* ---- the walk ---- */

/* A quarter of what it has taken so far: an action that is done is known of soon, a long one is not
 * asked about for ever. */
static msec_t pause_after(msec_t since, msec_t poll)
{
        if (since >= POLLS_FAST * poll)
                return 2 * poll;
        return MAX(poll / POLL_PART, MIN(since / POLL_PART, poll));
}

static void on_action(struct provider_call *c, const struct http_result *r)
{
        struct hetzner_action a;
        msec_t now = loop_now(c->h->loop);

        c->acted = true; /* also if the answer makes no sense */
        if (hetzner_json_action(r->body, r->len, &a) < 0) {
                nonsense(c);
                return;
        }
        if (c->sending)
                c->posted_at = now;
        str_copy(c->action, sizeof c->action, a.id);
        if (a.status == HETZNER_RUNNING) {
                c->tries = 0;
                msec_t since = now - c->posted_at;
                hetzner_reason(c, -EAGAIN, "action %s is still under way", a.id);
                hetzner_later(c, pause_after(since, c->h->poll), hetzner_poll);
                return;
        }
        *c->action = '\0';
        c->acting = false;
        if (a.status == HETZNER_ERROR) {
                hetzner_judge(c, &a.error, true);
                return;
        }
        c->tries = 0;
        if (!c->unassign_first)
                c->settle_until = now + SETTLE;
        hetzner_look(c);
}

void hetzner_poll(struct provider_call *c)
{
        char url[768];

        snprintf(url, sizeof url, "%s/actions/%s", c->h->api_url, c->action);
        hetzner_send(c, "GET", url, NULL, on_action);
}

/* A label is changed at once, without an action. */
static void on_label_set(struct provider_call *c, const struct http_result *r)
{
        (void)r;
        c->acted = true;
        c->acting = false;
        c->settle_until = loop_now(c->h->loop) + SETTLE;
        hetzner_look(c);
}

static bool overlaps(const struct provider_call *a, const struct provider_call *b)
{
        for (size_t i = 0; i < ARRAY_SIZE(a->target); i++)
                for (size_t k = 0; k < ARRAY_SIZE(b->target); k++)
                        if (*a->target[i] && strcmp(a->target[i], b->target[k]) == 0)
                                return true;
        return false;
}

static void act(struct provider_call *c)
{
        const struct provider_call *other;
        bool action = strcmp(c->op->method, "POST") == 0;
        char url[768];

        TAILQ_FOREACH(other, &c->h->calls, link)
        {
                if (other == c || !other->acting || !overlaps(other, c))
                        continue;
                hetzner_reason(c, -EAGAIN, "waiting for: %s", other->what);
                hetzner_later(c, c->h->poll, hetzner_look);
                return;
        }
        if (c->may && !c->may(c->arg)) {
                hetzner_reason(c, -EPERM, "no longer allowed; nothing was sent");
                hetzner_fail(c);
                return;
        }
        if (c->body.error) {
                hetzner_reason(c, c->body.error, "%s", strerror(-c->body.error));
                hetzner_fail(c);
                return;
        }
        c->acting = true;
        snprintf(url, sizeof url, "%s%s", c->h->api_url, c->path);
        hetzner_send(c, c->op->method, url, c->body.len ? buf_str(&c->body) : NULL,
                     action ? on_action : on_label_set);
}

/* The server is known now: act, unless somebody else does. */
static void server_seen(struct provider_call *c)
{
        const struct provider_server *s = &c->seen.server;
        const struct provider_volume *v = &c->seen.volume;

        if (s->locked) {
                hetzner_reason(c, -EAGAIN, "server %s is locked: another action is under way on it",
                               s->id);
                hetzner_again(c);
                return;
        }
        if (c->op->wants_server && c->seen.have_volume && *v->location && *s->location &&
            strcmp(v->location, s->location) != 0) {
                hetzner_reason(c, -EIO,
                               "the volume is in %s, the server in %s; they must be in the same "
                               "location",
                               v->location, s->location);
                hetzner_fail(c);
                return;
        }
        act(c);
}

static void look_at_server(struct provider_call *c, const char *id,
                           void (*answered)(struct provider_call *c, const struct http_result *r))
{
        char url[768];

        snprintf(c->subject, sizeof c->subject, "server %s", id);
        snprintf(url, sizeof url, "%s/servers/%s", c->h->api_url, id);
        hetzner_send(c, "GET", url, NULL, answered);
}

static bool read_server(struct provider_call *c, const struct http_result *r)
{
        c->seen.have_server = hetzner_json_server(r->body, r->len, &c->seen.server) == 0;
        if (!c->seen.have_server)
                nonsense(c);
        return c->seen.have_server;
}

/* Whose lock it is to wait for when something is taken away is known only now. */
static void on_holder(struct provider_call *c, const struct http_result *r)
{
        if (read_server(c, r))
                server_seen(c);
}

static void seen_all(struct provider_call *c)
{
        enum hetzner_next next = c->op->decide ? c->op->decide(c) : HETZNER_THERE;

        switch (next) {
        case HETZNER_THERE:
                *c->reason = '\0';
                hetzner_finish(c, c->acted || !c->op->decide ? PROVIDER_DONE : PROVIDER_ALREADY, 0);
                break;
        case HETZNER_NEVER:
                hetzner_fail(c);
                break;
        case HETZNER_WAIT:
                hetzner_again(c);
                break;
        case HETZNER_ACT:
                if (loop_now(c->h->loop) < c->settle_until) {
                        hetzner_reason(c, -EAGAIN,
                                       "the API reports success but does not show it yet");
                        hetzner_later(c, c->h->poll, hetzner_look);
                } else if (c->op->asks_server && !c->op->wants_server) {
                        look_at_server(c, c->target[0], on_holder);
                } else if (c->seen.have_server) {
                        server_seen(c);
                } else {
                        act(c);
                }
                break;
        }
}

static void on_looked(struct provider_call *c, const struct http_result *r)
{
        int e = 0;

        buf_reset(&c->body);
        switch (c->op->thing) {
        case HETZNER_VOLUME:
                e = hetzner_json_volume(r->body, r->len, &c->seen.volume);
                c->seen.have_volume = e == 0;
                if (e == 0 && c->op->decide == decide_label)
                        e = hetzner_json_labelled(r->body, r->len, c->label, &c->body);
                break;
        case HETZNER_IP:
                e = hetzner_json_ip(r->body, r->len, &c->seen.ip);
                c->seen.have_ip = e == 0;
                break;
        case HETZNER_SERVER:
                e = hetzner_json_server(r->body, r->len, &c->seen.server);
                c->seen.have_server = e == 0;
                break;
        }
        if (e == -ENOENT || e == -EEXIST) {
                hetzner_reason(c, e, "%s: %s in the project of this token", c->subject,
                               e == -ENOENT ? "there is none" : "there are several of that name");
                hetzner_fail(c);
        } else if (e < 0) {
                nonsense(c);
        } else {
                seen_all(c);
        }
}

static void on_metadata(struct provider_call *c, const struct http_result *r)
{
        char id[32];

        str_copy(id, sizeof id, r->body);
        id[strcspn(id, "\r\n ")] = '\0';
        if (!hetzner_json_is_id(id)) {
                nonsense(c);
                return;
        }
        str_copy(c->server, sizeof c->server, id);
        hetzner_look(c);
}

static void look_at_thing(struct provider_call *c)
{
        static const char *const PATHS[] = { [HETZNER_VOLUME] = "volumes",
                                             [HETZNER_IP] = "floating_ips",
                                             [HETZNER_SERVER] = "servers" };
        static const char *const NAMES[] = { [HETZNER_VOLUME] = "volume",
                                             [HETZNER_IP] = "floating IP",
                                             [HETZNER_SERVER] = "server" };
        bool server = c->op->thing == HETZNER_SERVER;
        const char *id = server ? c->server : c->id;
        char url[768];

        if (!*id) {
                snprintf(c->subject, sizeof c->subject, "the metadata service");
                hetzner_send(c, "GET", c->h->metadata_url, NULL, on_metadata);
                return;
        }
        snprintf(c->subject, sizeof c->subject, "%s %s", NAMES[c->op->thing], id);
        snprintf(url, sizeof url, "%s/%s%s%s", c->h->api_url, PATHS[c->op->thing],
                 server && !hetzner_json_is_id(id) ? "?name=" : "/", id);
        hetzner_send(c, "GET", url, NULL, on_looked);
}

static void on_target(struct provider_call *c, const struct http_result *r)
{
        if (read_server(c, r))
                look_at_thing(c);
}

/* The server first: if its lock is gone, what the thing shows after that is the outcome of whatever
 * was under way. The other way round an action could end in between, and be asked for twice. */
void hetzner_look(struct provider_call *c)
{
        *c->action = '\0';
        if (c->op->asks_server && c->op->wants_server)
                look_at_server(c, c->server, on_target);
        else
                look_at_thing(c);
}

/* ---- the table ---- */

#define OP(name_, ...)                                                         \
        static int name_(struct provider *p, const struct provider_request *r, \
                         struct provider_call **ret)                           \
        {                                                                      \
                static const struct hetzner_op op = { __VA_ARGS__ };           \
                return hetzner_begin(p, &op, r, ret);                          \
        }

OP(server_get, .thing = HETZNER_SERVER, .what = "look at server")
OP(poweroff, .thing = HETZNER_SERVER, .what = "power off server", .wants_server = true,
   .method = "POST", .decide = decide_poweroff)
OP(volume_get, .thing = HETZNER_VOLUME, .what = "look at volume")
OP(volume_attach, .thing = HETZNER_VOLUME, .what = "attach volume", .wants_server = true,
   .asks_server = true, .method = "POST", .decide = decide_attach)
OP(volume_detach, .thing = HETZNER_VOLUME, .what = "detach volume", .asks_server = true,
   .method = "POST", .decide = decide_detach)
OP(volume_label, .thing = HETZNER_VOLUME, .what = "label volume", .method = "PUT",
   .decide = decide_label)
OP(ip_get, .thing = HETZNER_IP, .what = "look at floating IP")
OP(ip_assign, .thing = HETZNER_IP, .what = "assign floating IP", .wants_server = true,
   .asks_server = true, .method = "POST", .decide = decide_assign)
OP(ip_unassign, .thing = HETZNER_IP, .what = "unassign floating IP", .asks_server = true,
   .method = "POST", .decide = decide_unassign)

static bool can_fence(const struct provider *p)
{
        (void)p;
        return true; /* a volume is attached to one server only, and poweroff is at hand */
}

const struct provider_ops HETZNER_OPS = { .name = "hetzner",
                                          .can_fence = can_fence,
                                          .server_get = server_get,
                                          .poweroff = poweroff,
                                          .volume_get = volume_get,
                                          .volume_attach = volume_attach,
                                          .volume_detach = volume_detach,
                                          .volume_label = volume_label,
                                          .ip_get = ip_get,
                                          .ip_assign = ip_assign,
                                          .ip_unassign = ip_unassign,
                                          .cancel = hetzner_cancel,
                                          .free = hetzner_free };
