/* When the guard writes to the watchdog, when it stops, and which one it takes. Needs root. */
#include "tests/unit/guard_world.h"

/* A cluster whose volume only the watchdog keeps from a silent holder, unless `more` says else. */
static void write_cluster(const char *ttl, const char *more)
{
        write_conf("[cluster]\nnodes = a=192.0.2.1, b=192.0.2.2, c=192.0.2.3\n[node]\nname = a\n"
                   "[lease]\nttl = %s\n[volume]\nprovider = local\nuuid = u\ndevice = "
                   "/dev/no\nmount = "
                   "/no\n[watchdog]\ndevice = %s\n%s",
                   ttl, at(&w.t, "dog"), more);
}

static void begin_cluster(const char *ttl, const char *more)
{
        write_cluster(ttl, more);
        start_guard();
        EVENTUALLY(in_mode(GUARD_IS_OFF));
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

/* One second is the least that a device knows: this is the shortest ttl it is quick enough for, and
 * with a shorter one nobody starts. */
static void a_ttl_it_is_too_slow_for_is_refused(void **state)
{
        (void)state;
        assert_int_equal(mkfifo(at(&w.t, "dog"), 0600), 0);
        CLEANUP(closep) int dog = open(at(&w.t, "dog"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(dog >= 0);
        begin_cluster("2500ms\nrenew = 100ms", "");
        EVENTUALLY(in_mode(GUARD_IS_OFF) && w.a.watchdog);
        assert_false(w.a.lacks_watchdog);
        end_child(&w.guard);
        write_cluster("2499ms\nrenew = 100ms", "");
        start_guard();
        assert_int_equal(wait_end(&w.guard), 78);
        assert_true(file_has(at(&w.t, "log"), "conf:8: [lease] ttl must be at least 2500ms"));
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(no_proof_no_petting),
                CASE(it_ends_in_time_for_the_next_holder),
                CASE(proof_brings_it_back),
                CASE(without_one_it_says_so),
                CASE(a_ttl_it_is_too_slow_for_is_refused),
                CASE(a_stop_while_off_disarms),
                CASE(a_stop_while_armed_does_not),
                CASE(but_does_where_storage_fences),
        };

        return cmocka_run_group_tests(tests, own_mounts, NULL);
}
