/* Our double of the Hetzner API held against a client we did not write: Debian's hcloud. */
#include "tests/fake/fake_hetzner.h"

#define HCLOUD "/usr/bin/hcloud"

static struct fake_hetzner fake = { .control = -1 };

static int start_fake(void **unused)
{
        char endpoint[80];

        (void)unused;
        if (fake_hetzner_start(&fake) != 0)
                return -1;
        snprintf(endpoint, sizeof endpoint, "%s/v1", fake.url);
        setenv("HCLOUD_ENDPOINT", endpoint, 1);
        setenv("HCLOUD_TOKEN", "rw-token", 1);
        setenv("HOME", fake.dir.path, 1); /* nobody's own configuration */
        return 0;
}

static int stop_fake(void **unused)
{
        (void)unused;
        fake_hetzner_stop(&fake);
        return 0;
}

static void hcloud(void **unused)
{
        static const struct {
                const char *args[7];
                const char *says;       /* somewhere in its output */
                const char *ask, *then; /* and the double's state afterwards */
        } ROWS[] = {
                { { "server", "list" }, "n3", NULL, NULL },
                { { "server", "describe", "n2" }, "running", NULL, NULL },
                { { "volume", "list" }, "mail", NULL, NULL },
                { { "volume", "describe", "mail" }, "fsn1", NULL, NULL },
                { { "volume", "attach", "--server", "n2", "mail" },
                  "attached",
                  "get volume 7 server",
                  "42" },
                { { "volume", "describe", "mail" }, "n2", NULL, NULL },
                { { "volume", "detach", "mail" }, "detached", "get volume 7 server", "null" },
                { { "floating-ip", "assign", "9", "n1" }, "assigned", "get ip 9 server", "41" },
                { { "floating-ip", "list" }, "198.51.100.9", NULL, NULL },
                { { "floating-ip", "unassign", "9" }, "unassigned", "get ip 9 server", "null" },
                { { "server", "poweroff", "n3" }, "stopped", "get server 43 status", "\"off\"" },
        };
        static struct ran ran;

        (void)unused;
        if (access(HCLOUD, X_OK) != 0)
                skip(); /* make deps brings it */
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                const char *argv[10] = { HCLOUD };
                memcpy(argv + 1, ROWS[i].args, sizeof ROWS[i].args);
                run_as(&fake.dir, 0, &ran, argv);
                if (ran.code != 0 || !strstr(ran.out, ROWS[i].says))
                        fail_msg("row %zu: exit %d: %s%s", i, ran.code, ran.out, ran.err);
                if (ROWS[i].ask)
                        assert_string_equal(hetzner_say(&fake, "%s", ROWS[i].ask), ROWS[i].then);
        }

        setenv("HCLOUD_TOKEN", "ro-token", 1);
        RUN(&fake.dir, &ran, HCLOUD, "volume", "attach", "--server", "n2", "mail");
        assert_int_not_equal(ran.code, 0);
        assert_non_null(strstr(ran.err, "token_readonly"));
        assert_int_equal(hetzner_stat(&fake, "automount"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(hcloud) };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
