/* One operation of the stack adapter under a loop of its own, with the lock of all steps on the
 * stack and, to start the active set, the lease: asked for before, and again whenever its time has
 * run out by our own clock, which counts while we are frozen. */
#include "hamon/cmd_stack.h"

#include "hamon/client.h"
#include "hamon/stack_sets.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

enum { LEASE_MS = 3000, LOCK_MS = 20000 };

static const char USAGE[] = "usage: hamon stack status|start|stop [--set warm|active] "
                            "[--json]\n";

enum verb { VERB_STATUS, VERB_START, VERB_STOP, VERB_COUNT_ };

static const char *const VERBS[VERB_COUNT_] = {
        [VERB_STATUS] = "status",
        [VERB_START] = "start",
        [VERB_STOP] = "stop",
};

struct act {
        const struct config *config;
        struct loop loop;
        struct stack *stack;
        enum verb verb;
        bool all; /* status of both sets */
        enum set set;
        bool json;
        msec_t lease_until;
        int code;
};

/* ---- the lease ---- */

static bool ask_lease(struct act *a)
{
        CLEANUP(buf_done) struct buf answer = BUF(4096);
        const char *epoch = getenv("HAMON_EPOCH");
        char request[64];
        unsigned long long got = 0;
        long long valid = 0;
        msec_t asked = clock_ms();
        uint64_t number;

        if (!epoch || parse_uint(epoch, 0, UINT64_MAX, &number) < 0)
                number = 0;
        snprintf(request, sizeof request, "lease %llu", (unsigned long long)number);
        int r = client_ask(a->config->control.socket, request, LEASE_MS, &answer);
        if (r < 0) {
                fprintf(stderr, "hamon: the lease: the daemon does not answer: %s\n", strerror(-r));
                return false;
        }
        // NOLINTNEXTLINE(cert-err34-c): the daemon's own words
        if (sscanf(buf_str(&answer), "ok epoch=%llu valid_ms=%lld", &got, &valid) != 2 ||
            valid <= 0) {
                fprintf(stderr, "hamon: this node does not hold the lease: %s", buf_str(&answer));
                return false;
        }
        a->lease_until = asked + valid;
        return true;
}

static bool may_start(void *arg)
{
        struct act *a = arg;

        return clock_ms() < a->lease_until || ask_lease(a);
}

/* ---- the lock ---- */

static int take_lock(const struct config *c)
{
        char path[160];
        const char *slash = strrchr(c->control.socket, '/');
        msec_t end = clock_ms() + LOCK_MS;

        snprintf(path, sizeof path, "%.*s/step-stack.lock", (int)(slash - c->control.socket),
                 c->control.socket);
        int r = make_parents(path);
        if (r < 0)
                return r;
        CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (clock_ms() >= end)
                        return -EBUSY;
                usleep(20000);
        }
        return take_fd(&fd);
}

/* ---- what is printed ---- */

static bool shown(const struct act *a, const struct stack_member *m)
{
        return a->verb == VERB_STATUS ? a->all || m->set == a->set : m->turn != TURN_NONE;
}

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static void print_json(const struct act *a, enum stack_result result, const char *text,
                       const struct stack_plan *p)
{
        static const char *const RESULTS[] = {
                [STACK_DONE] = "done", [STACK_TEMPORARY] = "temporary", [STACK_FAILED] = "failed"
        };
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();

        cJSON_AddStringToObject(j, "result", RESULTS[result]);
        cJSON_AddStringToObject(j, "message", text);
        cJSON *list = cJSON_AddArrayToObject(j, "services");
        for (size_t i = 0; i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                if (!shown(a, m))
                        continue;
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "service", m->service);
                cJSON_AddStringToObject(o, "set", SETS[m->set]);
                cJSON_AddBoolToObject(o, "optional", m->optional);
                cJSON_AddStringToObject(o, "state", CTR_STATES[m->state]);
                cJSON_AddStringToObject(o, "health", CTR_HEALTHS[m->health]);
                cJSON_AddStringToObject(o, "restart", m->policy);
                cJSON_AddBoolToObject(o, "changed", m->changed);
                cJSON_AddStringToObject(o, "error", m->error);
                cJSON_AddItemToArray(list, o);
        }
        CLEANUP(freep) char *out = cJSON_PrintUnformatted(j);
        puts(out ? out : "{}");
}

static void print_text(const struct act *a, enum stack_result result, const char *text,
                       const struct stack_plan *p)
{
        for (size_t i = 0; a->verb == VERB_STATUS && i < p->n; i++) {
                const struct stack_member *m = &p->v[i];
                if (shown(a, m))
                        printf("%-24s %-8s %-10s %-10s restart=%s%s\n", m->service, SETS[m->set],
                               CTR_STATES[m->state], CTR_HEALTHS[m->health],
                               *m->policy ? m->policy : "?", m->optional ? " (optional)" : "");
        }
        if (result != STACK_DONE)
                fprintf(stderr, "hamon: %s\n", text);
        else if (*text)
                puts(text);
}

/* What hamon.conf names must have a container, or it can neither run nor be watched. */
static enum stack_result add_missing(const struct act *a, const struct stack_outcome *o,
                                     struct buf *text)
{
        CLEANUP(buf_done) struct buf need = BUF(4096), want = BUF(4096);
        enum stack_result result = o->result;

        buf_adds(text, o->text);
        if (a->verb != VERB_START || o->plan->goal != STACK_START)
                return result; /* a list that failed says nothing of who is missing */
        stack_sets_missing(a->config, o->plan, a->set, false, &need);
        stack_sets_missing(a->config, o->plan, a->set, true, &want);
        if (want.len > 0)
                buf_addf(text, "; (optional) no container: %s", buf_str(&want));
        if (need.len > 0) {
                buf_addf(text,
                         "; no container: %s: create them (docker compose up --no-start), or name "
                         "them in stack.ignore",
                         buf_str(&need));
                result = STACK_FAILED;
        }
        return result;
}

static void on_done(void *arg, const struct stack_outcome *o)
{
        static const int CODES[] = {
                [STACK_DONE] = EX_OK, [STACK_TEMPORARY] = EX_TEMPFAIL, [STACK_FAILED] = EXIT_FAILURE
        };
        CLEANUP(buf_done) struct buf text = BUF(16384);
        struct act *a = arg;
        enum stack_result result = add_missing(a, o, &text);

        (a->json ? print_json : print_text)(a, result, buf_str(&text), o->plan);
        a->code = CODES[result];
        loop_stop(&a->loop);
}

/* ---- the command ---- */

static int run(struct act *a)
{
        static const enum stack_goal GOALS[VERB_COUNT_] = {
                [VERB_STATUS] = STACK_LOOK, [VERB_START] = STACK_START, [VERB_STOP] = STACK_STOP
        };
        struct stack_request rq = {
                .goal = GOALS[a->verb], .set = a->set, .arg = a, .done = on_done
        };

        if (a->verb == VERB_START && a->set == SET_ACTIVE) {
                if (!ask_lease(a))
                        return EXIT_FAILURE;
                rq.may = may_start;
        }
        a->code = EX_OSERR;
        int r = stack_begin(a->stack, &rq);
        if (r == 0)
                r = loop_run(&a->loop);
        if (r < 0)
                fprintf(stderr, "hamon: %s\n", strerror(-r));
        return a->code;
}

static int with_stack(struct act *a)
{
        CLEANUP(closep) int lock = -1;
        int r = 0;

        if (a->verb != VERB_STATUS) {
                lock = take_lock(a->config);
                if (lock < 0) {
                        fprintf(stderr, "hamon: the lock of the stack: %s\n",
                                lock == -EBUSY ? "another step holds it" : strerror(-lock));
                        return EX_TEMPFAIL;
                }
        }
        if ((r = loop_init(&a->loop)) < 0 ||
            (r = stack_sets_new(&a->loop, a->config, &a->stack)) < 0) {
                fprintf(stderr, "hamon: %s\n", strerror(-r));
                a->code = EX_OSERR;
        } else {
                a->code = run(a);
        }
        stack_free(a->stack);
        loop_done(&a->loop);
        return a->code;
}

static int parse_words(struct act *a, int argc, char **argv)
{
        unsigned v = 0;

        while (argc > 0 && v < VERB_COUNT_ && strcmp(argv[0], VERBS[v]) != 0)
                v++;
        if (argc < 1 || v == VERB_COUNT_)
                return -EINVAL;
        a->verb = (enum verb)v;
        a->set = SET_ACTIVE;
        a->all = true;
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--json") == 0) {
                        a->json = true;
                } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) {
                        a->all = false;
                        i++;
                        if (strcmp(argv[i], SETS[SET_WARM]) == 0)
                                a->set = SET_WARM;
                        else if (strcmp(argv[i], SETS[SET_ACTIVE]) != 0)
                                return -EINVAL;
                } else {
                        return -EINVAL;
                }
        }
        return 0;
}

int stack_command(const char *file, int argc, char **argv)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct act a = { .config = &c };

        if (parse_words(&a, argc, argv) < 0) {
                fputs(USAGE, stderr);
                return EX_USAGE;
        }
        if (config_load(file, &c, &errors, NULL) < 0) {
                fprintf(stderr, "%s", buf_str(&errors));
                return EX_CONFIG;
        }
        return with_stack(&a);
}
