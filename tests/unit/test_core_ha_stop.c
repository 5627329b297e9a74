/* hamon/core/ha: how it stops serving, by wish, for cause, by force; and the breaker. */
#include "ha_fixture.h"

/* ---- the lease is lost ---- */

static void test_lost(void **unused)
{
        (void)unused;
        to_master();
        db_is_down = true;
        pass(TTL - MARGIN - 1100);
        assert_int_equal(h.state, ST_MASTER);
        msec_t guard = out.guard_deadline, valid = h.lease.valid_until;
        for (; h.state == ST_MASTER; now++)
                step();
        assert_int_equal(now - 1, valid); /* a margin before ttl */
        assert_int_equal(h.state, ST_FENCING);
        assert_int_equal(out.guard, GUARD_KEEP);
        assert_true(guard > now && guard < valid + MARGIN);
        assert_int_equal(out.track, HA_TRACK_UNFIT);
        const struct ha_action *a = assert_hook(HOOK_BACKUP, MODE_FENCE);
        assert_int_equal(a->deadline, h.config.fence_timeout);
}

/* R: the old hook is dead and reaped before the next one starts. */
static void test_one_hook(void **unused)
{
        (void)unused;
        to_promoting();
        db_is_down = true;
        until(ST_FENCING, TTL);
        assert_non_null(action(ACTION_KILL_HOOK));
        assert_null(action(ACTION_START_HOOK));
        pass(500);
        assert_null(action(ACTION_START_HOOK));
        int kills = 0, guards = 0, alerts = 0;
        for (int i = 0; i < 300; i++, now += 10) { /* it does not die */
                step();
                assert_null(action(ACTION_START_HOOK));
                kills += action(ACTION_KILL_HOOK) != NULL;
                guards += action(ACTION_FENCE_NOW) != NULL;
                alerts += has_alert(ALERT_HOOK_STUCK);
        }
        assert_int_equal(kills, 3);
        assert_int_equal(guards, 3);
        assert_int_equal(alerts, 1);
        hook_ends(HOOK_KILLED);
        assert_hook(HOOK_BACKUP, MODE_FENCE);
}

/* FENCING ends with a proof, not with patience. */
static void test_fencing(void **unused)
{
        (void)unused;
        to_fencing();
        hook_ends(HOOK_OK); /* it says so, but the volume is mounted */
        assert_int_equal(h.state, ST_FENCING);
        assert_null(action(ACTION_FENCE_NOW));
        await_hook(HOOK_BACKUP, MODE_FENCE, 2000);
        hook_ends(HOOK_FAILED);
        assert_int_equal(h.state, ST_FENCING);
        assert_non_null(action(ACTION_FENCE_NOW));
        assert_true(has_alert(ALERT_FENCE));
        await_hook(HOOK_BACKUP, MODE_FENCE, 2000);
        pass(60000);
        assert_int_equal(h.state, ST_FENCING);
        assert_string_equal(row.holder, "n1"); /* no release, no take */
        hook_ends(HOOK_TEMP);
        assert_false(has_alert(ALERT_FENCE)); /* once */
        await_hook(HOOK_BACKUP, MODE_FENCE, 2000);
        f.mounted = f.active = false;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_HALTED); /* lost it for cause */
        assert_true(has_alert(ALERT_HALTED));
        pass(h.config.in_flight);
        pass(2000);
        assert_string_equal(row.holder, "");
        assert_int_equal(row.failovers, 1);
}

/* ---- for cause ---- */

static void unfit_master(void)
{
        to_master();
        f.fitness = UNFIT;
        f.lasting = true;
}

static void test_stay(void **unused)
{
        (void)unused;
        unfit_master();
        step();
        assert_int_equal(h.state, ST_MASTER); /* nobody else */
        assert_true(has_alert(ALERT_STAY));
        assert_int_equal(out.track, HA_TRACK_UNFIT); /* may keepalived look for another one */
        step();
        assert_false(has_alert(ALERT_STAY));
        put_name(f.other, "n2");
        f.provider = false;
        step();
        assert_int_equal(h.state, ST_MASTER); /* the API is down: no half moves */
        f.provider = true;
        f.fitness = UNSURE;
        step();
        assert_int_equal(h.state, ST_MASTER); /* UNKNOWN is no reason */
        f.fitness = UNFIT;
        f.lasting = false;
        step();
        assert_int_equal(h.state, ST_MASTER); /* within grace */
        f.lasting = true;
        step();
        assert_int_equal(h.state, ST_DEMOTING);
        assert_string_equal(assert_hook(HOOK_BACKUP, MODE_DEMOTE)->to, "n2");
}

static void test_demoted_for_cause(void **unused)
{
        (void)unused;
        unfit_master();
        put_name(f.other, "n2");
        step();
        assert_hook(HOOK_BACKUP, MODE_DEMOTE);
        f.mounted = f.active = false;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_HALTED);
        assert_int_equal(out.statement.op, OP_RELEASE);
        assert_true(out.statement.cause);
        assert_int_equal(out.statement.window, 3600000);
        step();
        const struct ha_action *a = action(ACTION_HINT);
        assert_non_null(a);
        assert_string_equal(a->to, "n2");
        assert_int_equal(a->epoch, 8);
        assert_false(ha_candidate(&h, &f, now));
}

static void test_asked(void **unused)
{
        (void)unused;
        to_master();
        put_name(f.asker, "n3");
        f.asked = true;
        step();
        assert_int_equal(h.state, ST_MASTER); /* it serves well */
        unfit_master();
        step();
        assert_int_equal(h.state, ST_MASTER); /* rows tell of nobody ... */
        put_name(f.asker, "n3");
        f.asked = true;
        step();
        assert_int_equal(h.state, ST_DEMOTING); /* ... but n3 says it is there */
        assert_string_equal(assert_hook(HOOK_BACKUP, MODE_DEMOTE)->to, "n3");
}

static void test_volume_lost(void **unused)
{
        (void)unused;
        to_master();
        f.volume_lost = true;
        step();
        assert_int_equal(h.state, ST_FENCING);
        assert_true(has_alert(ALERT_VOLUME_LOST));
        to_master();
        f.file = (struct ha_epoch){ .known = true, .epoch = 9, .incarnation = OTHER };
        step();
        assert_int_equal(h.state, ST_FENCING);
}

/* R: what a master asserts is looked after. */
static void test_missing(void **unused)
{
        (void)unused;
        to_master();
        f.missing = true;
        await_hook(HOOK_MASTER, MODE_RECOVER, h.config.assert_every + 100);
        hook_ends(HOOK_FAILED);
        assert_int_equal(h.state, ST_MASTER); /* the verdict decides, not a hook */
        msec_t before = now;
        await_hook(HOOK_MASTER, MODE_RECOVER, 2 * h.config.assert_every);
        assert_true(now - before >= h.config.assert_every);
        f.missing = false;
        hook_ends(HOOK_OK);
        f.repair = true; /* that does not wait for its turn */
        await_hook(HOOK_MASTER, MODE_RECOVER, 100);
        f.repair = false;
        hook_ends(HOOK_OK);
        pass(h.config.assert_every);
        f.missing = true; /* another time: at once, for it was long ago */
        await_hook(HOOK_MASTER, MODE_RECOVER, 100);
        before = now;
        hook_ends(HOOK_OK);
        await_hook(HOOK_MASTER, MODE_RECOVER,
                   2 * h.config.assert_every); /* it ends again and again */
        assert_true(now - before >= h.config.assert_every);
        f.missing = false;
        hook_ends(HOOK_OK);
        pass(20000);
        assert_null(action(ACTION_START_HOOK));
}

/* ---- by wish ---- */

static bool order(enum ha_order what)
{
        f.order = what;
        step();
        const struct ha_action *a = action(ACTION_ANSWER);
        assert_non_null(a);
        assert_true(a->comment && *a->comment);
        return a->accepted;
}

static void test_switchover(void **unused)
{
        (void)unused;
        to_standby();
        assert_false(order(ORDER_SWITCHOVER)); /* does not lead */
        to_master();
        assert_false(order(ORDER_SWITCHOVER)); /* nobody is fit */
        put_name(f.order_to, "n3");
        assert_false(order(ORDER_SWITCHOVER)); /* that one is not */
        put_name(f.order_to, "n1");
        f.order_fit = true;
        assert_false(order(ORDER_SWITCHOVER)); /* to itself */
        put_name(f.order_to, "n3");
        assert_true(order(ORDER_SWITCHOVER));
        assert_int_equal(h.state, ST_DEMOTING);
        assert_string_equal(assert_hook(HOOK_BACKUP, MODE_SWITCHOVER)->to, "n3");
        f.mounted = f.active = false;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_STANDBY); /* nobody's fault */
        assert_int_equal(out.statement.op, OP_RELEASE);
        assert_false(out.statement.cause);
}

static void test_maintenance(void **unused)
{
        (void)unused;
        to_master();
        f.maintenance = true;
        pass(1000);
        assert_int_equal(h.state, ST_MASTER); /* nobody else could */
        put_name(f.other, "n2");
        await_hook(HOOK_BACKUP, MODE_SWITCHOVER, 100);
        f.mounted = f.active = false;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_MAINTENANCE);
        pass(60000);
        assert_int_equal(h.state, ST_MAINTENANCE);
        assert_string_equal(row.holder, "");
        f.maintenance = false;
        until(ST_CLAIMING, 100); /* nobody has it: back into the race */
}

/* A demotion that does not come about: back to serving, and not at once away again. */
static void test_way_back(void **unused)
{
        static const enum ha_hook_end ENDS[] = { HOOK_TEMP, HOOK_FAILED, HOOK_KILLED };

        (void)unused;
        for (int i = 0; i < 3; i++) {
                to_demoting();
                hook_ends(ENDS[i]);
                assert_int_equal(h.state, ST_PROMOTING);
                f.fitness = UNFIT;
                f.lasting = f.maintenance = true;
                await_hook(HOOK_MASTER, MODE_RECOVER, 2000);
                hook_ends(HOOK_OK);
                assert_int_equal(h.state, ST_MASTER);
                pass(h.config.give_up / 2);
                assert_int_equal(h.state, ST_MASTER);
                pass(h.config.give_up);
                assert_int_equal(h.state, ST_DEMOTING);
        }
        to_demoting();
        f.mounted = false;
        hook_ends(HOOK_FAILED); /* too late */
        assert_int_equal(h.state, ST_FENCING);
}

/* ---- what must not be here ---- */

static void test_dirty(void **unused)
{
        (void)unused;
        fresh(0);
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        f.active = true;
        pass(h.config.settle - 10);
        assert_int_equal(h.state, ST_STANDBY); /* may be a picture that lags */
        pass(20);
        assert_int_equal(h.state, ST_FENCING);
        assert_hook(HOOK_BACKUP, MODE_FENCE);
        to_standby();
        f.mounted = true;
        step();
        assert_int_equal(h.state, ST_FENCING); /* the kernel's word */
}

/* R: a take that comes through late is given back, but not while anything is mounted. */
static void test_unclaimed(void **unused)
{
        (void)unused;
        to_standby();
        f.candidate = UNFIT;
        held_by("n1", ME);
        row.epoch = 8;
        row.token = 99;
        for (; out.statement.op != OP_RELEASE; now += 10) {
                step();
                assert_true(now < T0 + 10000);
        }
        assert_int_equal(out.statement.epoch, 8);
        assert_int_equal(h.state, ST_STANDBY);
}

/* R: no release while a request may be on its way to the provider. */
static void test_quiet(void **unused)
{
        (void)unused;
        to_promoting();
        put_name(f.other, "n2");
        assert_true(order(ORDER_SWITCHOVER));
        assert_non_null(action(ACTION_KILL_HOOK));
        pass(10);
        msec_t dead = now;
        hook_ends(HOOK_KILLED);
        await_hook(HOOK_BACKUP, MODE_SWITCHOVER, 2000);
        assert_true(now - dead >= h.config.in_flight);
        hook_ends(HOOK_OK);
        assert_int_equal(out.statement.op, OP_RELEASE);
}

static void test_gap(void **unused)
{
        (void)unused;
        to_promoting();
        f.gap = 3000;
        step();
        assert_int_equal(h.state, ST_PROMOTING);
        assert_non_null(action(ACTION_KILL_HOOK)); /* what it knew is old */
        assert_int_equal(out.statement.op, OP_RENEW);
        to_standby();
        until(ST_CLAIMING, 2000);
        f.gap = 3000;
        step();
        assert_int_equal(h.state, ST_STANDBY);
        to_master();
        f.gap = 3000;
        step();
        assert_int_equal(h.state, ST_MASTER); /* still valid */
        f.gap = TTL;
        now += TTL;
        step();
        assert_int_equal(h.state, ST_FENCING); /* not any more: that is looked at first */
}

/* ---- what a step is told ---- */

static void test_permit(void **unused)
{
        (void)unused;
        to_standby();
        assert_false(ha_permit(&h, 0, now).ok);
        assert_non_null(ha_permit(&h, 0, now).reason);
        to_master();
        now = h.lease.op_at + 700;
        struct ha_permit p = ha_permit(&h, 8, now);
        assert_true(p.ok && p.epoch == 8);
        assert_int_equal(p.renewed, 700);
        assert_int_equal(p.valid, TTL - MARGIN - 700);
        assert_true(ha_permit(&h, 0, now).ok);
        assert_false(ha_permit(&h, 7, now).ok); /* started for another epoch */
        ha_hurry(&h, now);
        step();
        assert_int_equal(out.statement.op, OP_RENEW);
        answer();
        assert_int_equal(ha_permit(&h, 8, now).renewed, 0);
        assert_false(ha_permit(&h, 8, now + TTL - MARGIN).ok);
}

/* ---- the breaker ---- */

static void test_halted(void **unused)
{
        (void)unused;
        fresh(0);
        row.failovers = 4;
        put_name(row.loser, "n2");
        until(ST_HALTED, 1000);
        msec_t free = h.free_since;
        pass(20000);
        assert_int_equal(h.state, ST_HALTED);
        until(ST_PROMOTING, 600000); /* nobody serves: rather than stay dead */
        assert_true(now - free >= h.config.breaker.pause * 2); /* the count is above max by one */
}

static void test_ack(void **unused)
{
        (void)unused;
        fresh(0);
        row.failovers = 4;
        put_name(row.loser, "n2");
        until(ST_HALTED, 1000);
        assert_true(order(ORDER_ACK));
        until(ST_CLAIMING, 3000);
        assert_int_equal(row.failovers, 0);

        unfit_master(); /* on another node: the master that stayed learns of it */
        put_name(f.other, "n2");
        row.failovers = h.lease.row.failovers = 3;
        pass(2000);
        assert_int_equal(h.state, ST_MASTER); /* one more would be too many */
        row.failovers = 0;
        until(ST_DEMOTING, 10000);
}

static void test_takeover(void **unused)
{
        (void)unused;
        fresh(2);
        row.failovers = 9;
        put_name(row.loser, "n1");
        f.candidate = UNFIT;
        until(ST_HALTED, 1000);
        assert_true(order(ORDER_TAKEOVER)); /* the operator's word, at once */
        assert_int_equal(h.state, ST_CLAIMING);
        until(ST_PROMOTING, 1000);
        to_master();
        assert_false(order(ORDER_TAKEOVER)); /* leads already */
}

/* Whoever is to be robbed by order gets all of ttl, and keeps the lease if it lives. */
static void test_takeover_waits(void **unused)
{
        (void)unused;
        fresh(2);
        f.candidate = UNFIT;
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        assert_true(order(ORDER_TAKEOVER));
        pass(TTL - 2000);
        assert_int_equal(h.state, ST_CLAIMING);
        assert_string_equal(row.holder, "n2");
        until(ST_PROMOTING, 4000);
        assert_string_equal(h.from, "n2");

        fresh(2);
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        assert_true(order(ORDER_TAKEOVER));
        pass(3000);
        row.beat++; /* it has renewed */
        until(ST_STANDBY, 3000);
        assert_string_equal(row.holder, "n2");

        fresh(2); /* R: it believes in it for longer than we would wait: no order changes that */
        held_by("n2", OTHER);
        until(ST_STANDBY, 1000);
        f.outlasted = true;
        assert_false(ha_candidate(&h, &f, now));
        assert_true(order(ORDER_TAKEOVER));
        pass(3 * TTL);
        assert_string_equal(row.holder, "n2");
        assert_non_null(strstr(h.why_not, "lease.ttl"));
}

/* R: a node that has not heard the others yet would fence who is only late. */
static void test_unheard(void **state)
{
        (void)state;
        fresh(2);
        f.unheard = true;
        until(ST_STANDBY, 1000);
        pass(3 * TTL);
        assert_int_equal(h.state, ST_STANDBY);
        assert_string_equal(row.holder, "");
        assert_false(ha_candidate(&h, &f, now));
        assert_non_null(strstr(h.why_not, "who is only late"));
        f.unheard = false;
        until(ST_PROMOTING, 4000);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup(t, fixture_setup)
        const struct CMUnitTest tests[] = {
                CASE(test_lost),       CASE(test_unheard),     CASE(test_one_hook),
                CASE(test_fencing),    CASE(test_stay),        CASE(test_demoted_for_cause),
                CASE(test_asked),      CASE(test_volume_lost), CASE(test_missing),
                CASE(test_switchover), CASE(test_maintenance), CASE(test_way_back),
                CASE(test_dirty),      CASE(test_unclaimed),   CASE(test_quiet),
                CASE(test_gap),        CASE(test_permit),      CASE(test_halted),
                CASE(test_ack),        CASE(test_takeover),    CASE(test_takeover_waits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
