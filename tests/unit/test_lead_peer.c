/* The leading part among others: what it hears of them and says of itself, when their silence
 * counts, whom it asks and who may ask it, and what a hint of a release is worth. */
#include "tests/unit/lead_fixture.h"

/* ---- its own words ---- */

struct said {
        unsigned n;
        enum peer_end end;
        char text[1024];
};

static void on_said(void *arg, const struct peer_answer *a)
{
        struct said *s = arg;

        s->n++;
        s->end = a->end;
        str_copy(s->text, sizeof s->text, a->text);
}

/* n2 or n3 asks this node. */
static const char *other_asks(size_t i, enum peer_command command, const char *words)
{
        static struct said s;

        s = (struct said){ .n = 0 };
        assert_int_equal(
                peer_ask(lw.others[i].peer, 0, command, words, LEAD_PATIENCE_MS, on_said, &s), 0);
        TURN_UNTIL(s.n > 0);
        assert_int_equal(s.end, PEER_ANSWERED);
        return s.text;
}

static void assert_says(const char *part)
{
        const char *text = other_asks(0, PEER_STATE, "");

        if (!strstr(text, part))
                fail_msg("no %s in: %s", part, text);
}

static void it_says_how_it_is(void **unused)
{
        struct peer_state s;

        (void)unused;
        row_taken_by("n2");
        world_start();
        lead_vrrp(lw.lead, VRRP_BACKUP);
        TURN_UNTIL(is_state(ST_STANDBY) && lw.node.verdict.fitness == FIT);
        TURN_UNTIL(strstr(other_asks(0, PEER_STATE, ""), " candidate=yes"));
        assert_says("name=n1 role=standby state=standby ");
        assert_says(" verdict=fit reason=ok ");
        assert_says(" mounted=no");
        assert_says(" vrrp=BACKUP");
        assert_int_equal(peer_state_parse(other_asks(1, PEER_STATE, ""), &s), 0);
        assert_int_equal(s.valid_ms, 0);
        assert_true(s.epoch == ha_now()->lease.row.epoch);
        sql("UPDATE hamon.lease SET holder='',epoch=epoch+1,beat=beat+1");
        become_master();
        assert_int_equal(peer_state_parse(other_asks(1, PEER_STATE, ""), &s), 0);
        assert_true(s.valid_ms > 0);
        assert_true(s.mounted);
        assert_false(s.candidate); /* for others to turn to: it leads already */
        assert_string_equal(s.role, "master");
        assert_true(s.epoch == ha_now()->lease.epoch && s.incarnation != 0);
}

/* ---- silence ---- */

/* keepalived says that n2 is gone, and the database does. */
static void suspect(void)
{
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,127.0.0.13:3306");
        lead_vrrp(lw.lead, VRRP_MASTER);
}

static void a_silent_holder_is_followed_at_once(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        other_silent(0);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        TURN_WHILE(2000, is_state(ST_STANDBY)); /* silent alone is not enough */
        msec_t began = clock_ms();
        suspect();
        become_master();
        assert_true(clock_ms() - began < 20000); /* ttl is a minute */
        assert_true(hook_had("promote", "HAMON_FROM=n2\n"));
        assert_false(hook_had("promote", "HAMON_FROM_SILENT")); /* it counts as silent */
}

static void one_who_answers_is_asked(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        suspect();
        TURN_UNTIL(other_heard(0, "release unfit"));
        TURN_WHILE(1500, is_state(ST_STANDBY) && row_holder("n2"));
        assert_false(other_heard(1, "release")); /* n3 has nothing to give */
}

/* MariaDB that listens on one address calls itself AUTO: whoever that is, it may be the holder. */
static void one_whose_member_may_be_there_is_waited_for(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        other_silent(0);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,AUTO");
        lead_vrrp(lw.lead, VRRP_MASTER);
        TURN_WHILE(2500, is_state(ST_STANDBY) && row_holder("n2"));
        suspect(); /* and now it is surely gone */
        become_master();
}

/* Its host lives, and refuses: that is not silence. */
static void one_whose_host_lives_is_waited_for(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        other_down(0);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        suspect();
        TURN_WHILE(2500, is_state(ST_STANDBY) && row_holder("n2"));
}

static void one_with_another_secret_is_waited_for(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        other_down(0);
        other_up(0, "quite another secret");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) &&
                   file_has(at(&lw.tmp, "log"), "event=peer from=n2 to=bad_secret"));
        suspect();
        TURN_WHILE(2500, is_state(ST_STANDBY) && row_holder("n2"));
}

/* No hint at all: the row stands still for ttl, and that is enough. */
static void without_any_hint_ttl_decides(void **unused)
{
        (void)unused;
        lw.lease = "ttl = 3s\nrenew = 300ms\n";
        world_configure("");
        row_taken_by("n2");
        msec_t began = clock_ms();
        world_start();
        become_master();
        assert_true(clock_ms() - began >= 3000);
        assert_true(hook_had("promote", "HAMON_FROM=n2\n"));
        assert_true(hook_had("promote", "HAMON_FROM_SILENT=0\n")); /* not to be powered off */
        assert_true(hook_had("promote", "HAMON_UNCLEAN=\n"));
}

/* R: one that answers, and does not say that it is clean, is to be fenced like a silent one. */
static void a_dirty_one_that_answers_is_unclean(void **unused)
{
        (void)unused;
        lw.lease = "ttl = 3s\nrenew = 300ms\n";
        world_configure("");
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "fencing");
        lw.others[0].says.mounted = true;
        row_taken_by("n2");
        world_start();
        become_master();
        assert_true(hook_had("promote", "HAMON_FROM=n2\n"));
        assert_true(hook_had("promote", "HAMON_UNCLEAN=n2\n"));
        assert_false(hook_had("promote", "HAMON_FROM_SILENT"));
}

/* R: who gave the lease away said a moment before that something writes there. */
static void who_has_just_let_go_is_asked_again(void **unused)
{
        (void)unused;
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "demoting");
        lw.others[0].says.mounted = true;
        lw.others[0].lets_go = true;
        world_start();
        become_master();
        assert_true(hook_had("promote", "HAMON_UNCLEAN=\n"));
}

/* R: two of three are members of our component: without them it has no quorum, and we no lease. */
static void never_are_so_many_fenced_that_the_quorum_goes(void **unused)
{
        (void)unused;
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,127.0.0.12:3306,127.0.0.13:3306");
        for (size_t i = 0; i < OTHERS; i++)
                str_copy(lw.others[i].says.state, sizeof lw.others[i].says.state, "fencing");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        suspect();
        TURN_WHILE(5000, is_state(ST_STANDBY) && row_holder(""));
        str_copy(lw.others[1].says.state, sizeof lw.others[1].says.state, "standby");
        become_master();
        assert_true(hook_had("promote", "HAMON_UNCLEAN=n2\n"));
}

static void n2_leads(void)
{
        row_taken_by("n2");
        lw.others[0].says.epoch = strtoull(sql_value("SELECT epoch FROM hamon.lease"), NULL, 10);
        lw.others[0].says.valid_ms = 5000;
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "master");
}

static void n2_lets_go(void)
{
        lw.others[0].says.valid_ms = 0;
        str_copy(lw.others[0].says.state, sizeof lw.others[0].says.state, "standby");
}

/* As its holder does it. */
static void row_released(void)
{
        sql("UPDATE hamon.lease SET holder='',incarnation=0,epoch=epoch+1,beat=beat+1");
}

/* A master was seen in that epoch: when it became one, all others were clean. So one that is away
 * now is not fenced, and not waited for. */
static void of_a_settled_epoch_only_its_master_counts(void **unused)
{
        (void)unused;
        n2_leads();
        other_silent(1);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) &&
                   file_has(at(&lw.tmp, "log"), "event=peer from=n3 to=silent") &&
                   file_has(at(&lw.tmp, "log"), "event=peer from=n2 to=answered"));
        n2_lets_go();
        row_released();
        become_master();
        assert_true(hook_had("promote", "HAMON_UNCLEAN=\n"));
}

/* Of an epoch in which nobody was seen to lead everybody counts. */
static void of_another_epoch_everybody_counts(void **unused)
{
        (void)unused;
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,127.0.0.12:3306");
        n2_leads();
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) &&
                   file_has(at(&lw.tmp, "log"), "event=peer from=n3 to=answered") &&
                   file_has(at(&lw.tmp, "log"), "event=peer from=n2 to=answered"));
        other_silent(1);
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "event=peer from=n3 to=silent"));
        n2_lets_go();
        row_taken_by("n3"); /* and never became the master */
        row_released();
        become_master();
        assert_true(hook_had("promote", "HAMON_UNCLEAN=n3\n"));
}

/* R: a node whose daemon starts a moment after ours is not fenced for that. */
static void who_is_late_is_waited_for(void **unused)
{
        (void)unused;
        other_silent(1);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        suspect();
        TURN_WHILE(5000, is_state(ST_STANDBY) && row_holder(""));
        other_down(1);
        other_up(1, SECRET);
        become_master();
        assert_true(hook_had("promote", "HAMON_UNCLEAN=\n"));
}

/* The port of [peer] listen is that of all nodes. */
static void another_port_is_everybodys(void **unused)
{
        (void)unused;
        other_down(0);
        lw.peer_port = 9555;
        other_up(0, SECRET);
        row_taken_by("n2");
        world_configure("[peer]\nlisten = 127.0.0.11:9555\n");
        world_start();
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "event=peer from=n2 to=answered"));
        TURN_UNTIL(strstr(other_asks(0, PEER_STATE, ""), "state=standby"));
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "event=peer from=n3 to=refused"));
}

/* What keepalived said before a gap is old. */
static void a_hint_of_before_a_gap_is_none(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        other_silent(0);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        lead_vrrp(lw.lead, VRRP_MASTER);
        lead_gap(lw.lead, 5000);
        str_copy(lw.members, sizeof lw.members, "127.0.0.11:3306,127.0.0.13:3306");
        TURN_WHILE(2500, is_state(ST_STANDBY) && row_holder("n2"));
        lead_vrrp(lw.lead, VRRP_MASTER); /* said anew */
        become_master();
}

/* ---- being asked ---- */

static void a_healthy_master_does_not_give_way(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        TURN_UNTIL(strstr(other_asks(0, PEER_STATE, ""), "state=master"));
        assert_string_equal(other_asks(0, PEER_RELEASE, "unfit"), "ok");
        TURN_WHILE(1000, is_state(ST_MASTER));
        assert_int_equal(hook_ran("demote"), 0);
}

static void an_unfit_master_goes(void **unused)
{
        (void)unused;
        lw.grace = "3s";
        world_configure("");
        world_start();
        become_master();
        hook_does("recover", "exit 1"); /* the repair does not help */
        unlink(at(&lw.tmp, "active"));
        TURN_UNTIL(hook_ran("demote") > 0);
        assert_true(hook_had("demote", "HAMON_REASON=unfit\n"));
        assert_true(hook_had("demote", "HAMON_TO=n2\n"));
        TURN_UNTIL(row_holder("") && other_heard(0, "released "));
        assert_string_equal(sql_value("SELECT loser FROM hamon.lease"), "n1");
}

/* With nobody fit it stays, and an alert says so. */
static void an_unfit_master_stays_when_nobody_can(void **unused)
{
        (void)unused;
        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        lw.grace = "3s";
        world_configure("");
        world_start();
        become_master();
        hook_does("recover", "exit 1");
        unlink(at(&lw.tmp, "active"));
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "event=alert to=stay"));
        TURN_WHILE(1000, is_state(ST_MASTER));
        assert_int_equal(hook_ran("demote"), 0);
}

/* ---- hints of a release ---- */

static void a_release_for_us_is_taken_at_once(void **unused)
{
        char words[48];

        (void)unused;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) && ha_now()->lease.known);
        uint64_t epoch = ha_now()->lease.row.epoch;
        sql("UPDATE hamon.lease SET holder='',epoch=epoch+1,beat=beat+1");
        snprintf(words, sizeof words, "%" PRIu64 " n1", epoch);
        assert_string_equal(other_asks(0, PEER_RELEASED, words), "ok");
        become_master();
        assert_true(ha_now()->lease.epoch == epoch + 2);
}

static void nonsense_is_no_hint(void **unused)
{
        static const char *const WORDS[] = { "", "0 n1", "now n1",
                                             "123456789012345678901234567890 n1" };

        (void)unused;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
                assert_string_equal(other_asks(0, PEER_RELEASED, WORDS[i]), "ok");
        TURN_WHILE(500, is_state(ST_STANDBY) && row_holder("n2"));
}

/* The operator's order, given on another node. */
static void a_peer_may_pass_on_an_order(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        TURN_UNTIL(strstr(other_asks(1, PEER_STATE, ""), "state=master"));
        assert_true(strncmp(other_asks(1, PEER_SWITCHOVER, "n3"), "ok 1", 4) == 0);
        TURN_UNTIL(hook_ran("switchover") == 1);
        assert_true(hook_had("switchover", "HAMON_TO=n3\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(it_says_how_it_is),
                LEAD_CASE(a_silent_holder_is_followed_at_once),
                LEAD_CASE(one_who_answers_is_asked),
                LEAD_CASE(one_whose_member_may_be_there_is_waited_for),
                LEAD_CASE(one_whose_host_lives_is_waited_for),
                LEAD_CASE(one_with_another_secret_is_waited_for),
                LEAD_CASE(without_any_hint_ttl_decides),
                LEAD_CASE(a_dirty_one_that_answers_is_unclean),
                LEAD_CASE(who_has_just_let_go_is_asked_again),
                LEAD_CASE(of_a_settled_epoch_only_its_master_counts),
                LEAD_CASE(of_another_epoch_everybody_counts),
                LEAD_CASE(who_is_late_is_waited_for),
                LEAD_CASE(never_are_so_many_fenced_that_the_quorum_goes),
                LEAD_CASE(another_port_is_everybodys),
                LEAD_CASE(a_hint_of_before_a_gap_is_none),
                LEAD_CASE(a_healthy_master_does_not_give_way),
                LEAD_CASE(an_unfit_master_goes),
                LEAD_CASE(an_unfit_master_stays_when_nobody_can),
                LEAD_CASE(a_release_for_us_is_taken_at_once),
                LEAD_CASE(nonsense_is_no_hint),
                LEAD_CASE(a_peer_may_pass_on_an_order),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
