/* One slot per probe: find the address if it is a container's, talk, report. Reports go out from a
 * timer, so that the owner may free everything in one. */
#include "hamon/probe.h"

#include "hamon/probe_find.h"
#include "hamon/probe_talk.h"
#include "hamon/probe_volume.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slot {
        struct probes *set;
        enum probe probe;
        bool on, busy, known; /* known: `address` is where it was found last */
        char address[64];
        unsigned port;
        msec_t began;
        struct probe_talk *talk;
        struct http_call *find;
        struct timer report;
        struct finding finding;
        char text[256];
};

struct probes {
        struct loop *loop;
        struct http *http;
        struct ssl_ctx_st *tls;
        char *host, *redis_password, *socket, *project;
        msec_t timeout;
        struct probe_volume *volume;
        probe_fn fn;
        void *arg;
        struct slot slots[PROBE_COUNT_];
};

/* ---- answers ---- */

static void report_soon(struct slot *s, struct finding f, const char *text)
{
        s->finding = f;
        str_copy(s->text, sizeof s->text, text);
        if (f.result == RES_FAIL)
                s->known = false; /* a container that was made anew has another address */
        timer_set(&s->report, 0);
}

static void fail_soon(struct slot *s, enum reason reason, const char *text)
{
        report_soon(s, (struct finding){ RES_FAIL, reason }, text);
}

static void on_report(void *arg)
{
        struct slot *s = arg;
        struct probes *p = s->set;
        char text[sizeof s->text];
        const struct probe_answer a = { .probe = s->probe,
                                        .finding = s->finding,
                                        .text = text,
                                        .took = loop_now(p->loop) - s->began };

        str_copy(text, sizeof text, s->text);
        s->busy = false;
        p->fn(p->arg, &a); /* p may be gone after this */
}

static void on_talk(void *arg, struct finding f, const char *text)
{
        report_soon(arg, f, text);
}

static void on_volume(void *arg, int error)
{
        struct probes *p = arg;
        struct slot *s = &p->slots[PROBE_VOLUME];
        struct finding f = probe_judge_volume(error);
        char text[160];

        if (f.reason == REASON_VOLUME_IO_ERROR)
                snprintf(text, sizeof text, "%s: %s", reason_sentence(f.reason), strerror(error));
        else
                str_copy(text, sizeof text,
                         error ? reason_sentence(f.reason) : "can be written to");
        report_soon(s, f, text);
}

/* ---- asking ---- */

static void talk(struct slot *s)
{
        struct probes *p = s->set;
        const struct probe_row *row = &PROBES[s->probe];
        const struct talk_config c = { .kind = row->kind,
                                       .tls = row->tls,
                                       .address = s->address,
                                       .port = s->port,
                                       .host = p->host,
                                       .password = p->redis_password,
                                       .timeout = p->timeout,
                                       .tls_context = p->tls };

        probe_talk_free(take_ptr(s->talk)); /* the last one, if it still says goodbye */
        int r = probe_talk_new(p->loop, &c, on_talk, s, &s->talk);
        if (r < 0)
                fail_soon(s, REASON_PROBE_REFUSED, strerror(-r));
}

static void on_found(void *arg, const struct http_result *r)
{
        struct slot *s = arg;
        char address[sizeof s->address] = "";

        s->find = NULL;
        if (r->error || r->status != 200 ||
            probe_find_parse(r->body, r->len, address, sizeof address) < 0) {
                report_soon(s, (struct finding){ RES_SKIP, REASON_STARTING },
                            "the Docker engine does not tell its address");
                return;
        }
        if (!*address) {
                fail_soon(s, REASON_PROBE_REFUSED, "its container does not run");
                return;
        }
        str_copy(s->address, sizeof s->address, address);
        s->known = true;
        talk(s);
}

static void find(struct slot *s)
{
        struct probes *p = s->set;
        const struct probe_find_config c = { p->socket, p->project, p->timeout };
        int r = probe_find_start(p->http, &c, PROBES[s->probe].service, on_found, s, &s->find);

        if (r < 0) {
                s->find = NULL;
                report_soon(s, (struct finding){ RES_SKIP, REASON_STARTING }, strerror(-r));
        }
}

void probes_run_one(struct probes *p, enum probe which)
{
        struct slot *s = &p->slots[which];

        if (!s->on || s->busy)
                return;
        s->busy = true;
        s->began = loop_now(p->loop);
        if (which == PROBE_VOLUME)
                probe_volume_run(p->volume);
        else if (PROBES[which].container && !s->known)
                find(s);
        else
                talk(s);
}

void probes_run(struct probes *p)
{
        for (enum probe i = 0; i < PROBE_COUNT_; i++)
                probes_run_one(p, i);
}

bool probes_busy(const struct probes *p, enum probe which)
{
        return p->slots[which].busy;
}

/* ---- building up and taking down ---- */

static bool is_address(const char *s)
{
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

static int init_slot(struct probes *p, enum probe i, const struct probe_target *t)
{
        struct slot *s = &p->slots[i];
        const struct probe_row *row = &PROBES[i];

        s->set = p;
        s->probe = i;
        s->on = t->on;
        s->port = t->port;
        if (!t->on)
                return 0;
        if (row->kind != KIND_VOLUME && (t->port < 1 || t->port > 65535))
                return -EINVAL;
        if (row->kind != KIND_VOLUME && !row->container &&
            (!is_address(t->address) || !str_copy(s->address, sizeof s->address, t->address)))
                return -EINVAL;
        return timer_init(&s->report, p->loop, on_report, s);
}

static int init(struct probes *p, const struct probes_config *c)
{
        int r = 0;

        p->host = strdup(c->host);
        p->redis_password = strdup(c->redis_password);
        p->socket = strdup(c->socket);
        p->project = strdup(c->project);
        p->tls = probe_talk_context();
        if (!p->host || !p->redis_password || !p->socket || !p->project || !p->tls)
                return -ENOMEM;
        for (enum probe i = 0; i < PROBE_COUNT_ && r == 0; i++)
                r = init_slot(p, i, &c->targets[i]);
        if (r == 0)
                r = http_new(p->loop, &p->http);
        if (r == 0 && c->targets[PROBE_VOLUME].on)
                r = probe_volume_new(p->loop, c->volume, p->timeout, on_volume, p, &p->volume);
        return r;
}

int probes_new(struct loop *l, const struct probes_config *c, probe_fn fn, void *arg,
               struct probes **ret)
{
        struct probes *p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;

        p->loop = l;
        p->timeout = c->timeout;
        p->fn = fn;
        p->arg = arg;
        int r = init(p, c);
        if (r < 0) {
                probes_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

void probes_free(struct probes *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                http_cancel(p->slots[i].find);
                probe_talk_free(p->slots[i].talk);
                timer_done(&p->slots[i].report);
        }
        probe_volume_free(p->volume);
        http_free(p->http);
        SSL_CTX_free(p->tls);
        if (p->redis_password)
                explicit_bzero(p->redis_password, strlen(p->redis_password));
        free(p->redis_password);
        free(p->host);
        free(p->socket);
        free(p->project);
        free(p);
}
