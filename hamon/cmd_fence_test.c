/* What a fence relies on, part by part, each looked at without touching it: the guard is asked how
 * it is, the containers are looked for in the cgroups, the watchdog's device is not opened (that
 * would start it), the provider is only asked. TESTS[] has one row per part. */
#include "hamon/cmd_fence_test.h"

#include "hamon/fence.h"
#include "hamon/guard.h"
#include "hamon/guard_state.h"
#include "hamon/providers.h"
#include "hamon/stack_sets.h"
#include "hamon/verb.h"
#include "hamon/volume_place.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { GUARD_MS = 1000, LOOK_MS = 10000, TEXT = 600 };

struct test {
        const struct config *config;
        struct loop loop;
        const char *name; /* of the part that is looked at */
        fence_test_fn fn;
        void *arg;

        struct guard_answer guard;
        bool guarded;
        struct stack_plan plan;
        bool listed;
        struct provider *provider;
};

PRINTF(3, 4) static void say(struct test *t, bool ok, const char *fmt, ...)
{
        char text[TEXT];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        t->fn(t->arg, t->name, ok, text);
}

/* ---- this node ---- */

static void test_guard(struct test *t)
{
        const struct guard_message m = { .verb = GUARD_SAY_STATUS };
        static const char *const MODES[] = { [GUARD_IS_OFF] = "off",
                                             [GUARD_IS_ARMED] = "armed",
                                             [GUARD_HAS_FENCED] = "has fenced" };
        char path[108];

        int r = guard_path(t->config->control.socket, "guard.sock", path, sizeof path);
        if (r == 0)
                r = guard_ask(path, &m, GUARD_MS, &t->guard);
        if (r < 0 || t->guard.mode >= ARRAY_SIZE(MODES)) {
                say(t, false, "%s: %s; is hamon-guard.service started?", path,
                    r < 0 ? strerror(-r) : "it is of another version");
                return;
        }
        t->guarded = true;
        if (t->guard.tripped || t->guard.fencing)
                say(t, false, "it is fencing this node right now: %s", t->guard.text);
        else
                say(t, true, "it answers: %s, epoch %llu", MODES[t->guard.mode],
                    (unsigned long long)t->guard.epoch);
}

static void test_watchdog(struct test *t)
{
        const char *device = t->config->watchdog.device;
        bool needed = config_needs_watchdog(t->config);
        struct stat st;

        if (t->config->watchdog.mode == CONFIG_WATCHDOG_OFF)
                say(t, true, "watchdog.mode = off");
        else if (t->guarded && t->guard.watchdog)
                say(t, true, "the guard has %s open", device);
        else if (t->guarded && t->guard.lacks_watchdog)
                say(t, false, "the guard lacks the watchdog it needs (%s): this node does not lead",
                    device);
        else if (stat(device, &st) < 0)
                say(t, !needed, "%s: %s%s", device, strerror(errno),
                    needed ? "" : "; it is not needed, but would be the last resort");
        else if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
                say(t, false, "%s is no watchdog device", device);
        else
                say(t, !needed, "%s is there, and the guard does not use it", device);
}

static void test_device(struct test *t)
{
        struct volume_place p;
        struct stat st;
        int r = volume_place_find(t->config, &p);

        if (r < 0)
                say(t, r == -ENOENT && t->config->cluster.nodes.n == 0, "%s",
                    r == -ENOENT ? "there is no volume ([volume] provider, mount)"
                                 : "nothing can be mounted at volume.mount");
        else if (stat(p.device, &st) < 0)
                say(t, errno == ENOENT && t->config->volume.provider == CONFIG_HETZNER, "%s: %s",
                    p.device,
                    errno == ENOENT ? "not here, so nothing here writes on it" : strerror(errno));
        else if (!S_ISBLK(st.st_mode))
                say(t, false, "%s is no block device: that it is free cannot be proven", p.device);
        else
                say(t, true, "%s is a block device", p.device);
}

/* ---- the containers ---- */

static void on_list(void *arg, const struct stack_outcome *o)
{
        struct test *t = arg;

        t->listed = o->result == STACK_DONE;
        t->plan = *o->plan;
        if (!t->listed)
                say(t, false, "%s", o->text);
        loop_stop(&t->loop);
}

static void test_docker(struct test *t)
{
        const struct stack_request rq = {
                .goal = STACK_LOOK, .deadline = LOOK_MS, .arg = t, .done = on_list
        };
        struct stack *stack = NULL;
        size_t active = 0;

        int r = stack_sets_new(&t->loop, t->config, &stack);
        if (r == 0)
                r = stack_begin(stack, &rq);
        if (r == 0)
                r = loop_run(&t->loop);
        stack_free(stack);
        if (r < 0)
                say(t, false, "%s", strerror(-r));
        if (!t->listed)
                return;
        for (size_t i = 0; i < t->plan.n; i++)
                active += t->plan.v[i].set == SET_ACTIVE;
        say(t, active > 0,
            "the engine answers; %zu of %zu containers of the project \"%s\" are active", active,
            t->plan.n, t->config->docker.project);
}

/* Those that run, in the order of the plan; `only_active`: of that set. */
static void running(const struct test *t, bool only_active, struct fence_target *ret)
{
        ret->n = 0;
        for (size_t i = 0; i < t->plan.n && ret->n < TARGET_IDS; i++) {
                const struct stack_member *m = &t->plan.v[i];
                if (stack_is_up(m->state) && (!only_active || m->set == SET_ACTIVE) &&
                    fence_id_ok(m->id))
                        str_copy(ret->id[ret->n++], TARGET_ID_SIZE, m->id);
        }
}

static const char *service_of(const struct test *t, const char *id)
{
        for (size_t i = 0; i < t->plan.n; i++)
                if (strcmp(t->plan.v[i].id, id) == 0)
                        return t->plan.v[i].service;
        return "?";
}

/* On a standby the warm ones stand for all: they are found the same way. */
static void test_cgroups(struct test *t)
{
        CLEANUP(buf_done) struct buf lost = BUF(TEXT / 2);
        struct fence_target runs;
        uint64_t found = 0;

        if (!t->listed) {
                say(t, false, "which containers run is not known");
                return;
        }
        running(t, false, &runs);
        int r = runs.n > 0 ? fence_find(FENCE_RULE.cgroup, &runs, &found) : 0;
        for (unsigned i = 0; i < runs.n; i++)
                if (!(found & UINT64_C(1) << i))
                        buf_addf(&lost, " %s", service_of(t, runs.id[i]));
        if (r < 0)
                say(t, false, "%s cannot be searched: %s", FENCE_RULE.cgroup, strerror(-r));
        else if (lost.len > 0)
                say(t, false, "without Docker these are not found below %s:%s", FENCE_RULE.cgroup,
                    buf_str(&lost));
        else if (runs.n == 0)
                say(t, true, "no container of the project runs: nothing to look for");
        else
                say(t, true, "all %u running containers are found without Docker", runs.n);
}

static bool knows(const struct fence_target *t, const char *id)
{
        for (unsigned i = 0; i < t->n; i++)
                if (strcmp(t->id[i], id) == 0)
                        return true;
        return false;
}

/* What an armed guard would kill: every active one that runs. */
static void test_target(struct test *t)
{
        CLEANUP(buf_done) struct buf lost = BUF(TEXT / 2);
        struct fence_target runs;
        struct guard_state s = { .mode = GUARD_IS_OFF };
        char path[128];

        if (t->guarded && t->guard.mode != GUARD_IS_ARMED) {
                say(t, true, "the guard is not armed: this node does not lead");
                return;
        }
        int r = guard_path(t->config->control.socket, "guard.state", path, sizeof path);
        if (r == 0)
                r = guard_state_load(path, &s);
        if (r < 0 || !t->guarded || !t->listed) {
                say(t, false, "what the guard would kill is not known%s%s", r < 0 ? ": " : "",
                    r < 0 ? strerror(-r) : "");
                return;
        }
        running(t, true, &runs);
        for (unsigned i = 0; i < runs.n; i++)
                if (!knows(&s.target, runs.id[i]))
                        buf_addf(&lost, " %s", service_of(t, runs.id[i]));
        if (lost.len > 0)
                say(t, false, "the guard does not know of:%s", buf_str(&lost));
        else
                say(t, true, "the guard knows all %u active containers that run", runs.n);
}

/* ---- the provider ---- */

struct asked {
        struct test *test;
        bool ok;
        char text[TEXT];
        struct provider_seen seen;
};

static void on_answer(void *arg, const struct provider_outcome *o)
{
        struct asked *a = arg;

        a->ok = o->result == PROVIDER_DONE || o->result == PROVIDER_ALREADY;
        a->seen = *o->seen;
        str_copy(a->text, sizeof a->text, o->text);
        loop_stop(&a->test->loop);
}

static bool ask(struct test *t, provider_op op, const char *id, const char *server,
                struct asked *ret)
{
        const struct provider_request rq = {
                .id = id, .server = server, .deadline = LOOK_MS, .arg = ret, .done = on_answer
        };

        *ret = (struct asked){ .test = t };
        t->loop.now_valid = false; /* it has stood still since the last question */
        int r = op(t->provider, &rq, NULL);
        if (r == 0)
                r = loop_run(&t->loop);
        if (r < 0)
                snprintf(ret->text, sizeof ret->text, "%s: %s", server ? server : id, strerror(-r));
        return r == 0 && ret->ok;
}

static void test_servers(struct test *t)
{
        static const char *const MODES[] = { [CONFIG_POWEROFF_AUTO] = "auto",
                                             [CONFIG_POWEROFF_ALWAYS] = "always",
                                             [CONFIG_POWEROFF_NEVER] = "never" };
        struct asked a;

        for (size_t i = 0; i < t->config->cluster.nodes.n; i++) {
                struct cluster_node n = config_cluster_node(t->config, i);
                if (!ask(t, t->provider->ops->server_get, NULL, n.name, &a)) {
                        say(t, false, "node %s could not be powered off: %s", n.name, a.text);
                        return;
                }
        }
        say(t, true, "the provider knows a server for each node; hetzner.poweroff = %s",
            MODES[t->config->hetzner.poweroff]);
}

static void test_hetzner(struct test *t)
{
        struct asked a;

        if (!ask(t, t->provider->ops->server_get, NULL, NULL, &a)) {
                say(t, false, "which server this is: %s", a.text);
                return;
        }
        const struct provider_server me = a.seen.server;
        if (!ask(t, t->provider->ops->volume_get, t->config->volume.id, NULL, &a))
                say(t, false, "%s", a.text);
        else if (strcmp(a.seen.volume.location, me.location) != 0)
                say(t, false,
                    "volume %s is in %s and server %s in %s: it can never be attached here",
                    t->config->volume.id, a.seen.volume.location, me.id, me.location);
        else
                say(t, true,
                    "this is server %s (%s); volume %s: %s%s. That the token may also change "
                    "things "
                    "shows when it does: hamon volume label on the master",
                    me.id, me.name, t->config->volume.id,
                    *a.seen.volume.server ? "attached to server " : "attached to none",
                    a.seen.volume.server);
        t->name = "poweroff";
        test_servers(t);
}

static void test_local(struct test *t)
{
        const char *command = t->config->local.fence_command;
        struct stat st;

        if (!*command)
                say(t, t->guarded && t->guard.watchdog,
                    "no local.fence_command: only its own watchdog keeps a silent node from "
                    "writing");
        else if (stat(command, &st) < 0)
                say(t, false, "local.fence_command: %s: %s", command, strerror(errno));
        else if (!S_ISREG(st.st_mode) || access(command, X_OK) < 0)
                say(t, false, "local.fence_command: %s is no program", command);
        else if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
                say(t, false, "local.fence_command: others than root may write %s", command);
        else
                say(t, true, "local.fence_command: %s is a program; what it does is not tried",
                    command);
}

static void test_provider(struct test *t)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        enum config_provider which = (enum config_provider)t->config->volume.provider;

        if (which == CONFIG_NONE)
                say(t, t->config->cluster.nodes.n == 0, "volume.provider = none");
        else if (which == CONFIG_LOCAL)
                test_local(t);
        else if (providers_new(&t->loop, t->config, which, &t->provider, &error) < 0)
                say(t, false, "%s", buf_str(&error));
        else
                test_hetzner(t);
}

/* ---- all of it ---- */

static const struct {
        const char *name;
        void (*run)(struct test *t);
} TESTS[] = {
        { "guard", test_guard },       { "watchdog", test_watchdog }, { "device", test_device },
        { "docker", test_docker },     { "cgroups", test_cgroups },   { "target", test_target },
        { "provider", test_provider },
};

int fence_test(const struct config *c, fence_test_fn fn, void *arg)
{
        CLEANUP(freep) struct test *t = calloc(1, sizeof *t); /* the plan is a big one */
        if (!t)
                return -ENOMEM;
        *t = (struct test){ .config = c, .fn = fn, .arg = arg };
        int r = loop_init(&t->loop);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(TESTS); i++) {
                t->name = TESTS[i].name;
                TESTS[i].run(t);
        }
        if (t->provider)
                t->provider->ops->free(t->provider);
        loop_done(&t->loop);
        return 0;
}

/* ---- the verb ---- */

struct told {
        cJSON *json; /* NULL: lines */
        unsigned failed;
};

static void tell(void *arg, const char *name, bool ok, const char *text)
{
        struct told *t = arg;

        t->failed += !ok;
        if (!t->json) {
                printf("%-4s %-10s %s\n", ok ? "ok" : "fail", name, text);
                return;
        }
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "test", name);
        cJSON_AddBoolToObject(o, "ok", ok);
        cJSON_AddStringToObject(o, "message", text);
        cJSON_AddItemToArray(t->json, o);
}

int fence_test_command(const char *file, int argc, char **argv)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        bool json = argc == 1 && strcmp(argv[0], "--json") == 0;

        if (argc > json) {
                fprintf(stderr, "fence-test: unexpected argument: %s (try `hamon help`)\n",
                        argv[0]);
                return EX_USAGE;
        }
        if (geteuid() != 0) {
                fputs("fence-test: only root may do this\n", stderr);
                return EX_NOPERM;
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        struct told t = { .json = json ? cJSON_CreateArray() : NULL };
        int r = fence_test(&c, tell, &t);
        if (t.json) {
                CLEANUP(freep) char *text = cJSON_PrintUnformatted(t.json);
                puts(text ? text : "[]");
                cJSON_Delete(t.json);
        }
        if (r < 0) {
                fprintf(stderr, "fence-test: %s\n", strerror(-r));
                return EX_OSERR;
        }
        return t.failed ? EXIT_FAILURE : EX_OK;
}
