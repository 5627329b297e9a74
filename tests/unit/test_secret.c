/* secret.c: who may own and read a secret's file, and what of it counts. */
#include "harness.h"

#include "lib/secret.h"

static struct tmp tmp;

static int setup(void **state)
{
        (void)state;
        return tmp_make(&tmp);
}

static int teardown(void **state)
{
        (void)state;
        tmp_remove(&tmp);
        return 0;
}

static const struct secret_case {
        const char *content;
        unsigned mode;
        int result;
        const char *secret; /* or part of the error */
} CASES[] = {
        { "hunter2\n", 0600, 0, "hunter2" },
        { "hunter2", 0400, 0, "hunter2" },
        { "hunter2\r\n", 0600, 0, "hunter2" },
        { "hunter2\nsecond line\n", 0600, 0, "hunter2" },
        { " blanks count \n", 0600, 0, " blanks count " },
        { "p\xc3\xa4ss\"'\\\n", 0600, 0, "p\xc3\xa4ss\"'\\" },
        { "hunter2\n", 0640, -EPERM, "chmod 600" },
        { "hunter2\n", 0604, -EPERM, "chmod 600" },
        { "hunter2\n", 0610, -EPERM, "chmod 600" },
        { "", 0600, -EINVAL, "first line is empty" },
        { "\nhunter2\n", 0600, -EINVAL, "first line is empty" },
};

static void test_files(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                const struct secret_case *c = &CASES[i];
                CLEANUP(buf_done) struct buf error = BUF(1024);
                CLEANUP(secret_wipe) char *secret = NULL;

                unlink(at(&tmp, "s"));
                put_file(at(&tmp, "s"), "%s", c->content);
                assert_int_equal(chmod(at(&tmp, "s"), c->mode), 0);
                assert_int_equal(secret_read(at(&tmp, "s"), &secret, &error), c->result);
                if (c->result == 0) {
                        assert_string_equal(secret, c->secret);
                        assert_int_equal(error.len, 0);
                        continue;
                }
                assert_null(secret);
                assert_non_null(strstr(buf_str(&error), c->secret));
                assert_non_null(strstr(buf_str(&error), tmp.path)); /* which file */
                assert_null(strstr(buf_str(&error), "hunter2"));
        }
}

static void expect(const char *path, int result, const char *error_part)
{
        CLEANUP(buf_done) struct buf error = BUF(1024);
        CLEANUP(secret_wipe) char *secret = NULL;

        assert_int_equal(secret_read(path, &secret, &error), result);
        assert_null(secret);
        assert_non_null(strstr(buf_str(&error), error_part));
}

static void test_not_files(void **state)
{
        (void)state;
        expect("", 0, ""); /* no secret at all is fine */
        expect(at(&tmp, "none"), -ENOENT, "No such file");
        expect(tmp.path, -EINVAL, "not a regular file");
        expect("/dev/null", -EINVAL, "not a regular file");
        assert_int_equal(mkfifo(at(&tmp, "fifo"), 0600), 0);
        expect(at(&tmp, "fifo"), -EINVAL,
               "not a regular file"); /* and does not wait for a writer */
}

static void test_too_long(void **state)
{
        (void)state;
        put_file(at(&tmp, "long"), "%05000d\n", 7);
        assert_int_equal(chmod(at(&tmp, "long"), 0600), 0);
        expect(at(&tmp, "long"), -EFBIG, "longer than any password");
}

static void test_owner(void **state)
{
        (void)state;
        if (geteuid() != 0)
                skip();
        put_file(at(&tmp, "foreign"), "hunter2\n");
        assert_int_equal(chmod(at(&tmp, "foreign"), 0600), 0);
        assert_int_equal(chown(at(&tmp, "foreign"), 65534, 65534), 0);
        expect(at(&tmp, "foreign"), -EPERM, "somebody else");
}

static void test_wipe(void **state)
{
        char *none = NULL, *s = strdup("hunter2");

        (void)state;
        secret_wipe(&none);
        secret_wipe(&s);
        assert_null(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* While one is changed the file has two. */
static void test_two(void **state)
{
        static const struct {
                const char *content, *second;
        } ROWS[] = {
                { "hunter2\n", NULL },           { "hunter2", NULL },
                { "hunter2\n\n", NULL },         { "hunter2\nold", "old" },
                { "hunter2\r\nold\r\n", "old" }, { "hunter2\nold\nolder\n", "old" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                CLEANUP(buf_done) struct buf error = BUF(1024);
                CLEANUP(secret_wipe) char *first = NULL;
                CLEANUP(secret_wipe) char *second = NULL;

                unlink(at(&tmp, "s"));
                put_file(at(&tmp, "s"), "%s", ROWS[i].content);
                assert_int_equal(chmod(at(&tmp, "s"), 0600), 0);
                assert_int_equal(secret_read_two(at(&tmp, "s"), &first, &second, &error), 0);
                assert_string_equal(first, "hunter2");
                assert_true(str_eq(second, ROWS[i].second));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_files),    T(test_two),   T(test_not_files),
                T(test_too_long), T(test_owner), T(test_wipe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
