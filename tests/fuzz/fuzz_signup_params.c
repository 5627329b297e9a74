/* A whole request of any FastCGI parameters ("NAME=VALUE" lines, an empty line, a body) through the
 * real pages, templates and texts: there always is a reply, its head is in order, and what was sent
 * never comes back as markup. Nobody listens where Mailcow would be. */
#include "lib/log.h"
#include "signup/pages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARAMS = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct params {
        char *v[PARAMS];
        size_t n;
};

static char dir[] = "/tmp/fuzz_params.XXXXXX";
static struct config config;
static struct site site;
static struct caller *caller;

static const char *at(const char *name)
{
        static char path[64];

        snprintf(path, sizeof path, "%s/%s", dir, name);
        return path;
}

static void put(const char *name, const char *text)
{
        if (write_file_atomic(at(name), 0600, text, strlen(text)) < 0)
                abort();
}

static void take_away(void)
{
        unlink(at("conf"));
        unlink(at("secret"));
        rmdir(dir);
        site_done(&site);
        caller_free(caller);
        config_free(&config);
        log_done();
}

static void begin(void)
{
        CLEANUP(buf_done) struct buf conf = BUF(8192), errors = BUF(8192);

        log_init(STDERR_FILENO, LOG_ERROR);
        if (!mkdtemp(dir))
                abort();
        put("secret", "the secret of this fuzzer, 32 or more\n");
        buf_addf(&conf,
                 "[signup]\ndata_dir = " MHA_SOURCE "\ndomains = example.org example.net\n"
                 "terms_url = /terms\ncontact = a@example.org\n"
                 "[mailcow]\nurl = http://127.0.0.1:1\napi_key_file = %s/secret\n"
                 "[gate]\nkinds = image audio pow\nsecret_file = %s/secret\n"
                 "[limit]\npages = off\nattempts = off\n",
                 dir, dir);
        put("conf", buf_str(&conf));
        setenv("SIGNUP_MAILCOW_API_KEY_FILE", at("key"), 1);
        put("key", "AAAAAA-BBBBBB\n");
        if (config_load(at("conf"), &config, &errors) < 0 ||
            site_load(&config, &site, &errors) < 0 || caller_new(&caller) < 0) {
                fputs(buf_str(&errors), stderr);
                abort();
        }
        unlink(at("key"));
        if (atexit(take_away) != 0)
                abort();
}

static const char *param(void *arg, const char *name)
{
        const struct params *p = arg;
        size_t len = strlen(name);

        for (size_t i = 0; i < p->n; i++)
                if (strncmp(p->v[i], name, len) == 0 && p->v[i][len] == '=')
                        return p->v[i] + len + 1;
        return str_eq(name, "REMOTE_ADDR")   ? "192.0.2.1"
               : str_eq(name, "REQUEST_URI") ? "/signup/"
                                             : NULL;
}

/* What nginx would send is cut into parameters; returns the body. */
static char *cut_up(char *text, struct params *p)
{
        while (*text && *text != '\n' && p->n < PARAMS) {
                char *end = text + strcspn(text, "\n");
                p->v[p->n++] = text;
                if (!*end)
                        return end;
                *end = '\0';
                text = end + 1;
        }
        return *text == '\n' ? text + 1 : text;
}

static void look_at(const struct request *req, const struct reply *reply)
{
        CLEANUP(buf_done) struct buf head = BUF(16 * 1024);
        static const int STATUS[] = { 200, 400, 403, 404, 405, 413, 415, 422, 429, 503 };
        bool known = false;

        for (size_t i = 0; i < ARRAY_SIZE(STATUS); i++)
                known = known || reply->status == STATUS[i];
        if (!known || reply_head(reply, &head) < 0)
                abort();
        const char *end = strstr(buf_str(&head), "\r\n\r\n");
        if (!end || end[4] || strstr(buf_str(&head), "\nX-Evil"))
                abort();
        bool page = reply->type && strncmp(reply->type, "text/html", 9) == 0;
        if (page &&
            (strstr(buf_str(&reply->body), "<evil") || strstr(buf_str(&reply->body), "\" onevil")))
                abort();
        if (page && req->method != METHOD_OTHER && reply->status == 200 && reply->body.len < 1000)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct request req = { .now = 1000000, .wall = 1790000000 };
        struct reply reply = REPLY;
        struct params p = { .n = 0 };

        if (!caller)
                begin();
        char *text = strndup((const char *)data, size);
        if (!text)
                return 0;
        char *body = cut_up(text, &p);
        if (request_fill(&req, "/signup", &config.limit.trusted_proxies, param, &p) == 0) {
                req.body_len = strlen(body);
                req.too_long = req.method == METHOD_POST && req.body_len > REQUEST_BODY;
                req.body = req.method == METHOD_POST && !req.too_long ? body : NULL;
                page_serve(&site, caller, &req, &reply);
                look_at(&req, &reply);
        }
        reply_done(&reply);
        free(text);
        return 0;
}
