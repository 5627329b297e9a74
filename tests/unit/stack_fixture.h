/* What the tests of the stack adapter share: the double of the engine, a loop that runs until the
 * operation is over, and how that went. */
#pragma once

#include "hamon/stack.h"

#include "tests/fake/fake_docker.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PATIENCE = 15000 };

static struct fixture {
        struct fake_docker fake;
        struct loop loop;
        struct timer tick;
        struct stack *stack;
        unsigned done, may_calls, may_limit;
        enum stack_result result;
        unsigned changed;
        char text[1024];
        struct stack_plan plan;
        bool free_in_callback;
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

static inline const char *say(const char *fmt, ...) PRINTF(1, 2);
static inline const char *say(const char *fmt, ...)
{
        char command[512];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(command, sizeof command, fmt, ap);
        va_end(ap);
        assert_true(fake_docker_say(&fx.fake, command));
        WAIT(fake_docker_answered(&fx.fake));
        if (strncmp(fx.fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.fake.reply);
        return fx.fake.reply + 3;
}

/* By the first letters of the name; "needs" of a few, for containers without the label. */
static inline void classify(void *arg, const char *service, struct stack_service *ret)
{
        assert_ptr_equal(arg, &fx);
        *ret = (struct stack_service){ .set = SET_ACTIVE, .needs = "" };
        if (strncmp(service, "warm", 4) == 0)
                ret->set = SET_WARM;
        if (strncmp(service, "ignored", 7) == 0 || strcmp(service, "watchdog") == 0)
                ret->set = SET_IGNORED;
        ret->rival = strcmp(service, "watchdog") == 0;
        ret->optional = ret->rival || strncmp(service, "optional", 8) == 0;
        ret->first = strcmp(service, "postfix") == 0;
        if (strcmp(service, "dovecot") == 0)
                ret->needs = "redis warm-sql";
        ret->slow = strcmp(service, "slow") == 0;
        if (strcmp(service, "nginx") == 0)
                ret->needs = "dovecot";
}

static inline bool may(void *arg)
{
        assert_ptr_equal(arg, &fx);
        return fx.may_calls++ < fx.may_limit;
}

static inline void on_done(void *arg, const struct stack_outcome *o)
{
        assert_ptr_equal(arg, &fx);
        fx.done++;
        fx.result = o->result;
        fx.changed = o->changed;
        str_copy(fx.text, sizeof fx.text, o->text);
        fx.plan = *o->plan;
        if (fx.free_in_callback)
                stack_free(take_ptr(fx.stack));
}

static inline struct stack_request request(enum stack_goal goal)
{
        return (struct stack_request){
                .goal = goal, .set = SET_ACTIVE, .deadline = PATIENCE, .arg = &fx, .done = on_done
        };
}

static inline void run_request(const struct stack_request *rq)
{
        fx.done = 0;
        fx.text[0] = '\0';
        assert_int_equal(stack_begin(fx.stack, rq), 0);
        assert_true(stack_busy(fx.stack));
        WAIT(fx.done > 0);
        assert_int_equal(fx.done, 1);
        if (fx.stack)
                assert_false(stack_busy(fx.stack));
}

static inline void run(enum stack_goal goal)
{
        struct stack_request rq = request(goal);

        run_request(&rq);
}

static inline void begin_with(msec_t timeout, msec_t stop_timeout)
{
        const struct stack_config c = { .socket = fx.fake.socket,
                                        .project = "mailcow",
                                        .timeout = timeout,
                                        .stop_timeout = stop_timeout,
                                        .kill_after = 200,
                                        .kill_wait = 800,
                                        .classify = classify,
                                        .arg = &fx };

        stack_free(fx.stack);
        assert_int_equal(stack_new(&fx.loop, &c, &fx.stack), 0);
}

static inline struct stack_member *member(const char *service)
{
        struct stack_member *m = stack_plan_find(&fx.plan, service);

        if (!m)
                fail_msg("no %s", service);
        return m;
}

static inline int start_fake(void **unused)
{
        (void)unused;
        return fake_docker_start(&fx.fake);
}

static inline int stop_fake(void **unused)
{
        (void)unused;
        fake_docker_stop(&fx.fake);
        return 0;
}

static inline int set_up(void **unused)
{
        (void)unused;
        fx.stack = NULL;
        fx.done = fx.may_calls = fx.may_limit = 0;
        fx.free_in_callback = false;
        fx.text[0] = '\0';
        if (loop_init(&fx.loop) < 0 || timer_init(&fx.tick, &fx.loop, on_tick, NULL) < 0)
                return -1;
        say("reset");
        begin_with(5000, 5000);
        return 0;
}

static inline int tear_down(void **unused)
{
        (void)unused;
        stack_free(take_ptr(fx.stack));
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        return 0;
}

#define STACK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
