/* One run at a time; what it found goes into the ring, and into the log when it changed. */
#include "hamon/web/canary.h"

#include "hamon/web/canary_run.h"
#include "hamon/web/canary_stats.h"
#include "hamon/web/is_master.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>

struct canary {
        struct loop *loop;
        const struct config *c;
        struct canary_run *run;
        struct timer timer;
        struct canary_stats stats;
        bool master;
        enum canary_reason told; /* what the log has said last */
        char message[384];
};

static enum canary_reason judge(const struct canary *p)
{
        return canary_judge(&p->stats, p->c->canary.delivery_target, p->c->canary.login_target,
                            p->c->canary.timeout);
}

static void tell(struct canary *p, enum canary_reason reason)
{
        if (reason == p->told)
                return;
        p->told = reason;
        log_event(reason == CANARY_OK ? LOG_INFO : LOG_WARN, "canary",
                  LS("reason", CANARY_REASONS[reason].name), LS("msg", p->message));
}

static void on_result(void *arg, const struct canary_result *r)
{
        struct canary *p = arg;
        const struct canary_mark mark = { .at = loop_now(p->loop),
                                          .delivery = r->reason == CANARY_OK ? r->delivery : -1,
                                          .login = r->login,
                                          .reason = r->reason };

        p->run = NULL;
        canary_add(&p->stats, &mark);
        enum canary_reason reason = judge(p);
        str_copy(p->message, sizeof p->message,
                 r->reason == CANARY_OK ? CANARY_REASONS[reason].sentence : r->message);
        tell(p, reason);
}

static void on_timer(void *arg)
{
        struct canary *p = arg;

        timer_set(&p->timer, p->c->canary.interval);
        if (!p->run && canary_run_new(p->loop, p->c, on_result, p, &p->run) < 0)
                log_event(LOG_ERROR, "canary", LS("msg", "it cannot be sent: out of memory"));
}

/* What another time as master left behind says nothing about this one. */
static void canary_snap(void *part, const struct snap *snap)
{
        struct canary *p = part;
        bool master = is_master(snap->status);

        if (master == p->master || !snap->status)
                return;
        p->master = master;
        canary_run_free(take_ptr(p->run));
        p->stats = (struct canary_stats){ .n = 0 };
        p->told = CANARY_OK;
        if (master)
                timer_set(&p->timer, 0);
        else
                timer_clear(&p->timer);
}

/* ---- the report ---- */

static void add_history(const struct canary *p, cJSON *o, msec_t now)
{
        cJSON *list = cJSON_AddArrayToObject(o, "history");

        for (size_t i = 0; i < p->stats.n; i++) {
                const struct canary_mark *m = canary_at(&p->stats, i);
                cJSON *e = cJSON_CreateObject();
                cJSON_AddNumberToObject(e, "ago_ms", (double)(now - m->at));
                cJSON_AddNumberToObject(e, "delivery_ms", (double)m->delivery);
                cJSON_AddNumberToObject(e, "login_ms", (double)m->login);
                cJSON_AddStringToObject(e, "reason", CANARY_REASONS[m->reason].name);
                cJSON_AddItemToArray(list, e);
        }
}

static void add_numbers(const struct canary *p, cJSON *o, msec_t now)
{
        static const struct {
                const char *key;
                enum canary_what what;
                unsigned percent;
        } ROWS[] = {
                { "p50_ms", CANARY_DELIVERY, 50 },
                { "p95_ms", CANARY_DELIVERY, 95 },
                { "login_p50_ms", CANARY_LOGIN, 50 },
                { "login_p95_ms", CANARY_LOGIN, 95 },
        };
        const struct canary_mark *last = canary_at(&p->stats, p->stats.n - 1);
        enum canary_reason reason = judge(p);

        cJSON_AddBoolToObject(o, "ok", last->reason == CANARY_OK);
        cJSON_AddStringToObject(o, "reason", CANARY_REASONS[reason].name);
        cJSON_AddStringToObject(o, "message", p->message);
        cJSON_AddNumberToObject(o, "ago_ms", (double)(now - last->at));
        cJSON_AddNumberToObject(o, "delivery_ms", (double)last->delivery);
        cJSON_AddNumberToObject(o, "login_ms", (double)last->login);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                cJSON_AddNumberToObject(o, ROWS[i].key,
                                        (double)canary_percentile(&p->stats, ROWS[i].what,
                                                                  ROWS[i].percent,
                                                                  p->c->canary.timeout));
}

static void canary_report(const void *part, cJSON *into)
{
        const struct canary *p = part;
        cJSON *o = cJSON_AddObjectToObject(into, "canary");
        msec_t now = loop_now(p->loop);

        cJSON_AddTrueToObject(o, "enabled");
        cJSON_AddNumberToObject(o, "target_ms", (double)p->c->canary.delivery_target);
        cJSON_AddNumberToObject(o, "login_target_ms", (double)p->c->canary.login_target);
        if (p->stats.n > 0)
                add_numbers(p, o, now);
        add_history(p, o, now);
}

/* ---- its life ---- */

static void canary_destroy(void *part)
{
        struct canary *p = part;

        canary_run_free(p->run);
        timer_done(&p->timer);
        free(p);
}

static int canary_create(const struct part_needs *needs, void **ret)
{
        *ret = NULL;
        if (!*needs->config->canary.mailbox)
                return 0;
        struct canary *p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        p->loop = needs->loop;
        p->c = needs->config;
        int r = timer_init(&p->timer, p->loop, on_timer, p);
        if (r < 0) {
                free(p);
                return r;
        }
        *ret = p;
        return 0;
}

const struct part_row CANARY_PART = {
        .name = "canary",
        .create = canary_create,
        .destroy = canary_destroy,
        .snap = canary_snap,
        .report = canary_report,
};
