/* signup/request.c and tide.c: paths, client addresses, headers that cannot be split. */
#include "signup_fixture.h"

#include "signup/request.h"
#include "signup/tide.h"

static const char *params[16][2];

static const char *param(void *arg, const char *name)
{
        (void)arg;
        for (size_t i = 0; i < ARRAY_SIZE(params) && params[i][0]; i++)
                if (str_eq(params[i][0], name))
                        return params[i][1];
        return NULL;
}

static int fill(struct request *r, const char *method, const char *uri, const char *remote)
{
        static const struct strlist NONE;

        memset(params, 0, sizeof params);
        params[0][0] = "REQUEST_METHOD", params[0][1] = method;
        params[1][0] = uri ? "REQUEST_URI" : "none", params[1][1] = uri;
        params[2][0] = remote ? "REMOTE_ADDR" : "none", params[2][1] = remote;
        *r = (struct request){ .now = 1 };
        return request_fill(r, "/signup", &NONE, param, NULL);
}

static void test_paths(void **state)
{
        static const struct {
                const char *uri, *path;
        } CASES[] = {
                { "/signup/", "/" },
                { "/signup/?lang=de", "/" },
                { "/signup/s/x.1.css", "/s/x.1.css" },
                { "/signup", "" },
                { "/signupx/", "" },
                { "/other/", "" },
                { "/signup/%2e%2e/", "" },
                { "/signup/a b", "" },
                { "/signup/<x>", "" },
                { "", "" },
        };
        struct request r;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                assert_int_equal(fill(&r, "GET", CASES[i].uri, "192.0.2.1"), 0);
                assert_string_equal(r.path, CASES[i].path);
        }
        char longest[REQUEST_PATH + 100] = "/signup/";
        memset(longest + 8, 'a', sizeof longest - 9);
        assert_int_equal(fill(&r, "GET", longest, "192.0.2.1"), 0);
        assert_string_equal(r.path, "");
}

static void test_methods(void **state)
{
        struct request r;

        (void)state;
        assert_int_equal(fill(&r, "POST", "/signup/", "::1"), 0);
        assert_int_equal(r.method, METHOD_POST);
        assert_int_equal(fill(&r, "post", "/signup/", "::1"), 0);
        assert_int_equal(r.method, METHOD_OTHER);
        assert_int_equal(fill(&r, NULL, "/signup/", "::1"), 0);
        assert_int_equal(r.method, METHOD_OTHER);
        assert_int_equal(fill(&r, "GET", NULL, "::1"), -EINVAL);
        assert_int_equal(fill(&r, "GET", "/signup/", NULL), -EINVAL);
        assert_int_equal(fill(&r, "GET", "/signup/", "unix:"), -EINVAL);
        assert_string_equal(r.cookie, "");
}

static void test_headers(void **state)
{
        CLEANUP(reply_done) struct reply r = REPLY;
        CLEANUP(buf_done) struct buf head = BUF(16384);

        (void)state;
        assert_int_equal(reply_header(&r, "X-A", "b"), 0);
        assert_int_equal(reply_header(&r, "X-B", "c\r\nX-Evil: d"), -EINVAL);
        assert_int_equal(reply_header(&r, "X-C", "\xc3\xa9"), -EINVAL);
        r.status = 422;
        r.type = "text/html; charset=utf-8";
        buf_adds(&r.body, "12345");
        assert_int_equal(reply_head(&r, &head), 0);
        assert_non_null(strstr(buf_str(&head), "Status: 422 Unprocessable Content\r\n"));
        assert_non_null(strstr(buf_str(&head), "Content-Length: 5\r\n"));
        assert_non_null(strstr(buf_str(&head), "Cache-Control: no-store\r\n"));
        assert_non_null(strstr(buf_str(&head), "X-A: b\r\n"));
        assert_non_null(strstr(buf_str(&head), "default-src 'none'"));
        assert_null(strstr(buf_str(&head), "unsafe"));
        assert_null(strstr(buf_str(&head), "Evil"));
        assert_true(head.len < 4096); /* nginx's default buffer for a head */
        assert_string_equal(buf_str(&head) + head.len - 4, "\r\n\r\n");
}

static void test_tide(void **state)
{
        struct tide t = TIDE;

        (void)state;
        assert_int_equal(tide_count(&t, 1000), 1);
        assert_int_equal(tide_count(&t, 1000), 2);
        assert_int_equal(tide_count(&t, 31000), 3);
        assert_int_equal(tide_count(&t, 61000), 2);
        assert_int_equal(tide_count(&t, 200000), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_methods),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_tide),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
