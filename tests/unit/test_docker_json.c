/* The engine's JSON: what we take from it, what we refuse, and that project, service and one-off
 * containers are checked on our side too. Texts as Docker 20.10 sends them. */
#include "hamon/docker_json.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LABELS(project, service, oneoff)                   \
        "{\"com.docker.compose.project\":\"" project "\"," \
        "\"com.docker.compose.service\":\"" service "\","  \
        "\"com.docker.compose.oneoff\":\"" oneoff "\"}"
#define OURS LABELS("mailcow", "dovecot", "False")

/* ---- list ---- */

static int item(const char *id, const char *state, const char *status, const char *labels,
                struct docker_item *ret)
{
        char json[1024];
        int n = snprintf(json, sizeof(json),
                         "{\"Id\":\"%s\",\"State\":\"%s\",\"Status\":\"%s\",\"Created\":1700000000,"
                         "\"Labels\":%s}",
                         id, state, status, labels);

        assert_true(n > 0 && (size_t)n < sizeof(json));
        return docker_json_item(json, (size_t)n, "mailcow", ret);
}

static void list_states(void **unused)
{
        static const struct {
                const char *state, *status;
                enum ctr_state want;
                enum ctr_health health;
                int code;
        } rows[] = {
                { "created", "Created", CTR_CREATED, HEALTH_NONE, 0 },
                { "running", "Up 2 hours", CTR_RUNNING, HEALTH_NONE, 0 },
                { "running", "Up 2 hours (healthy)", CTR_RUNNING, HEALTH_HEALTHY, 0 },
                { "running", "Up Less than a second (health: starting)", CTR_RUNNING,
                  HEALTH_STARTING, 0 },
                { "running", "Up 5 days (unhealthy)", CTR_RUNNING, HEALTH_UNHEALTHY, 0 },
                { "running", "Up 5 days (wonderful)", CTR_RUNNING, HEALTH_NONE, 0 },
                { "running", "Up 5 days (a word that is far too long)", CTR_RUNNING, HEALTH_NONE,
                  0 },
                { "running", "Up 5 days (healthy", CTR_RUNNING, HEALTH_NONE, 0 },
                { "running", "", CTR_RUNNING, HEALTH_NONE, 0 },
                { "paused", "Up 5 days (Paused)", CTR_PAUSED, HEALTH_NONE, 0 },
                { "restarting", "Restarting (1) 2 seconds ago", CTR_RESTARTING, HEALTH_NONE, 1 },
                { "removing", "Removal In Progress", CTR_REMOVING, HEALTH_NONE, 0 },
                { "exited", "Exited (137) 3 weeks ago", CTR_EXITED, HEALTH_NONE, 137 },
                { "exited", "Exited (0) Less than a second ago", CTR_EXITED, HEALTH_NONE, 0 },
                { "exited", "Exited (-1) 3 weeks ago", CTR_EXITED, HEALTH_NONE, 0 },
                { "exited", "Exited (99999999999) ago", CTR_EXITED, HEALTH_NONE, 0 },
                { "exited", "Exited (137", CTR_EXITED, HEALTH_NONE, 0 },
                { "dead", "Dead", CTR_DEAD, HEALTH_NONE, 0 },
                { "hibernating", "Up 2 hours (healthy)", CTR_DEAD, HEALTH_NONE, 0 },
        };
        struct docker_item it;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(item("abc123", rows[i].state, rows[i].status, OURS, &it), 1);
                assert_string_equal(it.id, "abc123");
                assert_string_equal(it.service, "dovecot");
                assert_int_equal(it.state, rows[i].want);
                assert_int_equal(it.health, rows[i].health);
                assert_int_equal(it.exit_code, rows[i].code);
                assert_int_equal(it.created, 1700000000);
        }
}

static void list_ours(void **unused)
{
        static const struct {
                const char *labels;
                int want;
        } rows[] = {
                { OURS, 1 },
                { LABELS("mailcow", "x", "false"), 1 },
                { LABELS("mailcow", "x", ""), 1 },
                { "{\"com.docker.compose.project\":\"mailcow\","
                  "\"com.docker.compose.service\":\"x\"}",
                  1 },
                { LABELS("mailcow", "x", "True"), 0 },
                { LABELS("mailcow", "x", "true"), 0 },
                { LABELS("mailcow2", "x", "False"), 0 },
                { LABELS("Mailcow", "x", "False"), 0 },
                { LABELS("mailcow", "", "False"), 0 },
                { "{}", 0 },
                { "null", 0 },
                { "[\"com.docker.compose.project\"]", 0 },
                { "{\"com.docker.compose.project\":7}", 0 },
        };
        struct docker_item it;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(item("abc", "running", "Up", rows[i].labels, &it), rows[i].want);
}

static void list_refused(void **unused)
{
        static const char *const texts[] = {
                "",
                "{",
                "[]",
                "null",
                "7",
                "{}",
                "{\"Id\":\"abc\"}",
                "{\"Id\":\"abc\",\"State\":7}",
                "{\"State\":\"running\"}",
        };
        char longest[DOCKER_ID_SIZE + 1];
        struct docker_item it;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(docker_json_item(texts[i], strlen(texts[i]), "mailcow", &it),
                                 -EBADMSG);

        memset(longest, 'a', DOCKER_ID_SIZE);
        longest[DOCKER_ID_SIZE] = '\0';
        assert_int_equal(item(longest, "running", "Up", OURS, &it), -EBADMSG);
        longest[DOCKER_ID_SIZE - 1] = '\0';
        assert_int_equal(item(longest, "running", "Up", OURS, &it), 1);
        assert_int_equal(item("", "running", "Up", OURS, &it), -EBADMSG);
        assert_int_equal(item("../../x", "running", "Up", OURS, &it), -EBADMSG);
        assert_int_equal(item("ABC", "running", "Up", OURS, &it), -EBADMSG);
}

static void long_service_is_cut(void **unused)
{
        struct docker_item it;

        (void)unused;
        assert_int_equal(item("abc", "running", "Up",
                              LABELS("mailcow",
                                     "0123456789012345678901234567890123456789012345678901234567890"
                                     "123456789",
                                     "False"),
                              &it),
                         1);
        assert_int_equal(strlen(it.service), DOCKER_SERVICE_SIZE - 1);
}

/* ---- events ---- */

static int event(const char *type, const char *action, const char *id, const char *attributes,
                 struct docker_event *ret)
{
        char json[1024];
        int n = snprintf(json, sizeof(json),
                         "{\"status\":\"x\",\"id\":\"ffff\",\"Type\":\"%s\",\"Action\":\"%s\","
                         "\"Actor\":{\"ID\":\"%s\",\"Attributes\":%s},\"time\":1700000001,"
                         "\"timeNano\":1700000001000000000}",
                         type, action, id, attributes);

        assert_true(n > 0 && (size_t)n < sizeof(json));
        return docker_json_event(json, (size_t)n, "mailcow", ret);
}

static void event_actions(void **unused)
{
        static const struct {
                const char *action;
                int want;
                enum docker_action as;
                enum ctr_health health;
        } rows[] = {
                { "create", 1, DOCKER_CREATE, HEALTH_NONE },
                { "start", 1, DOCKER_START, HEALTH_NONE },
                { "die", 1, DOCKER_DIE, HEALTH_NONE },
                { "pause", 1, DOCKER_PAUSE, HEALTH_NONE },
                { "unpause", 1, DOCKER_UNPAUSE, HEALTH_NONE },
                { "oom", 1, DOCKER_OOM, HEALTH_NONE },
                { "destroy", 1, DOCKER_DESTROY, HEALTH_NONE },
                { "health_status: healthy", 1, DOCKER_HEALTH, HEALTH_HEALTHY },
                { "health_status: unhealthy", 1, DOCKER_HEALTH, HEALTH_UNHEALTHY },
                { "health_status: starting", 1, DOCKER_HEALTH, HEALTH_STARTING },
                { "health_status:healthy", 1, DOCKER_HEALTH, HEALTH_HEALTHY },
                { "health_status: odd", 1, DOCKER_HEALTH, HEALTH_NONE },
                { "die: x", 0, 0, 0 },
                { "exec_create: sh -c true", 0, 0, 0 },
                { "exec_die", 0, 0, 0 },
                { "kill", 0, 0, 0 },
                { "dies", 0, 0, 0 },
                { "", 0, 0, 0 },
        };
        struct docker_event e;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int r = event("container", rows[i].action, "abc", OURS, &e);
                assert_int_equal(r, rows[i].want);
                if (r == 0)
                        continue;
                assert_int_equal(e.action, rows[i].as);
                assert_int_equal(e.health, rows[i].health);
                assert_string_equal(e.id, "abc");
                assert_string_equal(e.service, "dovecot");
                assert_int_equal(e.time, 1700000001);
        }
}

#define CODE(code)                                                               \
        "{\"exitCode\":\"" code "\",\"com.docker.compose.project\":\"mailcow\"," \
        "\"com.docker.compose.service\":\"x\"}"

static void event_exit_code(void **unused)
{
        static const struct {
                const char *attributes;
                int want;
        } rows[] = {
                { CODE("137"), 137 }, { CODE("0"), 0 },   { CODE("-1"), 0 },
                { CODE("x"), 0 },     { CODE("1e3"), 0 }, { CODE("99999999999999999999"), 0 },
                { OURS, 0 },
        };
        struct docker_event e;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(event("container", "die", "abc", rows[i].attributes, &e), 1);
                assert_int_equal(e.exit_code, rows[i].want);
        }
}

static void event_not_ours(void **unused)
{
        struct docker_event e;

        (void)unused;
        assert_int_equal(event("network", "create", "abc", OURS, &e), 0);
        assert_int_equal(event("container", "die", "abc", LABELS("other", "x", "False"), &e), 0);
        assert_int_equal(event("container", "die", "abc", LABELS("mailcow", "x", "True"), &e), 0);
        assert_int_equal(event("container", "die", "abc", "{}", &e), 0);
}

static void event_refused(void **unused)
{
        static const char *const texts[] = {
                "",
                "{\"Type\":\"container\"",
                "[]",
                "{}",
                "{\"Type\":\"container\"}",
                "{\"Type\":7,\"Action\":\"die\"}",
                "{\"Type\":\"container\",\"Action\":\"die\"}",
                "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"x/y\"}}",
                "{\"message\":\"oops\"}",
        };
        struct docker_event e;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(docker_json_event(texts[i], strlen(texts[i]), "mailcow", &e),
                                 -EBADMSG);
}

/* ---- one container ---- */

static int detail(const char *state, const char *rest, struct docker_detail *ret)
{
        char json[1024];
        int n = snprintf(json, sizeof(json),
                         "{\"Created\":\"2023-11-14T22:13:20.000000000Z\",\"State\":{%s}%s}", state,
                         rest);

        assert_true(n > 0 && (size_t)n < sizeof(json));
        return docker_json_detail(json, (size_t)n, ret);
}

static void detail_states(void **unused)
{
        static const char times[] = ",\"StartedAt\":\"2023-11-14T22:13:21.123456789Z\","
                                    "\"FinishedAt\":\"2023-11-15T00:13:22.5+02:00\"";
        char state[512];
        struct docker_detail d;

        (void)unused;
        snprintf(state, sizeof(state),
                 "\"Status\":\"running\",\"Health\":{\"Status\":\"unhealthy\"}%s", times);
        assert_int_equal(detail(state, ",\"RestartCount\":3", &d), 0);
        assert_int_equal(d.state, CTR_RUNNING);
        assert_int_equal(d.health, HEALTH_UNHEALTHY);
        assert_true(d.has_healthcheck);
        assert_false(d.oom);
        assert_int_equal(d.restarts, 3);
        assert_int_equal(d.since, 1700000001);

        /* the last health of something that does not run is history */
        snprintf(state, sizeof(state),
                 "\"Status\":\"exited\",\"ExitCode\":137,\"OOMKilled\":true,"
                 "\"Health\":{\"Status\":\"unhealthy\"}%s",
                 times);
        assert_int_equal(detail(state, "", &d), 0);
        assert_int_equal(d.state, CTR_EXITED);
        assert_int_equal(d.health, HEALTH_NONE);
        assert_int_equal(d.exit_code, 137);
        assert_true(d.oom);
        assert_int_equal(d.restarts, 0);
        assert_int_equal(d.since, 1700000002);
}

/* What the engine says when it could not start one, and will not try again. */
static void detail_no_start(void **unused)
{
        static const struct {
                const char *state;
                bool want;
        } rows[] = {
                { "\"Status\":\"exited\",\"ExitCode\":128,\"Error\":\"port is already allocated\"",
                  true },
                { "\"Status\":\"created\",\"ExitCode\":127,\"Error\":\"exec: no such file\"",
                  true },
                { "\"Status\":\"exited\",\"ExitCode\":128,\"Error\":\"\"", false },
                { "\"Status\":\"exited\",\"ExitCode\":1", false },
                { "\"Status\":\"running\",\"Error\":\"of the last time\"", false },
                { "\"Status\":\"restarting\",\"Error\":\"it tries again\"", false },
        };
        struct docker_detail d;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(detail(rows[i].state, "", &d), 0);
                assert_int_equal(d.no_start, rows[i].want);
        }
}

static void detail_healthcheck(void **unused)
{
        static const struct {
                const char *config;
                bool want;
        } rows[] = {
                { "", false },
                { ",\"Config\":{}", false },
                { ",\"Config\":{\"Healthcheck\":null}", false },
                { ",\"Config\":{\"Healthcheck\":{\"Test\":[]}}", false },
                { ",\"Config\":{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", false },
                { ",\"Config\":{\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"]}}", true },
                { ",\"Config\":{\"Healthcheck\":{\"Test\":7}}", false },
        };
        struct docker_detail d;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(detail("\"Status\":\"created\"", rows[i].config, &d), 0);
                assert_int_equal(d.has_healthcheck, rows[i].want);
        }
}

static void detail_times(void **unused)
{
        static const struct {
                const char *text;
                int64_t want; /* 1700000000: the time of creation stands in */
        } rows[] = {
                { "2023-11-14T22:13:21Z", 1700000001 },
                { "2023-11-14T22:13:21.999999999Z", 1700000001 },
                { "2023-11-14T21:43:21-00:30", 1700000001 },
                { "0001-01-01T00:00:00Z", 1700000000 },
                { "2023-11-14T22:13:21", 1700000000 },
                { "2023-11-14T22:13:21+xx:yy", 1700000000 },
                { "yesterday", 1700000000 },
                { "", 1700000000 },
        };
        char state[128];
        struct docker_detail d;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                snprintf(state, sizeof(state), "\"Status\":\"exited\",\"FinishedAt\":\"%s\"",
                         rows[i].text);
                assert_int_equal(detail(state, "", &d), 0);
                assert_int_equal(d.since, rows[i].want);
        }
}

static void detail_numbers_are_clamped(void **unused)
{
        struct docker_detail d;

        (void)unused;
        assert_int_equal(
                detail("\"Status\":\"exited\",\"ExitCode\":-5", ",\"RestartCount\":1e30", &d), 0);
        assert_int_equal(d.exit_code, 0);
        assert_true(d.restarts == UINT_MAX);
        assert_int_equal(detail("\"Status\":\"exited\",\"ExitCode\":\"7\"", "", &d), 0);
        assert_int_equal(d.exit_code, 0);

        assert_int_equal(docker_json_detail("{\"message\":\"x\"}", 15, &d), -EBADMSG);
        assert_int_equal(docker_json_detail("", 0, &d), -EBADMSG);
}

/* ---- the rest ---- */

static void versions(void **unused)
{
        static const struct {
                const char *json;
                int want;
                unsigned api, min;
        } rows[] = {
                { "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}", 0, 1041, 1012 },
                { "{\"ApiVersion\":\"1.9\"}", 0, 1009, 0 },
                { "{\"ApiVersion\":\"2.0\"}", 0, 2000, 0 },
                { "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"old\"}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":1.41}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":\"1.\"}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":\".41\"}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":\"1.4.1\"}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":\"111111111111.1\"}", -EBADMSG, 0, 0 },
                { "{\"ApiVersion\":\"1.1000\"}", -EBADMSG, 0, 0 },
                { "{}", -EBADMSG, 0, 0 },
                { "OK", -EBADMSG, 0, 0 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct docker_version v = { .api = 0 };
                assert_int_equal(docker_json_version(rows[i].json, strlen(rows[i].json), &v),
                                 rows[i].want);
                assert_int_equal(v.api, rows[i].api);
                assert_int_equal(v.min_api, rows[i].min);
        }
}

static void failures(void **unused)
{
        static const struct {
                int error, status;
                const char *body;
                enum engine_state want;
                const char *text;
        } rows[] = {
                { -ENOENT, 0, "", ENGINE_REFUSED, "there is no socket /s" },
                { -ECONNREFUSED, 0, "", ENGINE_REFUSED, "nobody listens on /s" },
                { -EACCES, 0, "", ENGINE_REFUSED, "no permission to use /s" },
                { -ECONNRESET, 0, "", ENGINE_REFUSED, "the engine hung up on /s" },
                { -EAGAIN, 0, "", ENGINE_TIMEOUT, "the engine takes no more connections on /s" },
                { -ETIMEDOUT, 200, "", ENGINE_TIMEOUT, "the engine does not answer on /s" },
                { -EPROTO, 0, "", ENGINE_ERROR, "list: oh" },
                { 0, 500, "{\"message\":\"ill\"}", ENGINE_ERROR, "list: HTTP 500: ill" },
                { 0, 404, "{\"message\":7}", ENGINE_ERROR, "list: HTTP 404" },
                { 0, 301, "<html>", ENGINE_ERROR, "list: HTTP 301" },
                { 0, 500, "", ENGINE_ERROR, "list: HTTP 500" },
                { 0, 500, "{\"message\":\"0123456789012345678901234567890123456789\"}",
                  ENGINE_ERROR, "list: HTTP 500: 0123456789012345678901234567890" },
        };
        char text[48];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct docker_failure f = {
                        "list",         "/s",         rows[i].error,       "oh",
                        rows[i].status, rows[i].body, strlen(rows[i].body)
                };
                assert_int_equal(docker_json_failure(&f, text, sizeof(text)), rows[i].want);
                assert_string_equal(text, rows[i].text);
        }
}

static void filters(void **unused)
{
        CLEANUP(buf_done) struct buf b = BUF(4096);

        (void)unused;
        assert_int_equal(docker_json_filters("mail-cow_1", false, &b), 0);
        assert_string_equal(buf_str(&b), "%7B%22label%22%3A%5B%22com.docker.compose.project%3D"
                                         "mail-cow_1%22%5D%7D");
        buf_reset(&b);
        assert_int_equal(docker_json_filters("a\"b&c\xc3\xbc", true, &b), 0);
        assert_non_null(strstr(buf_str(&b), "%3Da%5C%22b%26c%C3%BC%22"));
        assert_non_null(strstr(buf_str(&b), "%22type%22%3A%5B%22container%22%5D"));
        assert_non_null(strstr(buf_str(&b), "%22event%22%3A%5B%22create%22%2C%22start%22%2C"));
        assert_non_null(strstr(buf_str(&b), "%2C%22health_status%22%5D"));

        CLEANUP(buf_done) struct buf small = BUF(16);
        assert_int_equal(docker_json_filters("mailcow", true, &small), -EFBIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_states),
                cmocka_unit_test(list_ours),
                cmocka_unit_test(list_refused),
                cmocka_unit_test(long_service_is_cut),
                cmocka_unit_test(event_actions),
                cmocka_unit_test(event_exit_code),
                cmocka_unit_test(event_not_ours),
                cmocka_unit_test(event_refused),
                cmocka_unit_test(detail_states),
                cmocka_unit_test(detail_healthcheck),
                cmocka_unit_test(detail_no_start),
                cmocka_unit_test(detail_times),
                cmocka_unit_test(detail_numbers_are_clamped),
                cmocka_unit_test(versions),
                cmocka_unit_test(failures),
                cmocka_unit_test(filters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
