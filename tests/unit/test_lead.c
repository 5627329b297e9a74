/* The leading part on its way up: who leads, with what environment a hook runs, what the guard must
 * have said before, and what a step hears that asks for the lease. */
#include "tests/unit/lead_fixture.h"

/* ---- promotion ---- */

static void a_free_lease_is_taken(void **unused)
{
        char line[64];
        int track = 0;

        (void)unused;
        world_start();
        assert_true(is_state(ST_INIT));
        assert_false(lead_track(lw.lead, &track)); /* nothing is known yet: leave it as it is */
        become_master();
        assert_true(row_holder("n1"));
        assert_int_equal(hook_ran("promote"), 1);
        assert_true(hook_had("promote", "HAMON_NODE=n1\n"));
        assert_true(hook_had("promote", "HAMON_FROM=\n")); /* nobody had it */
        assert_true(hook_had("promote", "HAMON_REASON=lease_won\n"));
        assert_true(hook_had("promote", "HAMON_DEADLINE_MS=180000\n"));
        snprintf(line, sizeof line, "HAMON_EPOCH=%s\n", sql_value("SELECT epoch FROM hamon.lease"));
        assert_true(hook_had("promote", line));
        snprintf(line, sizeof line, "HAMON_INCARNATION=%016" PRIx64 "\n",
                 ha_now()->lease.incarnation);
        assert_true(hook_had("promote", line));
        assert_true(lead_track(lw.lead, &track));
        assert_int_equal(track, TRACK_HOLDER);
        assert_int_equal(lead_role(lw.lead), ROLE_MASTER);
        assert_int_equal(lw.guard.last.verb, GUARD_SAY_ARM);
        assert_true(lw.guard.last.deadline > clock_ms());
        assert_string_equal(lw.guard.last.target.mount, lw.vol);
}

/* The guard hears of each renewal, and the row shows them. */
static void a_master_renews(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        unsigned armed = lw.guard.armed;
        uint64_t beat = strtoull(sql_value("SELECT beat FROM hamon.lease"), NULL, 10);
        TURN_UNTIL(lw.guard.armed >= armed + 3);
        TURN_UNTIL(strtoull(sql_value("SELECT beat FROM hamon.lease"), NULL, 10) >= beat + 3);
        assert_int_equal(hook_ran("promote"), 1);
        assert_int_equal(hook_ran("recover"), 0);
}

static void a_taken_lease_is_left_alone(void **unused)
{
        int track = 0;

        (void)unused;
        row_taken_by("n2");
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY) && lead_track(lw.lead, &track) && track == TRACK_FIT);
        TURN_WHILE(1000, is_state(ST_STANDBY) && row_holder("n2"));
        assert_int_equal(hook_ran("promote"), 0);
        assert_int_equal(lead_role(lw.lead), ROLE_STANDBY);
}

static void an_unfit_node_takes_nothing(void **unused)
{
        int track = 0;

        (void)unused;
        lw.judging = false; /* nothing is known of it: not fit */
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        TURN_WHILE(1000, is_state(ST_STANDBY) && row_holder(""));
        assert_true(lead_track(lw.lead, &track));
        assert_int_equal(track, TRACK_UNFIT);
        lw.judging = true;
        become_master();
}

/* It is put right by the same hook, after a pause, and the service goes on. */
static void a_master_asserts_what_is_missing(void **unused)
{
        (void)unused;
        world_start();
        become_master();
        unlink(at(&lw.tmp, "active")); /* a1 has ended */
        TURN_UNTIL(hook_ran("recover") > 0 && lw.active);
        assert_true(is_state(ST_MASTER));
        assert_true(hook_had("recover", "HAMON_REASON=missing\n"));
        TURN_WHILE(1000, is_state(ST_MASTER));
}

static void a_hook_that_cannot_start_counts_as_failed(void **unused)
{
        (void)unused;
        assert_int_equal(chmod(at(&lw.tmp, "hooks/master.sh"), 0777), 0); /* anybody's */
        world_start();
        TURN_UNTIL(hook_ran("demote") > 0); /* and what may be there is cleaned up */
        TURN_UNTIL(row_holder(""));
        assert_int_equal(hook_ran("promote"), 0);
        assert_true(file_has(at(&lw.tmp, "log"), "to=refused"));
        assert_true(hook_had("demote", "HAMON_REASON=hook_failed\n"));
        TURN_UNTIL(other_heard(0, "released ") && other_heard(1, "released "));
}

/* The volume's file is ahead: the lease is taken again, beyond it. */
static void a_refused_mount_leads_beyond_its_epoch(void **unused)
{
        (void)unused;
        hook_does("promote",
                  "[ $HAMON_EPOCH -gt 1000 ] || { touch %s/told; sleep 1; exit 1; }\n"
                  "mount -t tmpfs mha %s && touch %s/active",
                  lw.tmp.path, lw.vol, lw.tmp.path);
        world_start();
        TURN_UNTIL(access(at(&lw.tmp, "told"), F_OK) == 0);
        assert_true(answers(REQ_EPOCH, "0", "error: "));
        assert_true(answers(REQ_EPOCH, "1000", "ok\n"));
        become_master();
        assert_string_equal(sql_value("SELECT epoch > 1000 FROM hamon.lease"), "1");
        assert_true(ha_now()->lease.epoch > 1000);
}

/* ---- the guard comes first ---- */

static void no_guard_no_lead(void **state)
{
        enum guard_mood mood = *(const enum guard_mood *)*state;

        guard_down();
        guard_up(mood);
        world_start();
        TURN_UNTIL(is_state(ST_STANDBY));
        TURN_WHILE(1500, is_state(ST_STANDBY) && row_holder(""));
        assert_int_equal(hook_ran("promote"), 0);
        guard_down();
        guard_up(GUARD_GOOD); /* it connects again by itself */
        become_master();
}

/* It is alive, so the lease is claimed; but it does not say that it knows the deadline. */
static void no_hook_without_the_guards_word(void **unused)
{
        (void)unused;
        guard_down();
        guard_up(GUARD_LAZY);
        world_start();
        TURN_UNTIL(lw.guard.armed > 0 && is_state(ST_PROMOTING));
        assert_true(answers(REQ_LEASE, "0", "no reason=\"the guard has not said"));
        assert_int_equal(hook_ran("promote"), 0);
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "must not lead without it"));
        TURN_UNTIL(row_holder("")); /* given back, through backup.sh */
        assert_int_equal(hook_ran("promote"), 0);
}

/* ---- a step asks ---- */

static void a_step_hears_what_it_may_do(void **unused)
{
        char words[32], want[96];

        (void)unused;
        hook_does("promote",
                  "while [ ! -e %s/go ]; do sleep 0.05; done\nmount -t tmpfs mha %s\n"
                  "touch %s/active",
                  lw.tmp.path, lw.vol, lw.tmp.path);
        world_start();
        assert_true(answers(REQ_LEASE, "0", "no reason=\"this node does not hold the lease\"\n"));
        assert_true(answers(REQ_LEASE, "many", "error: want lease EPOCH\n"));
        TURN_UNTIL(hook_ran("promote") == 1);
        uint64_t epoch = ha_now()->lease.epoch;
        snprintf(words, sizeof words, "%" PRIu64, epoch);
        snprintf(want, sizeof want, "ok epoch=%" PRIu64 " valid_ms=", epoch);
        TURN_UNTIL(answers(REQ_LEASE, words, want));
        assert_true(answers(REQ_LEASE, "0", want)); /* whatever is ours */
        assert_non_null(strstr(buf_str(&lw.answer), " holder=n1 incarnation="));
        snprintf(words, sizeof words, "%" PRIu64, epoch - 1);
        assert_true(answers(REQ_LEASE, words, "no reason=\"the lease is of another epoch\"\n"));
        put_file(at(&lw.tmp, "go"), "%s", "");
        become_master();
        assert_true(answers(REQ_LEASE, "0", want));
}

/* Each question makes it renew at once: a step wants one that began after it asked. */
static void a_question_renews(void **unused)
{
        msec_t asked;
        const char *p;

        (void)unused;
        lw.lease = "ttl = 60s\nrenew = 15s\n";
        world_configure("");
        world_start();
        become_master();
        TURN_WHILE(300, true);
        asked = clock_ms();
        asks(REQ_LEASE, "0");
        TURN_UNTIL(answers(REQ_LEASE, "0", "ok ") &&
                   (p = strstr(buf_str(&lw.answer), "renewed_ms=")) &&
                   strtoll(p + 11, NULL, 10) <= clock_ms() - asked);
        assert_true(clock_ms() - asked < 10000);
}

/* ---- what cannot work is refused ---- */

static void a_cluster_needs_a_secret(void **unused)
{
        (void)unused;
        put_file(at(&lw.tmp, "secret"), "%s", "");
        world_load();
        assert_int_equal(world_lead_new(), -EINVAL);
        assert_true(file_has(at(&lw.tmp, "log"), "key=cluster.secret_file"));
        assert_null(lw.lead);
}

static void without_a_row_it_waits(void **unused)
{
        (void)unused;
        sql("DELETE FROM hamon.lease");
        world_start();
        TURN_UNTIL(file_has(at(&lw.tmp, "log"), "hamon store init makes it"));
        assert_true(is_state(ST_INIT));
        sql("INSERT INTO hamon.lease (name,since) VALUES ('" STORE_LEASE "',UTC_TIMESTAMP(3))");
        become_master();
}

static void it_is_of_no_cluster(void **unused)
{
        (void)unused;
        lead_request(NULL, REQ_LEASE, "0", &lw.answer);
        assert_true(strncmp(buf_str(&lw.answer), "error: this node is of no cluster", 33) == 0);
        lead_wake(NULL); /* and all the rest does nothing */
        lead_gap(NULL, 1);
        lead_tick(NULL);
        lead_vrrp(NULL, VRRP_MASTER);
        lead_free(NULL);
}

#define MOOD(f, m)                                                              \
        {                                                                       \
                .name = #f " " #m, .test_func = (f), .setup_func = world_setup, \
                .teardown_func = world_teardown, .initial_state = &MOODS[m]     \
        }

int main(void)
{
        static enum guard_mood MOODS[] = { GUARD_GOOD, GUARD_DEAF, GUARD_BARE, GUARD_LAZY,
                                           GUARD_CLOSED };
        const struct CMUnitTest tests[] = {
                LEAD_CASE(a_free_lease_is_taken),
                LEAD_CASE(a_master_renews),
                LEAD_CASE(a_taken_lease_is_left_alone),
                LEAD_CASE(an_unfit_node_takes_nothing),
                LEAD_CASE(a_master_asserts_what_is_missing),
                LEAD_CASE(a_hook_that_cannot_start_counts_as_failed),
                LEAD_CASE(a_refused_mount_leads_beyond_its_epoch),
                MOOD(no_guard_no_lead, GUARD_CLOSED),
                MOOD(no_guard_no_lead, GUARD_DEAF),
                MOOD(no_guard_no_lead, GUARD_BARE),
                LEAD_CASE(no_hook_without_the_guards_word),
                LEAD_CASE(a_step_hears_what_it_may_do),
                LEAD_CASE(a_question_renews),
                LEAD_CASE(a_cluster_needs_a_secret),
                LEAD_CASE(without_a_row_it_waits),
                LEAD_CASE(it_is_of_no_cluster),
        };

        return cmocka_run_group_tests(tests, world_group_setup, server_group_teardown);
}
