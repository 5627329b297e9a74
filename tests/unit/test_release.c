/* release.c: three files of Mailcow, whatever is in them, and which database schema is newer. */
#include "harness.h"

#include "hamon/release.h"

static void words_of_php(void **unused)
{
        static const struct {
                const char *text, *want; /* NULL: none */
        } CASES[] = {
                { "<?php\n  $MAILCOW_GIT_VERSION=\"2026-08\";\n", "2026-08" },
                { "$MAILCOW_GIT_VERSION = '2026-08a'; $MAILCOW_GIT_VERSION = 'x';", "2026-08a" },
                { "$MAILCOW_GIT_VERSION_OLD=\"2020\";\n$MAILCOW_GIT_VERSION =\t\"2026\";", "2026" },
                { "if ($MAILCOW_GIT_VERSION == 1) echo $MAILCOW_GIT_VERSION;", NULL },
                { "$MAILCOW_GIT_VERSION=\"\";", NULL },
                { "$MAILCOW_GIT_VERSION=\"a b\";", NULL },
                { "$MAILCOW_GIT_VERSION=\"a=b\";", NULL },
                { "$MAILCOW_GIT_VERSION=\"cut off", NULL },
                { "$MAILCOW_GIT_VERSION=\"12345678901234567890123456789012\";", NULL },
                { "$MAILCOW_GIT_VERSION", NULL },
                { "", NULL },
        };
        char word[32];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                str_copy(word, sizeof word, "kept");
                bool r = release_php_word(CASES[i].text, "MAILCOW_GIT_VERSION", word, sizeof word);
                assert_int_equal(r, CASES[i].want != NULL);
                assert_string_equal(word, CASES[i].want ? CASES[i].want : "kept");
        }
}

static void images_of_compose(void **unused)
{
        char a[17], b[17];

        (void)unused;
        release_images("services:\n  a:\n    image: x/y:1\n  b:\n    image: z # old\n", a);
        release_images("  image:   z\n#image: w\n\timage: x/y:1   \r\n  my_image: 3\n", b);
        assert_string_equal(a, b);
        assert_int_equal(strlen(a), 16);
        release_images("image: x/y:2\nimage: z", b);
        assert_string_not_equal(a, b);
        release_images("services: {}\n", b);
        assert_string_equal(b, "");
}

static void which_schema_is_newer(void **unused)
{
        static const struct {
                const char *a, *b;
                bool newer;
        } CASES[] = {
                { "05082026_1130", "30062026_1500", true },
                { "30062026_1500", "05082026_1130", false },
                { "01012027_0000", "31122026_2359", true },
                { "05082026_1130", "05082026_1130", false },
                { "05082026_1131", "05082026_1130", true },
                { "", "05082026_1130", false },
                { "05082026_1130", "", false },
                { "32082026_1130", "05082020_1130", false },
                { "05132026_1130", "05082020_1130", false },
                { "2026-08-05", "05082020_1130", false },
                { "050820261_113", "05082020_1130", false },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
                assert_int_equal(release_schema_newer(CASES[i].a, CASES[i].b), CASES[i].newer);
}

static void a_directory(void **unused)
{
        struct release r, again;
        struct tmp tmp;

        (void)unused;
        assert_int_equal(tmp_make(&tmp), 0);
        memset(&r, 'x', sizeof r);
        release_read(tmp.path, &r);
        assert_string_equal(r.version, "");
        assert_string_equal(r.schema, "");
        assert_string_equal(r.images, "");

        assert_int_equal(make_parents(at(&tmp, "data/web/inc/x")), 0);
        put_file(at(&tmp, "data/web/inc/app_info.inc.php"),
                 "<?php\n$MAILCOW_GIT_VERSION=\"2026-08\";");
        put_file(at(&tmp, "data/web/inc/init_db.inc.php"),
                 "<?php\nfunction init_db_schema() {\n    $db_version = \"05082026_1130\";\n"
                 "    if ($v == $db_version) {}\n");
        put_file(at(&tmp, "docker-compose.yml"), "  image: a:1\n");
        release_read(tmp.path, &r);
        assert_string_equal(r.version, "2026-08");
        assert_string_equal(r.schema, "05082026_1130");
        assert_int_equal(strlen(r.images), 16);
        release_read(tmp.path, &again);
        assert_true(release_same(&r, &again));
        put_file(at(&tmp, "docker-compose.yml"), "  image: a:2\n");
        release_read(tmp.path, &again);
        assert_false(release_same(&r, &again));
        tmp_remove(&tmp);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_of_php),
                cmocka_unit_test(images_of_compose),
                cmocka_unit_test(which_schema_is_newer),
                cmocka_unit_test(a_directory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
