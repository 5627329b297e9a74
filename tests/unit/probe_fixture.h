/* What the tests of the probes share: a loop, a set of probes with one on, and its last answer. */
#pragma once

#include "hamon/probe.h"

#include "tests/fake/fake_docker.h"
#include "tests/unit/probe_double.h"

enum { PATIENCE = 15000, TIMEOUT = 400 };

static struct fixture {
        struct fake_docker fake;
        struct loop loop;
        struct timer tick;
        struct probes *probes;
        struct double_server server;
        unsigned answers;
        bool free_in_callback;
        struct probe_answer last;
        char text[256];
        char volume[64];
} fx = { .fake.control = -1 };

static inline void on_tick(void *arg)
{
        (void)arg;
        loop_stop(&fx.loop);
}

static inline void turn(void)
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

static inline void on_answer(void *arg, const struct probe_answer *a)
{
        assert_ptr_equal(arg, &fx);
        fx.answers++;
        fx.last = *a;
        str_copy(fx.text, sizeof fx.text, a->text);
        if (fx.free_in_callback)
                probes_free(take_ptr(fx.probes));
}

static inline struct probes_config config_of(enum probe which, const char *address, unsigned port)
{
        struct probes_config c = { .timeout = TIMEOUT,
                                   .host = "mail.test",
                                   .redis_password = "",
                                   .volume = fx.volume,
                                   .socket = fx.fake.socket,
                                   .project = "mailcow" };

        c.targets[which] = (struct probe_target){ true, address, port };
        return c;
}

static inline void begin_with(const struct probes_config *c)
{
        probes_free(take_ptr(fx.probes));
        assert_int_equal(probes_new(&fx.loop, c, on_answer, &fx, &fx.probes), 0);
}

/* Ask all that are on, once. */
static inline void ask(void)
{
        unsigned before = fx.answers;

        fx.text[0] = '\0';
        probes_run(fx.probes);
        probes_run(fx.probes); /* under way: not asked twice */
        WAIT(fx.answers > before);
        assert_int_equal(fx.answers, before + 1);
}

static inline void assert_told(enum result result, enum reason reason, const char *text)
{
        if (fx.last.finding.result != result || fx.last.finding.reason != reason ||
            !strstr(fx.text, text))
                fail_msg("%d %s \"%s\", not %d %s \"%s\"", fx.last.finding.result,
                         reason_name(fx.last.finding.reason), fx.text, result, reason_name(reason),
                         text);
}

static inline int set_up(void **unused)
{
        (void)unused;
        fx.probes = NULL;
        fx.answers = 0;
        fx.free_in_callback = false;
        signal(SIGPIPE, SIG_IGN); /* as the programs do */
        return loop_init(&fx.loop) < 0 || timer_init(&fx.tick, &fx.loop, on_tick, NULL) < 0 ? -1
                                                                                            : 0;
}

static inline int tear_down(void **unused)
{
        (void)unused;
        probes_free(take_ptr(fx.probes));
        if (fx.server.loop)
                double_stop(&fx.server);
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        return 0;
}

#define PROBE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
