/* hamon/core/ha: who takes the lease, when, and how it comes to serve. */
#include "ha_fixture.h"

/* ---- start ---- */

static void test_boot(void **unused)
{
        (void)unused;
        fresh(0);
        step();
        assert_int_equal(h.state, ST_INIT);
        assert_int_equal(out.statement.op, OP_READ);
        assert_int_equal(out.track, HA_TRACK_KEEP);
        assert_int_equal(out.guard, GUARD_KEEP);
        step();
        assert_int_equal(h.state, ST_STANDBY);
        assert_int_equal(out.guard, GUARD_OFF);
        assert_int_equal(out.track, HA_TRACK_FIT);
        const struct ha_action *a = action(ACTION_NOTE);
        assert_non_null(a);
        assert_true(a->from_state == ST_INIT && a->to_state == ST_STANDBY && a->event == EV_READY);
        assert_true(out.seen[ST_INIT] & 1u << EV_READY);
}

/* A hook of the life before is killed before anything is decided. */
static void test_leftover(void **unused)
{
        (void)unused;
        fresh(0);
        f.hook = (struct ha_hook_facts){ HOOK_RUNNING, 0, HOOK_OK };
        step();
        assert_non_null(action(ACTION_KILL_HOOK));
        step();
        assert_int_equal(h.state, ST_INIT);
        f.hook.state = HOOK_IDLE;
        step();
        assert_int_equal(h.state, ST_STANDBY);
        assert_true(h.quiet_at > now); /* what it had sent may be on its way */
}

static void adoptable(void)
{
        fresh(0);
        held_by("n1", ME);
        f.mounted = f.active = true;
        f.file = (struct ha_epoch){ .known = true, .epoch = 7, .incarnation = ME };
        put_name(f.file.holder, "n1");
}

static void test_adopt(void **unused)
{
        (void)unused;
        adoptable();
        for (int i = 0; i < 2 || out.statement.op == OP_NONE; i++, now += 10)
                step();
        assert_int_equal(out.statement.op, OP_RENEW); /* no take: the epoch stays */
        step();
        assert_int_equal(h.state, ST_MASTER);
        assert_int_equal(h.lease.epoch, 7);
        assert_null(action(ACTION_START_HOOK)); /* a restart moves nothing */
        assert_int_equal(out.guard, GUARD_ARM);
}

static void test_adopt_nothing_else(void **unused)
{
        (void)unused;
        for (int i = 0; i < 6; i++) {
                adoptable();
                if (i == 0)
                        f.same_boot = false;
                if (i == 1)
                        f.file.known = false;
                if (i == 2)
                        f.file.epoch = 6;
                if (i == 3)
                        put_name(f.file.holder, "n2");
                if (i == 4)
                        f.file.incarnation = OTHER;
                if (i == 5)
                        held_by("n2", OTHER);
                step();
                step();
                if (h.state != ST_FENCING)
                        fail_msg("%d: %s", i, HA_STATES[h.state]);
        }
}

/* The guard was faster: what was to be adopted is gone when the renewal comes back. */
static void test_adopt_gone(void **unused)
{
        (void)unused;
        adoptable();
        for (; out.statement.op != OP_RENEW; now += 10)
                step();
        f.mounted = f.active = false;
        step();
        assert_int_equal(h.state, ST_STANDBY);
        assert_int_equal(out.statement.op, OP_RELEASE);
}

static void test_init_in_the_dark(void **unused)
{
        (void)unused;
        adoptable();
        db_is_down = true;
        pass(TTL - MARGIN - 1);
        assert_int_equal(h.state, ST_INIT);
        pass(2);
        assert_int_equal(h.state, ST_FENCING); /* whosever it is by now */
        assert_hook(HOOK_BACKUP, MODE_FENCE);
}

/* ---- whose turn ---- */

static msec_t claims_after(unsigned rank)
{
        fresh(rank);
        until(ST_STANDBY, 1000);
        msec_t start = now;
        until(ST_CLAIMING, 10000);
        return now - start;
}

static void test_stagger(void **unused)
{
        (void)unused;
        msec_t first = claims_after(0), third = claims_after(2);
        assert_true(first >= 300 && first < 600);
        assert_true(third >= 900 && third < 1200);
}

static void test_hints(void **unused)
{
        (void)unused;
        fresh(2);
        f.vrrp_master = true;
        until(ST_CLAIMING, 100);

        fresh(2);
        put_name(f.volume_at, "n1"); /* saves a move */
        until(ST_CLAIMING, 100);

        fresh(2);
        f.release_epoch = 6;
        put_name(f.release_to, "n1");
        until(ST_CLAIMING, 100);

        fresh(0); /* another one is wanted: it goes first, whatever keepalived says */
        f.vrrp_master = true;
        f.release_epoch = 6;
        put_name(f.release_to, "n2");
        pass(1000);
        assert_int_equal(h.state, ST_STANDBY);
        until(ST_CLAIMING, 2000);

        fresh(2); /* a hint of another release means nothing */
        f.release_epoch = 5;
        put_name(f.release_to, "n1");
        pass(500);
        assert_int_equal(h.state, ST_STANDBY);
}

/* UNKNOWN, stale, unfit, no provider, maintenance: each one is enough. */
static void test_not_fit(void **unused)
{
        (void)unused;
        static const char *const WHY[] = { "not known whether", "not fit", "not known whether",
                                           "provider", "maintenance" };

        for (int i = 0; i < 5; i++) {
                to_standby();
                f.vrrp_master = true;
                if (i == 0)
                        f.candidate = UNSURE;
                if (i == 1)
                        f.candidate = UNFIT;
                if (i == 2)
                        f.age = 5001;
                if (i == 3)
                        f.provider = false;
                if (i == 4)
                        f.maintenance = true;
                assert_false(ha_candidate(&h, &f, now));
                pass(20000);
                if (h.state != (i == 4 ? ST_MAINTENANCE : ST_STANDBY) || !strstr(h.why_not, WHY[i]))
                        fail_msg("%d: %s, %s", i, HA_STATES[h.state], h.why_not);
                assert_int_equal(out.track, HA_TRACK_UNFIT);
        }
}

/* It stops being fit while it claims. */
static void test_unfit_claim(void **unused)
{
        (void)unused;
        to_standby();
        db_is_down = true;
        until(ST_CLAIMING, 2000);
        f.candidate = UNSURE;
        step();
        assert_int_equal(h.state, ST_STANDBY);
}

/* ---- the holder that is there, or is not ---- */

static void other_leads(void)
{
        fresh(0);
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        f.vrrp_master = f.silent_vrrp = f.silent_view = f.silent_peer = true;
}

static void test_skip(void **unused)
{
        (void)unused;
        other_leads();
        msec_t moved = h.lease.still_since;
        until(ST_CLAIMING, 2000);
        assert_true(now - moved >= h.config.in_flight); /* R: its last request has arrived */

        other_leads();
        f.provider = false;
        pass(2 * TTL);
        assert_int_equal(h.state, ST_STANDBY); /* who would move the volume? */

        for (int i = 0; i < 4; i++) { /* R: any one of them missing, and it waits for ttl */
                other_leads();
                f.silent_vrrp = i != 0;
                f.silent_view = i != 1;
                f.silent_peer = i != 2;
                f.fence_ok = i != 3;
                moved = h.lease.still_since;
                pass(TTL - 1);
                if (h.state != ST_STANDBY)
                        fail_msg("%d: %s", i, HA_STATES[h.state]);
                until(ST_CLAIMING, TTL);
                assert_true(now - moved >= TTL + TTL / 64);
        }
}

/* A holder that lives is not robbed, and asked if keepalived proposes us. */
static void test_ask(void **unused)
{
        (void)unused;
        fresh(0);
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        f.vrrp_master = f.holder_answers = true;
        int asked = 0;
        for (int i = 0; i < 200; i++, now += 100) {
                if (i % 10 == 0)
                        row.beat++;
                step();
                if (action(ACTION_ASK)) {
                        assert_string_equal(action(ACTION_ASK)->to, "n2");
                        asked++;
                }
        }
        assert_int_equal(h.state, ST_STANDBY);
        assert_in_range(asked, 7, 9); /* every quarter of ttl */
}

static void test_beaten(void **unused)
{
        (void)unused;
        to_standby();
        until(ST_CLAIMING, 2000);
        while (out.statement.op != OP_TAKE)
                step();
        held_by("n2", OTHER);
        row.epoch = 8;
        pending.op = OP_NONE;
        ha_answer(&h, ANSWER_NONE, NULL, now);
        step(); /* reads */
        step();
        assert_int_equal(h.state, ST_STANDBY);
        assert_int_equal(h.why, EV_LEASE_BEATEN);
}

/* ---- promotion ---- */

static void test_promote(void **unused)
{
        (void)unused;
        to_standby();
        until(ST_PROMOTING, 5000);
        const struct ha_action *a = assert_hook(HOOK_MASTER, MODE_PROMOTE);
        assert_int_equal(a->epoch, 8);
        assert_string_equal(a->reason, "lease_won");
        assert_int_equal(a->deadline, 60000);
        assert_int_equal(out.track, HA_TRACK_HOLDER);
        assert_int_equal(out.guard, GUARD_ARM);
        assert_int_equal(out.guard_deadline, h.lease.valid_until + MARGIN / 2);
        pass(5000); /* renewals move the deadline */
        assert_int_equal(h.state, ST_PROMOTING);
        assert_int_equal(out.guard_deadline, h.lease.valid_until + MARGIN / 2);
        assert_true(h.lease.valid_until - now > TTL - MARGIN - 1100);
        f.mounted = f.active = true;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_MASTER);
        assert_null(action(ACTION_START_HOOK));
}

static void test_promote_temporary(void **unused)
{
        (void)unused;
        to_promoting();
        msec_t before = now;
        hook_ends(HOOK_TEMP);
        assert_int_equal(h.state, ST_PROMOTING);
        assert_null(action(ACTION_START_HOOK));
        await_hook(HOOK_MASTER, MODE_PROMOTE, 3000);
        assert_true(now - before >= h.config.in_flight);
}

static void test_promote_fails(void **unused)
{
        (void)unused;
        to_promoting(); /* another one is fit: at once */
        put_name(f.other, "n3");
        put_name(f.volume_at, "n2");
        hook_ends(HOOK_FAILED);
        assert_int_equal(h.state, ST_DEMOTING);
        assert_true(has_alert(ALERT_PROMOTE));
        assert_string_equal(await_hook(HOOK_BACKUP, MODE_DEMOTE, 2000)->to, "n2"); /* it hangs */

        to_promoting(); /* nobody is: a few times, then it lets go all the same */
        for (int i = 0; i < 3; i++) {
                hook_ends(HOOK_FAILED);
                assert_int_equal(h.state, ST_PROMOTING);
                await_hook(HOOK_MASTER, MODE_PROMOTE, 3000);
        }
        hook_ends(HOOK_KILLED); /* at its deadline: the same */
        assert_int_equal(h.state, ST_DEMOTING);
}

static void test_gives_up(void **unused)
{
        (void)unused;
        to_promoting();
        put_name(f.other, "n2");
        msec_t start = h.state_since;
        while (h.state == ST_PROMOTING) {
                hook_ends(HOOK_TEMP);
                for (; h.state == ST_PROMOTING && !action(ACTION_START_HOOK); now += 10)
                        step();
                if (h.state == ST_PROMOTING)
                        assert_hook(HOOK_MASTER, MODE_PROMOTE);
                assert_true(now - start < 60000);
        }
        assert_int_equal(h.state, ST_DEMOTING);
        assert_true(now - start >= h.config.give_up);
}

/* ---- the volume's epoch ---- */

static void test_epoch_file(void **unused)
{
        struct ha_epoch mine = { .known = true, .epoch = 8, .incarnation = ME, .holder = "n1" };
        struct ha_epoch file = mine;

        (void)unused;
        assert_true(ha_epoch_mountable(&file, &mine)); /* our own */
        file.epoch = 7;
        put_name(file.holder, "n2");
        assert_true(ha_epoch_mountable(&file, &mine));
        file.epoch = 8;
        assert_false(ha_epoch_mountable(&file, &mine)); /* the same, of another */
        put_name(file.holder, "n1");
        file.incarnation = OTHER;
        assert_false(ha_epoch_mountable(&file, &mine)); /* or of another boot */
        file.epoch = 9;
        assert_false(ha_epoch_mountable(&file, &mine));
        file.known = false;
        assert_true(ha_epoch_mountable(&file, &mine));
}

/* R: the row was lost; it is taken beyond the file, and nobody refuses for ever. */
static void test_row_behind(void **unused)
{
        (void)unused;
        to_promoting();
        f.file = (struct ha_epoch){ .known = true, .epoch = 40, .incarnation = OTHER };
        step();
        f.file.known = false; /* told once, and forgotten */
        hook_ends(HOOK_TEMP);
        assert_int_equal(h.state, ST_STANDBY);
        assert_true(has_alert(ALERT_EPOCH_AHEAD));
        until(ST_PROMOTING, 3000);
        assert_int_equal(h.lease.epoch, 41);
        assert_int_equal(await_hook(HOOK_MASTER, MODE_PROMOTE, 2000)->epoch, 41);
}

/* R: nobody believes in its lease for longer than the others wait. */
static void test_reconfigure(void **unused)
{
        struct ha_config c;

        (void)unused;
        to_master();
        c = h.config;
        c.lease.ttl = TTL + 1;
        assert_false(ha_reconfigure(&h, &c, now));
        assert_int_equal(h.config.lease.ttl, TTL);
        msec_t began = h.lease.valid_until - (TTL - MARGIN);
        c.lease = (struct lease_rule){ .ttl = 5000, .renew = 300 };
        ha_config_fill(&c);
        assert_true(ha_reconfigure(&h, &c, now));
        assert_int_equal(h.lease.valid_until, began + 4000);
        assert_int_equal(lease_renewed(&h.lease, now), now - began);
        step();
        step(); /* and renewed at once, by the new rule */
        assert_int_equal(h.lease.valid_until, sent_at + 4000);
        assert_int_equal(h.state, ST_MASTER);

        fresh(0); /* another one's: ours may grow */
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        pass(3000);
        assert_int_equal(h.state, ST_STANDBY);
        c.lease.ttl = 3 * TTL;
        ha_config_fill(&c);
        assert_true(ha_reconfigure(&h, &c, now));
        pass(2 * TTL);
        assert_int_equal(h.state, ST_STANDBY); /* and so does the wait */

        fresh(0); /* nor while a take of ours may come through */
        until(ST_CLAIMING, 5000);
        c = h.config;
        c.lease.ttl = TTL + 1;
        assert_false(ha_reconfigure(&h, &c, now));
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup(t, fixture_setup)
        const struct CMUnitTest tests[] = {
                CASE(test_boot),
                CASE(test_leftover),
                CASE(test_adopt),
                CASE(test_adopt_nothing_else),
                CASE(test_adopt_gone),
                CASE(test_init_in_the_dark),
                CASE(test_stagger),
                CASE(test_hints),
                CASE(test_not_fit),
                CASE(test_unfit_claim),
                CASE(test_skip),
                CASE(test_ask),
                CASE(test_beaten),
                CASE(test_promote),
                CASE(test_promote_temporary),
                CASE(test_promote_fails),
                CASE(test_gives_up),
                CASE(test_epoch_file),
                CASE(test_row_behind),
                CASE(test_reconfigure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
