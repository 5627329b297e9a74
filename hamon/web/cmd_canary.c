/* The run and the looks of `hamon web` under a loop of its own. Waiting sends another mail until
 * one comes through. */
#include "hamon/web/cmd_canary.h"

#include "hamon/config.h"
#include "hamon/web/canary_run.h"
#include "hamon/web/cert.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { AGAIN_MS = 500, WAIT_MAX = 3600 };

struct once {
        const struct config *c;
        struct loop loop;
        struct canary_run *run;
        struct cert_look *looks[CERT_SERVICES_COUNT];
        struct timer again;
        bool json, promote, told;
        msec_t wait, until;
        enum canary_reason reason;
        char message[384];
        msec_t delivery, login;
        bool known[CERT_SERVICES_COUNT];
        struct cert_facts facts[CERT_SERVICES_COUNT];
};

static bool done(const struct once *o)
{
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                if (o->looks[i])
                        return false;
        return o->told;
}

static void on_facts(void *arg, size_t service, const struct cert_facts *f)
{
        struct once *o = arg;

        o->looks[service] = NULL;
        o->known[service] = true;
        o->facts[service] = *f;
        if (done(o))
                loop_stop(&o->loop);
}

static void on_result(void *arg, const struct canary_result *r)
{
        struct once *o = arg;

        o->run = NULL;
        o->reason = r->reason;
        o->delivery = r->delivery;
        o->login = r->login;
        str_copy(o->message, sizeof o->message, r->message);
        if (r->reason != CANARY_OK && loop_now(&o->loop) < o->until) {
                timer_set(&o->again, AGAIN_MS);
                return;
        }
        o->told = true;
        if (done(o))
                loop_stop(&o->loop);
}

static void send_one(void *arg)
{
        struct once *o = arg;

        if (canary_run_new(&o->loop, o->c, on_result, o, &o->run) < 0)
                loop_stop(&o->loop);
}

/* ---- printing ---- */

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static void print_json(const struct once *o)
{
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();

        cJSON_AddStringToObject(j, "result", o->reason == CANARY_OK ? "done" : "temporary");
        cJSON_AddStringToObject(j, "reason", CANARY_REASONS[o->reason].name);
        cJSON_AddStringToObject(j, "message", o->message);
        cJSON_AddNumberToObject(j, "delivery_ms", (double)o->delivery);
        cJSON_AddNumberToObject(j, "login_ms", (double)o->login);
        cJSON *list = cJSON_AddArrayToObject(j, "certificates");
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                if (o->known[i])
                        cert_report(&o->facts[i], list);
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        puts(text ? text : "{}");
}

static void print_text(const struct once *o)
{
        bool ok = o->reason == CANARY_OK;

        printf("%-11s %-4s %s\n", "mail", ok ? "ok" : "FAIL",
               ok ? CANARY_REASONS[CANARY_OK].sentence : CANARY_REASONS[o->reason].sentence);
        if (ok)
                printf("%-11s %-4s delivered in %lld ms, logged in within %lld ms\n", "", "",
                       (long long)o->delivery, (long long)o->login);
        else
                printf("%-11s %-4s %s: %s\n", "", "", CANARY_REASONS[o->reason].name, o->message);
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                if (o->known[i])
                        printf("%-11s %-4s certificate: %s (%s)\n", CERT_SERVICES[i],
                               o->facts[i].reason == CERT_OK ? "ok" : "warn",
                               CERT_REASONS[o->facts[i].reason].sentence, o->facts[i].message);
}

/* ---- the command ---- */

static int usage(void)
{
        fputs("usage: hamon canary [--json] [--wait SECONDS] [--promote]\n", stderr);
        return EX_USAGE;
}

static int choose(struct once *o, int argc, char **argv)
{
        uint64_t seconds;

        for (int i = 0; i < argc; i++) {
                if (strcmp(argv[i], "--json") == 0) {
                        o->json = true;
                } else if (strcmp(argv[i], "--promote") == 0) {
                        o->promote = true;
                } else if (strcmp(argv[i], "--wait") == 0) {
                        if (++i >= argc || parse_uint(argv[i], 0, WAIT_MAX, &seconds) < 0)
                                return usage();
                        o->wait = (msec_t)seconds * 1000;
                } else {
                        return usage();
                }
        }
        return EX_OK;
}

static int run(struct once *o)
{
        if (loop_init(&o->loop) < 0 || timer_init(&o->again, &o->loop, send_one, o) < 0)
                return EX_OSERR;
        o->until = loop_now(&o->loop) + o->wait;
        for (size_t i = 0; i < CERT_SERVICES_COUNT && !o->promote; i++)
                (void)cert_look_new(&o->loop, o->c, i, on_facts, o, &o->looks[i]);
        timer_set(&o->again, 0);
        if (loop_run(&o->loop) < 0 || !o->told)
                return EX_OSERR;
        (o->json ? print_json : print_text)(o);
        if (o->reason == CANARY_SETUP)
                return EX_CONFIG;
        return o->reason == CANARY_OK ? EX_OK : EX_TEMPFAIL;
}

int canary_command(const char *file, int argc, char **argv)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct once o = { .c = &c };

        signal(SIGPIPE, SIG_IGN);
        int code = choose(&o, argc, argv);
        if (code != EX_OK)
                return code;
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        if (config_load(file, &c, &errors, NULL) < 0) {
                fputs(buf_str(&errors), stderr);
                return EX_CONFIG;
        }
        if (o.promote && !c.canary.promote)
                return EX_OK; /* nobody asked for it */
        if (!*c.canary.mailbox) {
                fputs("hamon: [canary] mailbox is empty: there is no canary\n", stderr);
                return EX_CONFIG;
        }
        code = run(&o);
        canary_run_free(o.run);
        for (size_t i = 0; i < CERT_SERVICES_COUNT; i++)
                cert_look_free(o.looks[i]);
        timer_done(&o.again);
        if (o.loop.base)
                loop_done(&o.loop);
        return code;
}
