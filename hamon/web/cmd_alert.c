/* `test` sends a message of its own to each target, from this process: it needs no `hamon web`, and
 * what that one keeps is left alone. `status` reads the file that one writes. */
#include "hamon/web/cmd_alert.h"

#include "hamon/config.h"
#include "hamon/web/alert_send.h"
#include "hamon/web/alert_state.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { ERRORS_MAX = 64 * 1024, STATE_READ_MAX = 4 * 1024 * 1024 };

/* ---- test ---- */

struct trials {
        struct loop loop;
        unsigned left;
        int code;
};

struct trial {
        struct trials *all;
        const struct alert_target *target;
        struct alert_sending *sending;
};

static void on_sent(void *arg, const struct alert_outcome *o)
{
        struct trial *t = arg;
        bool ok = o->end == ALERT_SENT;

        t->sending = NULL;
        printf("%-20s %-12s %s%s\n", t->target->name, ALERT_FORMAT_NAMES[t->target->k.format],
               ok ? "sent" : "not sent: ", o->error);
        if (!ok)
                t->all->code = EX_TEMPFAIL;
        if (--t->all->left == 0)
                loop_stop(&t->all->loop);
}

static void test_message(const struct config *c, struct alert_message *m)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        *m = (struct alert_message){ .level = LOG_INFO,
                                     .phase = PHASE_TEST,
                                     .at_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
        alert_copy(m->cluster, sizeof m->cluster, c->cluster.name);
        alert_copy(m->node, sizeof m->node, c->node.name);
        alert_copy(m->key, sizeof m->key, "test");
        snprintf(m->title, sizeof m->title, "a test of %s's alerts", m->node);
        alert_copy(m->text, sizeof m->text, "nothing has happened; hamon alert test was called");
        alert_identify(m);
}

static void send_all(struct trials *all, struct http *http, const struct alert_targets *ts,
                     const char *only, const struct alert_message *m)
{
        struct trial trials[ALERT_TARGETS] = { { .all = all } };

        for (size_t i = 0; i < ts->n; i++) {
                struct trial *t = &trials[i];
                if (only && strcmp(only, ts->v[i].name) != 0)
                        continue;
                *t = (struct trial){ .all = all, .target = &ts->v[i] };
                all->left++;
                int r = alert_send(&all->loop, http, t->target, m, on_sent, t, &t->sending);
                if (r < 0) {
                        struct alert_outcome o = { .end = ALERT_REFUSED };
                        str_copy(o.error, sizeof o.error, strerror(-r));
                        on_sent(t, &o);
                }
        }
        if (all->left > 0)
                loop_run(&all->loop); /* each has its target's timeout */
}

static bool has_target(const struct alert_targets *ts, const char *name)
{
        for (size_t i = 0; i < ts->n; i++)
                if (strcmp(ts->v[i].name, name) == 0)
                        return true;
        return false;
}

static int test_targets(const struct config *c, const struct alert_targets *ts, const char *only)
{
        struct alert_message m;
        struct trials all = { .code = EX_OK };
        struct http *http = NULL;

        if (ts->n == 0 || (only && !has_target(ts, only))) {
                fprintf(stderr, "alert: there is no %s%s in %s\n", only ? only : "target",
                        only ? ".conf" : "", c->alert.dir);
                return EX_USAGE;
        }
        int r = loop_init(&all.loop);
        if (r < 0)
                return EX_OSERR;
        r = http_new(&all.loop, &http);
        if (r == 0) {
                test_message(c, &m);
                send_all(&all, http, ts, only, &m);
        }
        http_free(http);
        loop_done(&all.loop);
        return r < 0 ? EX_OSERR : all.code;
}

static int test(const struct config *c, const char *only)
{
        CLEANUP(buf_done) struct buf errors = BUF(ERRORS_MAX);
        struct alert_targets ts;

        int r = alert_targets_load(c->alert.dir, &ts, &errors);
        fputs(buf_str(&errors), stderr);
        int code = test_targets(c, &ts, only);
        alert_targets_free(&ts);
        return code == EX_OK && r < 0 ? EX_CONFIG : code;
}

/* ---- status ---- */

static const char *text_of(const cJSON *o, const char *key)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

        return s ? s : "";
}

static double number_of(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static unsigned waiting_for(const cJSON *queue, const char *target)
{
        const cJSON *item, *name;
        unsigned n = 0;

        cJSON_ArrayForEach(item, queue)
        {
                cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(item, "to"))
                {
                        n += str_eq(cJSON_GetStringValue(name), target);
                }
        }
        return n;
}

static void print_status(const cJSON *root)
{
        const cJSON *queue = cJSON_GetObjectItemCaseSensitive(root, "queue");
        const cJSON *o;

        printf("%-20s %7s %7s %7s  %s\n", "TARGET", "SENT", "FAILED", "WAITING", "STATE");
        cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(root, "targets"))
        {
                bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "ok"));
                printf("%-20s %7.0f %7.0f %7u  %s\n", text_of(o, "name"), number_of(o, "sent"),
                       number_of(o, "failed"), waiting_for(queue, text_of(o, "name")),
                       ok ? "ok" : text_of(o, "error"));
        }
        printf("\n%d waiting, %.0f dropped\n", cJSON_GetArraySize(queue),
               number_of(root, "dropped"));
        cJSON_ArrayForEach(o, queue)
        {
                printf("  %s %s\n", text_of(o, "key"), text_of(o, "title"));
        }
}

static int status(const struct config *c, bool json)
{
        CLEANUP(freep) char *text = NULL;
        const char *path = c->alert.state;

        int r = read_file(path, STATE_READ_MAX, &text, NULL);
        if (r < 0) {
                fprintf(stderr, "alert: %s: %s%s\n", path, strerror(-r),
                        r == -ENOENT ? " (nothing was ever told, or hamon web does not run)" : "");
                return r == -EACCES ? EX_NOPERM : EX_UNAVAILABLE;
        }
        if (json) {
                fputs(text, stdout);
                return EX_OK;
        }
        cJSON *root = cJSON_Parse(text);
        if (root)
                print_status(root);
        else
                fprintf(stderr, "alert: %s: not readable\n", path);
        cJSON_Delete(root);
        return root ? EX_OK : EX_UNAVAILABLE;
}

/* ---- */

static int run(const struct config *c, int argc, char **argv)
{
        bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

        if (argc >= 1 && argc <= 2 && strcmp(argv[0], "test") == 0)
                return test(c, argc == 2 ? argv[1] : NULL);
        if (argc == 1 + json && strcmp(argv[0], "status") == 0)
                return status(c, json);
        fputs("alert: test [TARGET], or status [--json] (try `hamon help alert`)\n", stderr);
        return EX_USAGE;
}

int alert_command(const char *file, int argc, char **argv)
{
        CLEANUP(buf_done) struct buf errors = BUF(ERRORS_MAX);
        struct config c;

        if (config_load_client(file, &c, &errors) < 0) {
                fputs(buf_str(&errors), stderr);
                return EX_CONFIG;
        }
        int code = run(&c, argc, argv);
        config_free(&c);
        return code;
}
