/* The deed by hand, or by backup.sh. The Docker engine is told first, with little time, since it
 * then starts nothing again that it finds dead; whether it does so or not, the cgroups are next.
 * Which containers: those Docker says are of the active set, and those the guard was told of, since
 * neither may know all. If it proves nothing, the guard is told: it tries once more and then lets
 * the watchdog reset this node. */
#include "hamon/cmd_fence.h"

#include "hamon/fence.h"
#include "hamon/guard.h"
#include "hamon/guard_state.h"
#include "hamon/stack_sets.h"
#include "hamon/verb.h"
#include "hamon/volume_place.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { ENGINE_MS = 1000, KILL_AFTER_MS = 200, GUARD_MS = 1000 };

struct look {
        struct loop loop;
        struct fence_target found;
};

static void on_told(void *arg, const struct stack_outcome *o)
{
        struct look *l = arg;

        for (size_t i = 0; i < o->plan->n && l->found.n < TARGET_IDS; i++)
                if (o->plan->v[i].set == SET_ACTIVE && fence_id_ok(o->plan->v[i].id))
                        str_copy(l->found.id[l->found.n++], TARGET_ID_SIZE, o->plan->v[i].id);
        loop_stop(&l->loop);
}

static int tell_engine(struct look *l, const struct config *c, struct stack **ret)
{
        const struct stack_config sc = { .socket = c->docker.socket,
                                         .project = c->docker.project,
                                         .timeout = ENGINE_MS,
                                         .stop_timeout = 1,
                                         .kill_after = KILL_AFTER_MS,
                                         .kill_wait = ENGINE_MS - KILL_AFTER_MS,
                                         .classify = stack_sets_classify,
                                         .arg = (void *)(uintptr_t)c };
        const struct stack_request rq = {
                .goal = STACK_STOP, .set = SET_ACTIVE, .arg = l, .done = on_told
        };

        int r = stack_new(&l->loop, &sc, ret);
        if (r == 0)
                r = stack_begin(*ret, &rq);
        return r < 0 ? r : loop_run(&l->loop);
}

/* An engine that does not answer in time adds nothing; the guard's list is there too. */
static void ask_engine(const struct config *c, struct fence_target *t)
{
        struct look l = { .found = { .n = 0 } };
        struct stack *stack = NULL;

        if (loop_init(&l.loop) < 0)
                return;
        if (tell_engine(&l, c, &stack) == 0)
                guard_target_merge(t, &l.found);
        stack_free(stack);
        loop_done(&l.loop);
}

static void find_target(const struct config *c, struct fence_target *t)
{
        struct volume_place place;
        struct guard_state s;
        char path[128];

        if (guard_path(c->control.socket, "guard.state", path, sizeof path) == 0 &&
            guard_state_load(path, &s) == 0)
                *t = s.target;
        ask_engine(c, t);
        if (volume_place_find(c, &place) == 0) {
                str_copy(t->device, sizeof t->device, place.device);
                str_copy(t->mount, sizeof t->mount, place.where);
        }
}

/* "told", or why not. */
static const char *tell_guard(const struct config *c, const struct fence_target *t)
{
        struct guard_message m = { .verb = GUARD_SAY_FENCE, .target = *t };
        struct guard_answer a = { .error = 0 };
        char path[108];

        int r = guard_path(c->control.socket, "guard.sock", path, sizeof path);
        if (r == 0)
                r = guard_ask(path, &m, GUARD_MS, &a);
        return r < 0 ? strerror(-r) : a.error ? strerror((int)-a.error) : "told";
}

static void print_json(const struct fence_result *f, const struct fence_target *t,
                       const char *guard)
{
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "result", f->free ? "done" : "temporary");
        cJSON_AddStringToObject(o, "message", f->text);
        cJSON_AddNumberToObject(o, "containers", t->n);
        cJSON_AddNumberToObject(o, "killed", f->killed);
        cJSON_AddNumberToObject(o, "left", f->left);
        cJSON_AddBoolToObject(o, "unmounted", f->unmounted);
        cJSON_AddBoolToObject(o, "free", f->free);
        cJSON_AddNumberToObject(o, "kill_ms", (double)f->kill_ms);
        cJSON_AddNumberToObject(o, "umount_ms", (double)f->umount_ms);
        cJSON_AddNumberToObject(o, "probe_ms", (double)f->probe_ms);
        cJSON_AddNumberToObject(o, "total_ms", (double)f->total_ms);
        cJSON_AddStringToObject(o, "guard", guard);
        char *text = cJSON_PrintUnformatted(o);
        puts(text ? text : "{}");
        cJSON_free(text);
        cJSON_Delete(o);
}

int fence_command(const char *file, int argc, char **argv)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct fence_target t = { .n = 0 };
        struct fence_result f;
        bool json = argc == 1 && strcmp(argv[0], "--json") == 0;

        if (argc > 0 && !json) {
                fprintf(stderr, "fence: unexpected argument: %s (try `hamon help`)\n", argv[0]);
                return EX_USAGE;
        }
        if (geteuid() != 0) {
                fputs("fence: only root may do this\n", stderr);
                return EX_NOPERM;
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        find_target(&c, &t);
        fence_run(&t, &FENCE_RULE, &f);
        const char *guard = f.free ? "not needed" : tell_guard(&c, &t);
        if (json)
                print_json(&f, &t, guard);
        else if (f.free)
                printf("%s: %u containers killed, %lld ms\n", f.text, f.killed,
                       (long long)f.total_ms);
        if (f.free)
                return EX_OK;
        fprintf(stderr, "fence: %s; guard: %s\n", f.text, guard);
        return EX_TEMPFAIL;
}
