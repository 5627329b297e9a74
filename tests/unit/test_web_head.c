/* The head of a request: what is understood, and what is refused with which status. */
#include "hamon/web/head.h"

#include "harness.h"

enum { LONG = 70 };

struct row {
        const char *text;
        int want; /* 0 or the status */
        bool get, headers_only;
        const char *path, *proof;
};

#define H "Host: x\r\n"

static const struct row ROWS[] = {
        { "GET / HTTP/1.1\r\n" H "\r\n", 0, true, false, "/", NULL },
        { "\r\n\r\nGET /health HTTP/1.1\n" H "\n", 0, true, false, "/health", NULL },
        { "HEAD /a?b=c HTTP/1.0\r\n\r\n", 0, false, true, "/a", NULL },
        { "GET /a#b HTTP/1.0\r\n\r\n", 0, true, false, "/a", NULL },
        { "GET http://h:1/m?x HTTP/1.1\r\n" H "\r\n", 0, true, false, "/m", NULL },
        { "GET http://h HTTP/1.1\r\n" H "\r\n", 0, true, false, "/", NULL },
        { "GET / HTTP/1.1\r\n" H "AUTHORIZATION: \t Bearer x \r\n\r\n", 0, true, false, "/",
          "Bearer x" },
        { "GET / HTTP/1.1\r\n" H "A:\r\nauthorization:\r\n\r\n", 0, true, false, "/", "" },
        { "BREW * HTTP/1.1\r\n" H "\r\n", 0, false, false, NULL, NULL },
        { "get / HTTP/1.1\r\n" H "\r\n", 0, false, false, "/", NULL },
        /* refused */
        { "GET / HTTP/1.1\r\n\r\n", 400, false, false, NULL, NULL },          /* no Host */
        { "GET / HTTP/1.1\r\n" H H "\r\n", 400, false, false, NULL, NULL },   /* two */
        { "GET / HTTP/2.0\r\n" H "\r\n", 505, false, false, NULL, NULL },     /* not ours */
        { "GET / HTTP/1.11\r\n" H "\r\n", 505, false, false, NULL, NULL },    /* nor this */
        { "GET /\r\n\r\n", 400, false, false, NULL, NULL },                   /* HTTP/0.9 */
        { "GET  / HTTP/1.1\r\n" H "\r\n", 400, false, false, NULL, NULL },    /* two blanks */
        { "GET x HTTP/1.1\r\n" H "\r\n", 400, false, false, NULL, NULL },     /* no path */
        { "G(T / HTTP/1.1\r\n" H "\r\n", 400, false, false, NULL, NULL },     /* no token */
        { " / HTTP/1.1\r\n" H "\r\n", 400, false, false, NULL, NULL },        /* no method */
        { "GET / HTTP/1.0\r\nA\r\n\r\n", 400, false, false, NULL, NULL },     /* no colon */
        { "GET / HTTP/1.0\r\nA : b\r\n\r\n", 400, false, false, NULL, NULL }, /* a blank */
        { "GET / HTTP/1.0\r\nA: b\r\n c: d\r\n\r\n", 400, false, false, NULL, NULL }, /* folded */
        { "GET / HTTP/1.0\r\n: b\r\n\r\n", 400, false, false, NULL, NULL },           /* no name */
        { "GET / HTTP/1.0\r\nA: \x01\r\n\r\n", 400, false, false, NULL, NULL },       /* control */
        { "GET / HTTP/1.0\r\nA: b\rc\r\n\r\n", 400, false, false, NULL, NULL },       /* lone CR */
        { "GET / HTTP/1.0\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400, false, false, NULL,
          NULL },
        { "\r\n\r\n", 400, false, false, NULL, NULL },
};

static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const struct row *w = &ROWS[i];
                CLEANUP(freep) char *text = strdup(w->text);
                struct head h = { .path = NULL };
                int r = head_parse(text, strlen(w->text), &h);
                if (r != w->want)
                        fail_msg("row %zu: %d instead of %d: %s", i, r, w->want, w->text);
                if (r != 0)
                        continue;
                assert_int_equal(h.get, w->get);
                assert_int_equal(h.headers_only, w->headers_only);
                assert_true(str_eq(h.proof, w->proof));
                if (w->path)
                        assert_string_equal(h.path, w->path);
        }
}

/* However it is cut into pieces, it ends at the same byte. */
static void test_end(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                size_t len = strlen(ROWS[i].text);
                if (strcmp(ROWS[i].text, "\r\n\r\n") == 0)
                        continue; /* no more than empty lines before a request */
                assert_int_equal(head_end(ROWS[i].text, len), len);
                for (size_t n = 0; n < len; n++)
                        assert_int_equal(head_end(ROWS[i].text, n), 0);
        }
        assert_int_equal(head_end("GET / HTTP/1.0\n\nrest\n\n", 22), 16);
}

static void test_many_lines(void **state)
{
        CLEANUP(buf_done) struct buf b = BUF(HEAD_MAX);
        struct head h;

        (void)state;
        buf_adds(&b, "GET / HTTP/1.0\r\n");
        for (int i = 0; i < LONG; i++)
                buf_adds(&b, "a: b\r\n");
        buf_adds(&b, "\r\n");
        assert_int_equal(head_parse(b.data, b.len, &h), 431);
}

static void test_nul(void **state)
{
        char text[] = "GET / HTTP/1.0\r\nA: b\0c\r\n\r\n";
        struct head h;

        (void)state;
        assert_int_equal(head_parse(text, sizeof text - 1, &h), 400);
        assert_int_equal(head_parse(text, 0, &h), 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_end),
                                            cmocka_unit_test(test_many_lines),
                                            cmocka_unit_test(test_nul) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
