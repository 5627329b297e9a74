/* Each path in each situation: the status and the reason. The situations are a healthy master's
 * status with a few values changed; a monitor sees what stands here. */
#include "hamon/web/metrics.h"
#include "hamon/web/routes.h"
#include "lib/json.h"

#include "harness.h"

enum { NOW = 1000000, CHANGES = 6 };

static char *healthy;
static struct config config = { .check = { .stale = 5000 } };

struct change { /* a check or node by name in brackets: "checks[imap].verdict" */
        const char *path, *json;
};

struct row {
        const char *what, *path;
        int status;
        const char *reason;
        struct change changes[CHANGES];
        msec_t age;
};

#define STANDBY                                                                           \
        { "role", "\"standby\"" }, { "state", "\"standby\"" }, { "lease.valid_ms", "0" }, \
        {                                                                                 \
                "volume.mounted", "false"                                                 \
        }

static const struct row ROWS[] = {
        { "well", "/health", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/master", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/standby", 503, "master", { { NULL, NULL } }, 0 },
        { "well", "/ready", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/smtp", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/imap", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/database", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/webmail", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/volume", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/health/galera", 200, "ok", { { NULL, NULL } }, 0 },
        { "well", "/status.json", 200, NULL, { { NULL, NULL } }, 0 },
        { "well", "/metrics", 200, NULL, { { NULL, NULL } }, 0 },
        { "well", "/nothing", 404, NULL, { { NULL, NULL } }, 0 },
        { "well", "/health/", 404, NULL, { { NULL, NULL } }, 0 },

        { "just heard", "/health", 200, "ok", { { NULL, NULL } }, 5000 },
        { "silent", "/health", 503, "hamon_silent", { { NULL, NULL } }, 5001 },
        { "silent", "/master", 503, "hamon_silent", { { NULL, NULL } }, 5001 },
        { "silent", "/standby", 503, "hamon_silent", { STANDBY }, 5001 },
        { "silent", "/ready", 503, "hamon_silent", { { NULL, NULL } }, 5001 },
        { "silent", "/health/smtp", 503, "hamon_silent", { { NULL, NULL } }, 5001 },
        { "silent", "/metrics", 200, NULL, { { NULL, NULL } }, 5001 },

        { "unfit",
          "/health",
          503,
          "galera_donor",
          { { "verdict", "\"unfit\"" }, { "reason", "\"galera_donor\"" } },
          0 },
        { "unfit",
          "/ready",
          503,
          "galera_donor",
          { { "verdict", "\"unfit\"" }, { "reason", "\"galera_donor\"" } },
          0 },
        { "unfit, but it leads", "/master", 200, "ok", { { "verdict", "\"unfit\"" } }, 0 },
        { "not known",
          "/health",
          503,
          "starting",
          { { "verdict", "\"unknown\"" }, { "reason", "\"starting\"" } },
          0 },

        /* the lease is looked at anew */
        { "valid for longer than that is old",
          "/master",
          200,
          "ok",
          { { "lease.valid_ms", "3001" } },
          3000 },
        { "it ran out since",
          "/master",
          503,
          "lease_expired",
          { { "lease.valid_ms", "3000" } },
          3000 },
        { "it ran out since", "/ready", 200, "ok", { { "lease.valid_ms", "0" } }, 0 },
        { "promoting", "/master", 503, "promoting", { { "state", "\"promoting\"" } }, 0 },
        { "demoting", "/master", 503, "demoting", { { "state", "\"demoting\"" } }, 0 },
        { "of no cluster", "/master", 200, "ok", { { "lease", NULL }, { "state", NULL } }, 0 },
        { "of no cluster",
          "/master",
          503,
          "standby",
          { { "lease", NULL }, { "state", NULL }, { "role", "\"standby\"" } },
          0 },
        { "of no cluster",
          "/standby",
          200,
          "ok",
          { { "lease", NULL }, { "state", NULL }, { "role", "\"standby\"" } },
          0 },
        { "of no cluster",
          "/ready",
          200,
          "ok",
          { { "lease", NULL }, { "nodes", NULL }, { "role", "\"standby\"" } },
          0 },

        { "a standby", "/health", 200, "ok", { STANDBY }, 0 },
        { "a standby", "/master", 503, "standby", { STANDBY }, 0 },
        { "a standby", "/standby", 200, "ok", { STANDBY }, 0 },
        { "a standby", "/ready", 200, "ok", { STANDBY }, 0 },
        { "a standby", "/health/smtp", 503, "standby", { STANDBY }, 0 },
        { "a standby", "/health/imap", 503, "standby", { STANDBY }, 0 },
        { "a standby", "/health/webmail", 503, "standby", { STANDBY }, 0 },
        { "a standby", "/health/volume", 503, "standby", { STANDBY }, 0 },
        { "a standby", "/health/database", 200, "ok", { STANDBY }, 0 },
        { "a standby", "/health/galera", 200, "ok", { STANDBY }, 0 },
        { "no candidate",
          "/ready",
          503,
          "not_ready",
          { STANDBY, { "nodes[n1].candidate", "false" } },
          0 },
        { "halted",
          "/standby",
          503,
          "halted",
          { STANDBY, { "state", "\"halted\"" }, { "nodes[n1].candidate", "false" } },
          0 },
        { "halted",
          "/ready",
          503,
          "not_ready",
          { STANDBY, { "state", "\"halted\"" }, { "nodes[n1].candidate", "false" } },
          0 },
        { "an unfit standby",
          "/standby",
          503,
          "galera_donor",
          { STANDBY, { "verdict", "\"unfit\"" }, { "reason", "\"galera_donor\"" } },
          0 },

        { "no smtp",
          "/health/smtp",
          503,
          "probe_timeout",
          { { "checks[smtp].verdict", "\"down\"" },
            { "checks[smtp].reason", "\"probe_timeout\"" } },
          0 },
        { "no smtp", "/health/imap", 200, "ok", { { "checks[smtp].verdict", "\"down\"" } }, 0 },
        { "suspect is good enough",
          "/health/smtp",
          200,
          "ok",
          { { "checks[smtp].verdict", "\"suspect\"" } },
          0 },
        { "nobody knows",
          "/health/smtp",
          503,
          "ok",
          { { "checks[smtp].verdict", "\"unknown\"" } },
          0 },
        { "mail works without it",
          "/health/smtp",
          200,
          "ok",
          { { "checks[smtps].verdict", "\"down\"" } },
          0 },
        { "no postfix",
          "/health/smtp",
          503,
          "container_exited",
          { { "checks[postfix-mailcow].verdict", "\"down\"" },
            { "checks[postfix-mailcow].reason", "\"container_exited\"" } },
          0 },
        { "no imaps", "/health/imap", 503, "ok", { { "checks[imaps].verdict", "\"down\"" } }, 0 },
        { "no sogo",
          "/health/webmail",
          503,
          "ok",
          { { "checks[sogo-mailcow].verdict", "\"down\"" } },
          0 },
        { "no mysql",
          "/health/database",
          503,
          "ok",
          { { "checks[mysql-mailcow].verdict", "\"down\"" } },
          0 },
        { "no mysql",
          "/health/galera",
          200,
          "ok",
          { { "checks[mysql-mailcow].verdict", "\"down\"" } },
          0 },
        { "no galera",
          "/health/galera",
          503,
          "galera_non_primary",
          { { "checks[galera].verdict", "\"down\"" },
            { "checks[galera].reason", "\"galera_non_primary\"" } },
          0 },
        { "not mounted",
          "/health/volume",
          503,
          "volume_not_mounted",
          { { "volume.mounted", "false" } },
          0 },
        { "read-only",
          "/health/volume",
          503,
          "volume_read_only",
          { { "checks[volume].verdict", "\"down\"" },
            { "checks[volume].reason", "\"volume_read_only\"" } },
          0 },
        { "no checks", "/health/galera", 503, "not_checked", { { "checks", NULL } }, 0 },
};

static cJSON *find(cJSON *o, const char *key)
{
        char name[64];
        const char *bracket = strchr(key, '[');
        cJSON *one;

        if (!bracket)
                return cJSON_GetObjectItemCaseSensitive(o, key);
        str_copy(name, sizeof name, key);
        name[bracket - key] = '\0';
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(o, name))
        {
                const char *have = json_text(one, "name");
                if (strncmp(have, bracket + 1, strlen(have)) == 0 &&
                    bracket[1 + strlen(have)] == ']')
                        return one;
        }
        return NULL;
}

static void apply(cJSON *o, const struct change *c)
{
        char path[64], *dot;

        str_copy(path, sizeof path, c->path);
        if ((dot = strchr(path, '.'))) {
                *dot = '\0';
                o = find(o, path);
                assert_non_null(o);
        }
        const char *key = dot ? dot + 1 : path;
        cJSON_DeleteItemFromObjectCaseSensitive(o, key);
        if (c->json)
                cJSON_AddRawToObject(o, key, c->json);
}

/* Raw values are no values yet: print and parse. */
static cJSON *situation(const struct row *w)
{
        cJSON *o = cJSON_Parse(healthy);

        assert_non_null(o);
        for (size_t i = 0; i < CHANGES && w->changes[i].path; i++)
                apply(o, &w->changes[i]);
        char *text = cJSON_PrintUnformatted(o);
        cJSON_Delete(o);
        o = cJSON_Parse(text);
        free(text);
        assert_non_null(o);
        return o;
}

static void ask(const cJSON *status, msec_t age, const char *path, struct reply *r)
{
        const struct snap snap = { .status = status, .at = NOW - age };

        *r = (struct reply){ .status = 0 };
        route_answer(&(struct view){ .snap = &snap, .config = &config, .now = NOW }, path, r);
}

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct row *w = &ROWS[i];
                cJSON *status = situation(w);
                struct reply r;
                ask(status, w->age, w->path, &r);
                if (r.status != w->status)
                        fail_msg("%s: %s: %d instead of %d: %s", w->what, w->path, r.status,
                                 w->status, buf_str(&r.body));
                if (w->reason) {
                        cJSON *body = cJSON_Parse(buf_str(&r.body));
                        if (strcmp(json_text(body, "reason"), w->reason) != 0)
                                fail_msg("%s: %s: reason %s instead of %s", w->what, w->path,
                                         json_text(body, "reason"), w->reason);
                        assert_int_equal(json_true(body, "ok"), r.status == 200);
                        assert_string_equal(json_text(body, "node"), "n1");
                        cJSON_Delete(body);
                }
                buf_done(&r.body);
                cJSON_Delete(status);
        }
}

/* Before the daemon has answered for the first time. */
static void test_nothing_known(void **state)
{
        struct reply r;

        (void)state;
        for (size_t i = 0; i < N_ROUTES; i++) {
                ask(NULL, 0, ROUTES[i].path, &r);
                if (strcmp(ROUTES[i].path, "/status.json") == 0 || ROUTES[i].health ||
                    ROUTES[i].part)
                        assert_int_equal(r.status, 503);
                assert_non_null(r.type);
                assert_true(r.body.len > 0);
                buf_done(&r.body);
        }
        ask(NULL, 0, "/metrics", &r);
        assert_non_null(strstr(buf_str(&r.body), "\nhamon_up 0\n"));
        buf_done(&r.body);
}

/* ---- metrics ---- */

static void expect_lines(const char *text, const char *const *lines, bool there)
{
        for (; *lines; lines++) {
                const char *at = strstr(text, *lines);
                while (at && !((at == text || at[-1] == '\n') && at[strlen(*lines)] == '\n'))
                        at = strstr(at + 1, *lines);
                if ((at != NULL) != there)
                        fail_msg("%s: %s", there ? "missing" : "should not be there", *lines);
        }
}

static void test_metrics(void **state)
{
        static const char *const WANT[] = {
                "hamon_up 1",
                "hamon_answer_age_seconds 0.25",
                "hamon_fit 1",
                "hamon_verdict{verdict=\"fit\"} 1",
                "hamon_verdict{verdict=\"unfit\"} 0",
                "hamon_state{state=\"master\"} 1",
                "hamon_lease_valid_seconds 7.69",
                "hamon_node_holder{peer=\"n1\"} 1",
                "hamon_node_holder{peer=\"n2\"} 0",
                "hamon_address_here{address=\"2001:db8::25\"} 1",
                "hamon_check_up{check=\"galera\",required=\"true\"} 1",
                "hamon_check_up{check=\"smtps\",required=\"false\"} 1",
                "hamon_container_running{service=\"nginx-mailcow\",set=\"active\"} 1",
                "hamon_galera_last_committed 48211",
                "# TYPE hamon_galera_cert_failures_total counter",
                NULL
        };
        static const struct row WELL = { .what = "well" };
        cJSON *status = situation(&WELL);
        struct reply r;

        (void)state;
        ask(status, 250, "/metrics", &r);
        expect_lines(buf_str(&r.body), WANT, true);
        buf_done(&r.body);
        cJSON_Delete(status);
}

/* What is old is not told: a value that stands still is a lie. */
static void test_metrics_of_the_silent(void **state)
{
        static const char *const GONE[] = { "hamon_fit 1", "hamon_fit 0", "hamon_master 1",
                                            "hamon_lease_epoch 7", NULL };
        static const char *const THERE[] = { "hamon_up 0", "hamon_answer_age_seconds 6", NULL };
        static const struct row WELL = { .what = "well" };
        cJSON *status = situation(&WELL);
        struct reply r;

        (void)state;
        ask(status, 6000, "/metrics", &r);
        expect_lines(buf_str(&r.body), GONE, false);
        expect_lines(buf_str(&r.body), THERE, true);
        buf_done(&r.body);
        cJSON_Delete(status);
}

/* Unknown numbers (-1) give no sample; words that are not ours cannot break a line. */
static void test_metrics_unknown_and_hostile(void **state)
{
        static const char *const THERE[] = {
                "hamon_verdict_reason_info{reason=\"a\\\"b\\\\c\\nd\"} 1",
                "hamon_container_running{service=\"x\\\"} 9\\nevil 1\",set=\"\"} 1", NULL
        };
        static const char *const GONE[] = { "hamon_galera_last_committed -1", "evil 1", NULL };
        static const struct row ODD = {
                .what = "odd",
                .changes = { { "galera.last_committed", "-1" },
                             { "reason", "\"a\\\"b\\\\c\\nd\"" },
                             { "containers", "[{\"service\":\"x\\\"} 9\\nevil 1\",\"state\":"
                                             "\"running\"},7,null]" } }
        };
        cJSON *status = situation(&ODD);
        struct reply r;

        (void)state;
        ask(status, 0, "/metrics", &r);
        expect_lines(buf_str(&r.body), THERE, true);
        expect_lines(buf_str(&r.body), GONE, false);
        buf_done(&r.body);
        cJSON_Delete(status);
}

static void test_histogram(void **state)
{
        static const char *const WANT[] = {
                "# TYPE hamon_failover_phase_seconds histogram",
                "hamon_failover_phase_seconds_bucket{phase=\"claim\",le=\"0.05\"} 1",
                "hamon_failover_phase_seconds_bucket{phase=\"claim\",le=\"2.5\"} 3",
                "hamon_failover_phase_seconds_bucket{phase=\"claim\",le=\"+Inf\"} 4",
                "hamon_failover_phase_seconds_sum{phase=\"claim\"} 9.5",
                "hamon_failover_phase_seconds_count{phase=\"claim\"} 4",
                NULL
        };
        CLEANUP(buf_done) struct buf out = BUF(REPLY_MAX);
        cJSON *o = cJSON_Parse("{\"web\":{\"failover_times\":{\"phases\":[{\"phase\":\"claim\","
                               "\"count\":4,\"sum_ms\":9500,\"buckets\":[{\"le_ms\":50,\"n\":1},"
                               "{\"le_ms\":2500,\"n\":3}]}]}}}");

        (void)state;
        metrics_print(o, true, &out);
        expect_lines(buf_str(&out), WANT, true);
        cJSON_Delete(o);
}

/* The rows themselves: what Prometheus wants of names, and what the printer relies on. */
static void test_table(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_METRICS; i++) {
                const struct metric *m = &METRICS[i];
                size_t len = strlen(m->name);
                bool total = len > 6 && strcmp(m->name + len - 6, "_total") == 0;
                assert_int_equal(strncmp(m->name, "hamon_", 6), 0);
                assert_true(strspn(m->name, "abcdefghijklmnopqrstuvwxyz_0123456789") == len);
                assert_int_equal(total, m->type == METRIC_COUNTER);
                assert_true(m->help && m->help[strlen(m->help) - 1] == '.');
                assert_true(!m->states || (strchr(m->states, ':') && m->value));
                assert_true(m->type != METRIC_HISTOGRAM || m->list);
                if (m->scale > 0.0009 && m->scale < 0.0011)
                        assert_non_null(strstr(m->name, "_seconds"));
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(m->name, METRICS[k].name);
        }
}

static int group_setup(void **state)
{
        char path[512];

        (void)state;
        snprintf(path, sizeof path, "%s/tests/web/healthy.json", getenv("MHA_SOURCE"));
        return read_file(path, 1024 * 1024, &healthy, NULL);
}

static int group_teardown(void **state)
{
        (void)state;
        free(healthy);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_nothing_known),
                cmocka_unit_test(test_metrics),
                cmocka_unit_test(test_metrics_of_the_silent),
                cmocka_unit_test(test_metrics_unknown_and_hostile),
                cmocka_unit_test(test_histogram),
                cmocka_unit_test(test_table),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
