/* The real guard against real processes: daemons that are stopped, killed or lie, its own death,
 * and the asynchronous client. Needs root. */
#include "hamon/guard.h"
#include "hamon/guard_state.h"
#include "tests/unit/guard_fixture.h"

struct world {
        struct tmp t;
        struct container c;
        struct ran ran;
        pid_t guard, client, dog;
        struct guard_answer a;
        struct loop loop;
        struct guard *g;
        unsigned changes;
} w;

static void start_guard(void)
{
        const char *const argv[] = { program("hamond"), "-c", at(&w.t, "conf"), "guard", NULL };

        w.guard = start(argv, NULL, at(&w.t, "log"), 0);
}

static int ask(enum guard_verb verb, uint64_t epoch, msec_t deadline)
{
        struct guard_message m = { .verb = verb, .seq = 7, .epoch = epoch, .deadline = deadline };

        if (*w.c.id) {
                m.target.n = 1;
                str_copy(m.target.id[0], TARGET_ID_SIZE, w.c.id);
        }
        int r = guard_ask(at(&w.t, "guard.sock"), &m, PATIENCE_MS, &w.a);
        return r < 0 ? r : (int)w.a.error;
}

static bool in_mode(enum guard_mode mode)
{
        return ask(GUARD_SAY_STATUS, 0, 0) == 0 && w.a.mode == mode;
}

static void PRINTF(1, 2) begin(const char *fmt, ...)
{
        char more[700];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(more, sizeof more, fmt, ap);
        va_end(ap);
        put_file(at(&w.t, "conf"), "[control]\nsocket = %s/sock\n%s", w.t.path, more);
        start_guard();
        EVENTUALLY(in_mode(GUARD_IS_OFF));
}

static int set_up(void **state)
{
        (void)state;
        w = (struct world){ .guard = 0 };
        return tmp_make(&w.t);
}

static int tear_down(void **state)
{
        (void)state;
        guard_free(w.g);
        loop_done(&w.loop);
        end_child(&w.client);
        end_child(&w.guard);
        end_child(&w.dog);
        container_end(&w.c);
        tmp_remove(&w.t);
        return 0;
}

static void arms_and_fences(void **state)
{
        struct stat st;

        (void)state;
        begin("%s", "");
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
        begin("%s", "");
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
        begin("%s", "");
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
        begin("%s", "");
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
        begin("%s", "");
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

static void on_change(void *arg)
{
        (void)arg;
        w.changes++;
}

static bool spin(void)
{
        event_base_loop(w.loop.base, EVLOOP_NONBLOCK);
        w.loop.now_valid = false;
        return true;
}

/* ---- the watchdog ---- */

/* A cluster whose volume only the watchdog keeps from a silent holder, unless `more` says else. */
static void begin_cluster(const char *ttl, const char *more)
{
        begin("[cluster]\nnodes = a=192.0.2.1, b=192.0.2.2, c=192.0.2.3\n[node]\nname = a\n"
              "[lease]\nttl = %s\n[volume]\nprovider = local\nuuid = u\ndevice = /dev/no\nmount = "
              "/no\n[watchdog]\ndevice = %s\n%s",
              ttl, at(&w.t, "dog"), more);
}

static void start_dog(const char *timeout, const char *ttl, const char *more)
{
        static char script[300];
        const char *source = getenv("MHA_SOURCE");

        assert_non_null(source);
        snprintf(script, sizeof script, "%s/tests/fake/fake_watchdog.py", source);
        const char *const argv[] = { script,           at(&w.t, "dog"),  timeout,
                                     "/usr/bin/touch", at(&w.t, "bite"), NULL };
        assert_int_equal(mkfifo(at(&w.t, "dog"), 0600), 0);
        w.dog = start(argv, NULL, at(&w.t, "log"), 0);
        begin_cluster(ttl, more);
        EVENTUALLY(in_mode(GUARD_IS_OFF) && w.a.watchdog);
        assert_false(w.a.lacks_watchdog);
}

static bool bitten(void)
{
        return access(at(&w.t, "bite"), F_OK) == 0;
}

static int arm_without_proof(msec_t deadline)
{
        struct guard_message m = { .verb = GUARD_SAY_ARM, .epoch = 5, .deadline = deadline };

        put_file(at(&w.t, "file"), "x");
        str_copy(m.target.device, TARGET_PATH, at(&w.t, "file")); /* proves nothing, ever */
        return guard_ask(at(&w.t, "guard.sock"), &m, PATIENCE_MS, &w.a);
}

/* Storage can be fenced: the fence has its time first. */
static void no_proof_no_petting(void **state)
{
        (void)state;
        start_dog("2", "4s", "mode = optional\n");
        assert_int_equal(arm_without_proof(clock_ms() + 300), 0);
        assert_true(w.a.watchdog);
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && w.a.tripped);
        assert_true(w.a.failures >= 1);
        assert_false(w.a.watchdog);
        assert_false(bitten()); /* it was petted up to now */
        EVENTUALLY(bitten());
}

/* It cannot: the reset has to be over when another one may take the lease, 10 s after the deadline
 * of this ttl. The device may take 20 s for it, so the petting ends 10 s before the deadline. */
static void it_ends_in_time_for_the_next_holder(void **state)
{
        (void)state;
        start_dog("1", "100s", "");
        assert_int_equal(arm_without_proof(clock_ms() + 11000), 0);
        assert_true(w.a.watchdog);
        EVENTUALLY(in_mode(GUARD_IS_ARMED) && w.a.tripped);
        assert_int_equal(w.a.fences, 0);
        EVENTUALLY(bitten());
}

static void proof_brings_it_back(void **state)
{
        (void)state;
        start_dog("60", "100s", "");
        assert_int_equal(ask(GUARD_SAY_ARM, 5, clock_ms() + 8000), 0);
        assert_true(w.a.tripped);
        assert_int_equal(ask(GUARD_SAY_FENCE, 5, 0), 0);
        EVENTUALLY(in_mode(GUARD_HAS_FENCED) && w.a.watchdog && !w.a.tripped);
        assert_false(bitten());
}

static void without_one_it_says_so(void **state)
{
        (void)state;
        begin_cluster("10s", "");
        assert_true(in_mode(GUARD_IS_OFF) && w.a.lacks_watchdog && !w.a.watchdog);
        put_file(at(&w.t, "dog"), "x"); /* a file where the device should be */
        assert_true(in_mode(GUARD_IS_OFF) && w.a.lacks_watchdog);
        EVENTUALLY(file_has(at(&w.t, "log"), "it is no watchdog"));
        assert_true(file_holds(at(&w.t, "dog"), "x"));
        assert_true(in_mode(GUARD_IS_OFF) && w.a.lacks_watchdog);

        assert_int_equal(loop_init(&w.loop), 0);
        assert_int_equal(guard_new(&w.loop, at(&w.t, "guard.sock"), on_change, NULL, &w.g), 0);
        guard_set(w.g, GUARD_SET_ARM, clock_ms() + 60000, 5, NULL);
        EVENTUALLY(spin() && guard_alive(w.g) && guard_seen(w.g)->mode == GUARD_IS_ARMED);
        assert_false(guard_ready(w.g));
        assert_int_equal(guard_acked(w.g), 0);

        unlink(at(&w.t, "dog")); /* it comes later */
        assert_int_equal(mkfifo(at(&w.t, "dog"), 0600), 0);
        CLEANUP(closep) int dog = open(at(&w.t, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        EVENTUALLY(spin() && guard_ready(w.g));
        assert_true(guard_acked(w.g) > 0);
}

/* One second is the least that a device knows: too long for this ttl. */
static void too_slow_a_watchdog_is_none(void **state)
{
        (void)state;
        assert_int_equal(mkfifo(at(&w.t, "dog"), 0600), 0);
        CLEANUP(closep) int dog = open(at(&w.t, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        begin_cluster("1s\nrenew = 100ms", "");
        EVENTUALLY(in_mode(GUARD_IS_OFF) && w.a.watchdog); /* petted all the same */
        assert_true(w.a.lacks_watchdog);
}

/* `tail`: what the watchdog heard last. */
static void stop_guard(int dog, char *tail)
{
        char heard[4096] = "";
        ssize_t n;

        assert_int_equal(kill(w.guard, SIGTERM), 0);
        assert_int_equal(wait_end(&w.guard), 0);
        while ((n = read(dog, heard, sizeof heard)) > 0)
                *tail = heard[n - 1];
}

static void a_stop(const char *more, bool armed, bool disarms)
{
        char tail = '?';

        assert_int_equal(mkfifo(at(&w.t, "dog"), 0600), 0);
        CLEANUP(closep) int dog = open(at(&w.t, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        begin_cluster("10s", more);
        EVENTUALLY(in_mode(GUARD_IS_OFF) && w.a.watchdog);
        if (armed)
                assert_int_equal(ask(GUARD_SAY_ARM, 5, clock_ms() + 60000), 0);
        stop_guard(dog, &tail);
        assert_int_equal(tail == 'V', disarms);
}

static void a_stop_while_off_disarms(void **state)
{
        (void)state;
        a_stop("", false, true);
}

static void a_stop_while_armed_does_not(void **state)
{
        (void)state;
        a_stop("", true, false);
}

static void but_does_where_storage_fences(void **state)
{
        (void)state;
        a_stop("mode = optional\n", true, true);
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

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(arms_and_fences),
                CASE(a_daemon_that_is_frozen),
                CASE(a_daemon_that_is_killed),
                CASE(its_own_death),
                CASE(frozen_itself),
                CASE(garbage_and_crowds),
                CASE(no_proof_no_petting),
                CASE(it_ends_in_time_for_the_next_holder),
                CASE(proof_brings_it_back),
                CASE(without_one_it_says_so),
                CASE(too_slow_a_watchdog_is_none),
                CASE(a_stop_while_off_disarms),
                CASE(a_stop_while_armed_does_not),
                CASE(but_does_where_storage_fences),
                CASE(the_client),
        };

        return cmocka_run_group_tests(tests, private_mounts, NULL);
}
