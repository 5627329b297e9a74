/* Hetzner: token, volume, addresses and servers, by GET alone. Whether the token may also change
 * things is asked by a POST on a volume that cannot exist (number 0): a read token is refused
 * before anybody looks at the number, and with a read-write token there is nothing to change. */
#include "hamon/ask.h"
#include "hamon/doctor/doctor.h"
#include "lib/json.h"
#include "lib/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ASK_MS = 4000, ANSWER_MAX = 512 * 1024, SKEW_S = 5, NAME = 64 };

struct cloud {
        struct doctor *d;
        char bearer[1100];
        char location[NAME]; /* of the volume, "" = not known */
        char holder[NAME];   /* number of the server that has it */
        bool holder_known;   /* it is one of ours, or none */
};

static void number(const cJSON *o, const char *name, char ret[NAME])
{
        const cJSON *n = json_field(o, name);

        *ret = '\0';
        if (cJSON_IsNumber(n))
                snprintf(ret, NAME, "%.0f", n->valuedouble);
}

/* 0 and the status; the answer's JSON in *ret (may be NULL). */
static int ask(struct cloud *c, const char *method, const char *path, struct ask_http *a,
               cJSON **ret)
{
        const char *const headers[] = { c->bearer, "Content-Type: application/json", NULL };
        char url[512];

        snprintf(url, sizeof url, "%s%s", c->d->config.hetzner.api_url, path);
        const struct http_request r = { .method = method,
                                        .url = url,
                                        .headers = headers,
                                        .body = str_eq(method, "POST") ? "{}" : NULL,
                                        .max_body = ANSWER_MAX,
                                        .timeout = ASK_MS,
                                        .once = true };
        int e = ask_http(&r, a);
        *ret = e == 0 ? cJSON_ParseWithLength(buf_str(&a->body), a->body.len) : NULL;
        return e;
}

static cJSON *get(struct cloud *c, const char *path, int *ret_status)
{
        struct ask_http a = { .body = BUF(ANSWER_MAX) };
        cJSON *j = NULL;

        *ret_status = ask(c, "GET", path, &a, &j) == 0 ? a.status : 0;
        buf_done(&a.body);
        return j;
}

/* ---- the token ---- */

static void judge_date(struct doctor *d, const char *date)
{
        struct tm t = { .tm_sec = 0 };

        if (!strptime(date, "%a, %d %b %Y %H:%M:%S", &t))
                return;
        long long skew = (long long)timegm(&t) - (long long)time(NULL);
        if (llabs(skew) <= SKEW_S)
                return;
        struct flaw *f =
                found(d, F_SKEW, "this node's clock is %+lld s from the provider's", -skew);
        found_at(f, "%s", d->config.hetzner.api_url);
        found_fix(f, "timedatectl; systemctl restart systemd-timesyncd (or chrony)");
}

static bool look_token(struct cloud *c)
{
        struct ask_http a = { .body = BUF(ANSWER_MAX) };
        struct doctor *d = c->d;
        cJSON *j = NULL;
        struct flaw *f;

        int e = ask(c, "POST", "/volumes/0/actions/change_protection", &a, &j);
        const char *code = json_word(json_field(j, "error"), "code");
        bool refused = a.status == 401 || str_eq(code, "unauthorized");
        if (e < 0) {
                f = found(d, F_TOKEN, "the API does not answer: %s", a.message);
                found_at_key(d, f, &d->config.hetzner.api_url);
                found_fix(f, "curl -sS %s/servers; look at name resolution and the firewall",
                          d->config.hetzner.api_url);
        } else if (refused) {
                f = found(d, F_TOKEN, "the API does not know this token");
                found_at_key(d, f, &d->config.hetzner.token_file);
                found_fix(f,
                          "make one in the project of the servers (Security, API tokens, Read & "
                          "Write), then:\n"
                          "install -m 600 /dev/stdin %s",
                          d->config.hetzner.token_file);
        } else if (str_eq(code, "token_readonly")) {
                f = found(d, F_TOKEN_READONLY, "the token may only read");
                found_at_key(d, f, &d->config.hetzner.token_file);
                found_fix(f, "make a Read & Write token, then: install -m 600 /dev/stdin %s",
                          d->config.hetzner.token_file);
        }
        if (e == 0)
                judge_date(d, a.date);
        cJSON_Delete(j);
        buf_done(&a.body);
        return e == 0 && !refused;
}

/* ---- volume, addresses, servers ---- */

static void judge_protection(struct doctor *d, const cJSON *o, const char *what, const char *id,
                             const char *verb)
{
        if (cJSON_IsTrue(json_field(json_field(o, "protection"), "delete")))
                return;
        struct flaw *f =
                found(d, F_PROTECTION, "%s %s is not protected from being deleted", what, id);
        found_at(f, "%s", d->config.hetzner.api_url);
        found_fix(f, "hcloud %s enable-protection %s delete", verb, id);
}

static void look_volume(struct cloud *c)
{
        struct doctor *d = c->d;
        char path[160];
        int status;

        c->holder_known = true;
        if (d->config.volume.provider != CONFIG_HETZNER)
                return;
        snprintf(path, sizeof path, "/volumes/%s", found_word(d->config.volume.id));
        CLEANUP(json_freep) cJSON *j = get(c, path, &status);
        const cJSON *v = json_field(j, "volume");
        if (status == 404) {
                struct flaw *f =
                        found(d, F_VOLUME_NONE, "there is no volume %s in the token's project",
                              d->config.volume.id);
                found_at_key(d, f, &d->config.volume.id);
                found_fix(f, "hcloud volume list; [volume]\nid = its ID");
        }
        if (!cJSON_IsObject(v))
                return;
        str_copy(c->location, sizeof c->location, json_word(json_field(v, "location"), "name"));
        number(v, "server", c->holder);
        c->holder_known = !*c->holder;
        judge_protection(d, v, "volume", d->config.volume.id, "volume");
}

static bool listed(const struct config *c, const char *address)
{
        for (size_t i = 0; i < c->ip.address.n; i++) {
                size_t len = strcspn(c->ip.address.v[i], "/");
                if (strncmp(c->ip.address.v[i], address, len) == 0 && !address[len])
                        return true;
        }
        return false;
}

static void look_ip(struct cloud *c, const char *id)
{
        struct doctor *d = c->d;
        char path[160], address[64];
        struct flaw *f;
        int status;

        snprintf(path, sizeof path, "/floating_ips/%s", found_word(id));
        CLEANUP(json_freep) cJSON *j = get(c, path, &status);
        const cJSON *ip = json_field(j, "floating_ip");
        if (status == 404) {
                f = found(d, F_IP_NONE, "there is no floating IP %s in the token's project", id);
                found_at_key(d, f, &d->config.ip.id);
                found_fix(f, "hcloud floating-ip list; [ip]\nid = its ID");
        }
        if (!cJSON_IsObject(ip))
                return;
        snprintf(address, sizeof address, "%.*s", (int)strcspn(json_word(ip, "ip"), "/"),
                 json_word(ip, "ip"));
        /* Of an IPv6 network any address may be chosen. */
        if (str_eq(json_word(ip, "type"), "ipv4") && !listed(&d->config, address)) {
                f = found(d, F_IP_ADDRESS, "floating IP %s is %s, which [ip] address does not name",
                          id, address);
                found_at_key(d, f, &d->config.ip.address);
                found_fix(f, "[ip]\naddress = %s/32", address);
        }
        judge_protection(d, ip, "floating IP", id, "floating-ip");
}

static void look_server(struct cloud *c, const char *name)
{
        struct doctor *d = c->d;
        char path[160], id[NAME];
        struct flaw *f;
        int status;

        snprintf(path, sizeof path, "/servers?name=%s", found_word(name));
        CLEANUP(json_freep) cJSON *j = get(c, path, &status);
        const cJSON *s = cJSON_GetArrayItem(json_field(j, "servers"), 0);
        if (status != 200)
                return;
        if (!s) {
                f = found(d, F_SERVER_NONE, "there is no server named %s in the token's project",
                          name);
                found_at_key(d, f, &d->config.cluster.nodes);
                found_fix(f,
                          "hcloud server list; hcloud server update --name %s ID, or name the node "
                          "as the server is",
                          name);
                return;
        }
        number(s, "id", id);
        c->holder_known = c->holder_known || str_eq(id, c->holder);
        const char *location = json_word(json_field(s, "location"), "name");
        if (!*location) /* older answers */
                location = json_word(json_field(json_field(s, "datacenter"), "location"), "name");
        if (!*c->location || str_eq(location, c->location))
                return;
        f = found(d, F_SERVER_LOCATION, "server %s is in %s, the volume in %s", name, location,
                  c->location);
        found_at_key(d, f, &d->config.cluster.nodes);
        found_fix(f, "make this node anew in %s; spread the nodes by a placement group instead",
                  found_word(c->location));
}

static void look_cloud(struct cloud *c)
{
        struct doctor *d = c->d;
        const struct config *conf = &d->config;

        if (!look_token(c))
                return;
        look_volume(c);
        for (size_t i = 0; conf->ip.provider == CONFIG_HETZNER && i < conf->ip.id.n; i++)
                look_ip(c, conf->ip.id.v[i]);
        for (size_t i = 0; i < conf->cluster.nodes.n; i++)
                look_server(c, config_cluster_node(conf, i).name);
        if (c->holder_known || conf->cluster.nodes.n == 0)
                return;
        struct flaw *f =
                found(d, F_VOLUME_STRANGER, "volume %s is attached to server %s, which is no node",
                      conf->volume.id, c->holder);
        found_at_key(d, f, &conf->volume.id);
        found_fix(f, "unmount it there, then: hcloud volume detach %s", conf->volume.id);
}

void look_provider(struct doctor *d)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        CLEANUP(secret_wipe) char *token = NULL;
        struct cloud c = { .d = d };

        if (d->config.volume.provider != CONFIG_HETZNER && d->config.ip.provider != CONFIG_HETZNER)
                return;
        if (secret_read(d->config.hetzner.token_file, &token, &error) < 0 || !token)
                return; /* a finding of the look at the configuration */
        int n = snprintf(c.bearer, sizeof c.bearer, "Authorization: Bearer %s", token);
        if (n > 0 && (size_t)n < sizeof c.bearer && !strpbrk(token, "\r\n"))
                look_cloud(&c);
        explicit_bzero(c.bearer, sizeof c.bearer);
}
