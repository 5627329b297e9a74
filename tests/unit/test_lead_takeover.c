/* The break-glass, as the daemon answers it: what stands against it, who counts as fenced and for
 * how long, and what the hook is told. */
#include "tests/unit/lead_fixture.h"

#define BAR(bar, node) "ok bar=" bar " node=" node " "

/* Two words of one node each. What a peer said counts for seconds only: on a busy machine it is
 * silent for a while, so all that hangs on one is waited for; what is asked in the same turn after
 * that sees the same. */
static bool looks(const char *bar, const char *word, const char *other)
{
        const char *all = asks(REQ_TAKEOVER, "look");

        return strncmp(all, bar, strlen(bar)) == 0 && strstr(all, word) && strstr(all, other);
}

/* n2 holds the lease, and nobody but an operator would have n1 claim it: the breaker is open. */
static void halted_with(const char *lease, const char *members)
{
        lw.lease = lease;
        world_configure("");
        row_taken_by("n2");
        sql("UPDATE hamon.lease SET failovers=9,loser='n1',since=UTC_TIMESTAMP(3)");
        str_copy(lw.members, sizeof lw.members, members);
        world_start();
        TURN_UNTIL(is_state(ST_HALTED));
        TURN_UNTIL(!answers(REQ_TAKEOVER, "look", BAR("unasked", "n2")) &&
                   !answers(REQ_TAKEOVER, "look", BAR("unasked", "n3")));
}

static void halted(const char *members)
{
        halted_with("ttl = 4s\nrenew = 300ms\n", members);
}

static void nothing_is_taken_from_one_that_leads(void **unused)
{
        (void)unused;
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "master");
        lw.others[0].says.valid_ms = 3000;
        halted("");
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("holder_lives", "n2")));
        assert_true(answers(REQ_TAKEOVER, "fenced n2 word", "ok\n"));
        assert_true(answers(REQ_TAKEOVER, "look", BAR("holder_lives", "n2")));
        assert_true(answers(REQ_TAKEOVER, "go", "error: n2 answers and leads"));
        assert_true(row_holder("n2"));
        assert_true(is_state(ST_HALTED));
}

static void whoever_is_silent_must_be_fenced(void **unused)
{
        (void)unused;
        other_silent(0);
        halted("127.0.0.11:3306,127.0.0.13:3306");
        TURN_UNTIL(looks(BAR("unfenced", "n2"),
                         "\nnode name=n2 is=silent heard_ms=-1 in_view=no fenced=no\n",
                         "\nnode name=n3 is=clean "));
        assert_true(answers(REQ_TAKEOVER, "go", "error: n2 does not say"));
        assert_true(answers(REQ_TAKEOVER, "fenced n1 word", "error: want takeover fenced"));
        assert_true(answers(REQ_TAKEOVER, "fenced n9 word", "error: want takeover fenced"));
        assert_true(answers(REQ_TAKEOVER, "fenced n2 surely", "error: want takeover fenced"));
        assert_true(answers(REQ_TAKEOVER, "fenced n2", "error: want takeover fenced"));
        assert_true(answers(REQ_TAKEOVER, "fenced n3 off", "ok\n")); /* which is not enough */
        assert_true(answers(REQ_TAKEOVER, "go", "error: n2 does not say"));
        assert_true(answers(REQ_TAKEOVER, "fenced n2 word", "ok\n"));
        assert_true(answers(REQ_TAKEOVER, "look", BAR("none", "")));
        assert_true(answers(REQ_TAKEOVER, "go", "ok 1\n"));
        assert_true(answers(REQ_TAKEOVER, "go", "error: operation 1 is still under way"));
        become_master();
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok done n1 leads now\n"));
        assert_true(hook_had("promote", "HAMON_FROM=n2\n"));
        assert_true(hook_had("promote", "HAMON_FROM_SILENT=0\n")); /* nobody need fence it again */
        assert_true(hook_had("promote", "HAMON_REASON=lease_won\n"));
        assert_true(file_has(at(&lw.tmp, "log"), "to=takeover_fenced "));
        assert_true(file_has(at(&lw.tmp, "log"), "\"n2: word\""));
        assert_true(file_has(at(&lw.tmp, "log"), "to=takeover_forced "));
        assert_true(file_has(at(&lw.tmp, "log"), "\"n2=word\""));
        TURN_UNTIL(looks(BAR("leads", ""), "name=n2 is=silent heard_ms=-1 in_view=no fenced=no",
                         "")); /* used up */
}

/* R: who was fenced and speaks again has been switched on: it counts no more. */
static void a_fence_ends_when_its_node_speaks(void **unused)
{
        (void)unused;
        other_silent(0);
        halted("127.0.0.11:3306,127.0.0.13:3306");
        assert_true(answers(REQ_TAKEOVER, "fenced n2 off", "ok\n"));
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("none", "")));
        other_down(0);
        other_up(0, SECRET);
        TURN_UNTIL(strstr(asks(REQ_TAKEOVER, "look"), "name=n2 is=clean"));
        other_down(0);
        other_silent(0);
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("unfenced", "n2")));
}

/* Without the word, a silent holder is one for the hook, too. */
static void a_claim_without_it_fences(void **unused)
{
        (void)unused;
        other_silent(0);
        halted("127.0.0.11:3306,127.0.0.13:3306");
        TURN_UNTIL(answers(REQ_TAKE, "", "ok 1\n"));
        become_master();
        assert_true(hook_had("promote", "HAMON_FROM=n2\n"));
        assert_false(hook_had("promote", "HAMON_FROM_SILENT"));
}

static void a_holder_that_renews_keeps_it(void **unused)
{
        (void)unused;
        other_silent(0);
        halted_with("ttl = 60s\nrenew = 300ms\n", "127.0.0.11:3306,127.0.0.13:3306");
        assert_true(answers(REQ_TAKEOVER, "fenced n2 word", "ok\n"));
        TURN_UNTIL(answers(REQ_TAKEOVER, "go", "ok 1\n"));
        TURN_UNTIL(is_state(ST_CLAIMING));
        TURN_WHILE(300, is_state(ST_CLAIMING)); /* it waits */
        sql("UPDATE hamon.lease SET beat=beat+1");
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok failed it came to nothing; this node is "));
        assert_true(row_holder("n2"));
        assert_non_null(strstr(asks(REQ_TAKEOVER, "look"), "fenced=no\nnode name=n3"));
}

static void the_quorum_is_not_powered_off(void **unused)
{
        (void)unused;
        other_silent(0);
        other_silent(1);
        halted("127.0.0.11:3306,127.0.0.12:3306,AUTO,127.0.0.13:3306");
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("breaks_quorum", "")));
        assert_true(answers(REQ_TAKEOVER, "go", "error: fencing every node"));
}

/* An address is another one's beginning. */
static void members_are_told_apart(void **unused)
{
        (void)unused;
        other_silent(0);
        halted("127.0.0.121:3306,127.0.0.13:3306");
        TURN_UNTIL(looks("ok ", "name=n2 is=silent heard_ms=-1 in_view=no", "name=n3 is=clean "));
        assert_non_null(strstr(asks(REQ_TAKEOVER, "look"), "in_view=yes"));
}

static void first_the_database(void **unused)
{
        (void)unused;
        lw.judging = false; /* the node knows nothing of it */
        world_start();
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("no_quorum", "")));
        assert_non_null(strstr(asks(REQ_TAKEOVER, "look"), " database=silent members=0 nodes=3 "));
        assert_true(answers(REQ_TAKEOVER, "go", "error: the database here has no quorum\n"));
}

static void what_it_is_for_itself(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_start();
        assert_true(answers(REQ_TAKEOVER, "look", BAR("busy", "")));
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("none", "")));
        assert_true(answers(REQ_MAINTENANCE, "on 0", "ok"));
        assert_true(answers(REQ_TAKEOVER, "go", "error: this node is in maintenance"));
        assert_true(answers(REQ_MAINTENANCE, "off", "ok"));
        lw.guard.mood = GUARD_BARE;
        TURN_UNTIL(answers(REQ_TAKEOVER, "look", BAR("no_guard", "")));
        assert_true(answers(REQ_TAKEOVER, "go", "error: the guard does not answer"));
        assert_true(answers(REQ_TAKEOVER, "now", "error: want takeover look"));
}

/* ---- lease take, lease release ---- */

static void take_is_refused_while_the_holder_answers(void **unused)
{
        (void)unused;
        halted("");
        TURN_UNTIL(answers(REQ_TAKE, "", "error: n2 holds the lease, and answers"));
        other_silent(0);
        TURN_UNTIL(answers(REQ_TAKE, "", "ok 1\n"));
        become_master();
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok done n1 leads now\n"));
}

/* Nobody need have taken it. */
static void release_is_done_when_it_is_given_back(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        assert_true(answers(REQ_RELEASE, "", "ok 1\n"));
        TURN_UNTIL(row_holder(""));
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok done the lease is given back\n"));
        assert_int_equal(hook_ran("switchover"), 1);

        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        become_master(); /* nobody else did it */
        TURN_UNTIL(answers(REQ_RELEASE, "", "ok 2\n"));
        TURN_UNTIL(answers(REQ_OPERATION, "2", "ok failed no node that is fit"));
        assert_true(row_holder("n1"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(nothing_is_taken_from_one_that_leads),
                LEAD_CASE(whoever_is_silent_must_be_fenced),
                LEAD_CASE(a_fence_ends_when_its_node_speaks),
                LEAD_CASE(a_claim_without_it_fences),
                LEAD_CASE(a_holder_that_renews_keeps_it),
                LEAD_CASE(the_quorum_is_not_powered_off),
                LEAD_CASE(members_are_told_apart),
                LEAD_CASE(first_the_database),
                LEAD_CASE(what_it_is_for_itself),
                LEAD_CASE(take_is_refused_while_the_holder_answers),
                LEAD_CASE(release_is_done_when_it_is_given_back),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
