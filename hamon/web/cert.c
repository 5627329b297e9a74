/* One look per service at a time; what is known stays until the next one. */
#include "hamon/web/cert.h"

#include "hamon/web/is_master.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, AGAIN_MS = 60 * 1000 };

struct cert {
        struct loop *loop;
        const struct config *c;
        struct timer timer;
        bool master;
        struct cert_look *looks[CERT_SERVICES_COUNT];
        bool known[CERT_SERVICES_COUNT];
        struct cert_facts facts[CERT_SERVICES_COUNT];
};

static void on_facts(void *arg, size_t service, const struct cert_facts *f)
{
        struct cert *p = arg;
        bool told = p->known[service] && p->facts[service].reason == f->reason;

        p->looks[service] = NULL;
        p->known[service] = true;
        p->facts[service] = *f;
        if (f->reason == CERT_UNREACHABLE)
                timer_set(&p->timer, AGAIN_MS); /* the probes tell of that; it may come back */
        else if (!told && f->reason != CERT_OK)
                log_event(LOG_WARN, "certificate", LS("service", f->service),
                          LS("reason", CERT_REASONS[f->reason].name), LI("days", f->days_left),
                          LS("msg", f->message));
}

static void on_timer(void *arg)
{
        struct cert *p = arg;

        timer_set(&p->timer, HOUR_MS);
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                if (!p->looks[i])
                        (void)cert_look_new(p->loop, p->c, i, on_facts, p, &p->looks[i]);
}

static void cert_snap(void *part, const struct snap *snap)
{
        struct cert *p = part;
        bool master = is_master(snap->status);

        if (master == p->master || !snap->status)
                return;
        p->master = master;
        if (master) {
                timer_set(&p->timer, 0);
                return;
        }
        timer_clear(&p->timer);
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++) {
                cert_look_free(take_ptr(p->looks[i]));
                p->known[i] = false;
        }
}

void cert_report(const struct cert_facts *f, cJSON *list)
{
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "service", f->service);
        cJSON_AddStringToObject(o, "address", f->address);
        cJSON_AddStringToObject(o, "subject", f->subject);
        if (f->days_left == CERT_UNKNOWN)
                cJSON_AddNullToObject(o, "days_left");
        else
                cJSON_AddNumberToObject(o, "days_left", f->days_left);
        cJSON_AddStringToObject(o, "reason", CERT_REASONS[f->reason].name);
        cJSON_AddStringToObject(o, "message", f->message);
        cJSON_AddItemToArray(list, o);
}

static void cert_part_report(const void *part, cJSON *into)
{
        const struct cert *p = part;
        cJSON *list = cJSON_AddArrayToObject(into, "certificates");

        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                if (p->known[i] &&
                    p->facts[i].reason != CERT_UNREACHABLE) /* the probes' business */
                        cert_report(&p->facts[i], list);
}

static void cert_destroy(void *part)
{
        struct cert *p = part;

        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                cert_look_free(p->looks[i]);
        timer_done(&p->timer);
        free(p);
}

static int cert_create(const struct part_needs *needs, void **ret)
{
        struct cert *p = calloc(1, sizeof *p);

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

const struct part_row CERT_PART = {
        .name = "certificates",
        .create = cert_create,
        .destroy = cert_destroy,
        .snap = cert_snap,
        .report = cert_part_report,
};
