/* The set of probes under a loop of its own. Waiting asks again those that failed, and those only:
 * what has answered once is up. */
#include "hamon/cmd_probe.h"

#include "hamon/probe_set.h"
#include "hamon/verb.h"
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { AGAIN_MS = 100, WAIT_MAX = 3600 };

struct look {
        const struct config *config;
        struct loop loop;
        struct probes *probes;
        struct timer again;
        bool json;
        msec_t until; /* -1 = each is asked once */
        struct one {
                bool wanted, told, pass;
                enum reason reason;
                msec_t took;
                char text[256];
        } all[PROBE_COUNT_];
};

/* ---- asking ---- */

static bool all_told(const struct look *l)
{
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                if (l->all[i].wanted && !l->all[i].told)
                        return false;
        return true;
}

static bool all_pass(const struct look *l)
{
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                if (l->all[i].wanted && !l->all[i].pass)
                        return false;
        return true;
}

static bool enough(struct look *l)
{
        return all_pass(l) || (all_told(l) && loop_now(&l->loop) >= l->until);
}

static void ask_failed(void *arg)
{
        struct look *l = arg;

        if (enough(l)) {
                loop_stop(&l->loop);
                return;
        }
        for (size_t i = 0; i < PROBE_COUNT_; i++)
                if (l->all[i].wanted && !l->all[i].pass)
                        probes_run_one(l->probes, (enum probe)i);
        if (l->until >= 0)
                timer_set(&l->again, AGAIN_MS);
}

static void on_answer(void *arg, const struct probe_answer *a)
{
        struct look *l = arg;
        struct one *o = &l->all[a->probe];

        o->told = true;
        o->pass = a->finding.result == RES_PASS;
        o->reason = a->finding.reason;
        o->took = a->took;
        str_copy(o->text, sizeof o->text, a->text);
        if (enough(l))
                loop_stop(&l->loop);
}

/* ---- printing ---- */

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static void print_json(const struct look *l)
{
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();

        cJSON_AddStringToObject(j, "result", all_pass(l) ? "done" : "temporary");
        cJSON *list = cJSON_AddArrayToObject(j, "probes");
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                const struct one *p = &l->all[i];
                if (!p->wanted)
                        continue;
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "name", PROBES[i].name);
                cJSON_AddBoolToObject(o, "pass", p->pass);
                cJSON_AddStringToObject(o, "reason", reason_name(p->reason));
                cJSON_AddStringToObject(o, "message", p->text);
                cJSON_AddNumberToObject(o, "ms", (double)p->took);
                cJSON_AddBoolToObject(o, "required", config_probe_vital(l->config, i));
                cJSON_AddItemToArray(list, o);
        }
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        puts(text ? text : "{}");
}

static void print_text(const struct look *l)
{
        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                const struct one *o = &l->all[i];
                if (o->wanted)
                        printf("%-11s %-4s %6lld ms  %s%s\n", PROBES[i].name,
                               o->pass ? "ok" : "FAIL", (long long)o->took, o->text,
                               config_probe_vital(l->config, i) ? "" : " (optional)");
        }
}

/* ---- the command ---- */

static int usage(void)
{
        fputs("usage: hamon probe [NAME...] [--json] [--wait SECONDS]\n", stderr);
        return EX_USAGE;
}

/* The names; none = all that are on and vital, which is what a node needs to be ready. */
static int choose(struct look *l, int argc, char **argv)
{
        bool named = false;
        uint64_t seconds;

        l->until = -1;
        for (int i = 0; i < argc; i++) {
                enum probe which = probe_by_name(argv[i]);
                if (strcmp(argv[i], "--json") == 0) {
                        l->json = true;
                } else if (strcmp(argv[i], "--wait") == 0) {
                        if (++i >= argc || parse_uint(argv[i], 0, WAIT_MAX, &seconds) < 0)
                                return usage();
                        l->until = (msec_t)seconds * 1000;
                } else if (which == PROBE_COUNT_) {
                        return usage();
                } else if (!config_probe_on(l->config, which)) {
                        fprintf(stderr, "hamon: the probe %s is switched off\n", argv[i]);
                        return EX_CONFIG;
                } else {
                        named = l->all[which].wanted = true;
                }
        }
        for (size_t i = 0; i < PROBE_COUNT_ && !named; i++)
                l->all[i].wanted = config_probe_on(l->config, i) &&
                                   (l->until < 0 || config_probe_vital(l->config, i));
        return EX_OK;
}

static int run(struct look *l)
{
        msec_t wait = l->until;

        if (loop_init(&l->loop) < 0 || timer_init(&l->again, &l->loop, ask_failed, l) < 0 ||
            probe_set_new(&l->loop, l->config, on_answer, l, &l->probes) < 0)
                return EX_OSERR;
        l->until = wait < 0 ? -1 : loop_now(&l->loop) + wait;
        if (!all_pass(l)) { /* one is wanted at least */
                ask_failed(l);
                if (loop_run(&l->loop) < 0)
                        return EX_OSERR;
        }
        (l->json ? print_json : print_text)(l);
        return all_pass(l) ? EX_OK : EX_TEMPFAIL;
}

int probe_command(const char *file, int argc, char **argv)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct look l = { .config = &c };

        signal(SIGPIPE, SIG_IGN);
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        int code = choose(&l, argc, argv);
        if (code != EX_OK)
                return code;
        code = run(&l);
        probes_free(l.probes);
        timer_done(&l.again);
        if (l.loop.base)
                loop_done(&l.loop);
        return code;
}
