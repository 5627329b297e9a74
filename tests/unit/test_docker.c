/* docker.c against tests/fake/fake_docker.py over a real socket: what a list and events make of
 * containers, who wins when they disagree, storms, and what the owner may do when. */
#include "hamon/docker_table.h"
#include "tests/unit/docker_fixture.h"

/* ---- what a list says ---- */

static void first_list(void **unused)
{
        (void)unused;
        say("add 1 service=mysql health=healthy");
        say("add 1 service=redis");
        say("add 1 service=dovecot state=exited code=137");
        say("add 1 service=postfix state=created");
        say("add 1 service=nginx state=paused");
        say("add 1 service=sogo state=running health=starting");
        say("add 1 service=php state=running health=unhealthy");
        say("add 1 service=clamd state=restarting code=1");
        say("add 1 service=foreign project=other");
        say("add 1 service=oneoff oneoff=True");
        begin_fine();

        assert_int_equal(docker_count(fx.d), 8);
        assert_int_equal(state("mysql"), CTR_RUNNING);
        assert_int_equal(health("mysql"), HEALTH_HEALTHY);
        assert_int_equal(state("redis"), CTR_RUNNING);
        assert_int_equal(health("redis"), HEALTH_NONE);
        assert_int_equal(state("dovecot"), CTR_EXITED);
        assert_int_equal(facts("dovecot").exit_code, 137);
        assert_int_equal(state("postfix"), CTR_CREATED);
        assert_int_equal(state("nginx"), CTR_PAUSED);
        assert_int_equal(health("sogo"), HEALTH_STARTING);
        assert_int_equal(health("php"), HEALTH_UNHEALTHY);
        assert_int_equal(state("clamd"), CTR_RESTARTING);
        assert_int_equal(facts("clamd").exit_code, 1);
        assert_null(find("foreign"));
        assert_null(find("oneoff"));
        assert_int_equal(strlen(find("mysql")->id), 64);

        WAIT(find("redis")->since > 0 && find("dovecot")->since > 0);
        assert_int_equal(stat_of("error"), 0);
}

/* What could not be started is seen, and no longer once it runs. */
static void could_not_be_started(void **unused)
{
        (void)unused;
        say("add 1 service=mysql state=exited code=128");
        say("set mysql error=port_is_already_allocated");
        say("add 1 service=redis state=exited code=0");
        begin_fine();
        WAIT(facts("mysql").no_start && find("redis")->since > 0);
        assert_false(facts("redis").no_start);
        say("start mysql");
        WAIT(state("mysql") == CTR_RUNNING);
        assert_false(facts("mysql").no_start);
        say("die mysql 1");
        WAIT(state("mysql") == CTR_EXITED && facts("mysql").exit_code == 1);
        assert_false(facts("mysql").no_start);
        say("set redis error=and_nothing_is_said_of_it");
        docker_resync(fx.d);
        WAIT(facts("redis").no_start);
}

static void no_containers(void **unused)
{
        (void)unused;
        begin_fine();
        assert_int_equal(docker_count(fx.d), 0);
}

static void only_an_inspection_tells(void **unused)
{
        (void)unused;
        say("add 1 service=mysql state=exited code=137");
        say("set mysql restarts=4 oom=True");
        begin_fine();
        WAIT(find("mysql")->restarts == 4 && facts("mysql").oom);
        assert_true(find("mysql")->since > 0);
}

/* ---- what events say ---- */

static void life_of_a_container(void **unused)
{
        (void)unused;
        begin_fine();

        say("add 1 service=mysql health=healthy state=created events=1");
        WAIT(state("mysql") == CTR_CREATED);
        say("start mysql");
        WAIT(state("mysql") == CTR_RUNNING && health("mysql") == HEALTH_STARTING);
        say("health mysql healthy");
        WAIT(health("mysql") == HEALTH_HEALTHY);
        say("health mysql unhealthy");
        WAIT(health("mysql") == HEALTH_UNHEALTHY);
        say("pause mysql");
        WAIT(state("mysql") == CTR_PAUSED);
        say("unpause mysql");
        WAIT(state("mysql") == CTR_RUNNING && health("mysql") == HEALTH_UNHEALTHY);
        say("oom mysql");
        WAIT(facts("mysql").oom);
        say("die mysql 137");
        WAIT(state("mysql") == CTR_EXITED);
        assert_int_equal(facts("mysql").exit_code, 137);
        assert_int_equal(health("mysql"), HEALTH_NONE);
        assert_true(facts("mysql").oom);
        say("destroy mysql");
        WAIT(!find("mysql"));

        assert_int_equal(docker_count(fx.d), 0);
        assert_int_equal(docker_stats(fx.d).events, 9);
        assert_int_equal(docker_stats(fx.d).events_bad, 0);
}

/* Without a healthcheck there is nothing to wait for; with one, even if no list ever showed it. */
static void start_knows_the_healthcheck(void **unused)
{
        (void)unused;
        say("add 1 service=plain state=exited");
        say("add 1 service=checked state=exited health=healthy");
        begin_fine();
        WAIT(find("plain")->since > 0 && find("checked")->since > 0);
        assert_int_equal(health("checked"), HEALTH_NONE);

        say("mode inspect hang"); /* from here on only events */
        say("start plain");
        say("start checked");
        WAIT(state("plain") == CTR_RUNNING && state("checked") == CTR_RUNNING);
        assert_int_equal(health("plain"), HEALTH_NONE);
        assert_int_equal(health("checked"), HEALTH_STARTING);
}

static void restart_policy(void **unused)
{
        (void)unused;
        say("add 1 service=clamd");
        begin_fine();
        WAIT(find("clamd")->since > 0);
        say("restarting clamd 1");
        WAIT(state("clamd") == CTR_RESTARTING);
        assert_int_equal(facts("clamd").exit_code, 1);
        WAIT(find("clamd")->restarts == 1);
        say("start clamd");
        WAIT(state("clamd") == CTR_RUNNING);
        assert_int_equal(facts("clamd").exit_code, 0);
}

/* Other projects, one-offs and the exec_* of health probes are filtered by the engine already. */
static void noise_stays_away(void **unused)
{
        (void)unused;
        say("add 1 service=mysql health=healthy");
        say("add 1 service=foreign project=other");
        say("add 1 service=oneoff oneoff=True");
        begin_fine();
        settle();

        unsigned changes = fx.changes;
        unsigned long sent = stat_of("sent");
        for (int i = 0; i < 20; i++)
                say("exec mysql");
        say("die foreign");
        assert_int_equal(stat_of("sent"), sent);
        say("die oneoff"); /* the filter cannot tell these: we do */
        say("health mysql unhealthy");
        WAIT(health("mysql") == HEALTH_UNHEALTHY && fx.changes > changes);
        assert_int_equal(docker_stats(fx.d).events, 1);
        assert_int_equal(docker_count(fx.d), 1);
        assert_int_equal(fx.changes, changes + 1);
}

static void events_of_strangers(void **unused)
{
        (void)unused;
        begin_fine();
        say("mute");
        say("add 2 health=healthy"); /* we do not hear of it */
        say("unmute");
        say("die svc-0 3");
        WAIT(state("svc-0") == CTR_EXITED);
        assert_int_equal(facts("svc-0").exit_code, 3);
        say("health svc-1 unhealthy"); /* tells nothing of its state: a list must */
        WAIT(state("svc-1") == CTR_RUNNING && health("svc-1") == HEALTH_UNHEALTHY);
}

/* ---- list against events ---- */

static void resync_mends(void **unused)
{
        (void)unused;
        say("add 3");
        begin_fine();
        settle();

        say("set svc-0 state=exited code=9");
        say("forget svc-1");
        say("add 1 service=new");
        docker_resync(fx.d);
        docker_resync(fx.d);
        WAIT(state("svc-0") == CTR_EXITED && !find("svc-1") && find("new"));
        assert_int_equal(facts("svc-0").exit_code, 9);
        assert_int_equal(docker_count(fx.d), 3);
        assert_int_equal(docker_stats(fx.d).lists, 3); /* two calls, one list */
}

static void same_list_is_no_news(void **unused)
{
        (void)unused;
        say("add 20 health=healthy");
        begin_fine();
        settle();

        unsigned changes = fx.changes;
        docker_resync(fx.d);
        WAIT(docker_stats(fx.d).lists == 3);
        docker_poll(fx.d);
        WAIT(stat_of("ping") == 1);
        assert_int_equal(fx.changes, changes);
}

static void events_beat_a_list_under_way(void **unused)
{
        (void)unused;
        say("add 4 health=healthy");
        begin_fine();
        settle();
        unsigned long lists = stat_of("list");

        say("hold"); /* the list sees the old world and arrives after the news */
        docker_resync(fx.d);
        WAIT(stat_of("list") == lists + 1);
        say("die svc-0 1");
        say("destroy svc-1");
        say("health svc-2 unhealthy");
        say("add 1 service=born state=created events=1");
        WAIT(state("svc-0") == CTR_EXITED && !find("svc-1") && find("born"));
        say("release");
        WAIT(docker_stats(fx.d).lists == 3);
        assert_int_equal(state("svc-0"), CTR_EXITED);
        assert_null(find("svc-1"));
        assert_int_equal(health("svc-2"), HEALTH_UNHEALTHY);
        assert_int_equal(state("born"), CTR_CREATED);
        assert_int_equal(health("svc-3"), HEALTH_HEALTHY);

        WAIT(docker_stats(fx.d).lists == 4); /* one more, to be sure */
        assert_int_equal(docker_count(fx.d), 4);
        assert_int_equal(state("svc-0"), CTR_EXITED);
}

static void events_beat_the_first_list(void **unused)
{
        (void)unused;
        say("add 2");
        say("hold");
        begin();
        WAIT(stat_of("list") == 1);
        say("die svc-0 1");
        say("destroy svc-1");
        WAIT(state("svc-0") == CTR_EXITED);
        assert_false(docker_synced(fx.d));
        assert_int_equal(docker_engine(fx.d), ENGINE_UNKNOWN);
        say("release");
        WAIT(fine());
        assert_int_equal(state("svc-0"), CTR_EXITED);
        assert_int_equal(docker_count(fx.d), 1);
}

/* A real engine publishes "die" before its list says so. */
static void list_may_lag_behind(void **unused)
{
        (void)unused;
        fx.config.settle = 1000; /* the first list below must start before that is over */
        say("add 1 service=mysql");
        begin_fine();
        settle();
        say("mode inspect hang");
        say("die mysql 1");
        WAIT(state("mysql") == CTR_EXITED);
        say("set mysql state=running");
        docker_resync(fx.d);
        WAIT(docker_stats(fx.d).lists == 3);
        assert_int_equal(state("mysql"), CTR_EXITED);
        say("set mysql state=exited");
        WAIT(docker_stats(fx.d).lists == 4);
        assert_int_equal(state("mysql"), CTR_EXITED);
}

/* ---- many ---- */

static bool all_exited(void)
{
        for (size_t i = 0; i < docker_count(fx.d); i++)
                if (docker_get(fx.d, i)->facts.state != CTR_EXITED)
                        return false;
        return true;
}

static void storm(void **unused)
{
        (void)unused;
        fx.config.timeout = PATIENCE; /* the fake is not that fast */
        say("add 1000 health=healthy");
        begin_fine();
        assert_int_equal(docker_count(fx.d), 1000);

        say("storm 10000"); /* die, start, healthy in turn; the tenth round is die */
        WAIT(docker_stats(fx.d).events == 10000);
        assert_true(all_exited());
        assert_true(fine());
        docker_resync(fx.d);
        uint64_t lists = docker_stats(fx.d).lists;
        WAIT(docker_stats(fx.d).lists > lists);
        assert_true(all_exited());
        assert_true(stat_of("inspect") <= 4000);
        assert_true(stat_of("inspect_max") <= 2);
        assert_int_equal(docker_stats(fx.d).events_bad, 0);
        assert_int_equal(docker_stats(fx.d).reconnects, 0);
}

static void too_many(void **unused)
{
        (void)unused;
        fx.config.timeout = PATIENCE; /* the fake is not that fast */
        say("add 10001");
        begin();
        WAIT(docker_engine(fx.d) == ENGINE_ERROR);
        assert_string_equal(docker_engine_text(fx.d), "too many containers");
        assert_int_equal(docker_count(fx.d), 0);
        say("clear");
        WAIT(fine());
        say("add 2 events=1");
        WAIT(docker_count(fx.d) == 2);
}

/* ---- the owner's side ---- */

static void poll_and_resync(void)
{
        docker_poll(fx.d);
        docker_resync(fx.d);
}

static void free_it(void)
{
        docker_free(take_ptr(fx.d));
        loop_stop(&fx.loop);
}

static void calls_from_the_callback(void **unused)
{
        (void)unused;
        say("add 3 health=healthy");
        fx.reaction = poll_and_resync;
        begin_fine();
        say("die svc-0");
        WAIT(state("svc-0") == CTR_EXITED);
        say("restart");
        WAIT(docker_stats(fx.d).reconnects == 1 && fine());
        say("refuse");
        WAIT(docker_engine(fx.d) == ENGINE_REFUSED);
        say("listen");
        WAIT(fine());
}

static void freed_in_the_callback(void **unused)
{
        (void)unused;
        say("add 3");
        begin_fine();
        fx.reaction = free_it;
        say("die svc-0");
        WAIT(!fx.d);
        WAIT(stat_of("streams") == 0);
}

static void freed_at_any_time(void **unused)
{
        static const char *const endpoints[] = { "version", "events", "list", "inspect", "ping" };
        char command[32];

        (void)unused;
        say("add 3");
        begin();
        docker_free(take_ptr(fx.d));
        for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
                unsigned long seen = stat_of(endpoints[i]);
                say("mode all ok");
                snprintf(command, sizeof(command), "mode %s hang", endpoints[i]);
                say(command);
                begin();
                if (str_eq(endpoints[i], "ping")) {
                        WAIT(fine());
                        docker_poll(fx.d);
                }
                WAIT(stat_of(endpoints[i]) > seen);
                docker_free(take_ptr(fx.d));
                unsigned changes = fx.changes;
                turn();
                assert_int_equal(fx.changes, changes);
        }
        docker_free(NULL);
}

/* ---- the table alone ---- */

static void check_table(const struct docker_table *t, const bool *in, size_t n)
{
        char id[24];
        size_t count = 0;

        for (size_t i = 0; i < n; i++) {
                snprintf(id, sizeof(id), "%zx", i);
                const struct docker_entry *e = docker_table_find(t, id);
                assert_true((e != NULL) == in[i]);
                if (e)
                        assert_string_equal(e->c.id, id);
                count += in[i];
        }
        assert_int_equal(t->n, count);
}

static void table(void **unused)
{
        enum { N = 300, STEPS = 20000 };
        struct docker_table t = { .n = 0 };
        bool in[N] = { false };
        uint32_t seed = 4711;
        char id[24];

        (void)unused;
        assert_null(docker_table_find(&t, "0"));
        for (int i = 0; i < STEPS; i++) {
                seed = seed * 1664525U + 1013904223U;
                size_t k = (seed >> 8) % N;
                snprintf(id, sizeof(id), "%zx", k);
                if (in[k])
                        docker_table_remove(&t, docker_table_find(&t, id));
                else
                        assert_non_null(docker_table_add(&t, id));
                in[k] = !in[k];
                if (i % 100 == 0)
                        check_table(&t, in, N);
        }
        docker_table_done(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(table),
                ENGINE_TEST(first_list),
                ENGINE_TEST(could_not_be_started),
                ENGINE_TEST(no_containers),
                ENGINE_TEST(only_an_inspection_tells),
                ENGINE_TEST(life_of_a_container),
                ENGINE_TEST(start_knows_the_healthcheck),
                ENGINE_TEST(restart_policy),
                ENGINE_TEST(noise_stays_away),
                ENGINE_TEST(events_of_strangers),
                ENGINE_TEST(resync_mends),
                ENGINE_TEST(same_list_is_no_news),
                ENGINE_TEST(events_beat_a_list_under_way),
                ENGINE_TEST(events_beat_the_first_list),
                ENGINE_TEST(list_may_lag_behind),
                ENGINE_TEST(storm),
                ENGINE_TEST(too_many),
                ENGINE_TEST(calls_from_the_callback),
                ENGINE_TEST(freed_in_the_callback),
                ENGINE_TEST(freed_at_any_time),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
