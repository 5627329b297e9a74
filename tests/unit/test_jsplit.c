/* The stream cutter: what is an object and what is not, however the stream is cut into pieces. */
#include "lib/jsplit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CAP = 64 };

struct seen {
        struct buf text; /* objects, each with a '|' behind it */
        unsigned n, stop_at;
        struct jsplit *gone; /* done inside the callback that stops */
};

static int on_object(void *arg, const char *object, size_t len)
{
        struct seen *s = arg;

        assert_int_equal(object[len], '\0');
        buf_add(&s->text, object, len);
        buf_adds(&s->text, "|");
        if (++s->n != s->stop_at)
                return 0;
        if (s->gone)
                jsplit_done(s->gone);
        return 42;
}

static const struct row {
        const char *stream;
        int result;
        bool at_rest;
        const char *objects;
} ROWS[] = {
        { "", 0, true, "" },
        { " \r\n\t", 0, true, "" },
        { "{}", 0, true, "{}|" },
        { "{}\n{\"a\":1}\n", 0, true, "{}|{\"a\":1}|" },
        { "{}{}", 0, true, "{}|{}|" },
        { " { } ", 0, true, "{ }|" },
        { "{\"a\":{\"b\":[{},[1]]}}", 0, true, "{\"a\":{\"b\":[{},[1]]}}|" },
        { "{\"}\":\"{[\"}", 0, true, "{\"}\":\"{[\"}|" },
        { "{\"\\\"}\":1}", 0, true, "{\"\\\"}\":1}|" },
        { "{\"\\\\\":\"\\\\\"}{}", 0, true, "{\"\\\\\":\"\\\\\"}|{}|" },
        { "{\"a\":\"\\u007d\\\"\"}", 0, true, "{\"a\":\"\\u007d\\\"\"}|" },
        { "{\"a\":\"J\xc3\xb6rg\"}", 0, true, "{\"a\":\"J\xc3\xb6rg\"}|" },
        { "[]", 0, true, "" },
        { " [ ] \n", 0, true, "" },
        { "[{}]", 0, true, "{}|" },
        { "[ {\"a\":[1]} ,\n{} ]\n", 0, true, "{\"a\":[1]}|{}|" },
        /* cut off */
        { "{", 0, false, "" },
        { "{\"a", 0, false, "" },
        { "{\"a\\", 0, false, "" },
        { "{}{", 0, false, "{}|" },
        { "[", 0, false, "" },
        { "[{}", 0, false, "{}|" },
        { "[{},", 0, false, "{}|" },
        /* no objects */
        { "x", -EBADMSG, false, "" },
        { "1", -EBADMSG, false, "" },
        { "null", -EBADMSG, false, "" },
        { "\"{}\"", -EBADMSG, false, "" },
        { "}", -EBADMSG, false, "" },
        { "]", -EBADMSG, false, "" },
        { "{} x", -EBADMSG, false, "{}|" },
        { "{},{}", -EBADMSG, false, "{}|" },
        { "{}[{}]", -EBADMSG, false, "{}|" },
        { "[1]", -EBADMSG, false, "" },
        { "[[{}]]", -EBADMSG, false, "" },
        { "[,{}]", -EBADMSG, false, "" },
        { "[{},]", -EBADMSG, false, "{}|" },
        { "[{},,{}]", -EBADMSG, false, "{}|" },
        { "[{}{}]", -EBADMSG, false, "{}|" },
        { "[{}]{}", -EBADMSG, false, "{}|" },
        { "[{}]]", -EBADMSG, false, "{}|" },
        { "[][]", -EBADMSG, false, "" },
        { "{\"a\":]", -EBADMSG, false, "" },
        { "HTTP/1.1 500", -EBADMSG, false, "" },
        /* too long: 64 bytes are the cap */
        { "{\"a\":\"67890123456789012345678901234567890123456789012345678901\"}", 0, true,
          "{\"a\":\"67890123456789012345678901234567890123456789012345678901\"}|" },
        { "{}{\"a\":\"678901234567890123456789012345678901234567890123456789012\"}", -EFBIG, false,
          "{}|" },
};

static void run(const struct row *row, size_t cap, size_t cut, size_t cut2)
{
        const size_t len = strlen(row->stream);
        const size_t bounds[] = { 0, cut, cut2, len };
        struct seen seen = { .text = BUF(4096) };
        struct jsplit j;
        int r = 0;

        jsplit_init(&j, cap);
        for (size_t i = 0; i + 1 < ARRAY_SIZE(bounds) && r == 0; i++)
                r = jsplit_feed(&j, row->stream + bounds[i], bounds[i + 1] - bounds[i], on_object,
                                &seen);
        if (r != row->result || jsplit_at_rest(&j) != row->at_rest ||
            strcmp(buf_str(&seen.text), row->objects) != 0)
                fail_msg("%s cut at %zu and %zu: result %d, at rest %d, objects %s", row->stream,
                         cut, cut2, r, jsplit_at_rest(&j), buf_str(&seen.text));
        if (r < 0) { /* an error is final, until a reset */
                assert_int_equal(jsplit_feed(&j, "{}", 2, on_object, &seen), -EBADMSG);
                buf_reset(&seen.text);
                jsplit_reset(&j);
                assert_true(jsplit_at_rest(&j));
                assert_int_equal(jsplit_feed(&j, "[{}]", 4, on_object, &seen), 0);
                assert_string_equal(buf_str(&seen.text), "{}|");
        }
        jsplit_done(&j);
        buf_done(&seen.text);
}

/* Cut at every pair of positions. */
static void test_rows(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                size_t len = strlen(ROWS[i].stream);
                for (size_t a = 0; a <= len; a++)
                        for (size_t b = a; b <= len; b++)
                                run(&ROWS[i], CAP, a, b);
        }
}

static void test_depth(void **state)
{
        char stream[300];
        const size_t deepest = JSPLIT_DEPTH;
        struct row row = { .stream = stream, .result = 0, .at_rest = true };

        (void)state;
        for (size_t depth = deepest; depth <= deepest + 1; depth++) {
                char objects[302];
                memset(stream, 0, sizeof stream);
                memset(stream, '[', depth);
                memset(stream + depth, ']', depth);
                stream[0] = '{';
                stream[2 * depth - 1] = '}';
                snprintf(objects, sizeof objects, "%s|", stream);
                row.objects = depth > deepest ? "" : objects;
                row.result = depth > deepest ? -EBADMSG : 0;
                row.at_rest = depth <= deepest;
                for (size_t cut = 0; cut <= 2 * depth; cut++)
                        run(&row, 1000, cut, 2 * depth);
        }
}

static void test_nul_byte(void **state)
{
        static const char STREAM[] = "{\"a\0\":1}\0";
        struct seen seen = { .text = BUF(100) };
        struct jsplit j;

        (void)state;
        jsplit_init(&j, CAP);
        assert_int_equal(jsplit_feed(&j, STREAM, 8, on_object, &seen), 0);
        assert_memory_equal(buf_str(&seen.text), STREAM, 8); /* byte by byte: the parser's matter */
        assert_int_equal(jsplit_feed(&j, STREAM + 8, 1, on_object, &seen), -EBADMSG);
        jsplit_done(&j);
        buf_done(&seen.text);
}

/* The callback's answer ends the piece; the splitter may even be gone by then. */
static void test_stop(void **state)
{
        struct seen seen = { .text = BUF(100), .stop_at = 2 };
        struct jsplit j;

        (void)state;
        jsplit_init(&j, CAP);
        assert_int_equal(jsplit_feed(&j, "{}{}{}", 6, on_object, &seen), 42);
        assert_int_equal(seen.n, 2);
        assert_int_equal(jsplit_feed(&j, "{\"a\":1}", 7, on_object, &seen), 0);
        assert_string_equal(buf_str(&seen.text), "{}|{}|{\"a\":1}|");

        seen.stop_at = 4;
        seen.gone = &j;
        assert_int_equal(jsplit_feed(&j, "{}{}", 4, on_object, &seen), 42);
        buf_done(&seen.text);
}

static int count(void *arg, const char *object, size_t len)
{
        size_t *total = arg;

        (void)object;
        *total += len;
        return 0;
}

static void place(char *dst, const char *s) /* without its NUL */
{
        while (*s)
                *dst++ = *s++;
}

/* A megabyte, once as one object of escapes (worst case for a scanner), once as a long list. */
static void test_big(void **state)
{
        enum { MEGABYTE = 1 << 20 };
        char *data = malloc(MEGABYTE);
        struct jsplit j;
        size_t total = 0;

        (void)state;
        assert_non_null(data);
        memset(data, '\\', MEGABYTE);
        place(data, "{\"a\":\"");
        place(data + MEGABYTE - 2, "\"}");
        jsplit_init(&j, MEGABYTE);
        assert_int_equal(jsplit_feed(&j, data, MEGABYTE, count, &total), 0);
        assert_int_equal(total, MEGABYTE);
        jsplit_reset(&j);

        for (size_t i = 0; i < MEGABYTE; i += 32)
                place(data + i, i ? ",{\"Id\":\"0123456789abcdef\",\"n\":1}"
                                  : "[{\"Id\":\"0123456789abcdef\",\"n\":1}");
        total = 0;
        for (size_t i = 0; i < MEGABYTE; i += 4096)
                assert_int_equal(jsplit_feed(&j, data + i, 4096, count, &total), 0);
        assert_int_equal(total, MEGABYTE / 32 * 31);
        assert_false(jsplit_at_rest(&j));
        jsplit_done(&j);
        free(data);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),     cmocka_unit_test(test_depth),
                cmocka_unit_test(test_nul_byte), cmocka_unit_test(test_stop),
                cmocka_unit_test(test_big),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
