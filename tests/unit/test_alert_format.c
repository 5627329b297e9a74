/* hamon/web/alert_format.c, alert_template.c, alert_message.c: what goes over the wire for each
 * kind of target, that no text can be anything but text there, and what an answer means. */
#include "hamon/web/alert_format.h"
#include "hamon/web/alert_template.h"
#include "tests/unit/harness.h"

#include <cjson/cJSON.h>

#define NASTY                                                                                \
        "\"}],\"x\":1 \\ <!channel> <b>&amp; @all @channel *_~`[a](http://b) {{title}} \r\n" \
        "Bcc: x@y \x01\xff%s"

static struct alert_target target(enum alert_format_id format)
{
        struct alert_target t = { .name = "t" };

        t.k = (struct alert_keys){ .format = (int)format,
                                   .url = (char *)(uintptr_t) "https://host/hook/abcdef",
                                   .token = (char *)(uintptr_t) "",
                                   .secret = (char *)(uintptr_t) "",
                                   .chat = (char *)(uintptr_t) "",
                                   .from = (char *)(uintptr_t) "" };
        return t;
}

static struct alert_message message(void)
{
        struct alert_message m = { .level = LOG_ERROR,
                                   .phase = PHASE_OPEN,
                                   .at_ms = 1796000000123,
                                   .epoch = 7,
                                   .more = 3 };

        alert_copy(m.cluster, sizeof m.cluster, "mail");
        alert_copy(m.node, sizeof m.node, "n1");
        alert_copy(m.key, sizeof m.key, "fencing:n1");
        alert_copy(m.title, sizeof m.title, "n1 " NASTY);
        alert_copy(m.text, sizeof m.text, "text " NASTY);
        alert_identify(&m);
        return m;
}

static cJSON *build(const struct alert_target *t, const struct alert_message *m,
                    struct alert_request *q)
{
        assert_int_equal(alert_build(t, m, 1796000001999, q), 0);
        cJSON *o = cJSON_Parse(buf_str(&q->body));
        assert_non_null(o);
        return o;
}

static const char *text(const cJSON *o, const char *key)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

        assert_non_null(s);
        return s;
}

static bool has_header(const struct alert_request *q, const char *line)
{
        for (size_t i = 0; i < q->n_headers; i++)
                if (strcmp(buf_str(&q->header[i]), line) == 0)
                        return true;
        return false;
}

static void test_message_is_printable_ascii(void **unused)
{
        struct alert_message m = message(), other = message();

        (void)unused;
        for (const char *p = m.text; *p; p++)
                assert_in_range(*p, ' ', '~');
        assert_int_equal(strlen(m.id), 16);
        assert_string_equal(m.id, other.id);
        other.at_ms++;
        alert_identify(&other);
        assert_string_not_equal(m.id, other.id);
}

static void test_json(void **unused)
{
        struct alert_target t = target(ALERT_JSON);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        t.k.token = (char *)(uintptr_t) "tok";
        cJSON *o = build(&t, &m, &q);
        assert_string_equal(text(o, "title"), m.title);
        assert_string_equal(text(o, "detail"), m.text);
        assert_string_equal(text(o, "phase"), "open");
        assert_string_equal(text(o, "level"), "error");
        assert_string_equal(text(o, "at"), "2026-11-30T00:53:20Z");
        assert_null(cJSON_GetObjectItemCaseSensitive(o, "x"));
        assert_non_null(strstr(text(o, "text"), "3 more like this were not told"));
        assert_string_equal(buf_str(&q.url), t.k.url);
        assert_true(has_header(&q, "Authorization: Bearer tok"));
        assert_true(has_header(&q, "Content-Type: application/json"));
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_signature(void **unused)
{
        struct alert_target t = target(ALERT_JSON);
        struct alert_message m = message();
        struct alert_request q;
        char signature[72], want[96];

        (void)unused;
        t.k.secret = (char *)(uintptr_t) "Jefe";
        cJSON_Delete(build(&t, &m, &q));
        assert_int_equal(alert_sign("Jefe", "1796000001", buf_str(&q.body), signature), 0);
        snprintf(want, sizeof want, "X-Hamon-Signature: %s", signature);
        assert_true(has_header(&q, want));
        assert_true(has_header(&q, "X-Hamon-Timestamp: 1796000001"));
        alert_request_done(&q);
        /* openssl dgst -sha256 -hmac Jefe of "1.what do ya want for nothing?" */
        assert_int_equal(alert_sign("Jefe", "1", "what do ya want for nothing?", signature), 0);
        assert_string_equal(signature, "sha256=a9049465ce89cfb8e9aac62333abda66"
                                       "f80e3403f51f57f6bae3c3a4485eca38");
}

static void test_template(void **unused)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);
        struct alert_target t = target(ALERT_JSON);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        t.template =
                (char *)(uintptr_t) "{\"a\":\"<{{title}}>\",\"n\":{{epoch}},\"b\":\"{{body}}\"}";
        assert_int_equal(alert_template_check("f", t.template, &errors), 0);
        cJSON *o = build(&t, &m, &q);
        assert_memory_equal(text(o, "a"), "<n1 \"}],\"x\":1 \\", 15);
        assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, "n")), 7);
        assert_null(cJSON_GetObjectItemCaseSensitive(o, "x"));
        assert_non_null(strstr(text(o, "b"), "told by n1, epoch 7"));
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_template_mistakes(void **unused)
{
        static const struct {
                const char *template, *says;
        } CASES[] = {
                { "{\"a\":\n\"{{titel}}\"}", "f:2: there is no {{titel}}; there are id key" },
                { "{\"a\":\"{{title\"}", "f:1: a {{ without its }}" },
                { "{\"a\":{{title}}}", "f: filled in, it is no JSON" },
                { "{\"a\":1} x", "f: filled in, it is no JSON" },
                { "", "f: filled in, it is no JSON" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf errors = BUF(4096);
                assert_int_equal(alert_template_check("f", CASES[i].template, &errors), -EINVAL);
                assert_memory_equal(buf_str(&errors), CASES[i].says, strlen(CASES[i].says));
        }
}

static void test_ntfy(void **unused)
{
        struct alert_target t = target(ALERT_NTFY);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        cJSON *o = build(&t, &m, &q);
        assert_string_equal(buf_str(&q.url), "https://host/hook/");
        assert_string_equal(text(o, "topic"), "abcdef");
        assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, "priority")), 5);
        assert_memory_equal(text(o, "title"), "mail: n1 \"}]", 12);
        cJSON_Delete(o);
        alert_request_done(&q);
        m.phase = PHASE_OVER;
        o = build(&t, &m, &q);
        assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, "priority")), 3);
        assert_memory_equal(text(o, "title"), "over: mail: ", 12);
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_slack(void **unused)
{
        struct alert_target t = target(ALERT_SLACK);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        cJSON *o = build(&t, &m, &q);
        assert_null(strpbrk(text(o, "text"), "<>"));
        assert_non_null(strstr(text(o, "text"), "&lt;!channel&gt; &lt;b&gt;&amp;amp; @all"));
        assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(o, "mrkdwn")));
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_mattermost(void **unused)
{
        struct alert_target t = target(ALERT_MATTERMOST);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        cJSON *o = build(&t, &m, &q);
        assert_null(strstr(text(o, "text"), "@all"));
        assert_null(strstr(text(o, "text"), "@channel"));
        assert_non_null(strstr(text(o, "text"), "\\*\\_\\~\\`\\[a\\]\\(http\\://b\\)"));
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_telegram(void **unused)
{
        struct alert_target t = target(ALERT_TELEGRAM);
        struct alert_message m = message();
        struct alert_request q;

        (void)unused;
        t.k.url = (char *)(uintptr_t) "";
        t.k.token = (char *)(uintptr_t) "123:ABC";
        t.k.chat = (char *)(uintptr_t) "-100";
        cJSON *o = build(&t, &m, &q);
        assert_string_equal(buf_str(&q.url), "https://api.telegram.org/bot123:ABC/sendMessage");
        assert_string_equal(text(o, "chat_id"), "-100");
        assert_null(
                cJSON_GetObjectItemCaseSensitive(o, "parse_mode")); /* plain: nothing to escape */
        assert_non_null(strstr(text(o, "text"), "<b>&amp; @all"));
        cJSON_Delete(o);
        alert_request_done(&q);
}

static void test_beat(void **unused)
{
        struct alert_target t = target(ALERT_UPTIME_KUMA);
        struct alert_request q;

        (void)unused;
        t.k.url = (char *)(uintptr_t) "https://k/api/push/Tok?status=up&msg=OK&ping=";
        assert_int_equal(alert_build_beat(&t, false, "a b&c=d\n%", 42, &q), 0);
        assert_string_equal(buf_str(&q.url),
                            "https://k/api/push/Tok?status=down&msg=a%20b%26c%3Dd%0A%25&ping=42");
        assert_string_equal(q.method, "GET");
        alert_request_done(&q);
}

static void test_email(void **unused)
{
        char *to[] = { (char *)(uintptr_t) "a@example.org", (char *)(uintptr_t) "b@example.org" };
        struct alert_target t = target(ALERT_EMAIL);
        struct alert_message m = message();
        struct alert_request q;
        size_t line = 0, longest = 0;

        (void)unused;
        t.k.from = (char *)(uintptr_t) "hamon@example.com";
        t.k.to = (struct strlist){ .v = to, .n = 2 };
        memset(m.text, 'x', sizeof m.text - 1);
        assert_int_equal(alert_build(&t, &m, 1796000001999, &q), 0);
        const char *mail = buf_str(&q.body);
        assert_non_null(strstr(mail, "Date: Mon, 30 Nov 2026 00:53:21 +0000\r\n"));
        assert_non_null(strstr(mail, "To: a@example.org,\r\n b@example.org\r\n"));
        assert_non_null(strstr(mail, "\r\nAuto-Submitted: auto-generated\r\n"));
        assert_null(strstr(mail, "\nBcc:")); /* a line break of the text is a blank */
        assert_non_null(strstr(mail, "Message-ID: <hamon."));
        for (const char *p = mail; *p; p++) {
                line = *p == '\n' ? 0 : line + 1;
                longest = MAX(longest, line);
                if (*p == '\n')
                        assert_int_equal(p[-1], '\r');
        }
        assert_in_range(longest, 100, 998);
        alert_request_done(&q);
}

/* ---- answers ---- */

static void test_answers(void **unused)
{
        static const struct {
                enum alert_format_id format;
                int status;
                const char *body;
                msec_t after;
                enum alert_end end;
                msec_t wait;
                const char *error;
        } CASES[] = {
                { ALERT_JSON, 204, "", 0, ALERT_SENT, 0, "" },
                { ALERT_SLACK, 200, "ok", 0, ALERT_SENT, 0, "" },
                { ALERT_SLACK, 400, "invalid_payload", 0, ALERT_REFUSED, 0,
                  "HTTP 400: invalid_payload" },
                { ALERT_SLACK, 404, "no_service", 0, ALERT_LATER, 0, "HTTP 404: no_service" },
                { ALERT_JSON, 301, "", 0, ALERT_LATER, 0, "HTTP 301" },
                { ALERT_JSON, 429, "", 7000, ALERT_LATER, 7000, "HTTP 429" },
                { ALERT_JSON, 503, "a\nb\x01", 0, ALERT_LATER, 0, "HTTP 503: a b?" },
                { ALERT_TELEGRAM, 200, "{\"ok\":true}", 0, ALERT_SENT, 0, "" },
                { ALERT_TELEGRAM, 200, "nonsense", 0, ALERT_LATER, 0,
                  "it answered: it did not say ok" },
                { ALERT_TELEGRAM, 400,
                  "{\"ok\":false,\"description\":\"Bad Request: chat not found\"}", 0,
                  ALERT_REFUSED, 0, "HTTP 400: Bad Request: chat not found" },
                { ALERT_TELEGRAM, 429,
                  "{\"ok\":false,\"description\":\"slow\",\"parameters\":{\"retry_after\":9}}", 0,
                  ALERT_LATER, 9000, "HTTP 429: slow" },
                { ALERT_UPTIME_KUMA, 200, "{\"ok\":true}", 0, ALERT_SENT, 0, "" },
                { ALERT_UPTIME_KUMA, 404, "{\"ok\":false,\"msg\":\"Monitor not found\"}", 0,
                  ALERT_LATER, 0, "HTTP 404: Monitor not found" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct alert_target t = target(CASES[i].format);
                struct alert_outcome o;
                alert_judge(&t,
                            &(struct alert_answer){ .status = CASES[i].status,
                                                    .body = CASES[i].body,
                                                    .retry_after = CASES[i].after },
                            &o);
                assert_int_equal(o.end, CASES[i].end);
                assert_int_equal(o.wait, CASES[i].wait);
                assert_string_equal(o.error, CASES[i].error);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message_is_printable_ascii),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_signature),
                cmocka_unit_test(test_template),
                cmocka_unit_test(test_template_mistakes),
                cmocka_unit_test(test_ntfy),
                cmocka_unit_test(test_slack),
                cmocka_unit_test(test_mattermost),
                cmocka_unit_test(test_telegram),
                cmocka_unit_test(test_beat),
                cmocka_unit_test(test_email),
                cmocka_unit_test(test_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
