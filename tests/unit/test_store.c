/* hamon/store.c against a real mariadbd: every statement of the lease, races, members that are not
 * there, connections, and what is refused. */
#include "tests/unit/store_fixture.h"

/* ---- the statements ---- */

static void test_statements(void **unused)
{
        (void)unused;
        struct lease_row row = *read_row(&one);
        assert_string_equal(row.holder, "");
        uint64_t e = row.epoch;

        SAY(&one, ANSWER_DONE,
            { .op = OP_TAKE, .epoch = e, .beat = 0, .new_epoch = e + 7, .token = UINT64_MAX });
        SAY(&one, ANSWER_NONE,
            { .op = OP_TAKE, .epoch = e, .beat = 0, .new_epoch = e + 7, .token = 1 });
        row = *read_row(&two);
        assert_string_equal(row.holder, "n1");
        assert_true(row.incarnation == 11 && row.token == UINT64_MAX);
        assert_true(row.epoch == e + 7 && row.beat == 1);
        e = row.epoch;

        SAY(&one, ANSWER_DONE, { .op = OP_RENEW, .epoch = e });
        SAY(&one, ANSWER_DONE, { .op = OP_RENEW, .epoch = e });
        SAY(&two, ANSWER_NONE, { .op = OP_RENEW, .epoch = e });
        SAY(&one, ANSWER_NONE, { .op = OP_RENEW, .epoch = e - 1 });
        SAY(&two, ANSWER_NONE, { .op = OP_RELEASE, .epoch = e });
        SAY(&two, ANSWER_NONE, /* the right epoch, but the beat has moved */
            { .op = OP_TAKE, .epoch = e, .beat = 1, .new_epoch = e + 1, .token = 2 });
        assert_true(read_row(&one)->beat == 3);

        SAY(&one, ANSWER_DONE, { .op = OP_RELEASE, .epoch = e });
        SAY(&one, ANSWER_NONE, { .op = OP_RELEASE, .epoch = e });
        SAY(&one, ANSWER_NONE, { .op = OP_RENEW, .epoch = e });
        row = *read_row(&one);
        assert_string_equal(row.holder, "");
        assert_true(row.epoch == e + 1 && row.beat == 4);
}

/* The same name after a reboot, or a copied configuration, is not the same holder. */
static void test_twin(void **unused)
{
        (void)unused;
        uint64_t e = read_row(&one)->epoch;
        SAY(&one, ANSWER_DONE, { .op = OP_TAKE, .epoch = e, .new_epoch = e + 1, .token = 5 });
        open_as(&two, "n1", 12);
        SAY(&two, ANSWER_NONE, { .op = OP_RENEW, .epoch = e + 1 });
        SAY(&two, ANSWER_NONE, { .op = OP_RELEASE, .epoch = e + 1 });
        open_as(&two, "N1", 11); /* names are compared exactly */
        SAY(&two, ANSWER_NONE, { .op = OP_RENEW, .epoch = e + 1 });
        SAY(&one, ANSWER_DONE, { .op = OP_RENEW, .epoch = e + 1 });
}

/* Two clients, the same epoch and beat, both statements on their way at once, a thousand times. */
static void test_race(void **unused)
{
        enum { ROUNDS = 1000 };
        static enum lease_answer results[ROUNDS][2];
        unsigned won[2] = { 0 }, answers[4] = { 0 };

        (void)unused;
        struct lease_row row = *read_row(&one);
        for (unsigned i = 0; i < ROUNDS; i++) {
                struct lease_statement st = { .op = OP_TAKE,
                                              .epoch = row.epoch,
                                              .beat = row.beat,
                                              .new_epoch = row.epoch + 1 };
                struct client *first = i % 2 ? &one : &two, *second = i % 2 ? &two : &one;

                st.token = 2 * i + (first == &two);
                send_only(first, &st);
                st.token = 2 * i + (second == &two);
                send_only(second, &st);
                await(&one);
                await(&two);
                results[i][0] = one.a.answer;
                results[i][1] = two.a.answer;
                answers[one.a.answer]++;
                answers[two.a.answer]++;

                bool a = one.a.answer == ANSWER_DONE, b = two.a.answer == ANSWER_DONE;
                if (a == b || one.a.answer == ANSWER_UNKNOWN || two.a.answer == ANSWER_UNKNOWN)
                        fail_msg("round %u: answers %d and %d", i, results[i][0], results[i][1]);
                won[b]++;
                struct lease_row next = *read_row(i % 3 ? &one : &two);
                assert_true(next.epoch == row.epoch + 1 && next.beat == row.beat + 1);
                assert_true(next.token == 2 * i + b);
                assert_string_equal(next.holder, b ? "n2" : "n1");
                row = next;
        }
        print_message("race: %d rounds, n1 won %u, n2 won %u; done %u, none %u, refused %u\n",
                      ROUNDS, won[0], won[1], answers[ANSWER_DONE], answers[ANSWER_NONE],
                      answers[ANSWER_REFUSED]);
}

/* ---- errors ---- */

static void test_refused(void **unused)
{
        (void)unused;
        read_row(&one);
        sql("SET GLOBAL wsrep_reject_queries=ALL");
        SAY(&one, ANSWER_REFUSED, { .op = OP_RENEW, .epoch = 1 });
        assert_int_equal(one.a.error, 1047);
        sql("SET GLOBAL wsrep_reject_queries=NONE");
        SAY(&one, ANSWER_NONE, { .op = OP_RENEW, .epoch = 1 });
        assert_string_equal(one.text, "");

        sql("RENAME TABLE hamon.lease TO hamon.gone");
        SAY(&one, ANSWER_REFUSED, { .op = OP_READ });
        sql("RENAME TABLE hamon.gone TO hamon.lease");
        assert_true(one.a.error == 1146 || one.a.error == 1142);

        sql("KILL CONNECTION USER hamon"); /* between two statements: nobody notices */
        SAY(&one, ANSWER_NONE, { .op = OP_RENEW, .epoch = 1 });

        sql("SET PASSWORD FOR hamon@'%' = PASSWORD('other')");
        open_as(&one, "n1", 11);
        SAY(&one, ANSWER_REFUSED, { .op = OP_RENEW, .epoch = 1 });
        assert_int_equal(one.a.error, 1045);
        sql("SET PASSWORD FOR hamon@'%' = PASSWORD('" PASSWORD "')");
        SAY(&one, ANSWER_NONE, { .op = OP_RENEW, .epoch = 1 });
}

static void test_no_row(void **unused)
{
        const struct store_member m = { .socket = path };
        struct store_config sc = config(&m, 1);

        (void)unused;
        sc.lease = "another";
        open_with(&one, &sc);
        SAY(&one, ANSWER_NONE, { .op = OP_READ });
        SAY(&one, ANSWER_NONE, { .op = OP_TAKE, .epoch = 0, .new_epoch = 1 });
}

static void test_fates(void **unused)
{
        static const struct {
                unsigned error;
                enum store_fate write, read;
        } ROWS[] = {
                { 1213, FATE_REFUSED, FATE_REFUSED },     { 1047, FATE_ELSEWHERE, FATE_ELSEWHERE },
                { 2006, FATE_ELSEWHERE, FATE_ELSEWHERE }, { 1146, FATE_REFUSED, FATE_REFUSED },
                { 2013, FATE_UNKNOWN, FATE_ELSEWHERE },   { 1180, FATE_UNKNOWN, FATE_ELSEWHERE },
                { 1205, FATE_UNKNOWN, FATE_ELSEWHERE },   { 1053, FATE_UNKNOWN, FATE_ELSEWHERE },
                { 0, FATE_UNKNOWN, FATE_ELSEWHERE },      { 9999, FATE_UNKNOWN, FATE_ELSEWHERE },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                for (enum lease_op op = OP_TAKE; op < OP_COUNT_; op++)
                        assert_int_equal(store_sql_fate(op, true, ROWS[i].error), ROWS[i].write);
                assert_int_equal(store_sql_fate(OP_READ, true, ROWS[i].error), ROWS[i].read);
                assert_int_equal(store_sql_fate(OP_TAKE, false, ROWS[i].error), FATE_ELSEWHERE);
        }
}

/* ---- members that are not there ---- */

static int mute_listener(unsigned *ret_port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

static unsigned visitors(int listener)
{
        unsigned n = 0;

        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0; n++)
                close(fd);
        return n;
}

static void test_peers(void **unused)
{
        struct store_member members[] = { { .socket = "/nonexistent/mysqld.sock" },
                                          { .host = "127.0.0.1", .port = free_port() },
                                          { .host = "127.0.0.1" },
                                          { .host = "127.0.0.1", .port = port } };
        CLEANUP(closep) int mute = mute_listener(&members[2].port);
        struct store_config sc = config(members, ARRAY_SIZE(members));

        (void)unused;
        sc.connect = SHORT;
        open_with(&one, &sc);
        uint64_t e = read_row(&one)->epoch; /* dead, dead, mute, alive */
        assert_int_equal(one.a.member, 3);
        assert_non_null(strstr(one.text, "greeting"));
        assert_int_equal(visitors(mute), 1);
        SAY(&one, ANSWER_DONE, { .op = OP_TAKE, .epoch = e, .new_epoch = e + 1, .token = 3 });
        SAY(&one, ANSWER_DONE, { .op = OP_RENEW, .epoch = e + 1 });
        SAY(&one, ANSWER_DONE, { .op = OP_RELEASE, .epoch = e + 1 });
        assert_int_equal(visitors(mute), 0); /* who hung once is asked last for a while */

        sc.avoid = 0; /* and then again in its turn */
        open_with(&one, &sc);
        read_row(&one);
        read_row(&one);
        assert_int_equal(visitors(mute), 2);

        sc.n_members = 3; /* nobody */
        open_with(&one, &sc);
        SAY(&one, ANSWER_REFUSED, { .op = OP_RENEW, .epoch = e });
        SAY(&one, ANSWER_REFUSED, { .op = OP_READ });
}

static unsigned long connection_id(void)
{
        MYSQL *my = mysql_init(NULL);

        assert_non_null(mysql_real_connect(my, NULL, "root", NULL, NULL, 0, path, 0));
        unsigned long id = mysql_thread_id(my); /* the server counts them up */
        mysql_close(my);
        return id;
}

/* Our own connection is kept, a peer's is a fresh one each time. */
static void test_connections(void **unused)
{
        const struct store_member members[] = { { .socket = "/nonexistent/mysqld.sock" },
                                                { .socket = path } };
        struct store_config sc = config(members, 2);

        (void)unused;
        read_row(&one);
        unsigned long before = connection_id();
        for (int i = 0; i < 10; i++)
                read_row(&one);
        assert_int_equal(connection_id(), before + 1);
        open_with(&one, &sc);
        for (int i = 0; i < 10; i++)
                read_row(&one);
        assert_int_equal(connection_id(), before + 12);
}

static void test_free_under_way(void **unused)
{
        (void)unused;
        for (int turns = 0; turns < 6; turns++) {
                open_as(&one, "n1", 11);
                send_only(&one, &(struct lease_statement){ .op = OP_READ });
                for (int i = 0; i < turns && !one.answered; i++)
                        turn();
                bool answered = one.answered;
                store_free(one.store);
                one.store = NULL;
                turn();
                assert_int_equal(one.answered, answered);
        }
}

static void test_config(void **unused)
{
        static const char *const BAD[] = { NULL,
                                           "",
                                           "a b",
                                           "x'",
                                           "`",
                                           "a;b",
                                           "\xc3\xa4",
                                           "0123456789012345678901234567890123456789012345678901234"
                                           "567890123" };
        const struct store_member m = { .socket = path }, named = { .host = "db1", .port = 3306 };
        struct store_config sc = config(&m, 1);
        struct store *s = NULL;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
                sc = config(&m, 1);
                sc.me = BAD[i];
                assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
                sc = config(&m, 1);
                sc.lease = BAD[i];
                assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
                sc = config(&m, 1);
                sc.database = BAD[i];
                assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
        }
        sc = config(&m, 0);
        assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
        sc = config(&m, STORE_MEMBERS + 1);
        assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
        sc = config(&named, 1); /* no resolver is ever waited for */
        assert_int_equal(store_new(&loop, &sc, &s), -EINVAL);
        assert_null(s);
        store_free(NULL);

        struct lease_statement st = { .op = OP_NONE };
        assert_int_equal(store_send(one.store, &st, on_answer, &one), -EINVAL);
        st.op = OP_READ;
        send_only(&one, &st);
        assert_int_equal(store_send(one.store, &st, on_answer, &one), -EBUSY);
        await(&one);
        assert_answer(&one, ANSWER_DONE);
}

/* The breaker's count moves with a take or a release for cause, begins anew after its window, and
 * an ack makes it 0. */
static void test_counts(void **unused)
{
        enum { HOUR = 3600000 };

        (void)unused;
        SAY(&one, ANSWER_DONE, { .op = OP_ACK });
        struct lease_row r = *read_row(&one);
        assert_int_equal(r.failovers, 0);
        uint64_t e = r.epoch;
        SAY(&one, ANSWER_DONE, { .op = OP_TAKE, .epoch = e, .beat = r.beat, .new_epoch = e + 1 });
        assert_int_equal(read_row(&one)->failovers, 0); /* no cause, no count */

        SAY(&two, ANSWER_DONE,
            { .op = OP_TAKE,
              .epoch = e + 1,
              .beat = r.beat + 1,
              .new_epoch = e + 2,
              .cause = true,
              .window = HOUR });
        r = *read_row(&one);
        assert_int_equal(r.failovers, 1);
        assert_string_equal(r.loser, "n1");
        assert_string_equal(r.holder, "n2");
        assert_in_range(r.since_age, 0, 60000);

        SAY(&two, ANSWER_DONE, { .op = OP_RELEASE, .epoch = e + 2, .cause = true, .window = HOUR });
        r = *read_row(&one);
        assert_int_equal(r.failovers, 2);
        assert_string_equal(r.loser, "n2");
        assert_string_equal(r.holder, "");

        sql("UPDATE hamon.lease SET since=UTC_TIMESTAMP(3)-INTERVAL 2 HOUR");
        r = *read_row(&one);
        assert_in_range(r.since_age, 2 * HOUR - 1000, 2 * HOUR + 60000);
        SAY(&one, ANSWER_DONE,
            { .op = OP_TAKE,
              .epoch = r.epoch,
              .beat = r.beat,
              .new_epoch = r.epoch + 1,
              .cause = true,
              .window = HOUR });
        r = *read_row(&one);
        assert_int_equal(r.failovers, 1);
        assert_in_range(r.since_age, 0, 60000);

        SAY(&two, ANSWER_DONE, { .op = OP_ACK }); /* from any node; the lease stays where it is */
        r = *read_row(&one);
        assert_int_equal(r.failovers, 0);
        assert_string_equal(r.loser, "");
        assert_string_equal(r.holder, "n1");
        SAY(&one, ANSWER_DONE, { .op = OP_RELEASE, .epoch = r.epoch });
}

static void test_rows(void **unused)
{
        const char *values[] = { "n1", "1", "2", "3", "18446744073709551615", "4", "5", "n2" };
        static const char *const WRONG[] = { NULL, "", "-1", "1x", "18446744073709551616" };
        char holder[100];
        struct lease_row row;

        (void)unused;
        assert_int_equal(store_sql_row(values, STORE_ROW, &row), 0);
        assert_true(row.incarnation == 1 && row.token == 2 && row.epoch == 3 &&
                    row.beat == UINT64_MAX && row.failovers == 4 && row.since_age == 5);
        assert_string_equal(row.holder, "n1");
        assert_string_equal(row.loser, "n2");
        assert_int_equal(store_sql_row(values, STORE_ROW - 1, &row), -EBADMSG);
        for (size_t i = 1; i < STORE_ROW - 1; i++)
                for (size_t k = 0; k < ARRAY_SIZE(WRONG); k++) {
                        const char *kept = values[i];
                        values[i] = WRONG[k];
                        assert_int_equal(store_sql_row(values, STORE_ROW, &row), -EBADMSG);
                        values[i] = kept;
                }
        memset(holder, 'x', sizeof holder - 1);
        holder[sizeof holder - 1] = '\0';
        values[0] = holder;
        assert_int_equal(store_sql_row(values, STORE_ROW, &row), -EBADMSG);
        values[0] = NULL;
        assert_int_equal(store_sql_row(values, STORE_ROW, &row), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(test_statements), CASE(test_twin),        CASE(test_race),
                CASE(test_refused),    CASE(test_no_row),      CASE(test_fates),
                CASE(test_peers),      CASE(test_connections), CASE(test_free_under_way),
                CASE(test_config),     CASE(test_counts),      CASE(test_rows),
        };

        return cmocka_run_group_tests(tests, group_setup, server_group_teardown);
}
