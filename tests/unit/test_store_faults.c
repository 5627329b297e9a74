/* hamon/store.c and a member that hangs, is stopped or killed in the middle of a statement. Where a
 * statement's fate is open, core/lease settles it here as it does in the daemon. */
#include "tests/unit/store_fixture.h"

/* ---- a statement whose end nobody hears of ---- */

/* Drive a lease as the daemon does until it is held, or `most` ms have passed. */
static bool drive(struct client *c, struct lease *l, const struct lease_wish *w, msec_t most)
{
        for (msec_t end = clock_ms() + most; clock_ms() < end; turn()) {
                lease_tick(l, loop_now(&loop));
                if (c->answered && l->op != OP_NONE) {
                        c->answered = false;
                        lease_done(l, c->a.answer, &c->a.row, loop_now(&loop));
                }
                if (l->held)
                        return true;
                struct lease_statement st = lease_next(l, w, loop_now(&loop));
                if (st.op != OP_NONE)
                        send_only(c, &st);
        }
        return false;
}

/* Until the lease has sent this. */
static void drive_to(struct client *c, struct lease *l, const struct lease_wish *w,
                     enum lease_op op)
{
        msec_t end = clock_ms() + PATIENCE;

        for (c->answered = false; clock_ms() < end; turn()) {
                if (c->answered) {
                        c->answered = false;
                        lease_done(l, c->a.answer, &c->a.row, loop_now(&loop));
                }
                struct lease_statement st = lease_next(l, w, loop_now(&loop));
                if (st.op != OP_NONE)
                        send_only(c, &st);
                if (st.op == op)
                        return;
        }
        fail_msg("the lease never sent statement %d", op);
}

static void lease_begin(struct lease *l, const char *me, uint64_t incarnation)
{
        struct lease_rule rule = { .ttl = 20000, .renew = 200, .look = 100 };

        loop.now_valid = false;
        lease_init(l, me, incarnation, rule, loop_now(&loop));
}

/* The server is stopped when the take arrives: the deadline ends it, unknown, and it commits when
 * the server goes on. Either way lease.c finds out whose the row is. */
static void test_stopped_in_take(void **unused)
{
        struct lease_wish w = { .lead = true, .token = 4711 };
        struct lease l;

        (void)unused;
        open_short(&one);
        lease_begin(&l, "n1", 11);
        read_row(&one);
        server_freeze();
        for (int i = 0; i < 3; i++) { /* frozen before the read, which says nothing */
                SAY(&one, i == 0 ? ANSWER_UNKNOWN : ANSWER_REFUSED, { .op = OP_READ });
                assert_true(one.a.error == 0);
        }
        kill(server, SIGCONT);
        read_row(&one);
        drive_to(&one, &l, &w, OP_TAKE);
        server_freeze();
        await(&one);
        assert_true(one.a.answer == ANSWER_UNKNOWN || one.a.answer == ANSWER_DONE ||
                    one.a.answer == ANSWER_REFUSED);
        kill(server, SIGCONT);
        assert_true(drive(&one, &l, &w, PATIENCE));
        struct lease_row row = *read_row(&one);
        assert_string_equal(row.holder, "n1");
        assert_true(row.epoch == l.epoch && row.incarnation == 11 && row.token == 4711);
}

/* Another transaction holds the row's lock: the take times out, still alive in the server. A peer
 * that is read meanwhile says "not taken"; then it commits. The facts' worst case, made to order.
 */
static void test_commits_later(void **unused)
{
        const struct store_member members[] = { { .socket = path },
                                                { .host = "127.0.0.1", .port = port } };
        struct store_config sc = config(members, 2);

        (void)unused;
        open_with(&one, &sc);
        uint64_t e = read_row(&one)->epoch;
        sc.answer = SHORT;
        open_with(&one, &sc);
        locker = mysql_init(NULL);
        assert_non_null(mysql_real_connect(locker, NULL, "root", NULL, NULL, 0, path, 0));
        assert_int_equal(mysql_query(locker, "BEGIN"), 0);
        assert_int_equal(mysql_query(locker, "UPDATE hamon.lease SET failovers=failovers+1"), 0);

        struct lease_statement take = {
                .op = OP_TAKE, .epoch = e, .beat = 0, .new_epoch = e + 1, .token = 1
        };
        SAY(&one, ANSWER_UNKNOWN, { .op = OP_TAKE, .epoch = e, .new_epoch = e + 1, .token = 1 });
        assert_non_null(strstr(one.text, "in time"));
        say(&one, (struct lease_statement){ .op = OP_READ });
        assert_int_equal(one.a.member, 1); /* the one that hung is asked last */
        struct lease_row row = *read_row(&one);
        assert_true(row.epoch == e && row.beat == 0);

        sc.answer = ANSWER;
        open_with(&one, &sc);
        take.token = 2;
        send_only(&one, &take); /* waits behind the first */
        turn();
        assert_int_equal(mysql_query(locker, "COMMIT"), 0);
        await(&one);
        mysql_close(locker);
        locker = NULL;
        assert_answer(&one, ANSWER_NONE);
        row = *read_row(&one);
        assert_true(row.epoch == e + 1 && row.token == 1); /* ours: only the token tells */
}

/* From now on what was committed stays committed, and so does everything before. */
static void flush_each_commit(void)
{
        sql("SET GLOBAL innodb_flush_log_at_trx_commit=1");
        sql("UPDATE hamon.lease SET failovers=failovers+1");
}

/* kill -9 in the middle of a take, again and again; what the answer claims must be so. */
static void test_killed_in_take(void **unused)
{
        unsigned answers[4] = { 0 }, committed = 0;

        (void)unused;
        for (uint64_t i = 0; i < 6; i++) {
                flush_each_commit();
                struct lease_row row = *read_row(&one);
                struct lease_statement st = { .op = OP_TAKE,
                                              .epoch = row.epoch,
                                              .beat = row.beat,
                                              .new_epoch = row.epoch + 1,
                                              .token = 100 + i };
                send_only(&one, &st);
                for (uint64_t k = 0; k < i && !one.answered; k++)
                        turn();
                server_stop(SIGKILL);
                await(&one);
                answers[one.a.answer]++;
                enum lease_answer a = one.a.answer;
                SAY(&one, ANSWER_REFUSED, { .op = OP_RENEW, .epoch = row.epoch });
                server_start(true);

                struct lease_row now = *read_row(&two);
                bool ours = now.token == 100 + i && now.epoch == row.epoch + 1;
                committed += ours;
                assert_true(ours || (now.epoch == row.epoch && now.beat == row.beat));
                assert_true(a != ANSWER_NONE);
                if (a != ANSWER_UNKNOWN)
                        assert_int_equal(ours, a == ANSWER_DONE);
        }
        print_message("killed in a take: done %u, unknown %u, refused %u; committed %u\n",
                      answers[ANSWER_DONE], answers[ANSWER_UNKNOWN], answers[ANSWER_REFUSED],
                      committed);
}

/* Killed, restarted, and the lease goes on by lease.c's rules. */
static void test_killed_and_settled(void **unused)
{
        struct lease_wish w = { .lead = true, .token = 815 };
        struct lease l;

        (void)unused;
        lease_begin(&l, "n1", 11);
        flush_each_commit();
        drive_to(&one, &l, &w, OP_TAKE);
        turn();
        server_stop(SIGKILL);
        await(&one);
        server_start(true);
        assert_true(drive(&one, &l, &w, PATIENCE));
        struct lease_row row = *read_row(&two);
        assert_string_equal(row.holder, "n1");
        assert_true(row.epoch == l.epoch && row.token == 815);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(test_stopped_in_take),
                CASE(test_commits_later),
                CASE(test_killed_in_take),
                CASE(test_killed_and_settled),
        };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
