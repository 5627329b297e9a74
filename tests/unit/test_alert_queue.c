/* hamon/web/alert_queue.c, alert_state.c, alert_seen.c, alert_rule.c: what waits for whom, when it
 * is tried again, what survives a restart, which events are looked at once, and which are worth it.
 */
#include "hamon/core/ha.h" /* before libevent's names */

#include "hamon/web/alert_state.h"
#include "tests/unit/harness.h"

static struct alert_targets targets;
static struct alert_state s, loaded; /* too large for a stack */

static void target(const char *name, int level)
{
        struct alert_target *t = &targets.v[targets.n++];

        *t = (struct alert_target){ .k = { .level = level, .recovered = true } };
        str_copy(t->name, sizeof t->name, name);
}

static int setup(void **unused)
{
        static const struct book_rule RULE = { 1000, 1000, 1000, 12, 60000, 60000 };

        (void)unused;
        targets.n = 0;
        target("a", LOG_INFO);
        target("b", LOG_ERROR);
        memset(&s, 0, sizeof s);
        memset(&loaded, 0, sizeof loaded);
        alert_queue_targets(&s.queue, &targets);
        alert_book_init(&s.book, &RULE, "n1", "mail", 0);
        alert_book_init(&loaded.book, &RULE, "n1", "mail", 0);
        return 0;
}

static void add(unsigned number, enum log_level level, msec_t now)
{
        struct alert_message m = { .level = level, .at_ms = number };

        snprintf(m.key, sizeof m.key, "k%u", number);
        snprintf(m.title, sizeof m.title, "title %u", number);
        alert_identify(&m);
        alert_queue_add(&s.queue, &targets, &m, now);
}

static const char *take(size_t i, msec_t now, uint64_t *serial)
{
        const struct alert_message *m = alert_queue_take(&s.queue, i, now, serial);

        return m ? m->key : "";
}

static void done(size_t i, uint64_t serial, enum alert_end end, msec_t now)
{
        struct alert_outcome o = { .end = end };

        str_copy(o.error, sizeof o.error, end == ALERT_SENT ? "" : "HTTP 503");
        alert_queue_done(&s.queue, i, serial, &o, 0, now);
}

static void test_in_order_and_one_at_a_time(void **unused)
{
        uint64_t serial = 0, other;

        (void)unused;
        add(1, LOG_INFO, 0);
        add(2, LOG_ERROR, 0);
        assert_string_equal(take(0, 0, &serial), "k1");
        assert_string_equal(take(0, 0, &other), "");   /* under way */
        assert_string_equal(take(1, 0, &other), "k2"); /* b wants errors only */
        done(0, serial, ALERT_SENT, 0);
        assert_int_equal(s.queue.n, 1);
        assert_string_equal(take(0, 0, &serial), "k2");
        done(0, serial, ALERT_SENT, 0);
        assert_int_equal(s.queue.n, 1); /* b has not got it yet */
        done(1, other, ALERT_SENT, 0);
        assert_int_equal(s.queue.n, 0);
        assert_int_equal(alert_queue_wait(&s.queue, 0), -1);
        assert_int_equal(s.queue.targets[0].sent, 2);
}

/* An endpoint that is down for ten minutes: tried ever less often, and nothing is lost. */
static void test_down_for_ten_minutes(void **unused)
{
        unsigned tries = 0, got = 0;
        uint64_t serial;
        msec_t now = 0;

        (void)unused;
        for (unsigned i = 1; i <= 20; i++)
                add(i, LOG_INFO, 0);
        for (; s.queue.n > 0; now += MAX((msec_t)1, alert_queue_wait(&s.queue, now))) {
                const char *key = take(0, now, &serial);
                if (!*key)
                        continue;
                if (now < 600000) {
                        tries++;
                        done(0, serial, ALERT_LATER, now + 10);
                        assert_false(s.queue.targets[0].ok);
                } else {
                        char want[16];
                        snprintf(want, sizeof want, "k%u", ++got);
                        assert_string_equal(key, want);
                        done(0, serial, ALERT_SENT, now + 10);
                }
                assert_true(now < 2000000);
        }
        assert_in_range(tries, 8, 20);
        assert_int_equal(got, 20);
        assert_in_range(now, 600000, 600000 + QUEUE_LONGEST + 1000);
        assert_int_equal(s.queue.dropped, 0);
}

static void test_pause_grows(void **unused)
{
        (void)unused;
        for (unsigned tries = 1; tries < 70; tries++)
                for (uint64_t random = 0; random < 200000; random += 777) {
                        msec_t pause = alert_queue_pause(tries, random);
                        msec_t full = MIN((msec_t)QUEUE_LONGEST,
                                          tries > 20 ? QUEUE_LONGEST
                                                     : (msec_t)QUEUE_FIRST << (tries - 1));
                        assert_in_range(pause, full / 2, full);
                }
        assert_true(alert_queue_pause(9, 1) != alert_queue_pause(9, 12345)); /* by chance */
}

static void test_waits_as_long_as_it_is_asked_to(void **unused)
{
        struct alert_outcome o = { .end = ALERT_LATER, .wait = 90000 };
        uint64_t serial;

        (void)unused;
        add(1, LOG_INFO, 0);
        take(0, 0, &serial);
        alert_queue_done(&s.queue, 0, serial, &o, 0, 5);
        assert_int_equal(alert_queue_wait(&s.queue, 5), 90000);
        assert_string_equal(take(0, 90004, &serial), "");
        assert_string_equal(take(0, 90005, &serial), "k1");
}

/* What one message's endpoint never wants does not keep the others from it for ever. */
static void test_refused(void **unused)
{
        uint64_t serial;
        msec_t now = 0;
        unsigned refusals = 0;

        (void)unused;
        add(1, LOG_INFO, 0);
        add(2, LOG_INFO, 0);
        while (strcmp(take(0, now, &serial), "k1") == 0) {
                refusals++;
                done(0, serial, ALERT_REFUSED, now);
                now += QUEUE_LONGEST;
        }
        assert_int_equal(refusals, QUEUE_REFUSALS);
        assert_int_equal(s.queue.dropped, 1);
        done(0, serial, ALERT_SENT, now);
        assert_int_equal(s.queue.n, 0);
}

static void test_full_drops_what_matters_least(void **unused)
{
        uint64_t serial;

        (void)unused;
        add(0, LOG_INFO, 0);
        assert_string_equal(take(0, 0, &serial), "k0"); /* under way: it stays */
        for (unsigned i = 1; i < QUEUE_MAX; i++)
                add(i, i == 50 ? LOG_INFO : LOG_ERROR, 0);
        add(1000, LOG_ERROR, 0);
        assert_int_equal(s.queue.n, QUEUE_MAX);
        for (size_t i = 0; i < s.queue.n; i++)
                assert_string_not_equal(s.queue.items[i].m.key, "k50");
        add(1001, LOG_ERROR, 0);
        assert_string_equal(s.queue.items[0].m.key, "k0");
        assert_string_equal(s.queue.items[1].m.key, "k2"); /* the oldest of equals */
        assert_int_equal(s.queue.dropped, 2);
}

static void test_too_old(void **unused)
{
        (void)unused;
        add(1, LOG_INFO, 0);
        alert_queue_expire(&s.queue, QUEUE_AGE - 1);
        assert_int_equal(s.queue.n, 1);
        alert_queue_expire(&s.queue, QUEUE_AGE);
        assert_int_equal(s.queue.n, 0);
        assert_int_equal(s.queue.dropped, 1);
}

static void test_targets_come_and_go(void **unused)
{
        uint64_t serial;

        (void)unused;
        add(1, LOG_ERROR, 0); /* for both */
        add(2, LOG_INFO, 0);  /* for a */
        targets.n = 0;
        target("0", LOG_INFO);
        target("b", LOG_ERROR);
        alert_queue_targets(&s.queue, &targets);
        assert_int_equal(s.queue.n, 1);
        assert_int_equal(s.queue.dropped, 1);
        assert_string_equal(take(0, 0, &serial), "");
        assert_string_equal(take(1, 0, &serial), "k1");
}

/* ---- the file ---- */

static void test_state_survives(void **unused)
{
        CLEANUP(buf_done) struct buf text = BUF(STATE_MAX), again = BUF(STATE_MAX);
        struct event_line e = { .at_ms = 5, .kind = "clock_gap", .node = "n1", .took = 7 };
        const struct alert_rule *r = alert_rule_find(&e);
        struct alert_message m;
        uint64_t serial;

        (void)unused;
        add(1, LOG_ERROR, 1000);
        add(2, LOG_INFO, 2000);
        take(0, 3000, &serial);
        done(0, serial, ALERT_SENT, 3000);
        alert_rule_message(r, &e, "mail", &m);
        for (int i = 0; i < 3; i++)
                alert_book_event(&s.book, r, &m, 4000);
        while (alert_book_next(&s.book, &m)) {}
        s.book.entries[0].kept_back = true;
        assert_true(alert_seen_new(&s.seen, &e));
        assert_int_equal(alert_state_write(&s, 5000, 1000000, &text), 0);

        /* another boot, a minute later: its clock is at 100 */
        assert_int_equal(alert_state_read(buf_str(&text), 100, 1060000, &loaded), 0);
        assert_int_equal(loaded.queue.n, 2);
        assert_string_equal(loaded.queue.items[0].m.key, "k1");
        assert_int_equal(loaded.queue.items[0].since, 100 - 60000 - 4000);
        assert_int_equal(loaded.queue.items[0].open, 2); /* a has got it */
        assert_int_equal(loaded.queue.targets[0].sent, 1);
        assert_int_equal(loaded.book.n, 1);
        assert_int_equal(loaded.book.entries[0].more, 2);
        assert_int_equal(loaded.book.entries[0].window_at, 100 - 60000 - 1000);
        assert_true(loaded.book.entries[0].kept_back);
        assert_false(alert_seen_new(&loaded.seen, &e));
        assert_int_equal(alert_state_write(&loaded, 100, 1060000, &again), 0);
        assert_true(again.len > 100);
}

/* What an older hamon did not write yet is no reason to forget the rest. */
static void test_state_of_before(void **unused)
{
        CLEANUP(buf_done) struct buf text = BUF(STATE_MAX);
        static const char LATER[] = ",\"kept_back\":true";
        char *at;

        (void)unused;
        s.book.entries[s.book.n++] = (struct book_entry){ .told = true, .kept_back = true };
        assert_int_equal(alert_state_write(&s, 0, 0, &text), 0);
        at = strstr(text.data, LATER);
        assert_non_null(at);
        memmove(at, at + strlen(LATER), strlen(at + strlen(LATER)) + 1);
        assert_int_equal(alert_state_read(text.data, 0, 0, &loaded), 0);
        assert_int_equal(loaded.book.n, 1);
        assert_true(loaded.book.entries[0].told);
        assert_false(loaded.book.entries[0].kept_back);
}

/* Half of a file, or another's, changes nothing. */
static void test_bad_state(void **unused)
{
        CLEANUP(buf_done) struct buf text = BUF(STATE_MAX);

        (void)unused;
        add(1, LOG_ERROR, 0);
        assert_int_equal(alert_state_write(&s, 0, 0, &text), 0);
        for (size_t len = 0; len + 2 < text.len; len += 7) {
                char *half = strndup(text.data, len);
                assert_int_equal(alert_state_read(half, 0, 0, &loaded), -EBADMSG);
                free(half);
        }
        assert_int_equal(loaded.queue.n, 0);
        assert_int_equal(alert_state_read("[]", 0, 0, &loaded), -EBADMSG);
        assert_int_equal(alert_state_read("{\"version\":2,\"written_ms\":0}", 0, 0, &loaded),
                         -EBADMSG);
        assert_int_equal(alert_state_read(buf_str(&text), 0, 0, &loaded), 0);
}

/* ---- events ---- */

static void test_each_event_once(void **unused)
{
        struct event_line e = { .kind = "alert", .to = "stay", .took = -1 };

        (void)unused;
        s.seen.floor_ms = 1000;
        e.at_ms = 999;
        assert_false(alert_seen_new(&s.seen, &e)); /* history */
        for (int i = 0; i < 3 * SEEN_MAX; i++) {
                e.at_ms = 1000 + i;
                snprintf(e.at, sizeof e.at, "%d", i);
                assert_true(alert_seen_new(&s.seen, &e));
                assert_false(alert_seen_new(&s.seen, &e));
        }
        e.at_ms = 1000; /* forgotten, and below the floor */
        str_copy(e.at, sizeof e.at, "0");
        assert_false(alert_seen_new(&s.seen, &e));
        str_copy(e.detail, sizeof e.detail, "another one at the same time");
        e.at_ms = 1000 + 3 * SEEN_MAX;
        assert_true(alert_seen_new(&s.seen, &e));
}

static unsigned fitting(const char *kind, const char *from, const char *to, const char *reason)
{
        struct event_line e = { .took = -1 };
        unsigned n = 0;

        str_copy(e.kind, sizeof e.kind, kind);
        str_copy(e.from, sizeof e.from, from);
        str_copy(e.to, sizeof e.to, to);
        str_copy(e.reason, sizeof e.reason, reason);
        for (size_t i = 0; i < N_ALERT_RULES; i++)
                n += alert_rule_fits(&ALERT_RULES[i], &e);
        return n;
}

/* No event fits two rows; every alert of core, and every kind that a row names, exists. */
static void test_rules_are_disjoint(void **unused)
{
        static const char *const WORDS[] = { "fenced", "silent", "unready",
                                             "armed",  "off",    "helped",
                                             "failed", "begun",  "takeover_forced",
                                             "" };

        (void)unused;
        for (int from = 0; from < ST_COUNT_; from++)
                for (int to = 0; to < ST_COUNT_; to++)
                        for (int ev = 0; ev < EV_COUNT_; ev++)
                                assert_in_range(fitting("state", HA_STATES[from], HA_STATES[to],
                                                        HA_EVENTS[ev]),
                                                0, 1);
        for (int a = 0; a < ALERT_COUNT_; a++)
                assert_int_equal(fitting("alert", "", HA_ALERTS[a], ""), 1);
        for (size_t k = 0; k < EVENT_COUNT_; k++)
                for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
                        assert_in_range(fitting(EVENTS[k].name, "", WORDS[i], ""), 0, 1);
        for (size_t i = 0; i < N_ALERT_RULES; i++) {
                size_t k = 0;
                while (k < EVENT_COUNT_ && strcmp(EVENTS[k].name, ALERT_RULES[i].kind) != 0)
                        k++;
                assert_true(k < EVENT_COUNT_);
        }
}

/* What every state that may write can turn into for a reason of the table, is told. */
static void test_no_loss_of_the_lead_is_silent(void **unused)
{
        (void)unused;
        for (int st = 0; st < ST_COUNT_; st++)
                for (int ev = 0; ev < EV_COUNT_; ev++) {
                        const struct fsm_cell *c = &FSM[st][ev];
                        if (st == ST_MASTER && c->next != ST_MASTER)
                                assert_int_equal(fitting("state", HA_STATES[st], HA_STATES[c->next],
                                                         HA_EVENTS[ev]),
                                                 1);
                }
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_in_order_and_one_at_a_time),
                TEST(test_down_for_ten_minutes),
                TEST(test_pause_grows),
                TEST(test_waits_as_long_as_it_is_asked_to),
                TEST(test_refused),
                TEST(test_full_drops_what_matters_least),
                TEST(test_too_old),
                TEST(test_targets_come_and_go),
                TEST(test_state_survives),
                TEST(test_state_of_before),
                TEST(test_bad_state),
                TEST(test_each_event_once),
                TEST(test_rules_are_disjoint),
                TEST(test_no_loss_of_the_lead_is_silent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
