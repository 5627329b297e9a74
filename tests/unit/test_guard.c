/* The real guard against real processes: daemons that are stopped, killed or lie, its own death,
 * and the asynchronous client. Needs root. */
#include "tests/unit/guard_world.h"

static void arms_and_fences(void **state)
{
        struct stat st;

        (void)state;
        begin("");
        container_run(&w.c, hierarchy(), "%s", false);
        assert_int_equal(lstat(at(&w.t, "guard.sock"), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);

        msec_t deadline = clock_ms() + 400;
        assert_int_equal(ask(GUARD_SAY_ARM, 5, deadline), 0); /* whose end of file means nothing */
        assert_int_equal(w.a.seq, 7);
        assert_int_equal(w.a.mode, GUARD_IS_ARMED);
        assert_int_equal(w.a.deadline, deadline);
        EVENTUALLY(container_dead(&w.c));
        assert_true(clock_ms() >= deadline);
        EVENTUALLY(in_mode(GUARD_HAS_FENCED));
        assert_int_equal(w.a.fences, 1);
        assert_int_equal(w.a.failures, 0);
        assert_string_equal(w.a.text, "nothing here uses the volume");

        assert_int_equal(ask(GUARD_SAY_ARM, 4, clock_ms() + 60000), -ESTALE);
        assert_int_equal(ask(GUARD_SAY_ARM, 6, clock_ms() + 60000), 0);
        assert_int_equal(ask(GUARD_SAY_ARM, 6, clock_ms() + 50000), -ERANGE);
        assert_int_equal(ask(GUARD_SAY_OFF, 5, 0), -ESTALE);
        assert_int_equal(ask(GUARD_SAY_OFF, 6, 0), 0);
        assert_true(in_mode(GUARD_IS_OFF));
}

/* A daemon that renews all the time, from a process of its own. */
static void run_client(void)
{
        pid_t parent = getpid();

        w.client = fork();
        assert_true(w.client >= 0);
        if (w.client > 0)
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < 20000 && getppid() == parent; i++) {
                struct guard_message m = { .verb = GUARD_SAY_ARM,
                                           .epoch = 9,
                                           .deadline = clock_ms() + 800,
                                           .target = { .n = 1 } };
                struct guard_answer a;
                str_copy(m.target.id[0], TARGET_ID_SIZE, w.c.id);
                guard_ask(at(&w.t, "guard.sock"), &m, 500, &a);
                nap();
        }
        _exit(0);
}

static void a_daemon_that_stops(int signal_of_it)
{
        begin("");
        container_run(&w.c, hierarchy(), "docker-%s.scope", false);
        run_client();
        EVENTUALLY(in_mode(GUARD_IS_ARMED));
        msec_t first = w.a.deadline;
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && clock_ms() > first + 300); /* it is heard */
        assert_int_equal(ended(&w.c.pid), -1);
        assert_int_equal(kill(w.client, signal_of_it), 0);
        EVENTUALLY(container_dead(&w.c));
        EVENTUALLY(in_mode(GUARD_HAS_FENCED));
}

static void a_daemon_that_is_frozen(void **state)
{
        (void)state;
        a_daemon_that_stops(SIGSTOP);
}

static void a_daemon_that_is_killed(void **state)
{
        (void)state;
        a_daemon_that_stops(SIGKILL);
}

static void its_own_death(void **state)
{
        (void)state;
        begin("");
        container_run(&w.c, hierarchy(), "%s", false);
        assert_int_equal(ask(GUARD_SAY_ARM, 5, clock_ms() + 600), 0);
        end_child(&w.guard); /* kill -9 */
        start_guard();
        EVENTUALLY(container_dead(&w.c)); /* nobody told it anything */
        EVENTUALLY(in_mode(GUARD_HAS_FENCED));
        assert_int_equal(w.a.epoch, 5);

        container_end(&w.c); /* overdue when it comes back */
        container_run(&w.c, hierarchy(), "%s", false);
        msec_t deadline = clock_ms() + 200;
        assert_int_equal(ask(GUARD_SAY_ARM, 6, deadline), 0);
        end_child(&w.guard);
        EVENTUALLY(clock_ms() > deadline);
        assert_int_equal(ended(&w.c.pid), -1);
        start_guard();
        EVENTUALLY(container_dead(&w.c));
}

static int raw(const void *data, size_t len)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        str_copy(sa.sun_path, sizeof sa.sun_path, at(&w.t, "guard.sock"));
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        if (len)
                assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
        return fd;
}

/* Frozen together with the daemon: what waits in its socket at the thaw comes too late. */
static void frozen_itself(void **state)
{
        struct guard_message late = { .verb = GUARD_SAY_STATUS, .epoch = 5 };

        (void)state;
        begin("");
        container_run(&w.c, hierarchy(), "%s", false);
        msec_t deadline = clock_ms() + 300;
        assert_int_equal(ask(GUARD_SAY_ARM, 5, deadline), 0);
        late.magic = GUARD_MAGIC;
        int fd = raw(&late, sizeof late); /* STATUS: it knows us before the freeze */
        assert_int_equal(recv(fd, &w.a, sizeof w.a, 0), sizeof w.a);
        assert_int_equal(kill(w.guard, SIGSTOP), 0);
        late.verb = GUARD_SAY_ARM;
        late.deadline = clock_ms() + 60000;
        assert_int_equal(send(fd, &late, sizeof late, MSG_NOSIGNAL), sizeof late);
        EVENTUALLY(clock_ms() > deadline);
        assert_int_equal(kill(w.guard, SIGCONT), 0);
        EVENTUALLY(container_dead(&w.c));
        close(fd);
}

static void garbage_and_crowds(void **state)
{
        static char junk[100000];
        int fds[20];

        (void)state;
        begin("");
        assert_int_equal(ask(GUARD_SAY_ARM, 5, clock_ms() + 60000), 0);
        memset(junk, 'x', sizeof junk);
        for (size_t len = 1; len <= sizeof junk; len *= 10) {
                struct guard_answer a;
                int fd = raw(junk, len);
                assert_int_equal(recv(fd, &a, sizeof a, 0), sizeof a);
                assert_int_equal(a.error, -EBADMSG);
                close(fd);
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = raw(NULL, 0); /* silent: they hold all the places */
                assert_true(in_mode(GUARD_IS_ARMED));
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        assert_true(in_mode(GUARD_IS_ARMED));
        assert_int_equal(w.a.epoch, 5);

        const char *const argv[] = { program("hamond"), "-c", at(&w.t, "conf"), "guard", NULL };
        RUN(&w.t, &w.ran, argv[0], argv[1], argv[2], argv[3]); /* a second one */
        assert_int_equal(w.ran.code, 69);
        assert_true(in_mode(GUARD_IS_ARMED));
}

/* ---- the daemon's end ---- */

static void the_client(void **state)
{
        struct fence_target t = { .n = 1 };

        (void)state;
        container_run(&w.c, hierarchy(), "%s", false);
        str_copy(t.id[0], TARGET_ID_SIZE, w.c.id);
        assert_int_equal(loop_init(&w.loop), 0);
        assert_int_equal(guard_new(&w.loop, at(&w.t, "guard.sock"), on_change, NULL, &w.g), 0);
        msec_t deadline = clock_ms() + 60000;
        guard_set(w.g, GUARD_SET_ARM, deadline, 5, &t); /* nobody is there yet */
        spin();
        assert_false(guard_alive(w.g));
        assert_int_equal(guard_acked(w.g), 0);
        assert_null(guard_seen(w.g));

        put_file(at(&w.t, "conf"), "[control]\nsocket = %s/sock\n", w.t.path);
        start_guard();
        EVENTUALLY(spin() && guard_acked(w.g) == deadline);
        assert_true(guard_alive(w.g));
        assert_true(w.changes > 0);

        deadline += 1000;
        guard_set(w.g, GUARD_SET_ARM, deadline, 5, &t);
        EVENTUALLY(spin() && guard_acked(w.g) == deadline);

        assert_int_equal(kill(w.guard, SIGSTOP), 0); /* it does not answer: it does not live */
        EVENTUALLY(spin() && !guard_alive(w.g));
        assert_int_equal(guard_acked(w.g), deadline);
        assert_int_equal(kill(w.guard, SIGCONT), 0);
        EVENTUALLY(spin() && guard_alive(w.g));

        end_child(&w.guard);
        EVENTUALLY(spin() && !guard_alive(w.g));
        start_guard();
        EVENTUALLY(spin() && guard_alive(w.g));
        assert_int_equal(guard_acked(w.g), deadline);

        guard_set(w.g, GUARD_SET_ARM, deadline - 500, 5, &t); /* refused */
        EVENTUALLY(spin() && guard_seen(w.g)->error == -ERANGE);
        assert_int_equal(guard_acked(w.g), deadline);
        guard_set(w.g, GUARD_SET_OFF, 0, 5, NULL);
        EVENTUALLY(spin() && guard_acked(w.g) == 0 && guard_seen(w.g)->mode == GUARD_IS_OFF);

        guard_set(w.g, GUARD_SET_ARM, deadline, 6, &t);
        EVENTUALLY(spin() && guard_acked(w.g) == deadline);
        assert_int_equal(ended(&w.c.pid), -1);
        guard_fence_now(w.g);
        EVENTUALLY(spin() && container_dead(&w.c));
        EVENTUALLY(spin() && guard_seen(w.g)->mode == GUARD_HAS_FENCED);
        assert_int_equal(guard_seen(w.g)->fences, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(arms_and_fences), CASE(a_daemon_that_is_frozen), CASE(a_daemon_that_is_killed),
                CASE(its_own_death),   CASE(frozen_itself),           CASE(garbage_and_crowds),
                CASE(the_client),
        };

        return cmocka_run_group_tests(tests, own_mounts, NULL);
}
