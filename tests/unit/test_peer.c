/* hamon/peer*.c over loopback: two nodes that know the secret, and everybody who does not. */
#include "tests/unit/peer_fixture.h"

/* ---- among friends ---- */

static void test_commands(void **unused)
{
        static const struct {
                enum peer_command command;
                const char *words, *answer;
        } CASES[] = {
                { PEER_STATE, "", "name=n2 state=standby" },
                { PEER_RELEASE, "storage_lost", "ok" },
                { PEER_RELEASED, "17 n3", "" },
                { PEER_SWITCHOVER, "n1 please, \"now\"", "error: no" },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                say = CASES[i].answer;
                struct got g = ask(1, CASES[i].command, CASES[i].words, LONG_MS);
                if (g.end != PEER_ANSWERED || strcmp(g.text, CASES[i].answer) != 0)
                        fail_msg("%zu: %s: %s", i, PEER_ENDS[g.end], g.text);
                assert_int_equal(heard_two.n, i + 1);
                assert_int_equal(heard_two.command, CASES[i].command);
                assert_string_equal(heard_two.from, "n1");
                assert_string_equal(heard_two.words, CASES[i].words);
        }
        assert_int_equal(ask(0, PEER_STATE, "", LONG_MS).end, PEER_ANSWERED); /* itself */
        assert_int_equal(heard_one.n, 1);
}

static void test_sizes(void **unused)
{
        char words[701];
        static char answer[902];
        struct got g = { .n = 0 };

        (void)unused;
        memset(words, 'w', sizeof words);
        words[sizeof words - 1] = '\0';
        assert_int_equal(peer_ask(one, 1, PEER_RELEASE, words, LONG_MS, on_answer, &g), -EINVAL);
        words[690] = '\0';
        memset(answer, 'a', sizeof answer - 1);
        answer[900] = '\0';
        say = answer;
        g = ask(1, PEER_RELEASE, words, LONG_MS);
        assert_int_equal(g.end, PEER_ANSWERED);
        assert_string_equal(g.text, answer);
        assert_string_equal(heard_two.words, words);

        assert_int_equal(peer_ask(one, 1, PEER_RELEASE, "two\nlines", 9, on_answer, &g), -EINVAL);
        assert_int_equal(peer_ask(one, NODES, PEER_STATE, "", 9, on_answer, &g), -EINVAL);
        assert_int_equal(peer_ask(one, 1, PEER_COMMAND_COUNT_, "", 9, on_answer, &g), -EINVAL);
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        say = "two\nlines"; /* a mistake of ours: no answer is better than half of one */
        assert_int_equal(ask(1, PEER_STATE, "", LONG_MS).end, PEER_BAD_SECRET);
        memset(answer, 'a', sizeof answer - 1);
        say = answer;
        assert_int_equal(ask(1, PEER_STATE, "", LONG_MS).end, PEER_BAD_SECRET);
}

static void test_many_at_once(void **unused)
{
        struct got g = { .n = 0 };

        (void)unused;
        say = "all of you";
        for (int i = 0; i < PEER_CLIENTS; i++)
                assert_int_equal(peer_ask(one, 1, PEER_STATE, "", LONG_MS, on_answer, &g), 0);
        TURN_UNTIL(g.n == PEER_CLIENTS);
        assert_int_equal(heard_two.n, PEER_CLIENTS);

        int silent = pretend(64);
        for (int i = 0; i < PEER_ASKS; i++)
                assert_int_equal(peer_ask(one, 2, PEER_STATE, "", LONG_MS, on_answer, &g), 0);
        assert_int_equal(peer_ask(one, 1, PEER_STATE, "", LONG_MS, on_answer, &g), -EBUSY);
        turn();
        peer_free(one); /* with all of them under way: no answer comes */
        one = NULL;
        close(silent);
        assert_int_equal(g.n, PEER_CLIENTS);
}

/* ---- what became of the question ---- */

static void test_refused(void **unused)
{
        (void)unused;
        struct got g = ask(2, PEER_STATE, "", LONG_MS);
        assert_int_equal(g.end, PEER_REFUSED);
        assert_true(*g.text);

        int fd = pretend(8);
        struct got hung = { .n = 0 };
        assert_int_equal(peer_ask(one, 2, PEER_STATE, "", LONG_MS, on_answer, &hung), 0);
        int other = -1;
        TURN_UNTIL((other = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
        close(other);
        TURN_UNTIL(hung.n > 0);
        assert_int_equal(hung.end, PEER_REFUSED);
        close(fd);
}

/* A stopped daemon: the kernel accepts for it. */
static void test_silent(void **unused)
{
        (void)unused;
        int fd = pretend(8);
        struct got g = ask(2, PEER_STATE, "", 100);
        assert_int_equal(g.end, PEER_SILENT);
        assert_true(g.took >= 100);

        static const char HELLO[] = "hamon-peer 1 00112233445566778899aabbccddeeff\n";
        for (int whole = 0; whole < 2; whole++) { /* half a greeting, and half an answer */
                struct got half = { .n = 0 };
                struct talk t = { .fd = -1 };
                while ((t.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                        close(t.fd);
                assert_int_equal(peer_ask(one, 2, PEER_STATE, "", 200, on_answer, &half), 0);
                TURN_UNTIL((t.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
                say_to(t.fd, HELLO, whole ? sizeof HELLO - 1 : 10);
                if (whole) {
                        read_line(&t);
                        say_to(t.fd, "00", 2);
                }
                TURN_UNTIL(half.n > 0);
                assert_int_equal(half.end, PEER_SILENT);
                close(t.fd);
        }
        close(fd);
}

/* Our own trouble is not the other one's silence (R: silence lets us take the lease early). */
static void test_unasked(void **unused)
{
        struct peer_node nodes[] = { { "n1", "192.0.2.1", port }, { "n2", ADDRESSES[1], port } };
        struct peer_config c = { .address = "192.0.2.1", /* not here: may come up later */
                                 .port = port,
                                 .nodes = nodes,
                                 .n_nodes = 2,
                                 .me = 0,
                                 .secret = SECRET };

        (void)unused;
        peer_free(one);
        one = NULL;
        assert_int_equal(peer_new(&loop, &c, on_ask, &heard_one, &one), 0);
        struct got g = ask(1, PEER_STATE, "", LONG_MS);
        assert_int_equal(g.end, PEER_UNASKED);
        assert_int_equal(heard_two.n, 0);
}

static void test_bad_secret(void **unused)
{
        (void)unused;
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        peer_free(two);
        two = NULL;
        assert_int_equal(try_peer(1, SECRET "x", &heard_two, &two), 0);
        struct got g = ask(1, PEER_RELEASE, "please", LONG_MS);
        assert_int_equal(g.end, PEER_BAD_SECRET);
        assert_int_equal(heard_two.n, 0);
        assert_int_equal(try_peer(2, "", &heard_two, &two), -EINVAL);
}

/* n2 answers at the address where n1 looks for n3: a copied configuration. */
/* The secret is changed node by node: at each step of the way both sides still believe each other.
 */
static void test_two_secrets(void **unused)
{
        static const struct {
                const char *one[2], *two[2];
                bool believed;
        } CASES[] = {
                { { "old", NULL }, { "old", NULL }, true },
                { { "new", "old" }, { "old", NULL }, true },
                { { "old", NULL }, { "new", "old" }, true },
                { { "new", "old" }, { "new", "old" }, true },
                { { "new", NULL }, { "new", "old" }, true },
                { { "new", "old" }, { "new", NULL }, true },
                { { "new", NULL }, { "old", NULL }, false },
                { { "new", "newer" }, { "old", "older" }, false },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                peer_free(one);
                peer_free(two);
                heard_two.n = 0;
                assert_int_equal(
                        try_peer_two(0, CASES[i].one[0], CASES[i].one[1], &heard_one, &one), 0);
                assert_int_equal(
                        try_peer_two(1, CASES[i].two[0], CASES[i].two[1], &heard_two, &two), 0);
                for (unsigned k = 1; k <= 2; k++) { /* the second time it knows which */
                        struct got g = ask(1, PEER_STATE, "", LONG_MS);
                        if (g.end != (CASES[i].believed ? PEER_ANSWERED : PEER_BAD_SECRET))
                                fail_msg("%zu: %s: %s", i, PEER_ENDS[g.end], g.text);
                        assert_int_equal(heard_two.n, CASES[i].believed ? k : 0);
                }
        }
}

static void test_wrong_name(void **unused)
{
        struct peer_node nodes[] = { { "n1", ADDRESSES[0], port }, { "n9", ADDRESSES[1], port } };
        struct peer_config c = { .address = ADDRESSES[0],
                                 .port = port,
                                 .nodes = nodes,
                                 .n_nodes = 2,
                                 .me = 0,
                                 .secret = SECRET };

        (void)unused;
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        peer_free(one);
        one = NULL;
        assert_int_equal(peer_new(&loop, &c, on_ask, &heard_one, &one), 0);
        assert_int_equal(ask(1, PEER_STATE, "", LONG_MS).end, PEER_BAD_SECRET);
        assert_int_equal(heard_two.n, 0);
}

/* ---- the server and its guests ---- */

static struct peer_talk talk_of(const char *server, const char *client, const char *hello)
{
        struct peer_talk t = { .secret = SECRET, .server = server, .client = client };
        char line[128];

        str_copy(line, sizeof line, hello);
        line[strcspn(line, "\n")] = '\0';
        assert_int_equal(peer_wire_parse_hello(line, t.server_nonce), 0);
        assert_int_equal(peer_wire_nonce(t.client_nonce), 0);
        return t;
}

/* By hand, once: the other tests of this kind would pass if nothing ever worked. */
static void test_by_hand(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(PEER_LINE);
        struct talk t = { .fd = dial("127.0.0.1") };
        struct peer_line l;

        (void)unused;
        read_line(&t);
        struct peer_talk p = talk_of("n2", "n7", t.text);
        assert_int_equal(peer_wire_ask(&out, &p, "dance wildly"), 0);
        for (size_t i = 0; i < out.len; i++) { /* in the smallest pieces there are */
                say_to(t.fd, out.data + i, 1);
                turn();
        }
        t.len = 0;
        TURN_UNTIL(pull(&t));
        t.text[strcspn(t.text, "\n")] = '\0';
        assert_int_equal(peer_wire_parse_answer(t.text, &l), 0);
        assert_true(peer_wire_answer_proven(&p, "dance wildly", &l));
        assert_false(peer_wire_answer_proven(&p, "state", &l));
        assert_string_equal(l.text, "error: unknown command");
        assert_int_equal(heard_two.n, 0);
        close(t.fd);
}

/* Whatever is sent, there is no second line. */
static void assert_nothing_for(const char *data, size_t len, const char *what)
{
        struct talk t = { .fd = dial("127.0.0.1") };

        read_line(&t);
        size_t hello = t.len;
        say_to(t.fd, data, len);
        TURN_UNTIL(pull(&t));
        if (t.len != hello || heard_two.n != 0)
                fail_msg("%s is answered: %s", what, t.text + hello);
        close(t.fd);
}

static void test_replay(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(PEER_LINE);
        struct talk t = { .fd = dial("127.0.0.1") };

        (void)unused;
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        read_line(&t);
        struct peer_talk p = talk_of("n2", "n1", t.text);
        assert_int_equal(peer_wire_ask(&out, &p, "release now"), 0);
        say_to(t.fd, out.data, out.len);
        TURN_UNTIL(heard_two.n == 1);
        TURN_UNTIL(pull(&t));
        close(t.fd);
        heard_two.n = 0;
        assert_nothing_for(out.data, out.len, "a replayed question");
}

/* A question meant for n3, or with another name or other words under an honest proof. */
static void test_diverted(void **unused)
{
        static const struct {
                const char *server, *client, *find, *put;
        } CASES[] = {
                { "n3", "n1", NULL, NULL },
                { "n2", "n1", "n1 ", "n4 " },
                { "n2", "n1", "release", "relexse" },
        };

        (void)unused;
        log_init(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
        for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
                CLEANUP(buf_done) struct buf out = BUF(PEER_LINE);
                struct talk t = { .fd = dial("127.0.0.1") };
                read_line(&t);
                struct peer_talk p = talk_of(CASES[i].server, CASES[i].client, t.text);
                assert_int_equal(peer_wire_ask(&out, &p, "release now"), 0);
                char *at = CASES[i].find ? strstr(out.data, CASES[i].find) : NULL;
                if (at)
                        memcpy(at, CASES[i].put, strlen(CASES[i].put));
                size_t hello = t.len;
                say_to(t.fd, out.data, out.len);
                TURN_UNTIL(pull(&t));
                assert_int_equal(t.len, hello);
                assert_int_equal(heard_two.n, 0);
                close(t.fd);
        }
}

static void test_garbage(void **unused)
{
        static char longest[4096];
        static const char *const LINES[] = {
                "\n",
                " \n",
                "state\n",
                "GET / HTTP/1.1\r\n",
                "n1 00 00 state\n",
                "n1 00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff state\n",
                "\x16\x03\x01\x02\n",
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(LINES); i++)
                assert_nothing_for(LINES[i], strlen(LINES[i]), LINES[i]);
        assert_nothing_for("n1\0state\n", 9, "a NUL");
        memset(longest, 'x', sizeof longest);
        assert_nothing_for(longest, sizeof longest, "a long line");
        assert_nothing_for(longest, 100, "half a line");
}

/* Time is up for whoever trickles, too. */
static void test_slow(void **unused)
{
        struct talk t = { .fd = dial("127.0.0.1") };
        msec_t began = clock_ms();
        int sent = 0;

        (void)unused;
        for (; !t.closed; turn(), pull(&t)) {
                assert_true(clock_ms() - began < LONG_MS);
                if (sent < PEER_LINE / 2)
                        sent += send(t.fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
        }
        assert_true(clock_ms() - began >= TEST_PATIENCE_MS);
        close(t.fd);
}

static void test_flood(void **unused)
{
        struct talk guests[40];
        unsigned greeted = 0, closed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
                guests[i] = (struct talk){ .fd = dial("127.0.0.1") };
                turn();
        }
        assert_int_equal(ask(1, PEER_STATE, "", LONG_MS).end, PEER_ANSWERED); /* all the same */
        for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
                TURN_UNTIL(pull(&guests[i]) || guests[i].len > 0);
                greeted += guests[i].len > 0;
                closed += guests[i].len == 0;
        }
        assert_true(greeted >= PEER_STRANGERS && closed > 0);
        for (size_t i = 0; i < ARRAY_SIZE(guests); i++) {
                TURN_UNTIL(pull(&guests[i]));
                close(guests[i].fd);
        }
}

static void test_full(void **unused)
{
        struct talk guests[PEER_CLIENTS];

        (void)unused;
        peer_free(two);
        struct peer_node nodes[] = { { "n1", ADDRESSES[0], port }, { "n2", ADDRESSES[1], port } };
        struct peer_config c = { .address = ADDRESSES[1],
                                 .port = port,
                                 .nodes = nodes,
                                 .n_nodes = 2,
                                 .me = 1,
                                 .secret = SECRET,
                                 .patience = LONG_MS };
        assert_int_equal(peer_new(&loop, &c, on_ask, &heard_two, &two), 0);
        for (size_t i = 0; i < ARRAY_SIZE(guests); i++) { /* from a node's address */
                guests[i] = (struct talk){ .fd = dial(ADDRESSES[0]) };
                read_line(&guests[i]);
        }
        assert_int_equal(ask(1, PEER_STATE, "", LONG_MS).end, PEER_REFUSED);
        close(guests[3].fd);
        for (msec_t end = clock_ms() + LONG_MS;
             ask(1, PEER_STATE, "", LONG_MS).end != PEER_ANSWERED;)
                assert_true(clock_ms() < end);
        for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
                if (i != 3)
                        close(guests[i].fd);
}

/* ---- the asker and false servers ---- */

static void test_false_servers(void **unused)
{
        static const char *const LINES[] = {
                "SSH-2.0-OpenSSH_9.2p1\r\n",
                "hamon-peer 2 00112233445566778899aabbccddeeff\n",
                "hamon-peer 1 00112233445566778899aabbccddee\n",
                "hamon-peer 1 00112233445566778899aabbccddeeff\nfine\n",
                ("hamon-peer 1 00112233445566778899aabbccddeeff\n"
                 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff fine\n"),
        };
        static char longest[2 * PEER_LINE];
        int fd = pretend(8);

        (void)unused;
        memset(longest, 'x', sizeof longest - 1);
        for (size_t i = 0; i <= ARRAY_SIZE(LINES); i++) {
                const char *line = i < ARRAY_SIZE(LINES) ? LINES[i] : longest;
                struct got g = { .n = 0 };
                int other = -1;
                assert_int_equal(peer_ask(one, 2, PEER_STATE, "", LONG_MS, on_answer, &g), 0);
                TURN_UNTIL((other = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
                say_to(other, line, strlen(line));
                TURN_UNTIL(g.n > 0);
                if (g.end != PEER_BAD_SECRET)
                        fail_msg("%s: %s", line, PEER_ENDS[g.end]);
                close(other);
        }
        close(fd);
}

/* An honest answer of yesterday, and today's question sent back to its asker. */
static void test_replayed_answer(void **unused)
{
        CLEANUP(buf_done) struct buf out = BUF(2 * PEER_LINE);
        struct peer_talk p = { .secret = SECRET, .server = "n3", .client = "n1" };
        struct talk t = { .fd = -1 };
        struct got g = { .n = 0 };
        int fd = pretend(8);

        (void)unused;
        memset(p.server_nonce, 7, PEER_NONCE);
        assert_int_equal(peer_wire_hello(&out, &p), 0);
        assert_int_equal(peer_wire_answer(&out, &p, "state", "fine"),
                         0); /* client_nonce: another */
        assert_int_equal(peer_ask(one, 2, PEER_STATE, "", LONG_MS, on_answer, &g), 0);
        TURN_UNTIL((t.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
        say_to(t.fd, out.data, out.len);
        TURN_UNTIL(g.n > 0);
        assert_int_equal(g.end, PEER_BAD_SECRET);
        close(t.fd);

        g.n = 0; /* this one knows the secret, and is believed */
        assert_int_equal(peer_ask(one, 2, PEER_STATE, "", LONG_MS, on_answer, &g), 0);
        TURN_UNTIL((t.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
        buf_reset(&out);
        peer_wire_hello(&out, &p);
        say_to(t.fd, out.data, out.len);
        t.len = 0;
        read_line(&t);
        t.text[strcspn(t.text, "\n")] = '\0';
        struct peer_line l;
        assert_int_equal(peer_wire_parse_ask(t.text, &l), 0);
        memcpy(p.client_nonce, l.nonce, PEER_NONCE);
        assert_true(peer_wire_ask_proven(&p, &l));
        buf_reset(&out);
        assert_int_equal(peer_wire_answer(&out, &p, "state", "fine"), 0);
        say_to(t.fd, out.data, out.len);
        TURN_UNTIL(g.n > 0);
        assert_int_equal(g.end, PEER_ANSWERED);
        assert_string_equal(g.text, "fine");
        close(t.fd);
        close(fd);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, peer_setup, peer_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_commands),   TEST(test_sizes),         TEST(test_many_at_once),
                TEST(test_refused),    TEST(test_silent),        TEST(test_unasked),
                TEST(test_bad_secret), TEST(test_two_secrets),   TEST(test_wrong_name),
                TEST(test_by_hand),    TEST(test_replay),        TEST(test_diverted),
                TEST(test_garbage),    TEST(test_slow),          TEST(test_flood),
                TEST(test_full),       TEST(test_false_servers), TEST(test_replayed_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
