/* What the page makes of checks and of what the parts of the web process report; words from outside
 * that want to be more than words, and documents that are none. */
#include "hamon/web/page_view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000, STALE = 5000 };

static const struct page_time TIME = { .now = NOW, .wall = 1795888800000, .stale = STALE };

/* ---- checks and parts ---- */

static cJSON *parse(const char *text)
{
        cJSON *o = cJSON_Parse(text);

        assert_non_null(o);
        return o;
}

#define MASTER                                                                                   \
        "{\"node\":\"n1\",\"lease\":{\"known\":true},\"nodes\":[{\"name\":\"n1\",\"state\":"     \
        "\"master\",\"role\":\"master\",\"verdict\":\"%s\",\"reason\":\"ok\",\"age_ms\":1,"      \
        "\"self\":true,\"holder\":true},{\"name\":\"n2\",\"state\":\"standby\",\"verdict\":"     \
        "\"fit\",\"reason\":\"ok\",\"age_ms\":1,\"candidate\":true}],\"message\":\"m\","         \
        "\"checks\":[{\"name\":\"smtp\",\"verdict\":\"up\",\"message\":\"220\",\"required\":"    \
        "true},{\"name\":\"imap\",\"verdict\":\"%s\",\"message\":\"refused\",\"required\":%s},{" \
        "\"name\":\"olefy-mailcow\",\"verdict\":\"%s\",\"message\":\"exited\",\"required\":"     \
        "false}]}"

static void test_functions(void **state)
{
        static const struct {
                const char *verdict, *imap, *required, *olefy;
                enum page_level level, reading;
                const char *title, *word;
                size_t notes;
        } ROWS[] = {
                { "fit", "up", "true", "up", LEVEL_GOOD, LEVEL_GOOD, "Mail works", "works", 0 },
                { "fit", "suspect", "true", "up", LEVEL_WARN, LEVEL_WARN, "Mail works", "in doubt",
                  0 },
                { "fit", "down", "false", "up", LEVEL_WARN, LEVEL_WARN, "Mail works", "in part",
                  0 },
                { "fit", "up", "true", "down", LEVEL_WARN, LEVEL_GOOD, "Mail works", "works", 1 },
                { "unfit", "down", "true", "up", LEVEL_BAD, LEVEL_BAD, "Mail works only in part",
                  "does not work", 0 },
                { "fit", "unknown", "true", "up", LEVEL_WARN, LEVEL_UNKNOWN, "Mail works",
                  "not known", 0 },
        };
        char text[2048];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct page_view v;
                snprintf(text, sizeof text, MASTER, ROWS[i].verdict, ROWS[i].imap, ROWS[i].required,
                         ROWS[i].olefy);
                cJSON *s = parse(text);
                page_view(&(struct snap){ .status = s, .at = NOW }, &TIME, &v);
                assert_int_equal(v.n_functions, 2);
                assert_string_equal(v.functions[1].name, "Reading");
                assert_int_equal(v.functions[1].level, ROWS[i].reading);
                assert_string_equal(v.functions[1].word, ROWS[i].word);
                assert_int_equal(v.n_notes, ROWS[i].notes);
                assert_int_equal(v.level, ROWS[i].level);
                assert_string_equal(v.title, ROWS[i].title);
                cJSON_Delete(s);
        }
}

static void test_parts(void **state)
{
        static const struct {
                const char *extra, *title, *note;
        } ROWS[] = {
                { "{}", "Mail works", NULL },
                { "{\"canary\":{\"enabled\":true,\"ok\":true}}", "Mail works", NULL },
                { "{\"canary\":{\"enabled\":false,\"ok\":false}}", "Mail works", NULL },
                { "{\"canary\":{\"enabled\":true,\"ok\":false,\"message\":\"hung\"}}",
                  "Mail is not delivered", NULL },
                { "{\"canary\":{\"enabled\":true,\"ok\":true,\"p95_ms\":5001}}", "Mail works",
                  "Delivery is slow: 5.0 s" },
                { "{\"canary\":{\"enabled\":true,\"ok\":true,\"p95_ms\":5001,\"target_ms\":6000}}",
                  "Mail works", NULL },
                { "{\"certificates\":[{\"service\":\"imaps\",\"days_left\":14}]}", "Mail works",
                  NULL },
                { "{\"certificates\":[{\"service\":\"imaps\",\"days_left\":13}]}", "Mail works",
                  "imaps is good for 13 more days" },
                { "{\"certificates\":[{\"service\":\"imaps\",\"days_left\":-1}]}", "Mail works",
                  "imaps has run out" },
                { "{\"certificates\":[{\"service\":\"imaps\"}]}", "Mail works", NULL },
                { "{\"alerts\":{\"targets\":[{\"name\":\"a\",\"ok\":true},{\"name\":\"b\",\"ok\":"
                  "false,\"error\":\"403\"}]}}",
                  "Mail works", "Alerts do not reach b: 403" },
                { "{\"rehearsal\":{\"ok\":false,\"findings\":[{\"check\":\"a\",\"verdict\":\"ok\"}"
                  ",{\"check\":\"b\",\"verdict\":\"fail\",\"message\":\"gone\"}]}}",
                  "Mail works", "b: gone" },
                { "{\"rehearsal\":{\"ok\":true}}", "Mail works", NULL },
        };
        char text[2048];

        (void)state;
        snprintf(text, sizeof text, MASTER, "fit", "up", "true", "up");
        cJSON *s = parse(text);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                cJSON *x = parse(ROWS[i].extra);
                struct page_view v;
                page_view(&(struct snap){ .status = s, .at = NOW, .extra = x }, &TIME, &v);
                assert_string_equal(v.title, ROWS[i].title);
                assert_int_equal(v.n_notes, ROWS[i].note ? 1 : 0);
                if (ROWS[i].note && !strstr(v.notes[0].text, ROWS[i].note))
                        fail_msg("%s: %s", ROWS[i].extra, v.notes[0].text);
                cJSON_Delete(x);
        }
        cJSON_Delete(s);
}

/* ---- what comes from outside ---- */

static void render(const cJSON *status, const cJSON *extra, struct buf *out)
{
        assert_int_equal(page_render(&(struct snap){ .status = status, .at = NOW, .extra = extra },
                                     &TIME, out),
                         0);
        assert_non_null(strstr(buf_str(out), "</html>"));
}

/* Every string of a document becomes the hostile one; every one that is shown stays text. */
static void poison(cJSON *o, const char *evil)
{
        cJSON *child;

        if (cJSON_IsString(o))
                cJSON_SetValuestring(o, evil);
        cJSON_ArrayForEach(child, o) poison(child, evil);
}

static void test_hostile(void **state)
{
        static const char EVIL[] = "</p>'\"><img src=x onerror=alert(1)><!--";
        static const char EXTRA[] =
                "{\"canary\":{\"enabled\":true,\"ok\":false,\"ago_ms\":1,\"reason\":\"_____________"
                "___"
                "________________________\",\"message\":\"________________________________________"
                "\"},"
                "\"certificates\":[{\"service\":\"________________________________________\"}],"
                "\"failovers\":[{\"node\":\"________________________________________\",\"began\":"
                "\"________________________________________\",\"phases\":[{\"name\":"
                "\"________________________________________\",\"ms\":5}]}],\"rehearsal\":{\"ok\":"
                "false,\"findings\":[{\"check\":\"________________________________________\"}]}}";
        CLEANUP(buf_done) struct buf out = BUF(PAGE_CAP);
        char text[2048];

        (void)state;
        snprintf(text, sizeof text, MASTER, "fit", "up", "true", "up");
        cJSON *s = parse(text), *x = parse(EXTRA);
        poison(s, EVIL);
        poison(x, EVIL);
        render(s, x, &out);
        assert_null(strstr(buf_str(&out), "<img"));
        assert_null(strstr(buf_str(&out), "<!--"));
        assert_null(strstr(buf_str(&out), "</p>&#39;&quot;>"));
        assert_non_null(strstr(buf_str(&out), "&lt;img src=x onerror=alert(1)&gt;"));
        cJSON_Delete(s);
        cJSON_Delete(x);
}

/* Of another version, or broken: a page comes out, and it does not say that mail works. */
static void test_nonsense(void **state)
{
        static const char *const ROWS[] = {
                "{}",
                "[]",
                "7",
                "\"x\"",
                "{\"nodes\":{}}",
                "{\"nodes\":[]}",
                "{\"nodes\":[1,[],null,{\"name\":5,\"age_ms\":\"x\",\"holder\":1}]}",
                "{\"nodes\":[{\"holder\":true,\"age_ms\":1e300,\"state\":\"master\"}]}",
                "{\"role\":[],\"checks\":[{\"name\":null},5,[[]]],\"galera\":3,\"ip\":[]}",
                "{\"nodes\":[{},{},{},{},{},{},{},{},{},{},{},{}],\"lease\":[]}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf out = BUF(PAGE_CAP);
                cJSON *s = parse(ROWS[i]);
                render(s, s, &out);
                assert_null(strstr(buf_str(&out), "<h1>Mail works</h1>"));
                buf_reset(&out);
                cJSON *x = cJSON_CreateObject();
                static const char *const PARTS[] = { "canary", "certificates", "alerts",
                                                     "rehearsal", "failovers" };
                for (size_t k = 0; k < ARRAY_SIZE(PARTS); k++)
                        cJSON_AddItemToObject(x, PARTS[k], cJSON_Duplicate(s, true));
                render(NULL, x, &out);
                cJSON_Delete(x);
                cJSON_Delete(s);
        }
}

static void test_cap(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(1000);

        (void)state;
        assert_int_equal(page_render(&(struct snap){ .status = NULL }, &TIME, &out), -EFBIG);
}

/* ---- small things ---- */

static void test_span(void **state)
{
        static const struct {
                msec_t ms;
                const char *text;
        } ROWS[] = {
                { -5, "0 ms" },
                { 0, "0 ms" },
                { 999, "999 ms" },
                { 1000, "1.0 s" },
                { 9999, "9.9 s" },
                { 10000, "10 s" },
                { 119999, "119 s" },
                { 120000, "2 min" },
                { 7199999, "119 min" },
                { 7200000, "2 h" },
                { 172799999, "47 h" },
                { 172800000, "2 days" },
                { 8640000000, "100 days" },
        };
        char dst[32];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                assert_string_equal(page_span(ROWS[i].ms, dst, sizeof dst), ROWS[i].text);
}

/* The files it names are those that are there, and nothing in it wants more than the policy allows.
 */
static void test_policy(void **state)
{
        CLEANUP(buf_done) struct buf out = BUF(PAGE_CAP);
        char text[2048], want[128];

        (void)state;
        snprintf(text, sizeof text, MASTER, "fit", "up", "true", "down");
        cJSON *s = parse(text);
        render(s, NULL, &out);
        for (size_t i = 0; i < PAGE_FILES_; i++) {
                assert_true(PAGE_FILES[i].len > 1000);
                snprintf(want, sizeof want, "=\"%s?%s\"", PAGE_FILES[i].path, PAGE_FILES[i].mark);
                assert_int_equal(strlen(PAGE_FILES[i].mark), 8);
                assert_non_null(strstr(buf_str(&out), want));
        }
        assert_non_null(strstr(PAGE_FILES[PAGE_CSS].type, "text/css"));
        assert_non_null(strstr(PAGE_FILES[PAGE_JS].type, "text/javascript"));
        assert_null(strstr(buf_str(&out), " style="));
        assert_null(strstr(buf_str(&out), "<script>"));
        assert_null(strstr(buf_str(&out), " onclick="));
        cJSON_Delete(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {

                cmocka_unit_test(test_functions), cmocka_unit_test(test_parts),
                cmocka_unit_test(test_hostile),   cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_cap),       cmocka_unit_test(test_span),
                cmocka_unit_test(test_policy),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
