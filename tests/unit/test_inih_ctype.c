/* The table that stands in for glibc's where inih is linked with musl, beside glibc's own. */
#include "harness.h"

#include "lib/inih_ctype.h"
#include <ctype.h>

static void test_every_character(void **state)
{
        const unsigned short *ours = *inih_ctype();

        (void)state;
        for (int c = -128; c <= 255; c++)
                if (ours[c] != ((*__ctype_b_loc())[c] & _ISspace))
                        fail_msg("character %d: glibc says %d, we say %d", c,
                                 (*__ctype_b_loc())[c] & _ISspace, ours[c]);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_character) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
