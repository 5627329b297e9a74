/* docker_pid.c and what docker_sync.c makes of it: real processes, watched by real pidfds, and an
 * engine (tests/fake/fake_docker.py) that knows of their deaths late or never. Which cgroup a
 * process is in stands in a directory that plays /proc; one test asks the real one. */
#include "container.h"
#include "docker_fixture.h"

#include "hamon/docker_pid.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

enum {
        N_CHILDREN = 20,
        MANY = 1000,
        SOON = 500, /* ms from a death to our knowing, on a machine that may be busy */
};

#define ID    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00"

static struct tmp proc;
static char mysql[65]; /* its id */
static pid_t children[N_CHILDREN];
static unsigned ends;

/* ---- fixture ---- */

static int pid_set_up(void **state)
{
        if (set_up(state) < 0 || tmp_make(&proc) < 0)
                return -1;
        fx.config.proc = proc.path;
        say("add 1 service=mysql");
        str_copy(mysql, sizeof mysql, fx.fake.reply + strlen("ok "));
        return 0;
}

static int pid_tear_down(void **state)
{
        int r = tear_down(state);

        for (size_t i = 0; i < N_CHILDREN; i++)
                end_child(&children[i]);
        tmp_remove(&proc);
        return r;
}

static void PRINTF(2, 3) cgroup_is(pid_t pid, const char *fmt, ...)
{
        char name[32], text[8192];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        snprintf(name, sizeof name, "%d", pid);
        mkdir(at(&proc, name), 0755);
        snprintf(name, sizeof name, "%d/cgroup", pid);
        put_file(at(&proc, name), "%s", text);
}

static size_t pidfds(void)
{
        return pidfds_of(getpid());
}

/* From now on child i is mysql's first process, to the engine and to the kernel. */
static void run_mysql_as(size_t i)
{
        char command[64];

        children[i] = child_start();
        cgroup_is(children[i], "0::/system.slice/docker-%s.scope\n", mysql);
        snprintf(command, sizeof command, "set mysql pid=%d", children[i]);
        say(command);
}

static void begin_watched(void)
{
        run_mysql_as(0);
        begin_fine();
        WAIT(pidfds() == 1);
        settle();
}

/* No word of it from the engine. */
static void seen_to_end(size_t i)
{
        msec_t killed = clock_ms();

        end_child(&children[i]);
        WAIT(state("mysql") == CTR_EXITED);
        assert_true(clock_ms() - killed < SOON);
        assert_int_equal(facts("mysql").exit_code, -1);
        assert_true(find("mysql")->ended);
        assert_int_equal(pidfds(), 0);
}

static void resynced(void)
{
        uint64_t lists = docker_stats(fx.d).lists;

        docker_resync(fx.d);
        WAIT(docker_stats(fx.d).lists > lists);
}

/* ---- whom we watch ---- */

static const struct claim {
        const char *cgroup; /* NULL: the file is not there */
        bool ours;
} CLAIMS[] = {
        { "12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID
          "\n0::/system.slice/docker.service\n",
          true },
        { "0::/system.slice/docker-" ID ".scope\n", true },
        { "0::/docker/" ID "/init.scope\n", true }, /* systemd inside */
        { "0::/../../docker/" ID "\n", true },      /* we live in a cgroup namespace of our own */
        { "0::/docker/" OTHER "\n", false },        /* the pid is another container's by now */
        { "0::/user.slice/user-0.slice\n", false }, /* … or anybody's */
        { "0::/\n", false },
        { "", false },
        { NULL, false },
};

static void on_end(void *arg, const char *id)
{
        assert_string_equal(id, ID);
        assert_ptr_equal(arg, &ends);
        ends++;
        loop_stop(&fx.loop);
}

static void whose_pid_is_it(void **unused)
{
        struct docker_pids set;

        (void)unused;
        docker_pids_init(&set, &fx.loop, proc.path, on_end, &ends);
        ends = 0;
        for (size_t i = 0; i < ARRAY_SIZE(CLAIMS); i++) {
                children[0] = child_start();
                if (CLAIMS[i].cgroup)
                        cgroup_is(children[0], "%s", CLAIMS[i].cgroup);
                unsigned watch = docker_pid_watch(&set, ID, children[0]);
                if ((watch > 0) != CLAIMS[i].ours || pidfds() != CLAIMS[i].ours)
                        fail_msg("row %zu: watch %u, %zu pidfds", i, watch, pidfds());
                end_child(&children[0]);
                unsigned want = ends + CLAIMS[i].ours;
                turn();
                WAIT(ends == want);
                docker_pid_drop(&set, watch);
                docker_pid_drop(&set, watch); /* twice is fine */
                assert_int_equal(pidfds(), 0);
        }
        docker_pids_done(&set);
}

/* No process, one that is dead already, ids that prove nothing: the engine will tell. */
static void who_cannot_be_watched(void **unused)
{
        struct docker_pids set;

        (void)unused;
        docker_pids_init(&set, &fx.loop, proc.path, on_end, &ends);
        ends = 0;
        children[0] = child_start();
        cgroup_is(children[0], "0::/docker/" ID "\n");
        assert_int_equal(docker_pid_watch(&set, ID, 0), 0);
        assert_int_equal(docker_pid_watch(&set, ID, -1), 0);
        assert_int_equal(docker_pid_watch(&set, "00", children[0]), 0);
        assert_int_equal(docker_pid_watch(&set, "", children[0]), 0);

        siginfo_t info;
        kill(children[0], SIGKILL);
        assert_int_equal(waitid(P_PID, (id_t)children[0], &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(docker_pid_watch(&set, ID, children[0]), 0); /* a zombie */
        pid_t gone = children[0];
        end_child(&children[0]);
        assert_int_equal(docker_pid_watch(&set, ID, gone), 0);
        assert_int_equal(pidfds(), 0);
        assert_false(set.off);
        turn();
        assert_int_equal(ends, 0);
        docker_pids_done(&set);
}

/* Linux before 5.3, played by a seccomp filter in a child of ours; its exit code says what is
 * wrong. */
static void kernel_without_pidfd(void **unused)
{
        (void)unused;
        pid_t child = fork();
        if (child == 0) {
                struct sock_filter filter[] = {
                        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                };
                struct sock_fprog program = { ARRAY_SIZE(filter), filter };
                struct docker_pids set;

                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                        _exit(2);
                docker_pids_init(&set, &fx.loop, "/proc", on_end, NULL);
                if (docker_pid_watch(&set, ID, getpid()) != 0 || !set.off ||
                    docker_pid_watch(&set, ID, getpid()) != 0)
                        _exit(1);
                docker_pids_done(&set);
                _exit(0);
        }
        assert_int_equal(wait_end(&child), 0);
}

static void real_cgroup(void **unused)
{
        struct cgroup g;
        char command[64];

        (void)unused;
        fx.config.proc = NULL;
        children[0] = child_start();
        children[1] = child_start();
        if (!cgroup_join(&g, children[0], mysql))
                skip();
        snprintf(command, sizeof command, "set mysql pid=%d", children[0]);
        say(command);
        say("add 1 service=redis");
        snprintf(command, sizeof command, "set redis pid=%d", children[1]);
        say(command);
        begin_fine();
        WAIT(pidfds() == 1);
        settle();
        end_child(&children[1]); /* not redis', whatever the engine says */
        seen_to_end(0);
        assert_int_equal(state("redis"), CTR_RUNNING);
        cgroup_leave(&g);
}

/* ---- a death, and who believes it ---- */

static void death_before_its_event(void **unused)
{
        (void)unused;
        begin_watched();
        unsigned changes = fx.changes;
        int64_t since = find("mysql")->since;
        seen_to_end(0);
        assert_int_equal(fx.changes, changes + 1);
        assert_true(find("mysql")->since > since);
        assert_false(facts("mysql").oom);

        say("oom mysql");
        say("die mysql 137");
        WAIT(facts("mysql").exit_code == 137);
        assert_int_equal(state("mysql"), CTR_EXITED);
        assert_true(facts("mysql").oom);
        assert_true(find("mysql")->ended);
}

static void event_before_the_death(void **unused)
{
        (void)unused;
        begin_watched();
        say("die mysql 1");
        WAIT(state("mysql") == CTR_EXITED);
        assert_int_equal(pidfds(), 0);
        unsigned changes = fx.changes;
        end_child(&children[0]);
        turn();
        assert_int_equal(fx.changes, changes);
        assert_int_equal(facts("mysql").exit_code, 1);
}

/* An engine that never notices: its lists and inspections do not bring anybody back to life. */
static void engine_that_does_not_notice(void **unused)
{
        (void)unused;
        begin_watched();
        unsigned long asked = stat_of("inspect");
        seen_to_end(0);
        for (int i = 0; i < 3; i++) {
                resynced();
                assert_int_equal(state("mysql"), CTR_EXITED);
        }
        WAIT(stat_of("inspect") > asked);
        resynced();
        assert_int_equal(state("mysql"), CTR_EXITED);
        assert_true(find("mysql")->ended);

        say("set mysql state=exited code=3"); /* it did */
        WAIT((resynced(), facts("mysql").exit_code == 3));
}

/* A killed process dies on thawing, and only then comes the news of that. */
static void killed_while_paused(void **unused)
{
        (void)unused;
        begin_watched();
        say("pause mysql");
        WAIT(state("mysql") == CTR_PAUSED);
        assert_int_equal(pidfds(), 1);
        seen_to_end(0);
        say("unpause mysql");
        say("health mysql healthy"); /* … and when this is heard, so was that */
        WAIT(health("mysql") == HEALTH_HEALTHY);
        assert_int_equal(state("mysql"), CTR_EXITED);
}

static void restart(void **unused)
{
        (void)unused;
        begin_watched();
        for (size_t i = 0; i < 5; i++) { /* each life is watched anew */
                seen_to_end(i);
                say("die mysql 137");
                run_mysql_as(i + 1);
                say("start mysql");
                WAIT(state("mysql") == CTR_RUNNING);
                assert_false(find("mysql")->ended);
                assert_int_equal(facts("mysql").exit_code, 0);
                WAIT(pidfds() == 1);
        }
        assert_int_equal(state("mysql"), CTR_RUNNING);
}

static void restart_that_nobody_told(void **unused)
{
        (void)unused;
        begin_watched();
        seen_to_end(0);
        say("mute");
        run_mysql_as(1);
        say("start mysql");
        say("unmute");
        WAIT((resynced(), state("mysql") == CTR_RUNNING));
        assert_false(find("mysql")->ended);
        WAIT(pidfds() == 1);
        seen_to_end(1);
}

/* ---- without the engine ---- */

static void death_while_the_engine_hangs(void **unused)
{
        (void)unused;
        begin_watched();
        say("mode all hang");
        docker_poll(fx.d);
        seen_to_end(0);
        WAIT(docker_engine(fx.d) == ENGINE_TIMEOUT);
        assert_false(docker_synced(fx.d));
        assert_true(find("mysql")->ended);
}

static void death_while_the_engine_is_gone(void **unused)
{
        (void)unused;
        begin_watched();
        say("refuse");
        WAIT(!docker_synced(fx.d));
        unsigned changes = fx.changes;
        seen_to_end(0);
        assert_true(fx.changes > changes);
        assert_false(docker_synced(fx.d));

        say("listen"); /* it comes back and has not noticed yet */
        WAIT(fine());
        assert_int_equal(state("mysql"), CTR_EXITED);
        say("set mysql state=exited code=255");
        WAIT((resynced(), facts("mysql").exit_code == 255));
}

/* live-restore: the processes outlive the engine, and so do the watches. */
static void engine_restarts(void **unused)
{
        (void)unused;
        begin_watched();
        say("restart");
        WAIT(docker_stats(fx.d).reconnects == 1 && fine());
        settle();
        assert_int_equal(state("mysql"), CTR_RUNNING);
        assert_int_equal(pidfds(), 1);
        seen_to_end(0);
}

/* ---- no descriptor is left behind ---- */

static const char *const LEAVES[] = { "destroy mysql", "die mysql 0", "forget mysql",
                                      "set mysql state=exited", "clear" };

static void dropped_with_the_container(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(LEAVES); i++) {
                say("clear");
                say("add 1 service=mysql");
                str_copy(mysql, sizeof mysql, fx.fake.reply + strlen("ok "));
                begin_watched();
                say(LEAVES[i]);
                WAIT((resynced(), pidfds() == 0));
                docker_free(take_ptr(fx.d));
                end_child(&children[0]);
        }
}

static void dropped_with_the_adapter(void **unused)
{
        (void)unused;
        begin_watched();
        docker_free(take_ptr(fx.d));
        assert_int_equal(pidfds(), 0);
}

static void free_it(void)
{
        docker_free(take_ptr(fx.d));
        loop_stop(&fx.loop);
}

static void freed_because_of_a_death(void **unused)
{
        (void)unused;
        begin_watched();
        fx.reaction = free_it;
        end_child(&children[0]);
        WAIT(!fx.d);
        assert_int_equal(pidfds(), 0);
}

static void dropped_with_the_table(void **unused)
{
        (void)unused;
        fx.config.timeout = PATIENCE; /* the fake is not that fast */
        begin_watched();
        say("add 10001");
        docker_resync(fx.d);
        WAIT(docker_engine(fx.d) == ENGINE_ERROR);
        assert_int_equal(docker_count(fx.d), 0);
        assert_int_equal(pidfds(), 0);
}

/* ---- many ---- */

/* One command per line, all in one write; as many answers. */
static void say_all(const char *lines, size_t n)
{
        size_t answers = 0, len = strlen(lines);
        char got[4096];

        assert_int_equal(write(fx.fake.control, lines, len), len);
        for (msec_t end = clock_ms() + PATIENCE; answers < n && clock_ms() < end; turn()) {
                ssize_t k = read(fx.fake.control, got, sizeof got - 1);
                for (ssize_t i = 0; i < k; i++)
                        answers += got[i] == '\n';
        }
        assert_int_equal(answers, n);
}

/* A thousand containers whose first processes are twenty children of ours. */
static void many_run(void)
{
        CLEANUP(buf_done) struct buf cgroup = BUF(8192), commands = BUF(8192);

        say("clear");
        say("add 1000");
        begin_fine(); /* only for the ids */
        assert_int_equal(docker_count(fx.d), MANY);
        for (size_t i = 0; i < N_CHILDREN; i++) {
                buf_done(&cgroup);
                buf_done(&commands);
                children[i] = child_start();
                for (size_t k = i; k < MANY; k += N_CHILDREN) {
                        const struct docker_container *c = docker_get(fx.d, k);
                        buf_addf(&cgroup, "0::/docker/%s\n", c->id);
                        buf_addf(&commands, "set %s pid=%d\n", c->service, children[i]);
                }
                cgroup_is(children[i], "%s", buf_str(&cgroup));
                say_all(buf_str(&commands), MANY / N_CHILDREN);
        }
        docker_free(take_ptr(fx.d));
        begin_fine();
}

static size_t count(enum ctr_state s)
{
        size_t n = 0;

        for (size_t i = 0; i < docker_count(fx.d); i++)
                n += docker_get(fx.d, i)->facts.state == s;
        return n;
}

/* Watches are bounded; whoever is not watched still has the engine's word. */
static void many(void **unused)
{
        (void)unused;
        fx.config.timeout = PATIENCE; /* the fake is not that fast */
        many_run();
        WAIT(all_inspected());
        assert_int_equal(pidfds(), DOCKER_PIDS);
        for (size_t i = 0; i < N_CHILDREN; i++)
                kill(children[i], SIGKILL);
        WAIT(count(CTR_EXITED) == DOCKER_PIDS);
        assert_int_equal(pidfds(), 0);
        assert_int_equal(count(CTR_RUNNING), MANY - DOCKER_PIDS);

        say("storm 10000"); /* die, start, healthy in turn; the tenth round is die */
        WAIT(docker_stats(fx.d).events == 10000);
        assert_int_equal(count(CTR_EXITED), MANY);
        assert_int_equal(pidfds(), 0);
        assert_true(fine());
}

/* Lives come and go while everybody is looked at. */
static void storm_of_the_living(void **unused)
{
        (void)unused;
        fx.config.timeout = PATIENCE;
        many_run();
        say("storm 11000"); /* the last round is start */
        WAIT(docker_stats(fx.d).events == 11000);
        assert_int_equal(count(CTR_RUNNING), MANY);
        WAIT(pidfds() == DOCKER_PIDS);
        assert_true(fine());
}

#define T(f) cmocka_unit_test_setup_teardown(f, pid_set_up, pid_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(whose_pid_is_it),
                T(who_cannot_be_watched),
                T(kernel_without_pidfd),
                T(real_cgroup),
                T(death_before_its_event),
                T(event_before_the_death),
                T(engine_that_does_not_notice),
                T(killed_while_paused),
                T(restart),
                T(restart_that_nobody_told),
                T(death_while_the_engine_hangs),
                T(death_while_the_engine_is_gone),
                T(engine_restarts),
                T(dropped_with_the_container),
                T(dropped_with_the_adapter),
                T(freed_because_of_a_death),
                T(dropped_with_the_table),
                T(many),
                T(storm_of_the_living),
        };

        return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
