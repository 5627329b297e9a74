/* Starting and stopping sets of containers at a double of the Docker engine. */
#include "tests/unit/stack_fixture.h"

static void add(const char *service, const char *more)
{
        say("add 1 service=%s state=exited %s", service, more);
}

static void test_start(void **state)
{
        (void)state;
        add("nginx", ""); /* needs dovecot, dovecot needs redis: by classify() */
        add("dovecot", "");
        add("redis", "");
        add("warm-sql", "");
        add("ignored", "");
        add("other", "project=another");
        add("once", "oneoff=True");
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 3);
        assert_string_equal(fx.text, "3 of 3 had to be started");
        assert_string_equal(say("deeds"), "start:redis start:dovecot start:nginx most=1");

        run(STACK_START); /* again: already so */
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 0);
        assert_string_equal(say("deeds"), "start:redis start:dovecot start:nginx most=1");
        assert_int_equal(member("redis")->state, CTR_RUNNING);

        struct stack_request rq = request(STACK_START);
        rq.set = SET_WARM;
        run_request(&rq);
        assert_string_equal(say("deeds"),
                            "start:redis start:dovecot start:nginx start:warm-sql most=1");
}

/* The label of compose v2 counts more than the table, also when it is empty. */
static void test_label(void **state)
{
        (void)state;
        add("nginx", "");
        add("redis", "");
        say("set redis depends=nginx:service_started:false");
        say("set nginx depends=-");
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        assert_string_equal(say("deeds"), "start:nginx start:redis most=1");
}

static void test_parallel(void **state)
{
        (void)state;
        say("add 20 service=a state=exited");
        for (int i = 0; i < 20; i++)
                say("set a-%d start_ms=60", i);
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.changed, 20);
        const char *deeds = say("deeds"), *most = strstr(deeds, "most=");
        assert_non_null(most);
        unsigned long n = strtoul(most + 5, NULL, 10);
        assert_in_range(n, 2, 8);
}

static void test_restart_policy(void **state)
{
        (void)state;
        add("redis", "");
        say("add 1 service=dovecot");
        say("add 1 service=watchdog");
        say("add 1 service=warm-sql");
        for (int i = 0; i < 4; i++)
                say("set %s policy=always",
                    (const char *[]){ "redis", "dovecot", "watchdog", "warm-sql" }[i]);
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        run(STACK_LOOK);
        assert_string_equal(member("redis")->policy, "no");
        assert_string_equal(member("dovecot")->policy, "no"); /* though it ran already */
        assert_string_equal(member("watchdog")->policy, "no");
        assert_int_equal(member("watchdog")->state, CTR_EXITED);
        assert_string_equal(member("warm-sql")->policy, "always");
        assert_int_equal(member("warm-sql")->state, CTR_RUNNING);

        say("set redis policy=unless-stopped state=exited"); /* also of who does not run */
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        run(STACK_LOOK);
        assert_string_equal(member("redis")->policy, "no");

        say("set redis policy=always");
        say("mode update 500");
        run(STACK_START); /* never started with it */
        assert_int_equal(fx.result, STACK_FAILED);
        assert_non_null(strstr(fx.text, "redis: setting its restart policy: the fake is ill"));
        assert_int_equal(member("redis")->state, CTR_EXITED);
        run(STACK_STOP); /* it would come up at boot */
        assert_int_equal(fx.result, STACK_FAILED);
}

static void test_failed_start(void **state)
{
        static const struct {
                const char *service, *how;
                enum stack_result result;
                const char *text;
        } ROWS[] = {
                { "redis", "start_error=no_such_file_or_directory start_fails=1", STACK_DONE,
                  "2 of 2 had to be started" },
                { "redis", "start_error=no_such_file_or_directory", STACK_FAILED,
                  "redis: starting it: no such file or directory" },
                { "optional", "start_error=no_such_file", STACK_DONE,
                  "1 of 2 had to be started; (optional) optional: starting it: no such file" },
                { "redis", "exits=True", STACK_TEMPORARY, "redis: it ended at once, with code 3" },
                { "redis", "state=dead", STACK_FAILED,
                  "redis: its container is dead; create it again (docker compose up --no-start)" },
                { "redis", "state=restarting", STACK_TEMPORARY,
                  "redis: it was started and is restarting" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                say("clear");
                add(ROWS[i].service, "");
                add("dovecot", ""); /* needs redis, and is started all the same */
                say("set %s %s", ROWS[i].service, ROWS[i].how);
                run(STACK_START);
                assert_string_equal(fx.text, ROWS[i].text);
                assert_int_equal(fx.result, ROWS[i].result);
                assert_int_equal(member("dovecot")->state, CTR_RUNNING);
        }
}

static void test_paused(void **state)
{
        (void)state;
        say("add 1 service=redis state=paused");
        run(STACK_START);
        assert_int_equal(fx.result, STACK_DONE);
        assert_string_equal(say("deeds"), "unpause:redis most=1");
        say("pause redis");
        run(STACK_STOP);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(member("redis")->state, CTR_EXITED);
}

/* Asked before every start, and after a no nothing more is sent. */
static void test_may(void **state)
{
        struct stack_request rq = request(STACK_START);

        (void)state;
        add("nginx", "");
        add("dovecot", "");
        add("redis", "");
        say("add 1 service=other"); /* runs: nobody has to be asked */
        rq.may = may;
        fx.may_limit = 1;
        run_request(&rq);
        assert_int_equal(fx.result, STACK_FAILED);
        assert_string_equal(say("deeds"), "start:redis most=1");
        assert_int_equal(fx.may_calls, 2);
        assert_non_null(strstr(fx.text, "dovecot: not started: this node may not do so any more"));

        say("clear");
        add("optional", "");
        fx.may_calls = fx.may_limit = 0;
        run_request(&rq);
        assert_int_equal(fx.result, STACK_FAILED); /* even if only an optional one was refused */
        run(STACK_STOP);                           /* stopping asks nobody */
        assert_int_equal(fx.result, STACK_DONE);
}

static void test_only(void **state)
{
        struct stack_request rq = request(STACK_STOP);

        (void)state;
        say("add 1 service=redis");
        say("add 1 service=postfix");
        say("add 1 service=watchdog");
        rq.only = "postfix";
        run_request(&rq);
        assert_int_equal(fx.result, STACK_DONE);
        assert_string_equal(say("deeds"), "stop/5:postfix most=1");
        assert_int_equal(member("redis")->state, CTR_RUNNING);

        rq = request(STACK_STOP);
        rq.without = "redis";
        run_request(&rq);
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(member("redis")->state, CTR_RUNNING);
        assert_int_equal(member("watchdog")->state, CTR_EXITED);
}

static void test_look(void **state)
{
        (void)state;
        say("add 1 service=redis health=healthy");
        say("set redis pid=4711 policy=always address=172.22.1.249");
        add("dovecot", "code=137");
        say("set dovecot address=");
        run(STACK_LOOK);
        assert_int_equal(fx.result, STACK_DONE);
        assert_string_equal(fx.text, "");
        assert_string_equal(say("deeds"), " most=0");
        const struct stack_member *m = member("redis");
        assert_int_equal(m->state, CTR_RUNNING);
        assert_int_equal(m->health, HEALTH_HEALTHY);
        assert_int_equal(m->pid, 4711);
        assert_string_equal(m->address, "172.22.1.249");
        assert_string_equal(m->policy, "always");
        m = member("dovecot");
        assert_int_equal(m->exit_code, 137);
        assert_int_equal(m->pid, 0);
        assert_string_equal(m->address, "");
        assert_string_equal(m->needs, "redis warm-sql");
}

static void test_one_at_a_time(void **state)
{
        struct stack_request rq = request(STACK_START);

        (void)state;
        add("redis", "");
        say("set redis start_ms=100");
        assert_int_equal(stack_begin(fx.stack, &rq), 0);
        assert_int_equal(stack_begin(fx.stack, &rq), -EBUSY);
        WAIT(strstr(say("deeds"), "start:redis"));
        stack_cancel(fx.stack);
        assert_false(stack_busy(fx.stack));
        run(STACK_START); /* the engine had gone on with it, or starts it now */
        assert_int_equal(fx.result, STACK_DONE);
        assert_int_equal(fx.done, 1);

        fx.free_in_callback = true;
        run(STACK_STOP);
        assert_null(fx.stack);

        char name[STACK_SERVICE_SIZE + 1];
        memset(name, 'a', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        begin_with(1000, 1000);
        rq.only = name;
        assert_int_equal(stack_begin(fx.stack, &rq), -EINVAL);
        rq.only = NULL;
        rq.without = name;
        assert_int_equal(stack_begin(fx.stack, &rq), -EINVAL);
        assert_false(stack_busy(fx.stack));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                STACK_TEST(test_start),        STACK_TEST(test_label),
                STACK_TEST(test_parallel),     STACK_TEST(test_restart_policy),
                STACK_TEST(test_failed_start), STACK_TEST(test_paused),
                STACK_TEST(test_may),          STACK_TEST(test_only),
                STACK_TEST(test_look),         STACK_TEST(test_one_at_a_time),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
