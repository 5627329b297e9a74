/* What keepalived's lines say, and of whom. */
#include "hamon/keepalived.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_parse(void **unused)
{
        static const struct {
                const char *line;
                int r;
                enum vrrp_state s;
        } ROWS[] = {
                { "INSTANCE \"MAIL\" MASTER 100", 0, VRRP_MASTER },
                { "INSTANCE \"MAIL\" BACKUP 50", 0, VRRP_BACKUP },
                { "INSTANCE \"MAIL\" FAULT 100", 0, VRRP_FAULT },
                { "INSTANCE \"MAIL\" STOP 40", 0, VRRP_STOP },
                { "INSTANCE \"MAIL\" DELETED 40", 0, VRRP_STOP },
                { "INSTANCE \"my mail\" MASTER 100", 0, VRRP_MASTER },
                { "INSTANCE \"MASTER\" BACKUP 100", 0, VRRP_BACKUP },
                { "GROUP \"G1\" MASTER 0", 0, VRRP_MASTER },
                { "INSTANCE MAIL MASTER 100", 0, VRRP_MASTER },
                { "INSTANCE my mail FAULT 100", 0, VRRP_FAULT },
                { "INSTANCE MAIL MASTER", 0, VRRP_MASTER },
                { "MASTER", 0, VRRP_MASTER },
                { "MASTER 100", 0, VRRP_MASTER },
                { "backup", 0, VRRP_BACKUP },
                { "Fault", 0, VRRP_FAULT },
                { "instance mail stop 1", 0, VRRP_STOP },
                { "  INSTANCE\t\"MAIL\"  MASTER 100 \r", 0, VRRP_MASTER },
                { "INSTANCE \"MAIL\" MASTER_RX_LOWER_PRI 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"MAIL\" MASTER_PRIORITY 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"MAIL\" BACKUP_PRIORITY 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"MAIL\" {UNKNOWN} 100", -EINVAL, VRRP_UNKNOWN },
                { "UNKNOWN", -EINVAL, VRRP_UNKNOWN },
                { "", -EINVAL, VRRP_UNKNOWN },
                { " \t ", -EINVAL, VRRP_UNKNOWN },
                { "100", -EINVAL, VRRP_UNKNOWN },
                { "100 MASTER 100 100", -EINVAL, VRRP_UNKNOWN },
                { "MASTER -100", -EINVAL, VRRP_UNKNOWN },
                { "MASTERS", -EINVAL, VRRP_UNKNOWN },
                { "MASTE", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE MASTER", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"MASTER 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"MAIL MASTER 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCE \"\" MASTER 100", -EINVAL, VRRP_UNKNOWN },
                { "INSTANCES \"MAIL\" MASTER 100", -EINVAL, VRRP_UNKNOWN },
                { "VS [192.0.2.1]:tcp:25 UP", -EINVAL, VRRP_UNKNOWN },
                { "please become MASTER", -EINVAL, VRRP_UNKNOWN },
                { "MASTER BACKUP", -EINVAL, VRRP_UNKNOWN },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                enum vrrp_state s = VRRP_UNKNOWN;
                int r = keepalived_parse(ROWS[i].line, &s);
                if (r != ROWS[i].r || s != ROWS[i].s)
                        fail_msg("'%s': %d %s", ROWS[i].line, r, VRRP_STATES[s]);
        }
}

static void test_state_names(void **unused)
{
        (void)unused;
        for (unsigned s = 0; s < VRRP_COUNT_; s++)
                assert_non_null(VRRP_STATES[s]);
}

static void test_concerns(void **unused)
{
        static const struct {
                const char *line, *instance;
                bool want;
        } ROWS[] = {
                { "INSTANCE \"MAIL\" MASTER 100", "MAIL", true },
                { "INSTANCE \"MAIL\" MASTER 100", "", true },
                { "INSTANCE \"WEB\" MASTER 100", "MAIL", false },
                { "INSTANCE \"WEB\" MASTER 100", "", true },
                { "INSTANCE \"MAIL\" MASTER 100", "MAI", false },
                { "INSTANCE \"MAIL\" MASTER 100", "MAIL2", false },
                { "INSTANCE \"MAIL\" MASTER 100", "mail",
                  false }, /* keepalived's names are exact */
                { "INSTANCE \"my mail\" MASTER 100", "my mail", true },
                { "instance MAIL master", "MAIL", true },
                { "INSTANCE my mail FAULT 100", "my mail", true },
                { " INSTANCE\t\"MAIL\"  MASTER 100 \r", "MAIL", true },
                { "MASTER", "MAIL",
                  true }, /* hamon notify MASTER, from a script of that instance */
                { "MASTER 100", "MAIL", true },
                { "GROUP \"MAIL\" MASTER 0", "MAIL", false },
                { "GROUP \"MAIL\" MASTER 0", "", true },
                { "INSTANCE MASTER", "MAIL", false },
                { "INSTANCES \"MAIL\" MASTER 1", "MAIL", false },
                { "INSTANCE \"\" MASTER 1", "MAIL", false },
                { "INSTANCE \" MASTER 1", "MAIL", false },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (keepalived_concerns(ROWS[i].line, ROWS[i].instance) != ROWS[i].want)
                        fail_msg("'%s' for '%s'", ROWS[i].line, ROWS[i].instance);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_state_names),
                cmocka_unit_test(test_concerns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
