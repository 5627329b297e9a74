/* What the page says of who leads and how the others are, one case a row; and that an old answer
 * says nothing. */
#include "hamon/web/page_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000, STALE = 5000, NODES = 3 };

struct said { /* by one of n1, n2, n3 */
        const char *state, *verdict, *reason;
};

#define FIT_STANDBY                    \
        {                              \
                "standby", "fit", "ok" \
        }
#define SILENT                         \
        {                              \
                "", "unknown", "stale" \
        }

struct row {
        const char *name;
        unsigned self, holder; /* 1..3; holder 0 = nobody */
        bool unknown_lease;
        struct said nodes[NODES];
        enum page_level level;
        const char *title, *why, *next;
};

static bool is(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

static cJSON *status_of(const struct row *r)
{
        cJSON *s = cJSON_CreateObject(), *list, *o;
        char name[8];

        snprintf(name, sizeof name, "n%u", r->self);
        cJSON_AddStringToObject(s, "node", name);
        cJSON_AddStringToObject(s, "message", "dovecot-mailcow: exited with code 1");
        o = cJSON_AddObjectToObject(s, "lease");
        cJSON_AddBoolToObject(o, "known", !r->unknown_lease);
        list = cJSON_AddArrayToObject(s, "nodes");
        for (unsigned i = 0; i < NODES; i++) {
                const struct said *n = &r->nodes[i];
                bool silent = is(n->reason, "stale");
                cJSON_AddItemToArray(list, o = cJSON_CreateObject());
                snprintf(name, sizeof name, "n%u", i + 1);
                cJSON_AddStringToObject(o, "name", name);
                cJSON_AddStringToObject(o, "state", n->state);
                cJSON_AddStringToObject(o, "role", is(n->state, "master") ? "master" : "standby");
                cJSON_AddStringToObject(o, "verdict", n->verdict);
                cJSON_AddStringToObject(o, "reason", n->reason);
                cJSON_AddNumberToObject(o, "age_ms", silent ? 9400 : 300);
                cJSON_AddBoolToObject(o, "self", i + 1 == r->self);
                cJSON_AddBoolToObject(o, "holder", i + 1 == r->holder);
                cJSON_AddBoolToObject(o, "candidate",
                                      is(n->state, "standby") && is(n->verdict, "fit"));
        }
        return s;
}

static const struct page_time TIME = { .now = NOW, .wall = 1795888800000, .stale = STALE };

static void test_verdicts(void **state)
{
        /* clang-format off */
        static const struct row ROWS[] = {
                { "all is well", 1, 1, false,
                  { { "master", "fit", "ok" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_GOOD, "Mail works", "If n1 fails, n2 or n3 takes over by itself.", "" },
                { "seen by a standby", 3, 1, false,
                  { { "master", "fit", "ok" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_GOOD, "Mail works", "n1 serves it", "" },
                { "one spare less", 1, 1, false,
                  { { "master", "fit", "ok" }, FIT_STANDBY, SILENT },
                  LEVEL_WARN, "Mail works", "If n1 fails, n2 takes over by itself.", "" },
                { "no spare", 1, 1, false,
                  { { "master", "fit", "ok" }, { "standby", "unfit", "docker_refused" }, SILENT },
                  LEVEL_WARN, "Mail works, but nobody could take over", "no other node would", "" },
                { "master suspects something", 2, 1, false,
                  { { "master", "fit", "probe_timeout" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_WARN, "Mail works", "n1 serves it", "" },
                { "master unfit, here", 1, 1, false,
                  { { "master", "unfit", "container_exited" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_BAD, "Mail does not work", "dovecot-mailcow: exited with code 1",
                  "n2 or n3 takes over" },
                { "master unfit, elsewhere", 2, 1, false,
                  { { "master", "unfit", "container_exited" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_BAD, "Mail does not work", "a container has stopped",
                  "n2 or n3 takes over" },
                { "master unfit, and nobody better", 1, 1, false,
                  { { "master", "unfit", "container_exited" }, SILENT, SILENT },
                  LEVEL_BAD, "Mail does not work", "n1 leads and is unfit",
                  "No other node could do better" },
                { "master does not know", 1, 1, false,
                  { { "master", "unknown", "starting" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_UNKNOWN, "It is not known whether mail works", "does not know yet", "" },
                { "master silent", 2, 1, false,
                  { SILENT, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_UNKNOWN, "It is not known whether mail works", "last heard 9.4 s ago",
                  "n2 or n3 takes over by itself" },
                { "master silent, and nobody else fit", 2, 1, false,
                  { SILENT, { "standby", "unfit", "docker_refused" }, SILENT },
                  LEVEL_UNKNOWN, "It is not known whether mail works", "n1 leads",
                  "No other node could take over" },
                { "an old row names another", 3, 1, false,
                  { SILENT, { "master", "fit", "ok" },
                    { "standby", "unfit", "galera_non_primary" } },
                  LEVEL_WARN, "Mail works, but nobody could take over", "n2 serves it", "" },
                { "promoting", 2, 2, false,
                  { SILENT, { "promoting", "fit", "ok" }, FIT_STANDBY },
                  LEVEL_MOVING, "Mail is moving to n2", "n2 has the lead", "" },
                { "promoting, not fit yet", 2, 2, false,
                  { SILENT, { "promoting", "unfit", "stack_down" }, FIT_STANDBY },
                  LEVEL_MOVING, "Mail is moving to n2", "n2 has the lead", "" },
                { "switchover", 1, 1, false,
                  { { "demoting", "fit", "ok" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_MOVING, "Mail is moving away from n1", "gives the service up", "" },
                { "fencing", 3, 1, false,
                  { { "fencing", "fit", "ok" }, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_MOVING, "Mail is moving away from n1", "stops what still runs there", "" },
                { "the row names one that does not serve", 2, 1, false,
                  { FIT_STANDBY, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_MOVING, "Mail pauses: a node is about to take over", "still names n1", "" },
                { "claiming", 2, 0, false,
                  { SILENT, { "claiming", "fit", "ok" }, FIT_STANDBY },
                  LEVEL_MOVING, "Mail is moving to n2", "n2 is taking the lead", "" },
                { "free", 2, 0, false,
                  { SILENT, FIT_STANDBY, FIT_STANDBY },
                  LEVEL_MOVING, "Mail pauses: a node is about to take over", "n2 or n3 could", "" },
                { "halted", 1, 0, false,
                  { { "halted", "fit", "ok" }, { "standby", "unfit", "docker_refused" },
                    { "maintenance", "fit", "ok" } },
                  LEVEL_BAD, "Mail does not work: no node leads",
                  "n1 is held back, as it failed before; n2 is unfit: the Docker engine is not "
                  "running; n3 is in maintenance.", "hamon ack there" },
                { "all in maintenance", 1, 0, false,
                  { { "maintenance", "fit", "ok" }, SILENT, SILENT },
                  LEVEL_BAD, "Mail does not work: no node leads", "n2 is silent",
                  "hamon maintenance off, on n1" },
                { "nobody can", 1, 0, false,
                  { { "standby", "unfit", "galera_non_primary" }, SILENT, SILENT },
                  LEVEL_BAD, "Mail does not work: no node leads",
                  "the database has lost its quorum", "hamon why" },
                { "cut off from database and all", 3, 0, true,
                  { SILENT, SILENT, { "standby", "unfit", "galera_non_primary" } },
                  LEVEL_UNKNOWN, "It is not known whether mail works", "n3 cannot see who leads",
                  "another node" },
                { "cut off from the database only", 3, 0, true,
                  { { "master", "fit", "ok" }, FIT_STANDBY,
                    { "standby", "unfit", "galera_refused" } },
                  LEVEL_WARN, "Mail works", "n1 serves it", "" },
        };
        /* clang-format on */

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                cJSON *s = status_of(&ROWS[i]);
                struct snap snap = { .status = s, .at = NOW - 300 };
                struct page_view v;
                page_view(&snap, &TIME, &v);
                if (v.level != ROWS[i].level || !is(v.title, ROWS[i].title) ||
                    !strstr(v.why, ROWS[i].why) ||
                    (*ROWS[i].next ? !strstr(v.next, ROWS[i].next) : *v.next))
                        fail_msg("%s: %s: %s. %s (%s)", ROWS[i].name, LEVELS[v.level].name, v.title,
                                 v.why, v.next);
                cJSON_Delete(s);
        }
}

/* ---- age ---- */

static void test_old_is_not_known(void **state)
{
        static const struct row WELL = {
                "",         1,  1,  false, { { "master", "fit", "ok" }, FIT_STANDBY, FIT_STANDBY },
                LEVEL_GOOD, "", "", ""
        };
        static const struct {
                msec_t age;
                enum page_level level;
        } ROWS[] = { { 0, LEVEL_GOOD }, { STALE, LEVEL_GOOD }, { STALE + 1, LEVEL_UNKNOWN } };
        cJSON *s = status_of(&WELL);
        struct page_view v;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                page_view(&(struct snap){ .status = s, .at = NOW - ROWS[i].age }, &TIME, &v);
                assert_int_equal(v.level, ROWS[i].level);
                assert_int_equal(v.old, ROWS[i].level == LEVEL_UNKNOWN);
        }
        cJSON_Delete(s);
        page_view(&(struct snap){ .status = NULL }, &TIME, &v);
        assert_int_equal(v.level, LEVEL_UNKNOWN);
        assert_non_null(strstr(v.why, "has not answered yet"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_old_is_not_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
