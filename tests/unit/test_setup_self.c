/* Which node a server is, by what it is called and what it has. */
#include "hamon/setup/self.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *NODE_WORDS[] = { "n1=10.0.0.1", "n2=10.0.0.2", "n3=fd00::3", "n10=10.0.0.10" };
static const struct strlist NODES = { NODE_WORDS, ARRAY_SIZE(NODE_WORDS) };

static const struct {
        const char *forced, *host, *address;
        int rank; /* -1: refused */
        const char *says;
} ROWS[] = {
        { "", "n1", "10.0.0.1", 0, "" },
        { "", "n1", "192.0.2.1", 0, "" }, /* by its name alone */
        { "", "n2.example.org", "192.0.2.1", 1, "" },
        { "", "mx", "10.0.0.2", 1, "" }, /* by its address alone */
        { "", "mx", "fd00::3", 2, "" },
        { "", "n10", "10.0.0.10", 3, "" }, /* n1 is no prefix of it */
        { "", "n1x", "192.0.2.1", -1, "\"n1x\" is none of the nodes (n1=10.0.0.1, n2=10.0.0.2" },
        { "", "n1", "10.0.0.2", -1, "called n1, but has the address of n2" },
        { "n2", "n1", "10.0.0.1", 1, "" }, /* a person knows better */
        { "n4", "n1", "10.0.0.1", -1, "--node \"n4\" is none of the nodes" },
        { "", "", "", -1, "is none of the nodes" },
};

static void matches(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                char address[64];
                char *own[] = { address };
                const struct strlist addresses = { own, 1 };
                CLEANUP(buf_done) struct buf errors = BUF(4096);
                struct self self = { .rank = 99 };
                str_copy(address, sizeof address, ROWS[i].address);
                int r = self_match(&NODES, ROWS[i].forced, ROWS[i].host, &addresses, &self,
                                   &errors);
                if ((r == 0) != (ROWS[i].rank >= 0) || (r == 0 && (int)self.rank != ROWS[i].rank))
                        fail_msg("%zu: %d, rank %zu: %s", i, r, self.rank, buf_str(&errors));
                assert_non_null(strstr(buf_str(&errors), ROWS[i].says));
                if (r == 0)
                        assert_int_equal(
                                strncmp(NODE_WORDS[self.rank], self.name, strlen(self.name)), 0);
        }
}

static void an_interface(void **state)
{
        char name[32] = "";

        (void)state;
        self_interface(name, sizeof name);
        assert_true(*name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(matches),
                cmocka_unit_test(an_interface),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
