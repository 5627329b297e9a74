/* GET /volumes and /floating_ips, by number or by name. */
#include "hamon/setup/cloud.h"

#include "hamon/ask.h"
#include "lib/json.h"
#include "lib/secret.h"
#include <errno.h>
#include <string.h>

enum { ASK_MS = 10000, ANSWER_MAX = 512 * 1024, NAME = 64, LIST_MAX = 4096 };

struct cloud {
        const char *api_url;
        char bearer[1100];
        struct buf *errors;
        int error; /* the API could not be asked */
        char why[256];
};

static bool is_number(const char *s)
{
        return *s && s[strspn(s, "0123456789")] == '\0';
}

/* The JSON of the answer, whatever its status; NULL: none, and c->error if there was no answer. */
static cJSON *call(struct cloud *c, const char *method, const char *path, int *ret_status)
{
        const char *const headers[] = { c->bearer, "Content-Type: application/json", NULL };
        struct ask_http a = { .body = BUF(ANSWER_MAX) };
        char url[1024];
        cJSON *j = NULL;

        snprintf(url, sizeof url, "%s%s", c->api_url, path);
        const struct http_request r = { .method = method,
                                        .url = url,
                                        .headers = headers,
                                        .body = str_eq(method, "POST") ? "{}" : NULL,
                                        .max_body = ANSWER_MAX,
                                        .timeout = ASK_MS,
                                        .once = true };
        int e = ask_http(&r, &a);
        *ret_status = e < 0 ? 0 : a.status;
        if (e < 0) {
                c->error = e;
                str_copy(c->why, sizeof c->why, a.message);
        } else {
                j = cJSON_ParseWithLength(buf_str(&a.body), a.body.len);
        }
        buf_done(&a.body);
        return j;
}

/* One thing of `plural` by its number or name; the caller frees *ret_all. NULL: said in errors. */
static const cJSON *find(struct cloud *c, const char *plural, const char *singular,
                         const char *what, const char *id, cJSON **ret_all)
{
        CLEANUP(buf_done) struct buf path = BUF(LIST_MAX);
        int status;

        if (is_number(id)) {
                buf_addf(&path, "/%s/%s", plural, id);
        } else {
                buf_addf(&path, "/%s?name=", plural);
                buf_add_percent(&path, id);
        }
        *ret_all = call(c, "GET", buf_str(&path), &status);
        const cJSON *found = is_number(id) ? json_field(*ret_all, singular)
                                           : cJSON_GetArrayItem(json_field(*ret_all, plural), 0);
        if (cJSON_IsObject(found) && cJSON_IsNumber(json_field(found, "id")))
                return found;
        if (status == 401)
                buf_addf(c->errors, "%s does not know this token\n", c->api_url);
        else if (status == 200 || status == 404)
                buf_addf(c->errors, "there is no %s \"%s\" in the token's project\n", what, id);
        else if (status != 0)
                buf_addf(c->errors, "%s answers %d when asked for the %s \"%s\"\n", c->api_url,
                         status, what, id);
        return NULL;
}

static void number(const cJSON *o, char ret[NAME])
{
        snprintf(ret, NAME, "%.0f", json_field(o, "id")->valuedouble);
}

static int put(struct answers *a, const void *slot, const char *value)
{
        size_t row = conf_row_at(&ANSWERS_SPEC, (size_t)((const char *)slot - (const char *)a));

        return conf_put(&ANSWERS_SPEC.options[row], a, value);
}

static int resolve_volume(struct cloud *c, struct answers *a)
{
        CLEANUP(json_freep) cJSON *all = NULL;
        char id[NAME];

        const cJSON *v = find(c, "volumes", "volume", "volume", a->volume.id, &all);
        if (!v)
                return -EINVAL;
        number(v, id);
        return put(a, &a->volume.id, id);
}

/* An IPv4 address is its own; of an IPv6 network the first one is ours. */
static void add_address(const cJSON *ip, struct buf *addresses)
{
        const char *s = json_word(ip, "ip");
        int len = (int)strcspn(s, "/");

        if (str_eq(json_word(ip, "type"), "ipv6"))
                buf_addf(addresses, "%.*s1/128 ", len, s);
        else
                buf_addf(addresses, "%.*s/32 ", len, s);
}

static int resolve_ips(struct cloud *c, struct answers *a)
{
        CLEANUP(buf_done) struct buf ids = BUF(LIST_MAX), addresses = BUF(LIST_MAX);
        char id[NAME];

        for (size_t i = 0; i < a->ip.id.n; i++) {
                CLEANUP(json_freep) cJSON *all = NULL;
                const cJSON *ip =
                        find(c, "floating_ips", "floating_ip", "Floating IP", a->ip.id.v[i], &all);
                if (!ip)
                        return -EINVAL;
                number(ip, id);
                buf_addf(&ids, "%s ", id);
                add_address(ip, &addresses);
        }
        if (ids.error || addresses.error)
                return -EFBIG;
        int r = put(a, &a->ip.id, buf_str(&ids));
        if (r == 0 && a->ip.address.n == 0)
                r = put(a, &a->ip.address, buf_str(&addresses));
        return r;
}

/* Nothing is left to be asked: the API may be silent. */
static bool complete(const struct answers *a)
{
        bool all = a->volume.provider != ANSWERS_HETZNER || is_number(a->volume.id);

        for (size_t i = 0; a->ip.provider == ANSWERS_HETZNER && i < a->ip.id.n; i++)
                all = all && is_number(a->ip.id.v[i]);
        return all && a->ip.address.n > 0;
}

static int resolve(struct cloud *c, struct answers *a, struct buf *notes)
{
        bool known = complete(a);
        int r = a->volume.provider == ANSWERS_HETZNER ? resolve_volume(c, a) : 0;

        if (r == 0 && a->ip.provider == ANSWERS_HETZNER)
                r = resolve_ips(c, a);
        if (r == 0 || c->error == 0)
                return r;
        if (known) {
                buf_addf(notes,
                         "%s does not answer (%s): whether the token, the volume and the "
                         "address are right was not looked at\n",
                         c->api_url, c->why);
                return 0;
        }
        buf_addf(c->errors,
                 "%s does not answer: %s; try again, or set numbers and addresses "
                 "in [volume] and [ip]\n",
                 c->api_url, c->why);
        return r;
}

static int bearer(struct cloud *c, const char *token, struct buf *error)
{
        int n = snprintf(c->bearer, sizeof c->bearer, "Authorization: Bearer %s", token);

        if (n > 0 && (size_t)n < sizeof c->bearer)
                return 0;
        buf_adds(error, "it is longer than any token");
        return -EINVAL;
}

int cloud_resolve(struct answers *a, struct buf *notes, struct buf *errors)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        CLEANUP(secret_wipe) char *token = NULL;
        struct cloud c = { .api_url = a->hetzner.api_url, .errors = errors };

        if (a->volume.provider != ANSWERS_HETZNER && a->ip.provider != ANSWERS_HETZNER)
                return 0;
        if (secret_read(a->hetzner.token_file, &token, &error) < 0 ||
            bearer(&c, token, &error) < 0) {
                buf_addf(errors,
                         "[hetzner] token_file: %s; make a Read & Write token in the servers' "
                         "project and type: install -m 600 /dev/stdin %s\n",
                         buf_str(&error), a->hetzner.token_file);
                return -EINVAL;
        }
        int r = resolve(&c, a, notes);
        explicit_bzero(c.bearer, sizeof c.bearer);
        return r;
}

int cloud_token(const char *api_url, const char *token, struct buf *error)
{
        struct cloud c = { .api_url = api_url, .errors = error };
        int status = 0, r = bearer(&c, token, error);

        if (r < 0)
                return r;
        /* There is no volume 0: a read token is refused before anybody looks for it, and with one
         * that may write there is nothing to change. */
        CLEANUP(json_freep)
        cJSON *j = call(&c, "POST", "/volumes/0/actions/change_protection", &status);
        const char *code = json_word(json_field(j, "error"), "code");
        explicit_bzero(c.bearer, sizeof c.bearer);
        if (c.error < 0)
                buf_addf(error, "%s does not answer: %s", api_url, c.why);
        else if (status == 401 || str_eq(code, "unauthorized"))
                buf_addf(error, "%s does not know this token", api_url);
        else if (str_eq(code, "token_readonly"))
                buf_adds(error, "this token may only read; it must be one to read and write");
        else if (status != 404 && status != 422)
                buf_addf(error, "%s answers %d", api_url, status);
        return c.error < 0 ? c.error : error->len > 0 ? -EACCES : 0;
}
