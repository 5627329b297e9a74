/* Stopping under time pressure, and an engine that is ill, slow, silent or gone. */
#include "tests/unit/linger_process.h"
#include "tests/unit/stack_fixture.h"

static void four(void)
{
        say("add 1 service=redis");
        say("add 1 service=dovecot"); /* needs redis */
        say("add 1 service=nginx");   /* needs dovecot */
        say("add 1 service=postfix"); /* is stopped first */
        say("add 1 service=warm-sql");
}

static void test_order(void **state)
{
        (void)state;
        four();
        say("add 1 service=watchdog");
        say("set postfix stop_ms=50");
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 5);
        assert_string_equal(fx.text, "5 of 5 had to be stopped");
        const char *deeds = say("deeds");
        assert_non_null(strstr(deeds, "stop/5:watchdog")); /* at once, waits for nobody */
        const char *order[] = { ":postfix", ":nginx", ":dovecot", ":redis" }, *at = deeds;
        for (size_t i = 0; i < ARRAY_SIZE(order); i++)
                assert_non_null(at = strstr(at, order[i]));
        assert_null(strstr(deeds, "warm-sql"));

        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 0);
}

/* Who does not end holds the others up for half of the time only, so redis still gets its share;
 * the engine kills it when its time is over. */
static void test_hurry(void **state)
{
        (void)state;
        begin_with(5000, 2000);
        four();
        say("set postfix stubborn=True");
        say("set redis stop_ms=300");
        msec_t began = clock_ms();
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 4);
        assert_true(clock_ms() - began < 10000);
        assert_int_equal(member("redis")->exit_code, 0); /* ended by itself */
        assert_int_equal(member("postfix")->exit_code, 137);
        const char *deeds = say("deeds");
        assert_non_null(strstr(deeds, "stop/2:postfix"));
        assert_non_null(strstr(deeds, "stop/1:redis"));
        assert_null(strstr(deeds, "kill:"));
}

/* An engine that waits for ever instead: we kill. */
static void test_kill(void **state)
{
        (void)state;
        begin_with(5000, 600);
        say("add 1 service=postfix");
        say("set postfix undead=True");
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_TEMPORARY);
        assert_string_equal(fx.text, "postfix: not stopped within the deadline");
        assert_non_null(strstr(say("deeds"), "kill:postfix"));
        assert_int_equal(fx.plan.v[0].state, CTR_RUNNING);

        say("set postfix undead=False"); /* its stop still hangs there; a kill helps now */
        say("mode stop hang");
        run(STACK_STOP);
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        run(STACK_LOOK);
        assert_int_equal(member("postfix")->state, CTR_EXITED);
}

/* One that waits for nothing is killed long before its time; not one that may still write, nor one
 * of which nobody can tell. */
static void test_lingers(void **state)
{
        static const struct {
                enum linger_kind kind;
                bool killed;
        } ROWS[] = { { LINGER_NONE, true }, { LINGER_WRITES, false }, { LINGER_NO_SPACE, false } };
        struct tmp tmp;

        (void)state;
        assert_int_equal(tmp_make(&tmp), 0);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct linger_process p = linger_start(ROWS[i].kind, at(&tmp, "file"));
                if (p.first < 0) {
                        linger_stop(&p);
                        tmp_remove(&tmp);
                        skip();
                }
                begin_with(5000, 60000);
                say("reset");
                say("add 1 service=slow");
                say("set slow pid=%d", (int)p.first);
                say(ROWS[i].killed ? "set slow stubborn=True" : "set slow stop_ms=900");
                run(STACK_STOP);
                bool killed = strstr(say("deeds"), "kill:slow");
                linger_stop(&p);
                assert_int_equal(fx.result, STACK_DONE);
                if (killed != ROWS[i].killed)
                        fail_msg("kind %d: killed %d", (int)ROWS[i].kind, killed);
        }
        tmp_remove(&tmp);

        begin_with(5000, 1000);
        say("reset");
        say("add 1 service=slow");
        say("mode inspect garbage"); /* who cannot be looked at is stopped all the same */
        run(STACK_STOP);
        assert_non_null(strstr(say("deeds"), "stop/1:slow"));
}

static void test_comes_back(void **state)
{
        (void)state;
        begin_with(5000, 600);
        say("add 1 service=optional-writer");
        say("mode stop garbage"); /* a 200, and nothing has happened */
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_TEMPORARY); /* although it is optional: it may write */
        assert_string_equal(fx.text, "optional-writer: it was stopped and is running again");
}

static void test_gone_meanwhile(void **state)
{
        struct stack_request rq = request(STACK_STOP);

        (void)state;
        four();
        say("set postfix stop_ms=400");
        assert_int_equal(stack_begin(fx.stack, &rq), 0);
        WAIT(strstr(say("deeds"), "postfix"));
        say("forget redis");
        WAIT(fx.done);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(member("redis")->state, CTR_MISSING);
}

/* It goes between the list and what we want of it. The list has to be under way first: try until
 * it was. */
static void test_gone_before_its_turn(void **state)
{
        struct stack_request rq = request(STACK_START);

        (void)state;
        do {
                say("add 1 service=redis state=exited");
                say("hold");
                fx.done = 0;
                assert_int_equal(stack_begin(fx.stack, &rq), 0);
                turn();
                say("forget redis");
                say("release");
                WAIT(fx.done);
        } while (fx.plan.n == 0);
        assert_int_equal(fx.result, STACK_TEMPORARY);
        assert_non_null(strstr(fx.text, "redis: looking at it: No such container"));
}

static void test_ill_engine(void **state)
{
        static const struct {
                const char *endpoint, *mode;
                enum stack_goal goal;
                enum stack_result result;
                const char *text;
        } ROWS[] = {
                { "list", "hang", STACK_START, STACK_TEMPORARY,
                  "listing the containers: the Docker engine does not answer in time" },
                { "list", "500", STACK_STOP, STACK_TEMPORARY,
                  "listing the containers: the fake is ill" },
                { "list", "garbage", STACK_START, STACK_FAILED,
                  "listing the containers: the answer makes no sense" },
                { "list", "short", STACK_LOOK, STACK_FAILED,
                  "listing the containers: the answer makes no sense" },
                { "list", "cut", STACK_STOP, STACK_TEMPORARY, "listing the containers: " },
                { "list", "big", STACK_STOP, STACK_TEMPORARY, "listing the containers: " },
                { "inspect", "hang", STACK_START, STACK_TEMPORARY,
                  "redis: looking at it: the Docker engine does not answer in time" },
                { "inspect", "garbage", STACK_LOOK, STACK_TEMPORARY,
                  "redis: looking at it: the answer makes no sense" },
                { "inspect", "500", STACK_START, STACK_FAILED, "redis: looking at it: the fake" },
                { "start", "hang", STACK_START, STACK_TEMPORARY, "redis: " },
                { "start", "close", STACK_START, STACK_TEMPORARY, "redis: starting it: " },
                { "start", "500", STACK_START, STACK_FAILED,
                  "redis: starting it: the fake is ill" },
                { "start", "garbage", STACK_START, STACK_TEMPORARY,
                  "redis: it was started and is created" },
        };

        (void)state;
        begin_with(300, 600);
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                struct stack_request rq = request(ROWS[i].goal);
                say("reset");
                say("add 1 service=redis state=created");
                say("mode %s %s", ROWS[i].endpoint, ROWS[i].mode);
                rq.deadline = 1500;
                run_request(&rq);
                if (strncmp(fx.text, ROWS[i].text, strlen(ROWS[i].text)) != 0)
                        fail_msg("%s %s: %s", ROWS[i].endpoint, ROWS[i].mode, fx.text);
                assert_int_equal(fx.result, ROWS[i].result);
        }
}

static void test_no_engine(void **state)
{
        (void)state;
        say("refuse");
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_TEMPORARY);
        assert_non_null(strstr(fx.text, "the Docker engine is not running"));
        say("gone");
        run(STACK_START);
        assert_int_equal(fx.result, STACK_TEMPORARY);
        assert_non_null(strstr(fx.text, "the Docker engine is not running"));
        say("listen");
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        assert_string_equal(fx.text, "0 of 0 had to be started");
}

static void test_too_many(void **state)
{
        (void)state;
        say("add %d service=a state=exited", STACK_MAX);
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        say("add 1 service=b");
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_FAILED);
        assert_string_equal(fx.text, "the project has more containers than hamon handles");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                STACK_TEST(test_order),          STACK_TEST(test_hurry),
                STACK_TEST(test_kill),           STACK_TEST(test_comes_back),
                STACK_TEST(test_gone_meanwhile), STACK_TEST(test_gone_before_its_turn),
                STACK_TEST(test_ill_engine),     STACK_TEST(test_no_engine),
                STACK_TEST(test_too_many),       STACK_TEST(test_lingers),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
