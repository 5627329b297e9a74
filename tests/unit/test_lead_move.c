/* The leading part over time: a restart that interrupts nothing, one that may not go on, the
 * operator's orders, and maintenance, which outlives the daemon. */
#include "tests/unit/lead_fixture.h"

/* ---- the daemon restarts ---- */

static void write_epoch_file(uint64_t epoch, uint64_t incarnation)
{
        struct epoch_mark m = { .epoch = epoch, .incarnation = incarnation, .holder = "n1" };

        assert_int_equal(epoch_file_write(lw.vol, &m), 0);
}

/* As volume mount does. */
static void sign_volume(void)
{
        write_epoch_file(ha_now()->lease.epoch, ha_now()->lease.incarnation);
}

static void a_restart_on_the_master_interrupts_nothing(void **unused)
{
        int track = 0;

        (void)unused;
        world_start();
        become_master();
        sign_volume();
        uint64_t epoch = ha_now()->lease.epoch, incarnation = ha_now()->lease.incarnation;
        unsigned off = lw.guard.off;
        msec_t deadline = lw.guard.last.deadline;

        world_stop();
        TURN_WHILE(200, row_holder("n1"));
        assert_int_equal(lw.guard.off, off); /* its deadline stands */
        assert_int_equal(lw.guard.last.verb, GUARD_SAY_ARM);
        assert_true(lw.guard.last.deadline >= deadline);

        world_start();
        assert_false(lead_track(lw.lead, &track));
        become_master();
        assert_int_equal(ha_now()->lease.epoch, epoch);
        assert_int_equal(ha_now()->lease.incarnation, incarnation);
        TURN_UNTIL(lw.guard.last.verb == GUARD_SAY_ARM && lw.guard.last.deadline > deadline);
        assert_int_equal(lw.guard.off, off);
        assert_int_equal(hook_ran("promote"), 1); /* none but that of before */
        assert_int_equal(hook_ran("recover") + hook_ran("fence") + hook_ran("demote"), 0);
        assert_int_equal(access(at(&lw.tmp, "active"), F_OK), 0);
}

/* What runs here cannot be shown to be ours: it is ended before anything else. */
static void assert_cleaned_up(void)
{
        world_start();
        TURN_UNTIL(hook_over("fence") > 0);
        become_master(); /* anew, in another epoch */
        assert_int_equal(hook_ran("promote"), 2);
}

static void without_an_epoch_file_nothing_is_adopted(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        world_stop();
        assert_cleaned_up();
}

static void anothers_epoch_file_is_not_adopted(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        write_epoch_file(ha_now()->lease.epoch, ha_now()->lease.incarnation + 1);
        world_stop();
        assert_cleaned_up();
}

/* Another life of this machine: the row names us, but not this incarnation. */
static void after_a_boot_nothing_is_adopted(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        sign_volume();
        uint64_t epoch = ha_now()->lease.epoch;
        world_stop();
        assert_int_equal(unlink(at(&lw.tmp, "incarnation")), 0); /* it is on tmpfs */
        lw.lease = "ttl = 4s\nrenew = 300ms\n";
        world_configure("");
        world_start();
        TURN_UNTIL(hook_over("fence") > 0);
        become_master();
        assert_true(ha_now()->lease.epoch > epoch);
}

static void somebody_else_leads_after_the_restart(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        sign_volume();
        world_stop();
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(hook_ran("fence") > 0 && !lw.active && is_state(ST_STANDBY));
        assert_true(row_holder("n2"));
        assert_int_equal(hook_ran("promote"), 1);
        TURN_UNTIL(lw.guard.last.verb == GUARD_SAY_OFF); /* nothing writes here */
}

/* ---- the operator ---- */

static void a_switchover_goes_step_by_step(void **unused)
{
        char words[32];

        (void)unused;
        hook_does("switchover",
                  "while [ ! -e %s/go ]; do sleep 0.05; done\nrm -f %s/active; umount %s",
                  lw.tmp.path, lw.tmp.path, lw.vol);
        world_start();
        become_master();
        TURN_UNTIL(answers(REQ_OPERATION, "1", "error: no such operation"));
        uint64_t epoch = ha_now()->lease.epoch;
        assert_true(answers(REQ_SWITCHOVER, "n2", "ok 1\n"));
        assert_true(answers(REQ_SWITCHOVER, "n3", "error: operation 1 is still under way"));
        TURN_UNTIL(hook_ran("switchover") == 1);
        assert_true(hook_had("switchover", "HAMON_TO=n2\n"));
        assert_true(hook_had("switchover", "HAMON_REASON=switchover\n"));
        assert_true(answers(REQ_OPERATION, "1", "ok running the operator's order\n"));
        assert_true(row_holder("n1")); /* until all of it is done */
        snprintf(words, sizeof words, "%" PRIu64, epoch);
        assert_true(answers(REQ_LEASE, words, "ok "));
        put_file(at(&lw.tmp, "go"), "%s", "");
        TURN_UNTIL(row_holder(""));
        snprintf(words, sizeof words, "released %" PRIu64 " n2", epoch);
        TURN_UNTIL(other_heard(0, words) && other_heard(1, words));
        assert_true(answers(REQ_OPERATION, "1", "ok running "));
        TURN_WHILE(500, row_holder("")); /* it was hinted at another one: we wait for that */
        row_taken_by("n2");
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok done n2 leads now\n"));
        assert_true(is_state(ST_STANDBY));
}

static void a_switchover_that_cannot_be_changes_nothing(void **unused)
{
        (void)unused;
        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        world_start();
        TURN_UNTIL(ha_now()->lease.known);
        become_master();
        assert_true(answers(REQ_SWITCHOVER, "", "ok 1\n"));
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok failed no node that is fit to take over"));
        assert_true(answers(REQ_SWITCHOVER, "n2", "ok 2\n")); /* nor by name */
        TURN_UNTIL(answers(REQ_OPERATION, "2", "ok failed "));
        assert_true(answers(REQ_OPERATION, "1", "error: no such operation"));
        assert_true(is_state(ST_MASTER));
        assert_int_equal(hook_ran("switchover"), 0);
}

static void a_standby_says_who_leads(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        assert_true(answers(REQ_SWITCHOVER, "n1", "error: this node does not lead; ask n2\n"));
        assert_true(answers(REQ_RELEASE, "", "error: this node does not lead; ask n2\n"));
        assert_true(answers(REQ_ACK, "", "ok 1\n"));
        TURN_UNTIL(answers(REQ_OPERATION, "1", "ok done acknowledged\n"));
}

/* backup.sh fails, and the volume is still here: the way back, and the operator hears of it. */
static void a_switchover_that_fails_goes_back(void **unused)
{
        (void)unused;
        hook_does("switchover", "exit 1");
        world_start();
        become_master();
        assert_true(answers(REQ_SWITCHOVER, "n2", "ok 1\n"));
        TURN_UNTIL(hook_ran("recover") > 0 && is_state(ST_MASTER));
        TURN_UNTIL(
                answers(REQ_OPERATION, "1", "ok failed it came to nothing; this node is master"));
        assert_true(row_holder("n1"));
}

/* ---- maintenance ---- */

static void maintenance_outlives_the_daemon(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        assert_true(answers(REQ_MAINTENANCE, "perhaps", "error: want maintenance on MS or off\n"));
        assert_true(answers(REQ_MAINTENANCE, "on soon", "error: that is no time\n"));
        assert_true(answers(REQ_MAINTENANCE, "on 0", "ok maintenance is on\n"));
        TURN_UNTIL(hook_ran("switchover") == 1 && row_holder("")); /* another one is fit */
        row_taken_by("n2");
        TURN_UNTIL(is_state(ST_MAINTENANCE));
        world_stop();
        sql("UPDATE hamon.lease SET holder='',epoch=epoch+1,beat=beat+1");
        world_start();
        TURN_UNTIL(is_state(ST_MAINTENANCE));
        TURN_WHILE(700, is_state(ST_MAINTENANCE) && row_holder(""));
        assert_true(answers(REQ_MAINTENANCE, "off", "ok maintenance is off\n"));
        become_master();
        world_stop();
        assert_int_not_equal(access("/var/lib/mailcow-ha/maintenance", F_OK), 0);
}

static void maintenance_for_a_time_ends_by_itself(void **unused)
{
        (void)unused;
        row_taken_by("n2");
        world_start();
        assert_true(answers(REQ_MAINTENANCE, "on 4000", "ok maintenance is on\n"));
        TURN_UNTIL(is_state(ST_MAINTENANCE));
        world_stop();
        world_start();
        TURN_UNTIL(is_state(ST_MAINTENANCE));
        TURN_UNTIL(is_state(ST_STANDBY));
}

/* Nobody could take over: the master goes on serving. */
static void maintenance_of_the_only_fit_node_waits(void **unused)
{
        (void)unused;
        lw.others[0].says.candidate = lw.others[1].says.candidate = false;
        world_start();
        become_master();
        assert_true(answers(REQ_MAINTENANCE, "on 0", "ok maintenance is on\n"));
        TURN_WHILE(1500, is_state(ST_MASTER));
        lw.others[1].says.candidate = true;
        TURN_UNTIL(hook_ran("switchover") == 1);
        assert_true(hook_had("switchover", "HAMON_TO=n3\n"));
}

/* ---- the clock ---- */

static void a_gap_is_looked_into(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        lead_gap(lw.lead, 5000);
        TURN_WHILE(700, is_state(ST_MASTER)); /* the lease is still good: renewed at once */
        assert_int_equal(hook_ran("fence"), 0);
}

/* The lease is another's all of a sudden: fenced at once, by force. */
static void a_lost_lease_fences(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        row_taken_by("n2");
        TURN_UNTIL(is_state(ST_FENCING));
        assert_true(answers(REQ_LEASE, "0", "no reason="));
        TURN_UNTIL(hook_ran("fence") > 0 && !lw.active && !is_state(ST_FENCING));
        assert_true(row_holder("n2"));
        assert_true(hook_had("fence", "HAMON_REASON=lease_lost\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                LEAD_CASE(a_restart_on_the_master_interrupts_nothing),
                LEAD_CASE(without_an_epoch_file_nothing_is_adopted),
                LEAD_CASE(anothers_epoch_file_is_not_adopted),
                LEAD_CASE(after_a_boot_nothing_is_adopted),
                LEAD_CASE(somebody_else_leads_after_the_restart),
                LEAD_CASE(a_switchover_goes_step_by_step),
                LEAD_CASE(a_switchover_that_cannot_be_changes_nothing),
                LEAD_CASE(a_standby_says_who_leads),
                LEAD_CASE(a_switchover_that_fails_goes_back),
                LEAD_CASE(maintenance_outlives_the_daemon),
                LEAD_CASE(maintenance_for_a_time_ends_by_itself),
                LEAD_CASE(maintenance_of_the_only_fit_node_waits),
                LEAD_CASE(a_gap_is_looked_into),
                LEAD_CASE(a_lost_lease_fences),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
