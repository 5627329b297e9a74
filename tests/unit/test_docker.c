/* docker.c against tests/fake/fake_docker.py over a real socket: what a list and events make of
 * containers, who wins when they disagree, and every way an engine can fail and come back. */
#include "hamon/docker.h"

#include "hamon/docker_table.h"
#include "tests/fake/fake_docker.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
        PATIENCE = 8000, /* ms; what a condition may take on a busy machine */
        TIMEOUT = 300,   /* ms; the adapter's own */
        SETTLE = 100,    /* ms */
};

static struct fixture {
        struct fake_docker fake;
        struct loop loop;
        struct timer tick;
        struct docker *d;
        struct docker_config config;
        unsigned changes;
        char text[256]; /* the engine's sentence when it last was not fine */
        void (*reaction)(void);
} fx = { .fake.control = -1 };

static void on_tick(void *arg)
{
        (void)arg;
        loop_stop(&fx.loop);
}

static void on_change(void *arg)
{
        assert_ptr_equal(arg, &fx);
        fx.changes++;
        if (docker_engine(fx.d) != ENGINE_OK)
                str_copy(fx.text, sizeof(fx.text), docker_engine_text(fx.d));
        if (fx.reaction)
                fx.reaction();
}

/* Let the loop run for a moment. */
static void turn(void)
{
        timer_set(&fx.tick, 2);
        assert_int_equal(loop_run(&fx.loop), 0);
}

#define WAIT(condition)                                                            \
        do {                                                                       \
                for (msec_t end_ = clock_ms() + PATIENCE; !(condition); turn())    \
                        if (clock_ms() > end_)                                     \
                                fail_msg("in vain: %s (%s)", #condition, fx.text); \
        } while (0)

static void say(const char *command)
{
        assert_true(fake_docker_say(&fx.fake, command));
        WAIT(fake_docker_answered(&fx.fake));
        if (strncmp(fx.fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.fake.reply);
}

static unsigned long stat_of(const char *name)
{
        char key[40];

        say("stats");
        snprintf(key, sizeof(key), "\"%s\": ", name);
        const char *p = strstr(fx.fake.reply, key);
        assert_non_null(p);
        return strtoul(p + strlen(key), NULL, 10);
}

static const struct docker_container *find(const char *service)
{
        for (size_t i = 0; i < docker_count(fx.d); i++)
                if (str_eq(docker_get(fx.d, i)->service, service))
                        return docker_get(fx.d, i);
        return NULL;
}

static struct container_facts facts(const char *service)
{
        const struct docker_container *c = find(service);

        return c ? c->facts : (struct container_facts){ .state = CTR_MISSING };
}

static enum ctr_state state(const char *service)
{
        return facts(service).state;
}

static enum ctr_health health(const char *service)
{
        return facts(service).health;
}

static bool fine(void)
{
        return docker_synced(fx.d) && docker_engine(fx.d) == ENGINE_OK;
}

static void begin(void)
{
        assert_int_equal(docker_new(&fx.loop, &fx.config, on_change, &fx, &fx.d), 0);
        assert_int_equal(docker_engine(fx.d), ENGINE_UNKNOWN);
        assert_string_equal(docker_engine_text(fx.d), "");
        assert_false(docker_synced(fx.d));
}

static void begin_fine(void)
{
        begin();
        WAIT(fine());
        assert_string_equal(docker_engine_text(fx.d), "");
}

/* Everything has been looked at, and the list after the first one is in. */
static void settle(void)
{
        uint64_t lists = docker_stats(fx.d).lists;

        if (lists < 2)
                WAIT(docker_stats(fx.d).lists == 2);
        WAIT(stat_of("inspect") >= docker_count(fx.d));
}

static int start_fake(void **unused)
{
        (void)unused;
        return fake_docker_start(&fx.fake);
}

static int stop_fake(void **unused)
{
        (void)unused;
        fake_docker_stop(&fx.fake);
        return 0;
}

static int set_up(void **unused)
{
        (void)unused;
        fx.config = (struct docker_config){
                .socket = fx.fake.socket, .project = "mailcow", .timeout = TIMEOUT, .settle = SETTLE
        };
        fx.d = NULL;
        fx.changes = 0;
        fx.text[0] = '\0';
        fx.reaction = NULL;
        if (loop_init(&fx.loop) < 0 || timer_init(&fx.tick, &fx.loop, on_tick, NULL) < 0)
                return -1;
        say("reset");
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        docker_free(take_ptr(fx.d));
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        return 0;
}

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
        WAIT(health("mysql") == HEALTH_UNHEALTHY);
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

/* ---- failures ---- */

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
                const struct docker_entry *e = table_find(t, id);
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
        assert_null(table_find(&t, "0"));
        for (int i = 0; i < STEPS; i++) {
                seed = seed * 1664525U + 1013904223U;
                size_t k = (seed >> 8) % N;
                snprintf(id, sizeof(id), "%zx", k);
                if (in[k])
                        table_remove(&t, table_find(&t, id));
                else
                        assert_non_null(table_add(&t, id));
                in[k] = !in[k];
                if (i % 100 == 0)
                        check_table(&t, in, N);
        }
        table_free(&t);
}

int main(void)
{
#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(table),
                ENGINE_TEST(first_list),
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
                ENGINE_TEST(storm),
                ENGINE_TEST(too_many),
                ENGINE_TEST(calls_from_the_callback),
                ENGINE_TEST(freed_in_the_callback),
                ENGINE_TEST(freed_at_any_time),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
