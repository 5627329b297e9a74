/* One node's core in the hand: facts are set, time moves, the row answers as the test says. */
#pragma once

#include "hamon/core/ha.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DEADLINE = 2000, TTL = 10000, MARGIN = 2000, T0 = 1000000, ME = 77, OTHER = 88 };

static struct ha h;
static struct ha_facts f;
static struct ha_output out;
static struct lease_row row;           /* of the database */
static struct lease_statement pending; /* sent, not answered */
static msec_t now, sent_at;

static void put_name(char *to, const char *name)
{
        memset(to, 0, LEASE_NAME);
        strncpy(to, name, LEASE_NAME - 1);
}

static inline void fresh(unsigned rank)
{
        struct ha_config c = { .lease = { .ttl = TTL, .renew = 1000 },
                               .breaker = { .wait = 3600000, .max = 3 },
                               .rank = rank,
                               .n_nodes = 3,
                               .stale = 5000,
                               .master_timeout = 60000,
                               .backup_timeout = 30000 };

        now = T0;
        pending.op = OP_NONE;
        ha_config_fill(&c);
        ha_init(&h, &c, "n1", ME, now);
        f = (struct ha_facts){ .token = 5,
                               .fitness = FIT,
                               .candidate = FIT,
                               .provider = true,
                               .fence_ok = true,
                               .same_boot = true };
        row = (struct lease_row){ .epoch = 7, .beat = 1 };
}

/* ---- the database ---- */

static inline void apply(const struct lease_statement *s)
{
        if (s->op == OP_TAKE) {
                put_name(row.holder, "n1");
                row.incarnation = ME;
                row.token = s->token;
                row.epoch = s->new_epoch;
        } else if (s->op == OP_RELEASE) {
                row.holder[0] = '\0';
                row.epoch++;
        } else if (s->op == OP_ACK) {
                row.failovers = 0;
                row.loser[0] = '\0';
        }
        if ((s->op == OP_TAKE || s->op == OP_RELEASE) && s->cause)
                row.failovers++;
        if (s->op != OP_READ)
                row.beat++;
}

static inline void held_by(const char *holder, uint64_t incarnation)
{
        put_name(row.holder, holder);
        row.incarnation = incarnation;
        row.beat++;
}

/* ---- time ---- */

static bool db_is_down;

static inline void answer(void)
{
        struct lease_statement s = pending;

        if (s.op == OP_NONE || (db_is_down && now - sent_at < DEADLINE))
                return;
        pending.op = OP_NONE;
        if (!db_is_down)
                apply(&s);
        ha_answer(&h, db_is_down ? ANSWER_UNKNOWN : ANSWER_DONE, &row, now);
}

/* One wake-up; what was sent before is answered first. */
static inline void step(void)
{
        answer();
        ha_step(&h, &f, now, &out);
        if (out.statement.op != OP_NONE) {
                pending = out.statement;
                sent_at = now;
        }
        f.gap = 0;
        f.asked = f.poke = false;
        f.order = ORDER_NONE;
}

/* Let `ms` pass, stepping whenever core wants to. Actions of the last step stay in `out`. */
static inline void pass(msec_t ms)
{
        msec_t end = now + ms;

        for (int i = 0; now < end; i++) {
                assert_true(i < 100000);
                step();
                now += out.next > 0 ? out.next : 1;
        }
        now = end;
        step();
}

/* Step and answer until this state is there. */
static inline void until(enum ha_state s, msec_t patience)
{
        for (msec_t end = now + patience; h.state != s; now += 20) {
                if (now > end)
                        fail_msg("%s, not %s", HA_STATES[h.state], HA_STATES[s]);
                step();
        }
}

/* ---- what was decided ---- */

static inline const struct ha_action *action(enum ha_action_kind kind)
{
        for (unsigned i = 0; i < out.n; i++)
                if (out.actions[i].kind == kind)
                        return &out.actions[i];
        return NULL;
}

static inline bool has_alert(enum ha_alert which)
{
        for (unsigned i = 0; i < out.n; i++)
                if (out.actions[i].kind == ACTION_ALERT && out.actions[i].alert == which)
                        return true;
        return false;
}

static inline const struct ha_action *assert_hook(enum ha_hook hook, enum ha_mode mode)
{
        const struct ha_action *a = action(ACTION_START_HOOK);

        if (!a)
                fail_msg("no hook is started, %s", HA_STATES[h.state]);
        assert_int_equal(a->hook, hook);
        assert_int_equal(a->mode, mode);
        f.hook = (struct ha_hook_facts){ HOOK_RUNNING, a->id, HOOK_OK };
        return a;
}

/* The next hook, within `patience`. */
static inline const struct ha_action *await_hook(enum ha_hook hook, enum ha_mode mode,
                                                 msec_t patience)
{
        for (msec_t end = now + patience; !action(ACTION_START_HOOK) && now < end; now += 10)
                step();
        return assert_hook(hook, mode);
}

static inline void hook_ends(enum ha_hook_end end)
{
        f.hook.state = HOOK_ENDED;
        f.hook.end = end;
        step();
}

/* ---- ways to a state ---- */

static inline void to_standby(void)
{
        fresh(0);
        until(ST_STANDBY, 1000);
}

static inline void to_promoting(void)
{
        to_standby();
        until(ST_PROMOTING, 5000);
        assert_hook(HOOK_MASTER, MODE_PROMOTE);
}

static inline void to_master(void)
{
        to_promoting();
        f.mounted = f.active = true;
        hook_ends(HOOK_OK);
        assert_int_equal(h.state, ST_MASTER);
}

static inline void to_demoting(void)
{
        to_master();
        put_name(f.other, "n2");
        f.order = ORDER_SWITCHOVER;
        step();
        assert_int_equal(h.state, ST_DEMOTING);
        assert_hook(HOOK_BACKUP, MODE_SWITCHOVER);
}

static inline void to_fencing(void)
{
        to_master();
        db_is_down = true;
        until(ST_FENCING, TTL);
        db_is_down = false;
        assert_hook(HOOK_BACKUP, MODE_FENCE);
}

static int fixture_setup(void **unused)
{
        (void)unused;
        db_is_down = false;
        return 0;
}
