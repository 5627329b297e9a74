/* Timers and the clock of the loop. No wait here is for luck: what is asserted is order, and that
 * nothing comes too early. */
#include "lib/loop.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
        struct loop loop;
        char order[32]; /* names of the timers that fired */
        size_t n;
};

struct named {
        struct fixture *f;
        char name;
        struct timer timer, *other; /* other: touched by the callback */
        unsigned rearm;             /* times to go on */
        bool stop, clear_other, done_self;
        msec_t fired_at;
};

static int set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);

        *state = f;
        return f ? loop_init(&f->loop) : -1;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;

        loop_done(&f->loop);
        loop_done(&f->loop); /* twice is fine */
        free(f);
        return 0;
}

static void on_timer(void *arg)
{
        struct named *t = arg;
        struct fixture *f = t->f;

        t->fired_at = clock_ms();
        assert_true(f->n + 1 < sizeof f->order);
        f->order[f->n++] = t->name;
        if (t->clear_other)
                timer_clear(t->other);
        if (t->rearm > 0) {
                t->rearm--;
                timer_set(&t->timer, 1);
        }
        if (t->done_self)
                timer_done(&t->timer);
        if (t->stop)
                loop_stop(&f->loop);
}

static struct named *named(struct fixture *f, char name)
{
        struct named *t = calloc(1, sizeof *t);

        assert_non_null(t);
        t->f = f;
        t->name = name;
        assert_int_equal(timer_init(&t->timer, &f->loop, on_timer, t), 0);
        return t;
}

static void drop(struct named *t)
{
        timer_done(&t->timer);
        free(t);
}

static void test_order(void **state)
{
        struct fixture *f = *state;
        struct named *a = named(f, 'a'), *b = named(f, 'b'), *c = named(f, 'c');
        msec_t begin = clock_ms();

        timer_set(&c->timer, 40);
        timer_set(&b->timer, 20);
        timer_set(&a->timer, -5);                /* at once */
        assert_int_equal(loop_run(&f->loop), 0); /* ends by itself: nothing left to wait for */
        assert_string_equal(f->order, "abc");
        assert_true(b->fired_at - begin >= 19);
        assert_true(c->fired_at - begin >= 39);
        drop(a);
        drop(b);
        drop(c);
}

static void test_set_again(void **state)
{
        struct fixture *f = *state;
        struct named *a = named(f, 'a'), *b = named(f, 'b');
        msec_t begin = clock_ms();

        timer_set(&a->timer, 1);
        timer_set(&a->timer, 30); /* later than before: fires once, and not before */
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "a");
        assert_true(a->fired_at - begin >= 29);

        timer_set(&b->timer, 0);
        b->rearm = 2; /* by its own callback */
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "abbb");
        drop(a);
        drop(b);
}

static void test_clear(void **state)
{
        struct fixture *f = *state;
        struct named *a = named(f, 'a'), *b = named(f, 'b');
        struct timer never = { .ev = NULL };

        timer_clear(&never);
        timer_done(&never);
        timer_set(&a->timer, 1);
        timer_clear(&a->timer);
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "");

        timer_set(&a->timer, 0); /* the first stops the second of the same wake-up */
        timer_set(&b->timer, 0);
        a->clear_other = true;
        a->other = &b->timer;
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "a");
        drop(a);
        drop(b);
}

static void test_done_inside(void **state)
{
        struct fixture *f = *state;
        struct named *a = named(f, 'a');

        a->done_self = true;
        timer_set(&a->timer, 0);
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "a");
        drop(a);
}

static void test_stop(void **state)
{
        struct fixture *f = *state;
        struct named *a = named(f, 'a'), *b = named(f, 'b');

        a->stop = true;
        timer_set(&a->timer, 0);
        timer_set(&b->timer, 0);
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "a"); /* after the current callback */
        assert_int_equal(loop_run(&f->loop), 0);
        assert_string_equal(f->order, "ab"); /* what was due is not lost */
        drop(a);
        drop(b);
}

struct reading {
        struct loop *loop;
        msec_t first, second;
        struct timer timer;
};

/* Time passes within a callback; the loop's clock does not show it. */
static void read_twice(void *arg)
{
        struct reading *r = arg;

        r->first = loop_now(r->loop);
        while (clock_ms() < r->first + 3)
                ;
        r->second = loop_now(r->loop);
}

static void test_clock(void **state)
{
        struct fixture *f = *state;
        struct reading a = { .loop = &f->loop }, b = { .loop = &f->loop };

        timer_init(&a.timer, &f->loop, read_twice, &a);
        timer_init(&b.timer, &f->loop, read_twice, &b);
        timer_set(&a.timer, 1);
        timer_set(&b.timer, 20);
        msec_t begin = clock_ms();
        assert_int_equal(loop_run(&f->loop), 0);
        assert_true(a.first >= begin);
        assert_int_equal(a.first, a.second);
        assert_int_equal(b.first, b.second);
        assert_true(b.first > a.first + 2); /* another wake-up, read afresh */
        timer_done(&a.timer);
        timer_done(&b.timer);
}

static void unwanted(struct bufferevent *be, void *arg)
{
        (void)be;
        *(bool *)arg = true;
}

/* libevent puts off what it gives back: a connection freed while a callback of it is due lives
 * until then. When the loop ends before, LeakSanitizer finds it. */
static void test_what_is_put_off(void **state)
{
        struct fixture *f = *state;
        struct bufferevent *ends[2];
        bool called = false;

        assert_int_equal(bufferevent_pair_new(f->loop.base, BEV_OPT_DEFER_CALLBACKS, ends), 0);
        bufferevent_setcb(ends[1], unwanted, NULL, NULL, &called);
        bufferevent_enable(ends[1], EV_READ);
        bufferevent_write(ends[0], "x", 1);
        bufferevent_free(ends[0]);
        bufferevent_free(ends[1]);
        loop_done(&f->loop);
        assert_false(called);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(test_order),           ROW(test_set_again), ROW(test_clear),
                ROW(test_done_inside),     ROW(test_stop),      ROW(test_clock),
                ROW(test_what_is_put_off),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
