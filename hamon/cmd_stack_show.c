/* One look at the engine, one line per container. */
#include "hamon/cmd_stack_show.h"

#include "hamon/verb.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct look {
        struct loop loop;
        bool json, both;
        enum set set;
        int code;
};

void stack_show_json(cJSON *o, const struct stack_plan *p, stack_show_fn fn, void *arg)
{
        cJSON *list = cJSON_AddArrayToObject(o, "services");

        for (size_t i = 0; i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                if (!fn(m, arg))
                        continue;
                cJSON *one = cJSON_CreateObject();
                cJSON_AddStringToObject(one, "service", m->service);
                cJSON_AddStringToObject(one, "set", SETS[m->set]);
                cJSON_AddBoolToObject(one, "optional", m->optional);
                cJSON_AddStringToObject(one, "state", CTR_STATES[m->state]);
                cJSON_AddStringToObject(one, "health", CTR_HEALTHS[m->health]);
                cJSON_AddStringToObject(one, "restart", m->policy);
                cJSON_AddBoolToObject(one, "changed", m->changed);
                cJSON_AddStringToObject(one, "error", m->error);
                cJSON_AddItemToArray(list, one);
        }
}

static bool is_shown(const struct stack_member *m, void *arg)
{
        const struct look *l = arg;

        return l->both || m->set == l->set;
}

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static void print_json(struct look *l, const struct stack_outcome *o)
{
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();

        cJSON_AddStringToObject(j, "step", "stack status");
        cJSON_AddStringToObject(j, "result", l->code == EX_OK ? "done" : "temporary");
        cJSON_AddStringToObject(j, "message", o->text);
        stack_show_json(j, o->plan, is_shown, l);
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        puts(text ? text : "{}");
}

static void print_text(struct look *l, const struct stack_outcome *o)
{
        for (size_t i = 0; i < o->plan->n; i++) {
                const struct stack_member *m = &o->plan->v[i];
                if (is_shown(m, l))
                        printf("%-24s %-8s %-10s %-10s restart=%s%s\n", m->service, SETS[m->set],
                               CTR_STATES[m->state], CTR_HEALTHS[m->health],
                               *m->policy ? m->policy : "?", m->optional ? " (optional)" : "");
        }
        if (*o->text)
                fprintf(stderr, "stack status: %s\n", o->text);
}

static void on_done(void *arg, const struct stack_outcome *o)
{
        struct look *l = arg;

        l->code = o->result == STACK_DONE ? EX_OK : EX_TEMPFAIL;
        (l->json ? print_json : print_text)(l, o);
        loop_stop(&l->loop);
}

static int look(struct look *l, const struct config *c)
{
        const struct stack_request rq = {
                .goal = STACK_LOOK, .deadline = 10000, .arg = l, .done = on_done
        };
        struct stack *stack = NULL;

        l->code = EX_OSERR;
        if (loop_init(&l->loop) < 0)
                return EX_OSERR;
        if (stack_sets_new(&l->loop, c, &stack) == 0 && stack_begin(stack, &rq) == 0)
                loop_run(&l->loop);
        stack_free(stack);
        loop_done(&l->loop);
        return l->code;
}

int stack_status(const char *file, int argc, char **argv)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct look l = { .both = true };

        for (int i = 0; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : "";
                if (strcmp(argv[i], "--json") == 0) {
                        l.json = true;
                } else if (strcmp(argv[i], "--set") == 0 &&
                           (strcmp(value, "warm") == 0 || strcmp(value, "active") == 0)) {
                        l.both = false;
                        l.set = *value == 'w' ? SET_WARM : SET_ACTIVE;
                        i++;
                } else {
                        fprintf(stderr,
                                "stack status: unexpected argument: %s (try `hamon help`)\n",
                                argv[i]);
                        return EX_USAGE;
                }
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        return look(&l, &c);
}
