/* The API's JSON: what is taken from it, and that half an answer proves nothing. */
#include "hamon/provider/hetzner_json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VOLUME(rest) "{\"volume\":{\"id\":7,\"status\":\"available\"" rest "}}"
#define SERVER(rest) "{\"id\":42,\"name\":\"n2\",\"status\":\"running\"" rest "}"

static void volumes(void **unused)
{
        static const struct {
                const char *json;
                int want;
                const char *server;
        } ROWS[] = {
                { VOLUME(",\"server\":null"), 0, "" },
                { VOLUME(",\"server\":42"), 0, "42" },
                { VOLUME(",\"server\":9007199254740991"), 0, "9007199254740991" },
                { VOLUME(",\"server\":9007199254740993"), -EBADMSG, NULL },
                { VOLUME(",\"server\":\"42\""), -EBADMSG, NULL },
                { VOLUME(",\"server\":0"), -EBADMSG, NULL },
                { VOLUME(",\"server\":-1"), -EBADMSG, NULL },
                { VOLUME(",\"server\":1.5"), -EBADMSG, NULL },
                { VOLUME(",\"server\":1e99"), -EBADMSG, NULL },
                { VOLUME(",\"server\":false"), -EBADMSG, NULL },
                { VOLUME(""), -EBADMSG, NULL }, /* absent is not null */
                { "{\"volume\":{\"id\":7,\"server\":null}}", -EBADMSG, NULL },
                { "{\"volume\":{\"status\":\"available\",\"server\":null}}", -EBADMSG, NULL },
                { "{\"volume\":[]}", -EBADMSG, NULL },
                { "{}", -EBADMSG, NULL },
                { "[]", -EBADMSG, NULL },
                { "", -EBADMSG, NULL },
                { "{\"volume\":{\"id\":7,", -EBADMSG, NULL },
        };
        struct provider_volume v;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                assert_int_equal(hetzner_json_volume(ROWS[i].json, strlen(ROWS[i].json), &v),
                                 ROWS[i].want);
                if (ROWS[i].want == 0)
                        assert_string_equal(v.server, ROWS[i].server);
        }
}

static void volume_fields(void **unused)
{
        static const struct {
                const char *path, *want;
        } DEVICES[] = {
                { "/dev/disk/by-id/scsi-0HC_Volume_7", "/dev/disk/by-id/scsi-0HC_Volume_7" },
                { "/dev/../etc/passwd", "" },
                { "/etc/passwd", "" },
                { "/dev/a b", "" },
                { "", "" },
        };
        struct provider_volume v;
        char json[512];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(DEVICES); i++) {
                int n = snprintf(json, sizeof json,
                                 VOLUME(",\"server\":null,\"linux_device\":\"%s\",\"location\":"
                                        "{\"name\":\"fsn1\"},\"labels\":{\"hamon\":\"n1\\n\"}"),
                                 DEVICES[i].path);
                assert_int_equal(hetzner_json_volume(json, (size_t)n, &v), 0);
                assert_string_equal(v.device, DEVICES[i].want);
                assert_string_equal(v.location, "fsn1");
                assert_string_equal(v.label, "n1?");
                assert_string_equal(v.status, "available");
                assert_string_equal(v.id, "7");
        }
}

static void servers(void **unused)
{
        static const struct {
                const char *json;
                int want;
                bool locked;
                const char *location;
        } ROWS[] = {
                { "{\"server\":" SERVER(",\"locked\":true,\"location\":{\"name\":\"hel1\"}") "}", 0,
                  true, "hel1" },
                { "{\"server\":" SERVER(",\"locked\":false,\"datacenter\":{\"location\":{\"name\":"
                                        "\"nbg1\"}}") "}",
                  0, false, "nbg1" },
                { "{\"servers\":[" SERVER(",\"locked\":false") "]}", 0, false, "" },
                { "{\"servers\":[]}", -ENOENT, false, "" },
                { "{\"servers\":[" SERVER(",\"locked\":false") "," SERVER(",\"locked\":false") "]}",
                  -EEXIST, false, "" },
                { "{\"server\":" SERVER("") "}", -EBADMSG, false, "" },
                { "{\"server\":" SERVER(",\"locked\":0") "}", -EBADMSG, false, "" },
                { "{\"servers\":[7]}", -EBADMSG, false, "" },
                { "nonsense", -EBADMSG, false, "" },
        };
        struct provider_server s;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                assert_int_equal(hetzner_json_server(ROWS[i].json, strlen(ROWS[i].json), &s),
                                 ROWS[i].want);
                if (ROWS[i].want)
                        continue;
                assert_int_equal(s.locked, ROWS[i].locked);
                assert_string_equal(s.location, ROWS[i].location);
                assert_string_equal(s.id, "42");
                assert_string_equal(s.name, "n2");
        }
}

static void actions(void **unused)
{
#define ACTION(status, error) "{\"action\":{\"id\":13,\"status\":" status ",\"error\":" error "}}"
        static const struct {
                const char *json;
                int want;
                enum hetzner_action_status status;
                const char *code;
        } ROWS[] = {
                { ACTION("\"running\"", "null"), 0, HETZNER_RUNNING, "" },
                { ACTION("\"success\"", "null"), 0, HETZNER_SUCCESS, "" },
                { ACTION("\"success\"", "{\"code\":\"action_failed\",\"message\":\"x\"}"), 0,
                  HETZNER_SUCCESS, "" },
                { ACTION("\"running\"", "{\"code\":\"action_failed\",\"message\":\"x\"}"), 0,
                  HETZNER_RUNNING, "" },
                { ACTION("\"error\"", "{\"code\":\"action_failed\",\"message\":\"x\"}"), 0,
                  HETZNER_ERROR, "action_failed" },
                { ACTION("\"error\"", "null"), 0, HETZNER_ERROR, "unknown_error" },
                { ACTION("\"dreaming\"", "null"), -EBADMSG, HETZNER_RUNNING, "" },
                { ACTION("null", "null"), -EBADMSG, HETZNER_RUNNING, "" },
                { "{\"action\":null}", -EBADMSG, HETZNER_RUNNING, "" },
                { "{\"action\":{\"id\":\"13\",\"status\":\"success\"}}", -EBADMSG, HETZNER_RUNNING,
                  "" },
        };
        struct hetzner_action a;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                assert_int_equal(hetzner_json_action(ROWS[i].json, strlen(ROWS[i].json), &a),
                                 ROWS[i].want);
                if (ROWS[i].want)
                        continue;
                assert_int_equal(a.status, ROWS[i].status);
                assert_string_equal(a.error.code, ROWS[i].code);
        }
}

static void errors(void **unused)
{
        static const struct {
                int status;
                const char *json, *code, *message;
        } ROWS[] = {
                { 423, "{\"error\":{\"code\":\"locked\",\"message\":\"a\\u0007b\\u00e9\"}}",
                  "locked", "a?b??" },
                { 422, "{\"error\":{\"code\":\"invalid_input\",\"message\":\"m\"}}",
                  "invalid_input", "m" },
                { 429, "{\"error\":{\"code\":\"slow_down\"}}", "rate_limit_exceeded", "" },
                { 429, "<html>", "rate_limit_exceeded", "" },
                { 401, "", "unauthorized", "" },
                { 404, "{}", "not_found", "" },
                { 502, "<html>", "bad_gateway", "" },
                { 504, "{\"error\":7}", "timeout", "" },
                { 599, "", "server_error", "" },
                { 302, "", "unexpected", "" },
        };
        struct hetzner_error e;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                hetzner_json_error(ROWS[i].status, ROWS[i].json, strlen(ROWS[i].json), &e);
                assert_string_equal(e.code, ROWS[i].code);
                assert_string_equal(e.message, ROWS[i].message);
        }
}

static void labels(void **unused)
{
        static const struct {
                const char *labels, *want;
        } ROWS[] = {
                { "{}", "{\"labels\":{\"hamon\":\"v\"}}" },
                { "{\"a\":\"b\"}", "{\"labels\":{\"a\":\"b\",\"hamon\":\"v\"}}" },
                { "{\"hamon\":\"old\",\"a\":\"b\"}", "{\"labels\":{\"a\":\"b\",\"hamon\":\"v\"}}" },
                { "null", NULL },
                { "[]", NULL },
        };
        char json[256];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(1024);
                int n = snprintf(json, sizeof json, "{\"volume\":{\"labels\":%s}}", ROWS[i].labels);
                int r = hetzner_json_labelled(json, (size_t)n, "v", &out);
                assert_int_equal(r, ROWS[i].want ? 0 : -EBADMSG);
                if (ROWS[i].want)
                        assert_string_equal(buf_str(&out), ROWS[i].want);
        }
}

static void ids(void **unused)
{
        static const char *const GOOD[] = { "1", "42", "9007199254740991" };
        static const char *const BAD[] = { "",   "0",  "07",   "-1",
                                           "4x", " 4", "../4", "90071992547409910" };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
                assert_true(hetzner_json_is_id(GOOD[i]));
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
                assert_false(hetzner_json_is_id(BAD[i]));
        assert_false(hetzner_json_is_id(NULL));
}

static void addresses(void **unused)
{
        static const char good[] =
                "{\"floating_ip\":{\"id\":9,\"ip\":\"192.0.2.9\",\"server\":null}}";
        static const char bad[] = "{\"floating_ip\":{\"id\":9,\"ip\":\"192.0.2.9\"}}";
        struct provider_ip ip;

        (void)unused;
        assert_int_equal(hetzner_json_ip(good, strlen(good), &ip), 0);
        assert_string_equal(ip.address, "192.0.2.9");
        assert_string_equal(ip.server, "");
        assert_int_equal(hetzner_json_ip(bad, strlen(bad), &ip), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(volumes), cmocka_unit_test(volume_fields),
                cmocka_unit_test(servers), cmocka_unit_test(actions),
                cmocka_unit_test(errors),  cmocka_unit_test(labels),
                cmocka_unit_test(ids),     cmocka_unit_test(addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
