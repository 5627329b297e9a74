/* Finding the page of a request, and the pages that are a few lines (pages.h). */
#include "signup/pages.h"

#include "signup/gate/audio.h"
#include "signup/gate/image.h"
#include "signup/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALLOW_GET = 1, ALLOW_POST = 2, DRAW_WAIT_S = 10 };

static int page_root(struct visit *v)
{
        return v->req->method == METHOD_POST ? page_submit(v) : page_form(v);
}

static const struct page {
        const char *path;
        int (*fn)(struct visit *v);
        unsigned allow;
        bool prefix, counted; /* by LIMIT_PAGES */
} PAGES[] = {
        { "/", page_root, ALLOW_GET | ALLOW_POST, false, true },
        { "/invite/", page_invite, ALLOW_GET, true, true },
        { "/challenge", page_challenge, ALLOW_GET, false, true },
        { "/captcha/", page_captcha, ALLOW_GET, true, true },
        { "/s/", page_asset, ALLOW_GET, true, false },
        { "/health", page_health, ALLOW_GET, false, false },
};

static const struct page *find(const char *path)
{
        for (size_t i = 0; i < ARRAY_SIZE(PAGES); i++) {
                const struct page *p = &PAGES[i];
                if (p->prefix ? strncmp(path, p->path, strlen(p->path)) == 0
                              : str_eq(path, p->path))
                        return p;
        }
        return NULL;
}

static bool allowed(const struct page *p, enum method m)
{
        return m == METHOD_POST ? (p->allow & ALLOW_POST) != 0
                                : m != METHOD_OTHER && (p->allow & ALLOW_GET) != 0;
}

static int refuse_method(struct visit *v, const struct page *p)
{
        reply_header(v->reply, "Allow", p->allow & ALLOW_POST ? "GET, HEAD, POST" : "GET, HEAD");
        return visit_say(v, 405, "error_heading", "err_request", true);
}

static int serve(struct visit *v)
{
        const struct page *p = find(v->req->path);
        msec_t wait = 0;

        if (!p)
                return visit_say(v, 404, "error_heading", "err_not_found", true);
        if (!allowed(p, v->req->method))
                return refuse_method(v, p);
        if (p->counted && !visit_limit(v, LIMIT_PAGES, &wait))
                return visit_wait(v, wait);
        return p->fn(v);
}

/* What is left when even the error page cannot be made. */
static void last_words(struct reply *r, int error)
{
        note(LOG_ERROR, "page_failed", LS("msg", strerror(-error)));
        reply_done(r);
        *r = (struct reply)REPLY;
        r->status = 500;
        r->type = "text/plain; charset=utf-8";
        buf_adds(&r->body, "Sorry, this did not work. Please try again in a moment.\n");
}

void page_serve(struct site *s, struct caller *c, const struct request *req, struct reply *reply)
{
        struct visit *v = malloc(sizeof *v);

        int r = v ? visit_init(v, s, c, req, reply) : -ENOMEM;
        if (r == 0)
                r = serve(v);
        if (r < 0)
                last_words(reply, r);
        if (v)
                visit_done(v);
        free(v);
}

/* ---- small pages ---- */

int page_asset(struct visit *v)
{
        char path[REQUEST_PATH + 80];

        snprintf(path, sizeof path, "%s%s", v->site->config->signup.base_path, v->req->path);
        const struct asset *a = assets_by_path(&v->site->assets, path);
        if (!a)
                return visit_say(v, 404, "error_heading", "err_not_found", true);
        v->reply->type = a->type;
        v->reply->keep = true;
        return buf_add(&v->reply->body, a->data, a->len);
}

/* No version, no names: anybody may ask. */
int page_health(struct visit *v)
{
        struct password_policy policy;
        bool ok = mailcow_policy(v->site->mailcow, v->caller, v->req->now, &policy);

        v->reply->type = "application/json";
        return buf_addf(&v->reply->body, "{\"status\":\"%s\"}\n", ok ? "ok" : "degraded");
}

static int draw_light(const struct keys *k, const struct ticket *t, struct buf *out)
{
        return image_draw(k, t, false, out);
}

static int draw_dark(const struct keys *k, const struct ticket *t, struct buf *out)
{
        return image_draw(k, t, true, out);
}

static const struct medium {
        const char *ending, *type;
        int (*draw)(const struct keys *k, const struct ticket *t, struct buf *out);
        enum gate_kind gate;
} MEDIA[] = {
        { ".jpg", "image/jpeg", draw_light, GATE_IMAGE },
        { ".dark.jpg", "image/jpeg", draw_dark, GATE_IMAGE },
        { ".wav", "audio/wav", audio_speak, GATE_AUDIO },
};

static const struct medium *medium_of(const struct site *s, const char *ending)
{
        for (size_t i = 0; i < ARRAY_SIZE(MEDIA); i++)
                if (str_eq(MEDIA[i].ending, ending) && s->gate.kinds & 1u << MEDIA[i].gate)
                        return &MEDIA[i];
        return NULL;
}

/* Not more at once than keep the processors busy: each has some 300 KiB while it is made. */
static int draw(struct visit *v, const struct medium *m, const struct ticket *t)
{
        struct timespec end;

        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += DRAW_WAIT_S;
        while (sem_clockwait(&v->site->drawing, CLOCK_MONOTONIC, &end) < 0)
                if (errno != EINTR) {
                        reply_header(v->reply, "Retry-After", "10");
                        return visit_say(v, 503, "error_heading", "err_gate_down", true);
                }
        v->reply->type = m->type;
        int r = m->draw(v->site->keys, t, &v->reply->body);
        sem_post(&v->site->drawing);
        return r;
}

int page_captcha(struct visit *v)
{
        const char *name = v->req->path + strlen("/captcha/");
        size_t len = strcspn(name, ".");
        const struct medium *m = medium_of(v->site, name + len);
        char text[TICKET_TEXT];
        struct ticket t;

        if (!m || len >= sizeof text)
                return visit_say(v, 404, "error_heading", "err_not_found", true);
        memcpy(text, name, len);
        text[len] = '\0';
        if (gate_look(&v->site->gate, text, v->req->wall, &t) != GATE_PASSED)
                return visit_say(v, 404, "error_heading", "err_not_found", true);
        return draw(v, m, &t);
}
