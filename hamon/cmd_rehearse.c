/* A fail-over to this node, looked at in the order in which it would go: may this node lead, can
 * the old holder be fenced, can the hook be run, and then what each of its steps would find, by the
 * step's own code (struct step says that it is a rehearsal: step_may() then refuses everything).
 * No lock of another kind of step is taken: a real fail-over never waits for its rehearsal. */
#include "hamon/core/ha.h" /* before libevent, which has a macro EV_TIMEOUT */

#include "hamon/cmd_rehearse.h"

#include "hamon/client.h"
#include "hamon/cmd_fence_test.h"
#include "hamon/cmd_ip.h"
#include "hamon/cmd_stack.h"
#include "hamon/cmd_volume.h"
#include "hamon/hook_paths.h"
#include "hamon/hook_safe.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { MINUTE = 60000, ANSWER_MAX = 4 * 1024 * 1024, SYNTAX_WAIT = 10000 };

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

/* ---- may this node lead? ---- */

static const char *word(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

        return s ? s : "";
}

/* A daemon without a cluster says no state; one that is halted or in maintenance is so on purpose.
 */
static void judge_state(struct step *s, const cJSON *status)
{
        const char *state = word(status, "state"), *why = word(status, "why");
        const cJSON *lease = cJSON_GetObjectItemCaseSensitive(status, "lease");

        if (strcmp(state, HA_STATES[ST_MASTER]) == 0)
                step_found(s, FOUND_OK, "this node leads");
        else if (strcmp(state, HA_STATES[ST_MAINTENANCE]) == 0)
                step_found(s, FOUND_WARN, "%s", why);
        else if (!*state || *why)
                step_found(s, FOUND_FAIL, "%s%s%s",
                           *state ? why : "the daemon leads nothing: restart hamon",
                           strcmp(word(status, "verdict"), "fit") == 0 ? "" : ": ",
                           strcmp(word(status, "verdict"), "fit") == 0 ? ""
                                                                       : word(status, "message"));
        else
                step_found(s, FOUND_OK, "this node could take over; %s leads",
                           *word(lease, "holder") ? word(lease, "holder") : "nobody");
}

static void rehearse_daemon(struct step *s)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        char mark[CONFIG_FINGERPRINT];
        int r = client_ask(s->config.control.socket, "status-json", s->config.check.timeout,
                           &answer);

        if (r < 0) {
                step_found(s, FOUND_FAIL, "hamon run does not answer (%s: %s)",
                           s->config.control.socket, strerror(-r));
                return;
        }
        CLEANUP(delete_json) cJSON *status = cJSON_Parse(buf_str(&answer));
        if (!*word(status, "node")) {
                step_found(s, FOUND_FAIL, "the daemon's answer makes no sense");
                return;
        }
        config_fingerprint(&s->config, mark);
        if (strcmp(word(status, "config_mark"), mark) != 0)
                step_found(s, FOUND_FAIL, "%s", STEP_OLD_CONFIG);
        judge_state(s, status);
}

/* ---- the old holder ---- */

static void on_fence_test(void *arg, const char *part, bool ok, const char *text)
{
        struct step *s = arg;

        step_found(s, ok ? FOUND_OK : FOUND_FAIL, "%s: %s", part, text);
}

static void rehearse_fence(struct step *s)
{
        int r = fence_test(&s->config, on_fence_test, s);

        if (r < 0)
                step_end_error(s, r, "fence-test");
}

/* ---- the hooks ---- */

static bool is_shell(const char *path)
{
        static const char BANG[] = "#!/bin/sh";
        char first[sizeof BANG] = "";
        CLEANUP(fclosep) FILE *f = fopen(path, "re");

        return f && fgets(first, sizeof first, f) && strcmp(first, BANG) == 0;
}

/* False: a sentence was said. */
static bool rehearse_syntax(struct step *s, const char *path)
{
        const char *const sh[] = { "/bin/sh", "-n", path, NULL };
        const struct child_tick tick = { step_pulse, s };
        CLEANUP(buf_done) struct buf said = BUF(4096);
        int code = 0;

        if (!is_shell(path))
                return true; /* another language: its words are its own business */
        int r = child_program(sh, NULL, step_left(s, SYNTAX_WAIT), &tick, &said, &code);
        if (r == 0 && code == 0)
                return true;
        step_found(s, FOUND_FAIL, "%s: %.*s", path, (int)strcspn(buf_str(&said), "\n"),
                   r < 0 ? strerror(-r) : buf_str(&said));
        return false;
}

static bool rehearse_hook(struct step *s, const char *name)
{
        CLEANUP(buf_done) struct buf error = BUF(1024);
        struct hook_paths p;
        int r = hook_paths(s->config.hooks.dir, s->file, name, &p);

        if (r < 0)
                buf_adds(&error, "[hooks] dir is too long");
        else if ((r = hook_safe(p.hook, &error)) == 0)
                r = hook_safe_dir(p.also, &error);
        if (r < 0)
                step_found(s, FOUND_FAIL, "it would not be run: %s", buf_str(&error));
        return r == 0 && rehearse_syntax(s, p.hook);
}

/* The steps are found as a hook would find them. */
static bool rehearse_path(struct step *s)
{
        char dirs[] = HOOK_PATH, path[64], *rest = NULL;

        for (char *dir = strtok_r(dirs, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
                snprintf(path, sizeof path, "%s/hamon", dir);
                if (access(path, X_OK) == 0)
                        return true;
        }
        step_found(s, FOUND_FAIL, "a hook would find no hamon: it is not in " HOOK_PATH);
        return false;
}

static void rehearse_hooks(struct step *s)
{
        bool ok = rehearse_path(s);

        for (enum ha_hook h = HOOK_NONE + 1; h < HOOK_COUNT_; h++)
                ok = rehearse_hook(s, HA_HOOKS[h]) && ok;
        if (ok)
                step_found(s, FOUND_OK, "master.sh and backup.sh in %s may be run",
                           s->config.hooks.dir);
}

/* ---- all of it ---- */

static const struct {
        const char *name;
        void (*run)(struct step *s);
} CHECKS[] = {
        { "daemon", rehearse_daemon },
        { "fence", rehearse_fence },
        { "hooks", rehearse_hooks },
        { "volume attach", volume_attach_rehearse },
        { "volume mount", volume_mount_rehearse },
        { "stack start", stack_start_rehearse },
        { "ip assign", ip_assign_rehearse },
};

/* --retry: what failed is looked at once more. A fail-over tries again as well. */
static void look(struct step *s, size_t i)
{
        struct rehearsal *r = s->rehearsal;
        size_t first = r->n;

        r->check = CHECKS[i].name;
        CHECKS[i].run(s);
        msec_t pause = MIN(s->retry, s->deadline - clock_ms());
        if (rehearsal_count(r, first, FOUND_FAIL) == 0 || pause <= 0)
                return;
        poll(NULL, 0, (int)pause);
        step_pulse(s);
        r->n = first;
        CHECKS[i].run(s);
}

static cJSON *as_json(const struct step *s, msec_t took)
{
        const struct rehearsal *r = s->rehearsal;
        cJSON *j = cJSON_CreateObject(), *list;
        time_t now = time(NULL);
        char at[32] = "";
        struct tm tm;

        if (gmtime_r(&now, &tm))
                strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
        cJSON_AddBoolToObject(j, "ok", rehearsal_count(r, 0, FOUND_FAIL) == 0);
        cJSON_AddStringToObject(j, "node", s->config.node.name);
        cJSON_AddStringToObject(j, "at", at);
        cJSON_AddNumberToObject(j, "at_ms", (double)clock_ms());
        cJSON_AddNumberToObject(j, "took_ms", (double)took);
        list = cJSON_AddArrayToObject(j, "findings");
        for (size_t i = 0; i < r->n; i++) {
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "check", r->v[i].check);
                cJSON_AddStringToObject(o, "verdict", FOUNDS[r->v[i].found]);
                cJSON_AddStringToObject(o, "message", r->v[i].text);
                cJSON_AddItemToArray(list, o);
        }
        return j;
}

static int save(const struct step *s, const char *text)
{
        const char *socket = s->config.control.socket;
        char path[256];

        snprintf(path, sizeof path, "%.*s" REHEARSAL_FILE, (int)(strrchr(socket, '/') + 1 - socket),
                 socket);
        int r = write_file_atomic(path, 0600, text, strlen(text));
        if (r < 0)
                fprintf(stderr, "rehearse: %s: %s\n", path, strerror(-r));
        return r;
}

static void print(const struct rehearsal *r, msec_t took)
{
        size_t failed = rehearsal_count(r, 0, FOUND_FAIL);
        size_t warned = rehearsal_count(r, 0, FOUND_WARN);

        for (size_t i = 0; i < r->n; i++)
                printf("%-4s %-13s %s\n", FOUNDS[r->v[i].found], r->v[i].check, r->v[i].text);
        if (failed > 0)
                printf("\nA fail-over to this node would not go well: %zu of %zu findings stand in "
                       "its way.\n",
                       failed, r->n);
        else
                printf("\nNothing stands in the way of a fail-over to this node (%zu findings in "
                       "%lld.%lld s, %zu to look at).\n",
                       r->n, (long long)took / 1000, (long long)took % 1000 / 100, warned);
}

static int rehearse(struct step *s)
{
        const msec_t began = clock_ms();

        if (s->config.cluster.nodes.n == 0) {
                step_end(s, STEP_FAILED, "[cluster] nodes is empty: nothing is ever moved");
                return EX_CONFIG;
        }
        CLEANUP(freep) struct rehearsal *r = calloc(1, sizeof *r);
        if (!r)
                return step_end_error(s, -ENOMEM, "the findings");
        s->rehearsal = r;
        for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++)
                look(s, i);
        const msec_t took = clock_ms() - began;
        CLEANUP(delete_json) cJSON *j = as_json(s, took);
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        s->rehearsal = NULL;
        if (!text)
                return step_end_error(s, -ENOMEM, "the findings");
        if (s->json)
                puts(text);
        else
                print(r, took);
        int saved = save(s, text);
        if (rehearsal_count(r, 0, FOUND_FAIL) > 0)
                return EXIT_FAILURE;
        return saved < 0 ? EX_OSERR : EX_OK;
}

static const struct step_verb VERB = {
        .flags = STEP_COMMON | STEP_RETRY,
        .timeout = 3 * MINUTE,
        .run = rehearse,
};

int rehearse_command(const char *file, int argc, char **argv)
{
        return step_main("rehearse", &VERB, 1, file, argc, argv);
}
