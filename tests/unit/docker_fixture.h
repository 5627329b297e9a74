/* What the tests of docker.c share: a fake engine for the whole binary, reset for each test, a loop
 * that runs while a test waits for a condition, and short words for what is to be seen. */
#pragma once

#include "hamon/docker.h"

#include "tests/fake/fake_docker.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
        PATIENCE = 8000, /* ms; what a condition may take on a busy machine */
        TIMEOUT = 500,   /* ms; the adapter's own */
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

static inline void on_tick(void *arg)
{
        (void)arg;
        loop_stop(&fx.loop);
}

static inline void on_change(void *arg)
{
        assert_ptr_equal(arg, &fx);
        fx.changes++;
        if (docker_engine(fx.d) != ENGINE_OK)
                str_copy(fx.text, sizeof(fx.text), docker_engine_text(fx.d));
        if (fx.reaction)
                fx.reaction();
}

/* Let the loop run for a moment. */
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

static inline void say(const char *command)
{
        assert_true(fake_docker_say(&fx.fake, command));
        WAIT(fake_docker_answered(&fx.fake));
        if (strncmp(fx.fake.reply, "ok", 2) != 0)
                fail_msg("%s: %s", command, fx.fake.reply);
}

static inline unsigned long stat_of(const char *name)
{
        char key[40];

        say("stats");
        snprintf(key, sizeof(key), "\"%s\": ", name);
        const char *p = strstr(fx.fake.reply, key);
        assert_non_null(p);
        return strtoul(p + strlen(key), NULL, 10);
}

static inline const struct docker_container *find(const char *service)
{
        for (size_t i = 0; i < docker_count(fx.d); i++)
                if (str_eq(docker_get(fx.d, i)->service, service))
                        return docker_get(fx.d, i);
        return NULL;
}

static inline struct container_facts facts(const char *service)
{
        const struct docker_container *c = find(service);

        return c ? c->facts : (struct container_facts){ .state = CTR_MISSING };
}

static inline enum ctr_state state(const char *service)
{
        return facts(service).state;
}

static inline enum ctr_health health(const char *service)
{
        return facts(service).health;
}

static inline bool fine(void)
{
        return docker_synced(fx.d) && docker_engine(fx.d) == ENGINE_OK;
}

static inline void begin(void)
{
        assert_int_equal(docker_new(&fx.loop, &fx.config, on_change, &fx, &fx.d), 0);
        assert_int_equal(docker_engine(fx.d), ENGINE_UNKNOWN);
        assert_string_equal(docker_engine_text(fx.d), "");
        assert_false(docker_synced(fx.d));
}

static inline void begin_fine(void)
{
        begin();
        WAIT(fine());
        assert_string_equal(docker_engine_text(fx.d), "");
}

static inline bool all_inspected(void)
{
        for (size_t i = 0; i < docker_count(fx.d); i++)
                if (docker_get(fx.d, i)->since == 0)
                        return false;
        return true;
}

/* The list after the first one is in, and every container has been looked at. */
static inline void settle(void)
{
        if (docker_stats(fx.d).lists < 2)
                WAIT(docker_stats(fx.d).lists == 2);
        WAIT(all_inspected());
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

static inline int tear_down(void **unused)
{
        (void)unused;
        docker_free(take_ptr(fx.d));
        timer_done(&fx.tick);
        loop_done(&fx.loop);
        return 0;
}

#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
