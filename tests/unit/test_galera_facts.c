/* Rows -> facts, error numbers -> reach, and the statement that asks. */
#include "hamon/galera_facts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct pair {
        const char *name, *value;
};

enum { MAX_PAIRS = 24 };

static const struct pair HEALTHY[MAX_PAIRS] = {
        { "WSREP_CLUSTER_STATUS", "Primary" },
        { "WSREP_READY", "ON" },
        { "WSREP_CONNECTED", "ON" },
        { "WSREP_LOCAL_STATE", "4" },
        { "WSREP_LOCAL_STATE_COMMENT", "Synced" },
        { "WSREP_CLUSTER_SIZE", "3" },
        { "WSREP_CLUSTER_CONF_ID", "17" },
        { "WSREP_CLUSTER_STATE_UUID", "9018a8e8-e63a-11f1-aad9-575b1d9e32cb" },
        { "WSREP_LAST_COMMITTED", "123456789012" },
        { "WSREP_LOCAL_RECV_QUEUE", "5" },
        { "WSREP_FLOW_CONTROL_PAUSED_NS", "18446744073709551615" },
        { "WSREP_LOCAL_CERT_FAILURES", "7" },
        { "WSREP_LOCAL_BF_ABORTS", "8" },
        { "WSREP_DESYNC_COUNT", "2" },
        { "WSREP_EVS_STATE", "OPERATIONAL" },
        { "WSREP_EVS_DELAYED", "" },
        { "wsrep_on", "1" },
        { "wsrep_provider", "/usr/lib/galera/libgalera_smm.so" },
        { "wsrep_reject_queries", "NONE" },
        { "wsrep_desync", "0" },
        { "read_only", "0" },
};

/* The healthy rows, with one name given another value (or a row of its own). */
static struct galera_facts facts_with(const char *name, const char *value)
{
        struct galera_rows r;
        struct galera_facts f = { .reach = DB_UNKNOWN };

        galera_facts_begin(&r);
        for (size_t i = 0; i < MAX_PAIRS && HEALTHY[i].name; i++)
                if (!str_eq(HEALTHY[i].name, name))
                        galera_facts_row(&r, HEALTHY[i].name, HEALTHY[i].value);
        galera_facts_row(&r, name, value);
        assert_int_equal(galera_facts_end(&r, &f), 0);
        assert_int_equal(f.reach, DB_OK);
        return f;
}

static void test_healthy(void **unused)
{
        struct galera_facts f = facts_with("SOMETHING_ELSE", "1");

        (void)unused;
        assert_true(f.wsrep_on && f.primary && f.ready && f.connected);
        assert_false(f.rejecting || f.read_only || f.desync);
        assert_int_equal(f.local_state, WSREP_SYNCED);
        assert_int_equal(f.size, 3);
        assert_int_equal(f.conf_id, 17);
        assert_int_equal(f.last_committed, 123456789012);
        assert_int_equal(f.recv_queue, 5);
        assert_true(f.flow_control_ns == UINT64_MAX);
        assert_int_equal(f.cert_failures, 7);
        assert_int_equal(f.bf_aborts, 8);
        assert_int_equal(f.desync_count, 2);
        assert_string_equal(f.cluster_status, "Primary");
        assert_string_equal(f.state_comment, "Synced");
        assert_string_equal(f.cluster_uuid, "9018a8e8-e63a-11f1-aad9-575b1d9e32cb");
        assert_string_equal(f.evs_state, "OPERATIONAL");
        assert_string_equal(f.evs_delayed, "");
        assert_int_equal(f.error, 0);
        assert_string_equal(f.text, "");
}

#define FLAG(m) offsetof(struct galera_facts, m)

static void test_flags(void **unused)
{
        static const struct {
                const char *name, *value;
                size_t flag;
                bool want;
        } ROWS[] = {
                { "WSREP_CLUSTER_STATUS", "non-Primary", FLAG(primary), false },
                { "WSREP_CLUSTER_STATUS", "Disconnected", FLAG(primary), false },
                { "WSREP_CLUSTER_STATUS", "primary", FLAG(primary), true },
                { "WSREP_CLUSTER_STATUS", "", FLAG(primary), false },
                { "WSREP_CLUSTER_STATUS", NULL, FLAG(primary), false },
                { "WSREP_READY", "OFF", FLAG(ready), false },
                { "wsrep_ready", "on", FLAG(ready), true },
                { "WSREP_CONNECTED", "OFF", FLAG(connected), false },
                { "wsrep_on", "ON", FLAG(wsrep_on), true },
                { "wsrep_on", "0", FLAG(wsrep_on), false },
                { "wsrep_on", "OFF", FLAG(wsrep_on), false },
                { "wsrep_provider", "none", FLAG(wsrep_on), false },
                { "wsrep_provider", "", FLAG(wsrep_on), false },
                { "wsrep_provider", NULL, FLAG(wsrep_on), false },
                { "wsrep_reject_queries", "ALL", FLAG(rejecting), true },
                { "wsrep_reject_queries", "ALL_KILL", FLAG(rejecting), true },
                { "wsrep_desync", "1", FLAG(desync), true },
                { "wsrep_desync", "ON", FLAG(desync), true },
                { "read_only", "1", FLAG(read_only), true },
                { "read_only", "ON", FLAG(read_only), true },
                { "read_only", "NO_LOCK_NO_ADMIN", FLAG(read_only), true },
                { "read_only", "OFF", FLAG(read_only), false },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct galera_facts f = facts_with(ROWS[i].name, ROWS[i].value);
                bool got = *(bool *)((char *)&f + ROWS[i].flag);
                if (got != ROWS[i].want)
                        fail_msg("%s = %s", ROWS[i].name, ROWS[i].value ? ROWS[i].value : "NULL");
        }
}

/* Nothing is taken for granted: a row that is missing is bad news. */
static void test_missing_rows(void **unused)
{
        struct galera_rows r;
        struct galera_facts f = { .reach = DB_UNKNOWN };

        (void)unused;
        galera_facts_begin(&r);
        galera_facts_row(&r, NULL, NULL);
        galera_facts_row(&r, "Uptime", "5");
        assert_int_equal(galera_facts_end(&r, &f), -EBADMSG);
        assert_int_equal(f.reach, DB_UNKNOWN);

        galera_facts_row(&r, "read_only", "0");
        assert_int_equal(galera_facts_end(&r, &f), 0);
        assert_int_equal(f.reach, DB_OK);
        assert_false(f.wsrep_on || f.primary || f.ready || f.connected);
        assert_int_equal(f.local_state, WSREP_INITIALIZED);
        assert_int_equal(f.conf_id, -1);
        assert_int_equal(f.last_committed, -1);
}

static void test_numbers(void **unused)
{
        static const struct {
                const char *value;
                int64_t conf_id;
                unsigned size;
                uint64_t queue;
        } ROWS[] = {
                { "0", 0, 0, 0 },
                { "18446744073709551615", -1, 0, UINT64_MAX }, /* Galera's -1 */
                { "9223372036854775807", INT64_MAX, 0, INT64_MAX },
                { "18446744073709551616", -1, 0, 0 },
                { "4294967295", 4294967295, 4294967295U, 4294967295 },
                { "-1", -1, 0, 0 },
                { "", -1, 0, 0 },
                { "1.5", -1, 0, 0 },
                { " 1", -1, 0, 0 },
                { "0x10", -1, 0, 0 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct galera_facts c = facts_with("WSREP_CLUSTER_CONF_ID", ROWS[i].value);
                struct galera_facts s = facts_with("WSREP_CLUSTER_SIZE", ROWS[i].value);
                struct galera_facts q = facts_with("WSREP_LOCAL_RECV_QUEUE", ROWS[i].value);
                if (c.conf_id != ROWS[i].conf_id || s.size != ROWS[i].size ||
                    q.recv_queue != ROWS[i].queue)
                        fail_msg("'%s'", ROWS[i].value);
        }
}

static void test_texts(void **unused)
{
        char value[400];
        struct galera_facts f;

        (void)unused;
        memset(value, 'x', sizeof value - 1);
        value[sizeof value - 1] = '\0';
        f = facts_with("WSREP_EVS_DELAYED", value);
        assert_int_equal(strlen(f.evs_delayed), sizeof f.evs_delayed - 1);
        assert_true(f.primary); /* the neighbours are untouched */
        f = facts_with("WSREP_LOCAL_STATE_COMMENT", "a\nb\x1b[0m\xc3\xa9\x7f~ \"");
        assert_string_equal(f.state_comment, "a?b?[0m???~ \"");

        galera_facts_error(DB_AUTH, 1045, value, &f);
        assert_int_equal(f.reach, DB_AUTH);
        assert_int_equal(f.error, 1045);
        assert_int_equal(strlen(f.text), sizeof f.text - 1);
        assert_int_equal(f.conf_id, -1);
        assert_false(f.primary);
}

static void test_reach(void **unused)
{
        static const struct {
                unsigned error;
                enum db_reach want;
        } ROWS[] = {
                { 2002, DB_REFUSED }, { 2003, DB_REFUSED }, { 1044, DB_AUTH },  { 1045, DB_AUTH },
                { 1130, DB_AUTH },    { 1698, DB_AUTH },    { 2059, DB_AUTH },  { 5010, DB_AUTH },
                { 1040, DB_ERROR },   { 1047, DB_ERROR },   { 1053, DB_ERROR }, { 1129, DB_ERROR },
                { 2006, DB_ERROR },   { 2012, DB_ERROR },   { 2013, DB_ERROR }, { 0, DB_ERROR },
                { 99999, DB_ERROR },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
                if (galera_reach(ROWS[i].error) != ROWS[i].want)
                        fail_msg("error %u", ROWS[i].error);
}

/* Each name of the healthy answer is asked for, once. */
static void test_query(void **unused)
{
        struct buf b = BUF(4096);

        (void)unused;
        assert_int_equal(galera_facts_query(&b), 0);
        for (size_t i = 0; i < MAX_PAIRS && HEALTHY[i].name; i++) {
                char quoted[64];
                snprintf(quoted, sizeof quoted, "'%s'", HEALTHY[i].name);
                const char *at = strstr(buf_str(&b), quoted);
                if (!at || strstr(at + 1, quoted))
                        fail_msg("%s in: %s", quoted, buf_str(&b));
        }
        buf_done(&b);

        struct buf small = BUF(100);
        assert_int_equal(galera_facts_query(&small), -EFBIG);
        buf_done(&small);
}

/* ---- members ---- */

static void test_members(void **unused)
{
        static const struct {
                const char *members;
                unsigned size;
                const char *address;
                enum galera_member want;
        } CASES[] = {
                { "10.0.0.1:3306,10.0.0.2:3306", 2, "10.0.0.2", MEMBER_IN },
                { "10.0.0.1:3306,10.0.0.2:3306", 2, "10.0.0.3", MEMBER_OUT },
                { "10.0.0.11:3306,10.0.0.2:3306", 2, "10.0.0.1", MEMBER_OUT },
                { "110.0.0.1:3306", 1, "10.0.0.1", MEMBER_OUT },
                { "10.0.0.1", 1, "10.0.0.1", MEMBER_IN },
                { "10.0.0.1:3306,AUTO", 2, "10.0.0.1", MEMBER_IN },
                { "10.0.0.1:3306,AUTO", 2, "10.0.0.2", MEMBER_UNKNOWN },
                { "AUTO", 1, "10.0.0.2", MEMBER_UNKNOWN },
                { "10.0.0.1:3306,", 2, "10.0.0.2", MEMBER_UNKNOWN },
                { "10.0.0.1:3306,,10.0.0.3:3306", 3, "10.0.0.2", MEMBER_UNKNOWN },
                { "db1:3306,10.0.0.3:3306", 2, "10.0.0.2", MEMBER_UNKNOWN },
                { "10.0.0.1:3306", 2, "10.0.0.2", MEMBER_UNKNOWN }, /* somebody is not listed */
                { "", 1, "10.0.0.2", MEMBER_UNKNOWN },
                { "[fd00::1]:3306,[fd00::2]:3306", 2, "fd00::2", MEMBER_IN },
                { "[fd00::1]:3306,[fd00::22]:3306", 2, "fd00::2", MEMBER_OUT },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                struct galera_facts f = { .reach = DB_OK, .primary = true };
                f.size = CASES[i].size;
                str_copy(f.members, sizeof f.members, CASES[i].members);
                enum galera_member is = galera_member(&f, CASES[i].address);
                if (is != CASES[i].want)
                        fail_msg("%s in %s: %d", CASES[i].address, CASES[i].members, (int)is);
                f.primary = false;
                assert_int_equal(galera_member(&f, CASES[i].address), MEMBER_UNKNOWN);
                f.primary = true;
                f.reach = DB_TIMEOUT;
                assert_int_equal(galera_member(&f, CASES[i].address), MEMBER_UNKNOWN);
        }

        struct galera_facts cut = { .reach = DB_OK, .primary = true };
        while (strlen(cut.members) < sizeof cut.members - 1) {
                size_t len = strlen(cut.members);
                snprintf(cut.members + len, sizeof cut.members - len, "%s10.0.0.1:3306",
                         len ? "," : "");
                cut.size++;
        }
        assert_int_equal(galera_member(&cut, "10.0.0.2"), MEMBER_UNKNOWN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_healthy),      cmocka_unit_test(test_flags),
                cmocka_unit_test(test_missing_rows), cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_texts),        cmocka_unit_test(test_reach),
                cmocka_unit_test(test_query),        cmocka_unit_test(test_members),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
