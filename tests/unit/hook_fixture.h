/* What the tests of hamon/hook.c and of the hooks themselves share: a loop, a directory, a script
 * of the test's own, and waiting for the result. */
#pragma once

#include "hamon/hook.h"
#include "lib/log.h"
#include "tests/unit/harness.h"

static struct tmp tmp;
static struct loop loop;
static struct hook *hook;
static struct hook_result result;
static char result_last[HOOK_LAST + 1];
static unsigned results;
static struct timer tick; /* a loop that waits for nothing still turns */
static struct buf sentence = BUF(4096);

static void on_tick(void *arg)
{
        (void)arg;
        timer_set(&tick, 5);
}

static void on_result(void *arg, const struct hook_result *r)
{
        assert_ptr_equal(arg, &result);
        assert_false(hook_busy(hook));
        result = *r;
        str_copy(result_last, sizeof result_last, r->last);
        results++;
}

static void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

#define TURN_UNTIL(condition)                                                  \
        for (msec_t end_ = clock_ms() + 3 * PATIENCE_MS; !(condition); turn()) \
                if (clock_ms() > end_)                                         \
        fail_msg("never came true: %s", #condition)

static int hook_setup(void **unused)
{
        (void)unused;
        signal(SIGPIPE, SIG_IGN); /* as the daemon does */
        assert_int_equal(tmp_make(&tmp), 0);
        CLEANUP(closep) int fd = open(at(&tmp, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        log_init(fd, LOG_DEBUG);
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, NULL), 0);
        timer_set(&tick, 5);
        assert_int_equal(hook_new(&loop, at(&tmp, "run/hook"), on_result, &result, &hook), 0);
        results = 0;
        return 0;
}

static int hook_teardown(void **unused)
{
        (void)unused;
        hook_free(hook);
        hook = NULL;
        timer_done(&tick);
        loop_done(&loop);
        log_done();
        tmp_remove(&tmp);
        buf_done(&sentence);
        return 0;
}

static int start_path(const char *path, const char *const *env, msec_t deadline)
{
        static uint64_t id;
        struct hook_run run = {
                .id = ++id, .name = "test", .path = path, .env = env, .deadline = deadline
        };

        buf_reset(&sentence);
        return hook_start(hook, &run, &sentence);
}

static void await_result(void)
{
        unsigned before = results;

        TURN_UNTIL(results > before);
}
