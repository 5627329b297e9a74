/* The real guard with a configuration, a socket and a state of its own, and one container: what its
 * tests share. Each case begins with nothing and leaves nothing. */
#pragma once

#include "guard_fixture.h"
#include "hamon/guard.h"
#include "hamon/guard_state.h"

static struct world {
        struct tmp t;
        struct container c;
        struct ran ran;
        pid_t guard, client, dog;
        struct guard_answer a;
        struct loop loop;
        struct guard *g;
        unsigned changes;
} w;

static inline void start_guard(void)
{
        const char *const argv[] = { program("hamond"), "-c", at(&w.t, "conf"), "guard", NULL };

        w.guard = start(argv, NULL, at(&w.t, "log"), 0);
}

static inline int ask(enum guard_verb verb, uint64_t epoch, msec_t deadline)
{
        struct guard_message m = { .verb = verb, .seq = 7, .epoch = epoch, .deadline = deadline };

        if (*w.c.id) {
                m.target.n = 1;
                str_copy(m.target.id[0], TARGET_ID_SIZE, w.c.id);
        }
        int r = guard_ask(at(&w.t, "guard.sock"), &m, PATIENCE_MS, &w.a);
        return r < 0 ? r : (int)w.a.error;
}

static inline bool in_mode(enum guard_mode mode)
{
        return ask(GUARD_SAY_STATUS, 0, 0) == 0 && w.a.mode == mode;
}

static inline void PRINTF(1, 2) write_conf(const char *fmt, ...)
{
        char more[700];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(more, sizeof more, fmt, ap);
        va_end(ap);
        put_file(at(&w.t, "conf"), "[control]\nsocket = %s/sock\n%s", w.t.path, more);
}

static inline void begin(const char *more)
{
        write_conf("%s", more);
        start_guard();
        EVENTUALLY(in_mode(GUARD_IS_OFF));
}

static inline int set_up(void **state)
{
        (void)state;
        w = (struct world){ .guard = 0 };
        return tmp_make(&w.t);
}

static inline int tear_down(void **state)
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

static inline void on_change(void *arg)
{
        (void)arg;
        w.changes++;
}

static inline bool spin(void)
{
        event_base_loop(w.loop.base, EVLOOP_NONBLOCK);
        w.loop.now_valid = false;
        return true;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
