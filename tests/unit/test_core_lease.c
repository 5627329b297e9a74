/* hamon/core/lease.c: what is sent when, and what each answer makes of it. */
#include "hamon/core/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { TTL = 6400, RENEW = 1000, LOOK = 500, T0 = 100000 };

static struct lease l;
static struct lease_wish w;

static int setup(void **unused)
{
        struct lease_rule rule = { .ttl = TTL, .renew = RENEW, .look = LOOK };

        (void)unused;
        lease_init(&l, "n1", 11, rule, T0);
        w = (struct lease_wish){ .lead = true, .token = 77 };
        return 0;
}

static void assert_next(enum lease_op want, msec_t now)
{
        struct lease_statement s = lease_next(&l, &w, now);

        if (s.op != want)
                fail_msg("op %d, not %d, at %lld", s.op, want, (long long)now);
}

static void assert_event(enum lease_event want, enum lease_answer a, msec_t now)
{
        enum lease_event got = lease_done(&l, a, NULL, now);

        if (got != want)
                fail_msg("event %d, not %d, at %lld", got, want, (long long)now);
}

static enum lease_event see(const char *holder, uint64_t incarnation, uint64_t token,
                            uint64_t epoch, uint64_t beat, msec_t now)
{
        struct lease_row row = {
                .incarnation = incarnation, .token = token, .epoch = epoch, .beat = beat
        };

        strncpy(row.holder, holder, sizeof row.holder - 1);
        return lease_done(&l, ANSWER_DONE, &row, now);
}

/* The next read, which finds this. Returns when. */
static msec_t look(const char *holder, uint64_t incarnation, uint64_t token, uint64_t epoch,
                   uint64_t beat)
{
        msec_t now = l.next_at;

        assert_next(OP_READ, now);
        assert_int_equal(see(holder, incarnation, token, epoch, beat, now), LEASE_SAME);
        return now;
}

/* Won at once, epoch 8; the take was sent and answered at the time returned. */
static msec_t win(void)
{
        look("", 0, 0, 7, 3);
        msec_t now = l.next_at;
        assert_next(OP_TAKE, now);
        assert_event(LEASE_WON, ANSWER_DONE, now);
        return now;
}

/* ---- each answer to each statement ---- */

static void test_read_answers(void **unused)
{
        static const enum lease_answer BAD[] = { ANSWER_NONE, ANSWER_REFUSED, ANSWER_UNKNOWN };

        (void)unused;
        msec_t now = T0;
        for (unsigned i = 0; i < sizeof BAD / sizeof BAD[0]; i++, now += LOOK) {
                assert_next(OP_READ, now);
                assert_next(OP_NONE, now); /* one at a time */
                assert_event(LEASE_SAME, BAD[i], now);
                assert_false(l.known);
                assert_next(OP_NONE, now + LOOK - 1);
        }
        assert_next(OP_READ, now);
        assert_int_equal(see("n2", 22, 1, 7, 3, now), LEASE_SAME);
        assert_true(l.known && !l.names_us);
        assert_int_equal(l.still_since, now);
}

static void test_take_answers(void **unused)
{
        static const struct {
                enum lease_answer a;
                enum lease_event event;
                bool held, claiming;
                msec_t pause;
        } ROWS[] = {
                { ANSWER_DONE, LEASE_WON, true, false, 0 },
                { ANSWER_NONE, LEASE_SAME, false, false, 0 },
                { ANSWER_REFUSED, LEASE_SAME, false, false, LOOK },
                { ANSWER_UNKNOWN, LEASE_SAME, false, true, 0 },
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                look("", 0, 0, 7, 3);
                msec_t now = l.next_at;
                struct lease_statement s = lease_next(&l, &w, now);
                assert_int_equal(s.op, OP_TAKE);
                assert_true(s.epoch == 7 && s.beat == 3 && s.new_epoch == 8 && s.token == 77);
                assert_event(ROWS[i].event, ROWS[i].a, now + 5);
                assert_int_equal(l.held, ROWS[i].held);
                assert_int_equal(lease_valid(&l, now + 5), ROWS[i].held);
                assert_int_equal(l.claiming, ROWS[i].claiming);
                assert_int_equal(l.next_at, now + 5 + ROWS[i].pause);
                if (!ROWS[i].held) /* nothing is tried on an old picture */
                        assert_next(OP_READ, l.next_at);
        }
}

static void test_renew_answers(void **unused)
{
        static const struct {
                enum lease_answer a;
                enum lease_event event;
                bool held;
                msec_t until, next; /* both from the renewal's start; it was answered 20 ms later */
        } ROWS[] = {
                { ANSWER_DONE, LEASE_SAME, true, TTL, RENEW },
                { ANSWER_NONE, LEASE_LOST, false, 0, 20 },
                { ANSWER_REFUSED, LEASE_SAME, true, TTL - RENEW, 20 + RENEW / 4 },
                { ANSWER_UNKNOWN, LEASE_SAME, true, TTL - RENEW, 20 + RENEW / 4 },
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                msec_t at = win() + RENEW;
                struct lease_statement s = lease_next(&l, &w, at);
                assert_int_equal(s.op, OP_RENEW);
                assert_true(s.epoch == 8);
                assert_event(ROWS[i].event, ROWS[i].a, at + 20);
                assert_int_equal(l.held, ROWS[i].held);
                assert_int_equal(l.next_at, at + ROWS[i].next);
                if (ROWS[i].held)
                        assert_int_equal(l.valid_until, at + ROWS[i].until);
                else
                        assert_next(OP_READ, l.next_at);
        }
}

static void test_release_answers(void **unused)
{
        static const struct {
                enum lease_answer a;
                enum lease_event event;
        } ROWS[] = { { ANSWER_DONE, LEASE_FREED },
                     { ANSWER_NONE, LEASE_FREED }, /* an earlier try had done it */
                     { ANSWER_REFUSED, LEASE_SAME },
                     { ANSWER_UNKNOWN, LEASE_SAME } };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                msec_t now = win() + RENEW;
                w = (struct lease_wish){ .release = true };
                struct lease_statement s = lease_next(&l, &w, now);
                assert_int_equal(s.op, OP_RELEASE);
                assert_true(s.epoch == 8);
                assert_false(lease_valid(&l, now)); /* from the sending on, not from the answer */
                assert_int_equal(lease_tick(&l, now + 10 * TTL), LEASE_SAME); /* nothing expires */
                assert_event(ROWS[i].event, ROWS[i].a, now + 5);
                assert_false(lease_valid(&l, now + 5));
                if (ROWS[i].event == LEASE_FREED) {
                        assert_next(OP_READ, l.next_at);
                        continue;
                }
                s = lease_next(&l, &w, l.next_at); /* again, until it is known */
                assert_int_equal(s.op, OP_RELEASE);
                assert_true(s.epoch == 8);
        }
}

/* ---- time ---- */

/* Ours runs from the start of the statement, however late its answer. */
static void test_valid_from_start(void **unused)
{
        (void)unused;
        look("", 0, 0, 7, 3);
        msec_t sent = l.next_at;
        assert_next(OP_TAKE, sent);
        assert_event(LEASE_WON, ANSWER_DONE, sent + 1900);
        assert_true(lease_valid(&l, sent + TTL - 1));
        assert_false(lease_valid(&l, sent + TTL));
        assert_next(OP_RENEW, sent + 1900);
        assert_event(LEASE_SAME, ANSWER_DONE, sent + 3900); /* took longer than the pause */
        assert_true(lease_valid(&l, sent + 1900 + TTL - 1));
        assert_false(lease_valid(&l, sent + 1900 + TTL));
        assert_int_equal(l.next_at, sent + 3900);
}

/* Expired comes before everything, once, and only a new take brings it back. */
static void test_expired_first(void **unused)
{
        (void)unused;
        msec_t now = win();
        assert_next(OP_RENEW, now + TTL - 10);
        assert_int_equal(lease_tick(&l, now + TTL - 1), LEASE_SAME);
        assert_int_equal(lease_tick(&l, now + TTL), LEASE_EXPIRED);
        assert_int_equal(lease_tick(&l, now + TTL), LEASE_SAME);
        assert_event(LEASE_SAME, ANSWER_DONE,
                     now + TTL + 1); /* the renewal had arrived, too late */
        assert_false(lease_valid(&l, now + TTL + 1));
        assert_next(OP_READ, now + TTL + 1); /* what we know of the row is old */
        see("n1", 11, 77, 8, 5, now + TTL + 2);
        assert_true(l.names_us && !l.held);
        assert_next(OP_TAKE, l.next_at); /* our own row: no standing still */
}

/* The same if the answer is handed in before the clock was looked at. */
static void test_expired_in_done(void **unused)
{
        (void)unused;
        msec_t now = win();
        assert_next(OP_RENEW, now + TTL - 10);
        assert_event(LEASE_EXPIRED, ANSWER_DONE, now + TTL);
        assert_false(l.held);
        assert_int_equal(lease_tick(&l, now + TTL), LEASE_SAME);
}

/* A release of what has expired means the epoch that was ours. */
static void test_release_after_expiry(void **unused)
{
        (void)unused;
        msec_t now = win() + TTL;
        assert_int_equal(lease_tick(&l, now), LEASE_EXPIRED);
        w.release = true;
        struct lease_statement s = lease_next(&l, &w, now);
        assert_int_equal(s.op, OP_RELEASE);
        assert_true(s.epoch == 8);
}

/* Won, but when the answer came nothing of it was left. */
static void test_won_too_late(void **unused)
{
        (void)unused;
        look("", 0, 0, 7, 3);
        msec_t sent = l.next_at;
        assert_next(OP_TAKE, sent);
        assert_event(LEASE_SAME, ANSWER_DONE, sent + TTL);
        assert_true(!l.held && l.names_us);
        w.release = true;
        struct lease_statement s = lease_next(&l, &w, l.next_at);
        assert_int_equal(s.op, OP_RELEASE);
        assert_true(s.epoch == 8);
}

static void test_stand_still(void **unused)
{
        const msec_t wait = TTL + TTL / 64;

        (void)unused;
        w.lead = false; /* it only looks on */
        look("n2", 22, 5, 7, 3);
        msec_t first = l.still_since;
        while (l.next_at < first + wait) /* each later look finds the same */
                look("n2", 22, 5, 7, 3);
        assert_int_equal(l.still_since, first);
        assert_false(lease_free(&l, &w, first + wait - 1));
        assert_true(lease_free(&l, &w, first + wait));
        look("n2", 22, 5, 7, 4); /* it beats again */
        assert_false(lease_free(&l, &w, first + wait));
        first = l.still_since;
        look("n3", 33, 6, 8, 4); /* another one */
        assert_true(l.still_since > first);
        assert_false(lease_free(&l, &w, l.still_since + wait - 1));
        w.skip_wait = true;
        assert_true(lease_free(&l, &w, l.still_since));
        w.skip_wait = false;
        look("", 0, 6, 9, 5);
        assert_true(lease_free(&l, &w, l.still_since));
        look("n1", 12, 6, 10, 6); /* our name, not our boot */
        assert_false(lease_free(&l, &w, l.still_since));
        assert_false(l.names_us);
}

static void test_wait_never_negative(void **unused)
{
        (void)unused;
        assert_int_equal(lease_wait(&l, &w, T0), 0);
        assert_int_equal(lease_wait(&l, &w, T0 + 1000000), 0);
        assert_next(OP_READ, T0);
        assert_true(lease_wait(&l, &w, T0 + 1000000) > 0); /* under way: the answer wakes us */
        see("n2", 22, 5, 7, 3, T0);
        assert_int_equal(lease_wait(&l, &w, T0), LOOK);
        setup(NULL);
        msec_t now = win();
        assert_int_equal(lease_wait(&l, &w, now), 0);
        assert_next(OP_RENEW, now);
        assert_int_equal(lease_wait(&l, &w, now), TTL);
        assert_int_equal(lease_wait(&l, &w, now + TTL), 0);
        assert_int_equal(lease_wait(&l, &w, now + 5 * TTL), 0);
}

/* ---- lost answers ---- */

static void test_late_take_is_found(void **unused)
{
        (void)unused;
        look("", 0, 0, 7, 3);
        msec_t sent = l.next_at;
        assert_next(OP_TAKE, sent);
        assert_event(LEASE_SAME, ANSWER_UNKNOWN, sent + 2000);
        assert_next(OP_READ, sent + 2000);
        assert_int_equal(see("n1", 11, 77, 8, 4, sent + 2010), LEASE_WON);
        assert_true(lease_valid(&l, sent + TTL - 1)); /* from when it was sent */
        assert_false(lease_valid(&l, sent + TTL));
        assert_true(l.epoch == 8);
}

/* The read shows the old row: not final. The next compare-and-set settles it. */
static void test_late_take_after_read(void **unused)
{
        (void)unused;
        look("", 0, 0, 7, 3);
        assert_next(OP_TAKE, l.next_at);
        assert_event(LEASE_SAME, ANSWER_UNKNOWN, l.op_at + 2000);
        look("", 0, 0, 7, 3);
        w.token = 78;
        struct lease_statement s = lease_next(&l, &w, l.next_at);
        assert_int_equal(s.op, OP_TAKE);
        assert_true(s.epoch == 7 && s.beat == 3 && s.token == 78);
        assert_event(LEASE_SAME, ANSWER_NONE, l.op_at + 5); /* the first had arrived meanwhile */
        look("n1", 11, 77, 8, 4);
        assert_true(l.names_us && !l.held); /* ours, and no time of ours stands behind it */
        w.token = 79;
        s = lease_next(&l, &w, l.next_at);
        assert_true(s.op == OP_TAKE && s.epoch == 8 && s.beat == 4 && s.new_epoch == 9);
}

/* A row that names us though we never claimed it is given back, not adopted. */
static void test_names_us(void **unused)
{
        (void)unused;
        w.lead = false;
        look("n1", 11, 5, 7, 3);
        assert_true(l.names_us && !l.held);
        w.release = true;
        struct lease_statement s = lease_next(&l, &w, l.next_at);
        assert_int_equal(s.op, OP_RELEASE);
        assert_true(s.epoch == 7);
        assert_event(LEASE_FREED, ANSWER_DONE, l.op_at + 5);
        assert_false(l.names_us);
        look("n2", 22, 5, 9, 3);
        assert_next(OP_READ, l.next_at); /* nothing of ours to release */
}

/* A claim that can never apply any more is forgotten: looking goes on at its usual pace. */
static void test_dead_claim(void **unused)
{
        static const struct {
                uint64_t min_epoch, epoch, beat;
                bool dead;
        } ROWS[] = {
                { 0, 7, 3, false },  /* as it was: it may still apply */
                { 0, 7, 4, true },   /* the holder is alive and beats */
                { 0, 8, 4, true },   /* another one was faster */
                { 500, 8, 4, true }, /* the same, and ours would have gone far beyond */
                { 0, 6, 9, false },  /* an old picture says nothing */
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                w.skip_wait = true;
                w.min_epoch = ROWS[i].min_epoch;
                look("n2", 22, 5, 7, 3);
                assert_next(OP_TAKE, l.next_at);
                assert_event(LEASE_SAME, ANSWER_UNKNOWN, l.op_at + 2000);
                w.skip_wait = false;
                msec_t now = look("n2", 22, 5, ROWS[i].epoch, ROWS[i].beat);
                assert_int_equal(l.claiming, !ROWS[i].dead);
                assert_int_equal(l.next_at, ROWS[i].dead ? now + LOOK : now);
        }
}

static void test_min_epoch(void **unused)
{
        static const struct {
                uint64_t min, want;
        } ROWS[] = { { 0, 8 }, { 6, 8 }, { 7, 8 }, { 8, 9 }, { 400, 401 } };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                w.min_epoch = ROWS[i].min;
                look("", 0, 0, 7, 3);
                struct lease_statement s = lease_next(&l, &w, l.next_at);
                assert_true(s.epoch == 7 && s.new_epoch == ROWS[i].want);
                assert_event(LEASE_WON, ANSWER_DONE, l.op_at);
                assert_true(l.epoch == ROWS[i].want);
                s = lease_next(&l, &w, l.next_at);
                assert_true(s.op == OP_RENEW && s.epoch == ROWS[i].want);
        }
}

static void test_names_are_cut(void **unused)
{
        char name[200];
        struct lease_rule rule = { .ttl = TTL, .renew = RENEW, .look = LOOK };

        (void)unused;
        memset(name, 'x', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        lease_init(&l, name, 1, rule, T0);
        assert_int_equal(strlen(l.me), LEASE_NAME - 1);
}

/* ---- the holder's margin, adoption, the breaker's counters ---- */

/* The holder stops a margin before ttl; a challenger waits for all of it. */
static void test_margin(void **unused)
{
        struct lease_rule rule = { .ttl = TTL, .renew = RENEW, .look = LOOK, .margin = 1000 };

        (void)unused;
        lease_init(&l, "n1", 11, rule, T0);
        msec_t sent = win();
        assert_true(lease_valid(&l, sent + TTL - 1001));
        assert_false(lease_valid(&l, sent + TTL - 1000));
        assert_int_equal(lease_renewed(&l, sent + 300), 300);
        assert_next(OP_RENEW, sent + 500);
        assert_event(LEASE_SAME, ANSWER_DONE, sent + 600);
        assert_int_equal(l.valid_until, sent + 500 + TTL - 1000);
        assert_int_equal(lease_renewed(&l, sent + 600), 100);
}

static void test_adopt(void **unused)
{
        static const struct {
                enum lease_answer a;
                enum lease_event event;
                bool held, names_us;
        } ROWS[] = {
                { ANSWER_DONE, LEASE_WON, true, false },
                { ANSWER_NONE, LEASE_SAME, false, false },
                { ANSWER_REFUSED, LEASE_SAME, false, true },
                { ANSWER_UNKNOWN, LEASE_SAME, false, true },
        };

        (void)unused;
        for (unsigned i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
                setup(NULL);
                w = (struct lease_wish){ .adopt = 7 };
                look("n1", 11, 5, 7, 3);
                msec_t now = l.next_at;
                struct lease_statement s = lease_next(&l, &w, now);
                assert_true(s.op == OP_RENEW && s.epoch == 7);
                assert_event(ROWS[i].event, ROWS[i].a, now + 100);
                assert_int_equal(l.held, ROWS[i].held);
                assert_int_equal(l.names_us, ROWS[i].names_us);
                if (l.held) /* from the start of the statement */
                        assert_int_equal(l.valid_until, now + TTL);
        }
        setup(NULL);
        w = (struct lease_wish){ .adopt = 6 }; /* another epoch's proof */
        look("n1", 11, 5, 7, 3);
        assert_next(OP_READ, l.next_at);
        setup(NULL);
        w = (struct lease_wish){ .adopt = 7 }; /* another one's lease */
        look("n2", 22, 5, 7, 3);
        assert_next(OP_READ, l.next_at);
}

static void look_again(void)
{
        look("n2", 22, 1, 7, 4);
}

/* A take counts if a holder that we saw alive did not release. */
static void test_take_counts(void **unused)
{
        (void)unused;
        look("n2", 22, 1, 7, 3);
        look("n2", 22, 1, 7, 3);
        w.window = 60000;
        assert_false(lease_take_counts(&l)); /* it may have been dead when we booted */
        look_again();
        assert_true(lease_take_counts(&l));
        w.skip_wait = true;
        struct lease_statement s = lease_next(&l, &w, l.next_at);
        assert_true(s.op == OP_TAKE && s.cause && s.window == 60000);
        l.row.failovers = 2;
        assert_event(LEASE_WON, ANSWER_DONE, l.op_at);
        assert_int_equal(l.row.failovers, 3); /* nobody reads it for us while we hold it */

        setup(NULL);
        look("n2", 22, 1, 7, 3);
        look("", 0, 0, 8, 4);
        assert_false(lease_take_counts(&l)); /* given back: who did it for cause has counted */
}

static void test_ack(void **unused)
{
        (void)unused;
        msec_t now = win();
        l.row.failovers = 4;
        w.ack = true;
        assert_next(OP_ACK, now);
        assert_event(LEASE_SAME, ANSWER_UNKNOWN, now + 10);
        assert_int_equal(l.row.failovers, 4);
        now = l.next_at;
        assert_next(OP_ACK, now); /* again, until it is done */
        assert_event(LEASE_ACKED, ANSWER_DONE, now);
        assert_int_equal(l.row.failovers, 0);
        w.ack = false;
        assert_next(OP_RENEW, now + RENEW);
}

/* A holder reads for the counters; what it holds is not touched by what it reads. */
static void test_held_look(void **unused)
{
        (void)unused;
        msec_t now = win(), valid = l.valid_until;
        w.look = true;
        l.look_at = now;
        assert_next(OP_READ, now);
        struct lease_row row = { .holder = "n1", .incarnation = 11, .epoch = 8, .failovers = 5 };
        assert_int_equal(lease_done(&l, ANSWER_DONE, &row, now), LEASE_SAME);
        assert_int_equal(l.row.failovers, 5);
        assert_next(OP_RENEW, now); /* not later for that */
        assert_event(LEASE_SAME, ANSWER_DONE, now);
        l.look_at = now;
        assert_next(OP_READ, l.next_at);
        row = (struct lease_row){ .epoch = 7, .failovers = 0 }; /* an old row */
        assert_int_equal(lease_done(&l, ANSWER_DONE, &row, l.op_at), LEASE_SAME);
        assert_int_equal(l.row.failovers, 5);
        assert_true(l.held && l.valid_until >= valid);
        l.look_at = now;
        assert_next(OP_READ, l.next_at);
        assert_event(LEASE_EXPIRED, ANSWER_UNKNOWN, l.valid_until);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, setup)
        const struct CMUnitTest tests[] = {
                CASE(test_read_answers),
                CASE(test_take_answers),
                CASE(test_renew_answers),
                CASE(test_release_answers),
                CASE(test_valid_from_start),
                CASE(test_expired_first),
                CASE(test_expired_in_done),
                CASE(test_release_after_expiry),
                CASE(test_won_too_late),
                CASE(test_stand_still),
                CASE(test_wait_never_negative),
                CASE(test_late_take_is_found),
                CASE(test_late_take_after_read),
                CASE(test_names_us),
                CASE(test_dead_claim),
                CASE(test_min_epoch),
                CASE(test_names_are_cut),
                CASE(test_margin),
                CASE(test_adopt),
                CASE(test_take_counts),
                CASE(test_ack),
                CASE(test_held_look),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
