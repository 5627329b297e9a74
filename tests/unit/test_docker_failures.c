/* docker.c against a sick engine (tests/fake/fake_docker.py): every way it can fail, what we then
 * say of it, and that we come back. */
#include "tests/unit/docker_fixture.h"

static void fails_and_recovers(const char *endpoint, const char *mode, enum engine_state want)
{
        char command[64];

        snprintf(command, sizeof(command), "mode %s %s", endpoint, mode);
        say(command);
        begin();
        WAIT(docker_engine(fx.d) != ENGINE_UNKNOWN);
        if (docker_engine(fx.d) != want)
                fail_msg("%s: %d, %s", command, docker_engine(fx.d), docker_engine_text(fx.d));
        assert_false(docker_synced(fx.d));
        assert_true(strlen(docker_engine_text(fx.d)) > 10);

        say("mode all ok");
        WAIT(fine());
        assert_int_equal(docker_count(fx.d), 40);
        docker_free(take_ptr(fx.d));
}

static void every_failure_at_the_start(void **unused)
{
        static const struct {
                const char *endpoint, *mode;
                enum engine_state want;
        } rows[] = {
                { "version", "hang", ENGINE_TIMEOUT },  { "version", "500", ENGINE_ERROR },
                { "version", "garbage", ENGINE_ERROR }, { "version", "close", ENGINE_REFUSED },
                { "version", "short", ENGINE_ERROR },   { "events", "hang", ENGINE_TIMEOUT },
                { "events", "500", ENGINE_ERROR },      { "events", "garbage", ENGINE_ERROR },
                { "events", "close", ENGINE_REFUSED },  { "list", "hang", ENGINE_TIMEOUT },
                { "list", "500", ENGINE_ERROR },        { "list", "garbage", ENGINE_ERROR },
                { "list", "cut", ENGINE_ERROR },        { "list", "short", ENGINE_ERROR },
                { "list", "stall", ENGINE_TIMEOUT },    { "list", "big", ENGINE_ERROR },
        };

        (void)unused;
        say("add 40");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                fails_and_recovers(rows[i].endpoint, rows[i].mode, rows[i].want);
}

static void engine_says_why(void **unused)
{
        (void)unused;
        say("mode list 500");
        begin();
        WAIT(docker_engine(fx.d) == ENGINE_ERROR);
        assert_string_equal(docker_engine_text(fx.d),
                            "list of containers: HTTP 500: the fake is ill");
}

static void failing_resync(void **unused)
{
        (void)unused;
        say("add 3");
        begin_fine();
        say("mode list short");
        docker_resync(fx.d);
        WAIT(docker_engine(fx.d) == ENGINE_ERROR);
        assert_false(docker_synced(fx.d));
        say("mode list ok");
        WAIT(fine());
}

static void slow_list_is_fine(void **unused)
{
        (void)unused;
        say("add 40");
        say("mode list slow"); /* longer than the timeout, but it keeps coming */
        begin_fine();
        assert_int_equal(docker_count(fx.d), 40);
        assert_string_equal(fx.text, "");
}

static void nobody_there(void **unused)
{
        (void)unused;
        say("gone");
        begin();
        WAIT(docker_engine(fx.d) == ENGINE_REFUSED);
        assert_non_null(strstr(docker_engine_text(fx.d), "no socket"));
        say("listen");
        WAIT(fine());
        say("refuse");
        WAIT(docker_engine(fx.d) == ENGINE_REFUSED && !docker_synced(fx.d));
        WAIT(strstr(docker_engine_text(fx.d), "nobody listens"));
        say("listen");
        WAIT(fine());
        assert_int_equal(docker_stats(fx.d).reconnects, 1);
}

static void lost_stream(const char *command)
{
        uint64_t before = docker_stats(fx.d).reconnects;

        fx.text[0] = '\0';
        say(command);
        WAIT(docker_stats(fx.d).reconnects == before + 1 && fine());
        assert_non_null(strstr(fx.text, "went away"));
        say("die mysql 5"); /* the new stream is heard */
        WAIT(state("mysql") == CTR_EXITED);
        say("start mysql");
        WAIT(state("mysql") == CTR_RUNNING);
}

static void streams_end(void **unused)
{
        (void)unused;
        say("add 1 service=mysql");
        begin_fine();
        lost_stream("half-close");
        lost_stream("drop");
        lost_stream("restart");
}

static void other_engine_after_restart(void **unused)
{
        (void)unused;
        say("api 1.24");
        say("add 2");
        begin_fine();
        say("refuse");
        WAIT(docker_engine(fx.d) == ENGINE_REFUSED);
        say("set svc-0 state=exited code=255");
        say("forget svc-1");
        say("restart 1.41");
        WAIT(fine());
        assert_int_equal(state("svc-0"), CTR_EXITED);
        assert_int_equal(docker_count(fx.d), 1);
        say("restart 1.43");
        WAIT(docker_stats(fx.d).reconnects == 2 && fine());
        say("restart 1.23");
        WAIT(docker_engine(fx.d) == ENGINE_TOO_OLD);
        assert_string_equal(docker_engine_text(fx.d),
                            "the engine speaks API 1.23, at least 1.24 is needed");
        say("refuse");
        say("api 1.52 1.44"); /* engines to come refuse what we would like to speak */
        say("listen");
        WAIT(fine());
        assert_int_equal(stat_of("error"), 0);
}

static void garbage_in_the_stream(void **unused)
{
        static const char *const texts[] = {
                "raw <h1>Oops</h1>",
                "raw {\"Type\":\"container\",\"Action\":\"die\"}",
                "raw {\"Type\": nonsense}",
                "raw 12345",
        };

        (void)unused;
        say("add 1 service=mysql");
        begin_fine();
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                say(texts[i]);
                WAIT(docker_stats(fx.d).reconnects == i + 1 && fine());
                assert_int_equal(docker_stats(fx.d).events_bad, i + 1);
                assert_string_equal(fx.text, "the event stream makes no sense");
        }
        say("die mysql");
        WAIT(state("mysql") == CTR_EXITED);
}

static void polls(void **unused)
{
        (void)unused;
        begin_fine();
        docker_poll(fx.d);
        docker_poll(fx.d);
        WAIT(stat_of("ping") == 1);
        assert_true(fine());

        say("mode all hang");
        docker_poll(fx.d);
        WAIT(docker_engine(fx.d) == ENGINE_TIMEOUT);
        assert_false(docker_synced(fx.d));
        WAIT(stat_of("streams") == 0);
        say("mode all ok");
        docker_poll(fx.d);
        WAIT(fine());

        say("mode ping 500");
        docker_poll(fx.d);
        WAIT(docker_stats(fx.d).reconnects == 2 && fine());
        assert_string_equal(fx.text, "ping: HTTP 500: the fake is ill");
}

/* Inspections are a luxury: their failures hurt nobody. */
static void inspections_fail(void **unused)
{
        static const char *const modes[] = { "hang", "500", "garbage", "close", "cut", "short" };
        char command[32];

        (void)unused;
        say("add 3 health=healthy");
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                snprintf(command, sizeof(command), "mode inspect %s", modes[i]);
                say(command);
                unsigned long seen = stat_of("inspect");
                begin_fine();
                WAIT(stat_of("inspect") >= seen + 2);
                say("die svc-0 7");
                WAIT(state("svc-0") == CTR_EXITED);
                say("start svc-0");
                WAIT(state("svc-0") == CTR_RUNNING);
                assert_true(fine());
                docker_free(take_ptr(fx.d));
        }
        assert_string_equal(fx.text, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ENGINE_TEST(every_failure_at_the_start),
                ENGINE_TEST(engine_says_why),
                ENGINE_TEST(failing_resync),
                ENGINE_TEST(slow_list_is_fine),
                ENGINE_TEST(nobody_there),
                ENGINE_TEST(streams_end),
                ENGINE_TEST(other_engine_after_restart),
                ENGINE_TEST(garbage_in_the_stream),
                ENGINE_TEST(polls),
                ENGINE_TEST(inspections_fail),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
