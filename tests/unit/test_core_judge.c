/* What each state of the world means, for a standby and for the master. */
#include "hamon/core/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_finding(const char *name, struct finding got, enum result result,
                           enum reason reason)
{
        if (got.result != result || got.reason != reason)
                fail_msg("%s: %d %s", name, got.result, reason_name(got.reason));
}

static void test_engine(void **unused)
{
        static const struct {
                enum engine_state s;
                enum result result;
                enum reason reason;
        } ROWS[] = {
                { ENGINE_UNKNOWN, RES_SKIP, REASON_STARTING },
                { ENGINE_OK, RES_PASS, REASON_OK },
                { ENGINE_REFUSED, RES_FAIL, REASON_DOCKER_REFUSED },
                { ENGINE_TIMEOUT, RES_FAIL, REASON_DOCKER_TIMEOUT },
                { ENGINE_ERROR, RES_FAIL, REASON_DOCKER_ERROR },
                { ENGINE_TOO_OLD, RES_FAIL, REASON_DOCKER_API },
        };

        (void)unused;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
                assert_finding("engine", judge_engine(ROWS[i].s), ROWS[i].result, ROWS[i].reason);
}

/* What a service must be that has to run, and what is enough for one that must only be ready. */
static const struct ctr_row {
        enum ctr_state state;
        enum ctr_health health;
        enum result running;
        enum reason running_why;
        enum result ready;
        enum reason ready_why;
} CTRS[] = {
        { CTR_MISSING, HEALTH_NONE, RES_FAIL, REASON_CONTAINER_MISSING, RES_FAIL,
          REASON_CONTAINER_MISSING },
        { CTR_CREATED, HEALTH_NONE, RES_FAIL, REASON_CONTAINER_CREATED, RES_PASS, REASON_OK },
        { CTR_RUNNING, HEALTH_NONE, RES_PASS, REASON_OK, RES_PASS, REASON_OK },
        { CTR_RUNNING, HEALTH_HEALTHY, RES_PASS, REASON_OK, RES_PASS, REASON_OK },
        { CTR_RUNNING, HEALTH_STARTING, RES_WAIT, REASON_CONTAINER_WAITING, RES_PASS, REASON_OK },
        { CTR_RUNNING, HEALTH_UNHEALTHY, RES_FAIL, REASON_CONTAINER_UNHEALTHY, RES_PASS,
          REASON_OK },
        { CTR_PAUSED, HEALTH_HEALTHY, RES_FAIL, REASON_CONTAINER_PAUSED, RES_PASS, REASON_OK },
        { CTR_RESTARTING, HEALTH_NONE, RES_FAIL, REASON_CONTAINER_RESTARTING, RES_PASS, REASON_OK },
        { CTR_REMOVING, HEALTH_NONE, RES_FAIL, REASON_CONTAINER_DEAD, RES_FAIL,
          REASON_CONTAINER_DEAD },
        { CTR_EXITED, HEALTH_UNHEALTHY, RES_FAIL, REASON_CONTAINER_EXITED, RES_PASS, REASON_OK },
        { CTR_DEAD, HEALTH_NONE, RES_FAIL, REASON_CONTAINER_DEAD, RES_FAIL, REASON_CONTAINER_DEAD },
};

static void test_container(void **unused)
{
        bool covered[CTR_STATE_COUNT_] = { false };

        (void)unused;
        for (size_t i = 0; i < sizeof CTRS / sizeof CTRS[0]; i++) {
                const struct ctr_row *r = &CTRS[i];
                struct container_facts f = { .state = r->state, .health = r->health };
                const char *name = CTR_STATES[r->state];
                covered[r->state] = true;
                assert_finding(name, judge_container(&f, SET_WARM, ROLE_STANDBY), r->running,
                               r->running_why);
                assert_finding(name, judge_container(&f, SET_WARM, ROLE_MASTER), r->running,
                               r->running_why);
                assert_finding(name, judge_container(&f, SET_ACTIVE, ROLE_MASTER), r->running,
                               r->running_why);
                assert_finding(name, judge_container(&f, SET_ACTIVE, ROLE_STANDBY), r->ready,
                               r->ready_why);
                assert_int_equal(judge_container(&f, SET_IGNORED, ROLE_MASTER).result, RES_SKIP);
        }
        for (int i = 0; i < CTR_STATE_COUNT_; i++)
                assert_true(covered[i]);
}

/* A healthy member; each row spoils it. */
#define MEMBER_IN(state)                                                                     \
        .reach = DB_OK, .wsrep_on = true, .primary = true, .ready = true, .connected = true, \
        .local_state = (state), .size = 3
#define MEMBER MEMBER_IN(WSREP_SYNCED)

static const struct galera_row {
        const char *name;
        struct galera_facts f;
        enum result result;
        enum reason reason;
} GALERAS[] = {
        { "healthy", { MEMBER }, RES_PASS, REASON_OK },
        { "not asked", { .reach = DB_UNKNOWN }, RES_SKIP, REASON_STARTING },
        { "refused", { .reach = DB_REFUSED }, RES_FAIL, REASON_GALERA_REFUSED },
        { "auth", { .reach = DB_AUTH }, RES_FAIL, REASON_GALERA_AUTH },
        { "timeout", { .reach = DB_TIMEOUT }, RES_FAIL, REASON_GALERA_TIMEOUT },
        { "error", { .reach = DB_ERROR }, RES_FAIL, REASON_GALERA_ERROR },
        { "no wsrep", { .reach = DB_OK }, RES_FAIL, REASON_GALERA_OFF },
        { "donor", { MEMBER_IN(WSREP_DONOR), .desync = true }, RES_PASS, REASON_GALERA_DONOR },
        { "shutting down",
          { .reach = DB_OK, .wsrep_on = true, .connected = true, .local_state = WSREP_SYNCED },
          RES_FAIL,
          REASON_GALERA_LEAVING },
        { "a donor shutting down",
          { .reach = DB_OK, .wsrep_on = true, .connected = true, .local_state = WSREP_DONOR },
          RES_FAIL,
          REASON_GALERA_LEAVING },
        { "quorum lost",
          { .reach = DB_OK, .wsrep_on = true, .connected = true, .evs_state = "GATHER" },
          RES_FAIL,
          REASON_GALERA_NON_PRIMARY },
        { "restarted, has just found the others",
          { .reach = DB_OK, .wsrep_on = true, .connected = true, .local_state = WSREP_JOINING },
          RES_FAIL,
          REASON_GALERA_NOT_SYNCED },
        { "shutting down, its last moment",
          { .reach = DB_OK, .wsrep_on = true, .connected = true },
          RES_FAIL,
          REASON_GALERA_LEAVING },
        { "shutting down, still connected to its group",
          { .reach = DB_OK,
            .wsrep_on = true,
            .connected = true,
            .local_state = WSREP_SYNCED,
            .evs_state = "OPERATIONAL" },
          RES_FAIL,
          REASON_GALERA_LEAVING },
        { "quorum lost by a donor",
          { .reach = DB_OK,
            .wsrep_on = true,
            .connected = true,
            .local_state = WSREP_DONOR,
            .evs_state = "OPERATIONAL" },
          RES_FAIL,
          REASON_GALERA_NON_PRIMARY },
        { "initialized", { MEMBER_IN(WSREP_INITIALIZED) }, RES_FAIL, REASON_GALERA_NOT_SYNCED },
        { "joining", { MEMBER_IN(WSREP_JOINING) }, RES_FAIL, REASON_GALERA_NOT_SYNCED },
        { "joined", { MEMBER_IN(WSREP_JOINED) }, RES_FAIL, REASON_GALERA_NOT_SYNCED },
        { "a state nobody knows", { MEMBER_IN(5) }, RES_FAIL, REASON_GALERA_NOT_SYNCED },
        { "rejecting", { MEMBER, .rejecting = true }, RES_FAIL, REASON_GALERA_REJECTING },
        { "read only", { MEMBER, .read_only = true }, RES_FAIL, REASON_GALERA_READ_ONLY },
        { "read-only donor",
          { MEMBER_IN(WSREP_DONOR), .read_only = true },
          RES_FAIL,
          REASON_GALERA_READ_ONLY },
};

static void test_galera(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < sizeof GALERAS / sizeof GALERAS[0]; i++)
                assert_finding(GALERAS[i].name, judge_galera(&GALERAS[i].f), GALERAS[i].result,
                               GALERAS[i].reason);
}

/* Several things at once: the cause is named, not the consequence. */
static void test_galera_order(void **unused)
{
        struct galera_facts f = { MEMBER };

        (void)unused;
        f.rejecting = f.read_only = true;
        assert_finding("rejecting", judge_galera(&f), RES_FAIL, REASON_GALERA_REJECTING);
        f.ready = false;
        assert_finding("not ready", judge_galera(&f), RES_FAIL, REASON_GALERA_NOT_READY);
        f.local_state = WSREP_INITIALIZED;
        assert_finding("not synced", judge_galera(&f), RES_FAIL, REASON_GALERA_NOT_SYNCED);
        f.primary = false;
        memcpy(f.evs_state, "GATHER", sizeof "GATHER");
        assert_finding("no quorum", judge_galera(&f), RES_FAIL, REASON_GALERA_NON_PRIMARY);
        f.connected = false;
        assert_finding("alone", judge_galera(&f), RES_FAIL, REASON_GALERA_DISCONNECTED);
        f.wsrep_on = false;
        assert_finding("no member", judge_galera(&f), RES_FAIL, REASON_GALERA_OFF);
}

static void test_names(void **unused)
{
        (void)unused;
        for (int i = 0; i < CTR_STATE_COUNT_; i++)
                assert_non_null(CTR_STATES[i]);
        for (int i = 0; i < HEALTH_COUNT_; i++)
                assert_non_null(CTR_HEALTHS[i]);
        for (int i = 0; i < SET_COUNT_; i++)
                assert_non_null(SETS[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_engine), cmocka_unit_test(test_container),
                cmocka_unit_test(test_galera), cmocka_unit_test(test_galera_order),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
