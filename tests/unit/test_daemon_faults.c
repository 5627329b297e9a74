/* What the world does to the daemon: containers, the Docker engine and the database fail and come
 * back. Each time: the right verdict and reason, the right value in
 * the track file, and it comes back by itself. */
#include "container.h"
#include "daemon_fixture.h"

/* ---- containers ---- */

static const struct container_fault {
        const char *name, *harm, *line, *cure;
} CONTAINERS[] = {
        { "killed", "die w1 137", "unfit role=standby reason=container_exited ", "start w1" },
        { "paused", "pause w1", "unfit role=standby reason=container_paused ", "unpause w1" },
        { "crashing", "restarting w1 1", "unfit role=standby reason=container_restarting ",
          "start w1" },
        { "unhealthy", "health w1 unhealthy", "unfit role=standby reason=container_unhealthy ",
          "health w1 healthy" },
        { "removed", "destroy w1", "unfit role=standby reason=container_missing ",
          "add 1 service=w1 events=1" },
        { "no container to start", "destroy a1", "unfit role=standby reason=container_missing ",
          "add 1 service=a1 state=created events=1" },
};

static void test_containers(void **state)
{
        (void)state;
        start_fit();
        for (size_t i = 0; i < ARRAY_SIZE(CONTAINERS); i++) {
                docker_say(CONTAINERS[i].harm);
                EVENTUALLY(says("check", CONTAINERS[i].line) && track_is(UNFIT_));
                docker_say(CONTAINERS[i].cure);
                EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
        }
}

static void test_master_loses_a_service(void **state)
{
        (void)state;
        start_master();
        docker_say("die a2 1");
        EVENTUALLY(says("check", "unfit role=master reason=container_exited "));
        assert_non_null(strstr(fx.answer, "msg=\"a2: exited with code 1\""));
        EVENTUALLY(track_is(UNFIT_));
        assert_true(says("notify FAULT", "ok\n")); /* what keepalived makes of it */
        EVENTUALLY(says("check", "unfit role=standby reason=container_exited "));

        /* a restart of the daemon does not make it look well */
        assert_int_equal(daemon_stop(), 0);
        daemon_start();
        EVENTUALLY(says("check", "unfit role=standby reason=container_exited "));
        docker_say("die a1 0"); /* the rest is stopped: a candidate again */
        EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
}

/* Ten thousand events: nothing wrong at the end, and asked in between it answers. */
static void test_storm(void **state)
{
        (void)state;
        start_fit();
        docker_say("storm 10000");
        docker_say("set w1 state=running health=none");
        docker_say("set a1 state=exited");
        docker_say("start w1");
        EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
        docker_say("die w1 9");
        EVENTUALLY(says("check", "unfit role=standby reason=container_exited "));
}

/* ---- the engine ---- */

static const struct engine_fault {
        const char *harm, *line, *cure;
} ENGINES[] = {
        { "refuse", "unfit role=standby reason=docker_refused ", "listen" },
        { "gone", "unfit role=standby reason=docker_refused ", "listen" },
        { "mode ping hang", "unfit role=standby reason=docker_timeout ", "mode ping ok" },
        { "mode ping 500", "unfit role=standby reason=docker_error ", "mode ping ok" },
};

static void test_engine(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        start_fit();
        for (size_t i = 0; i < ARRAY_SIZE(ENGINES); i++) {
                docker_say(ENGINES[i].harm);
                EVENTUALLY(says("check", ENGINES[i].line) && track_is(UNFIT_));
                docker_say(ENGINES[i].cure);
                EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
        }
}

/* A restart of dockerd within grace moves nothing. */
static void test_engine_restart(void **state)
{
        struct stat before, after;

        (void)state;
        configure((struct settings){ .check = PATIENT });
        start_master();
        assert_int_equal(stat(at(&fx.tmp, "track"), &before), 0);
        docker_say("restart");
        EVENTUALLY(logged("reason=docker_refused") || logged("check=docker"));
        EVENTUALLY(says("check", "fit role=master reason=ok "));
        assert_int_equal(stat(at(&fx.tmp, "track"), &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
}

/* w1 dies for real, and the engine says nothing: while it lives, and while it is gone. */
static void death_without_a_word(const char *harm)
{
        struct cgroup g;
        char command[64], id[65];
        pid_t child = child_start();

        configure((struct settings){ .check = PATIENT });
        docker_say("destroy w1");
        docker_say("add 1 service=w1");
        str_copy(id, sizeof id, fx.docker.reply + strlen("ok "));
        snprintf(command, sizeof command, "set w1 pid=%d", child);
        docker_say(command);
        if (!cgroup_join(&g, child, id)) {
                end_child(&child);
                skip();
        }
        start_fit();
        EVENTUALLY(pidfds_of(fx.daemon) == 2); /* one is that of the writer of events */
        docker_say(harm);
        if (!str_eq(harm, "mute"))
                EVENTUALLY(logged("check=docker from=up to=suspect reason=docker_refused"));
        end_child(&child);
        cgroup_leave(&g);
        EVENTUALLY(logged("check=w1 from=up to=suspect reason=container_exited"));
        assert_true(says("check", "fit role=standby "));
        assert_true(says("status", "n1 ") && strstr(fx.answer, "exited [warm]"));

        docker_say("set w1 state=exited code=137");
        docker_say(str_eq(harm, "mute") ? "unmute" : "listen");
        EVENTUALLY(says("status", "n1 ") && strstr(fx.answer, "exited with code 137 [warm]"));
        docker_say("start w1");
        EVENTUALLY(says("check", "fit role=standby reason=ok "));
}

static void test_death_without_an_event(void **state)
{
        (void)state;
        death_without_a_word("mute");
}

static void test_death_without_an_engine(void **state)
{
        (void)state;
        death_without_a_word("refuse");
}

/* ---- the database ---- */

static const struct galera_fault {
        const char *rows, *line;
} GALERAS[] = {
        { NON_PRIMARY, "unfit role=standby reason=galera_non_primary " },
        { "hang\n", "unfit role=standby reason=galera_timeout " },
        { "error 1045 Access denied\n", "unfit role=standby reason=galera_auth " },
        { "error 1047 WSREP has not yet prepared node\n", "unfit role=standby reason=galera_" },
        { "x=y\n", "unfit role=standby reason=galera_error " },
        { "wsrep_on=OFF\nWSREP_CLUSTER_STATUS=Disconnected\n",
          "unfit role=standby reason=galera_off " },
};

static void test_galera(void **state)
{
        (void)state;
        configure((struct settings){ .check = SHORT });
        start_fit();
        for (size_t i = 0; i < ARRAY_SIZE(GALERAS); i++) {
                galera_says(GALERAS[i].rows);
                EVENTUALLY(says("check", GALERAS[i].line) && track_is(UNFIT_));
                galera_says(MEMBER);
                EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
        }
        galera_stop();
        EVENTUALLY(says("check", "unfit role=standby reason=galera_refused ") && track_is(UNFIT_));
        galera_start();
        EVENTUALLY(says("check", "fit role=standby reason=ok ") && track_is(FIT_0));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_containers),
                T(test_master_loses_a_service),
                T(test_storm),
                T(test_engine),
                T(test_engine_restart),
                T(test_galera),
                T(test_death_without_an_event),
                T(test_death_without_an_engine),
        };

        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
