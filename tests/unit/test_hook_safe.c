/* Which files may be run as root: hamon/hook_safe.c, and that hook_start() asks it. */
#include "tests/unit/hook_fixture.h"

#include "hamon/hook_safe.h"

static const char *const NO_ENV[] = { NULL };

static int setup(void **state)
{
        hook_setup(state);
        mkdir(at(&tmp, "dir"), 0755);
        put_file(at(&tmp, "dir/script"), "#!/bin/sh\nexit 0\n");
        chmod(at(&tmp, "dir/script"), 0755);
        return 0;
}

static void assert_refused(int r, const char *path, const char *why)
{
        buf_reset(&sentence);
        int have = hook_safe(path, &sentence);
        if (have != r || !strstr(buf_str(&sentence), why))
                fail_msg("%s: %d, not %d: %s", path, have, r, buf_str(&sentence));
        assert_int_equal(start_path(path, NO_ENV, 1000), r);
        assert_false(hook_busy(hook));
}

static void assert_fine(const char *path)
{
        buf_reset(&sentence);
        if (hook_safe(path, &sentence) != 0)
                fail_msg("%s", buf_str(&sentence));
}

static void test_modes(void **unused)
{
        (void)unused;
        const char *script = at(&tmp, "dir/script"), *dir = at(&tmp, "dir");
        assert_fine(script); /* below a sticky /tmp */

        chmod(script, 0757);
        assert_refused(-EPERM, script, "dir/script: others can write it; chmod go-w it");
        chmod(script, 0644);
        assert_refused(-EACCES, script, "chmod +x");
        chmod(script, 0755);
        chmod(dir, 0757);
        assert_refused(-EPERM, script, "dir: others can write it");
        chmod(dir, 01777); /* as /tmp: nobody else can take it away */
        assert_fine(script);
        chmod(dir, 0755);
        assert_refused(-EINVAL, dir, "no regular file");
        assert_refused(-EINVAL, "dir/script", "no absolute path");
        assert_refused(-ENOENT, at(&tmp, "dir/none"), "No such file");
        assert_refused(-ENOENT, at(&tmp, "none/script"), "No such file");
}

static void test_owners(void **unused)
{
        (void)unused;
        if (geteuid() != 0)
                skip();
        const char *script = at(&tmp, "dir/script"), *dir = at(&tmp, "dir");
        assert_int_equal(chown(script, 65534, 0), 0);
        assert_refused(-EPERM, script, "belongs to somebody else; chown root it");
        assert_int_equal(chown(script, 0, 65534), 0);
        chmod(script, 0755);
        assert_fine(script);
        chmod(script, 0775);
        assert_refused(-EPERM, script, "others can write it");
        assert_int_equal(chown(script, 0, 0), 0);
        chmod(script, 0775); /* root's own group */
        assert_fine(script);
        assert_int_equal(chown(dir, 65534, 0), 0);
        assert_refused(-EPERM, script, "belongs to somebody else");
}

/* Both where a link lies and where it leads must be safe. */
static void test_links(void **unused)
{
        (void)unused;
        mkdir(at(&tmp, "open"), 0777);
        chmod(at(&tmp, "open"), 0777);
        put_file(at(&tmp, "open/script"), "#!/bin/sh\nexit 0\n");
        chmod(at(&tmp, "open/script"), 0755);
        assert_int_equal(symlink(at(&tmp, "dir/script"), at(&tmp, "good")), 0);
        assert_int_equal(symlink(at(&tmp, "open/script"), at(&tmp, "bad")), 0);
        assert_int_equal(symlink(at(&tmp, "dir/script"), at(&tmp, "open/link")), 0);
        assert_fine(at(&tmp, "good"));
        assert_refused(-EPERM, at(&tmp, "bad"), "open: others can write it");
        assert_refused(-EPERM, at(&tmp, "open/link"), "open: others can write it");
}

static void test_directory(void **unused)
{
        struct hook_run run = { .id = 1,
                                .name = "test",
                                .path = at(&tmp, "dir/script"),
                                .also = at(&tmp, "more"),
                                .env = NO_ENV,
                                .deadline = PATIENCE_MS };

        (void)unused;
        assert_int_equal(hook_start(hook, &run, &sentence), 0); /* none there */
        await_result();
        mkdir(run.also, 0755);
        put_file(at(&tmp, "more/a"), "#!/bin/sh\n");
        chmod(at(&tmp, "more/a"), 0755);
        assert_int_equal(hook_start(hook, &run, &sentence), 0);
        await_result();
        chmod(at(&tmp, "more/a"), 0777);
        assert_int_equal(hook_start(hook, &run, &sentence), -EPERM);
        assert_non_null(strstr(buf_str(&sentence), "more/a: others can write it"));
        chmod(at(&tmp, "more/a"), 0755);
        chmod(run.also, 0777);
        assert_int_equal(hook_start(hook, &run, &sentence), -EPERM);
        assert_false(hook_busy(hook));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, hook_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_modes),
                TEST(test_owners),
                TEST(test_links),
                TEST(test_directory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
