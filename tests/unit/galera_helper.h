/* What the tests of hamon/galera.c share: a loop that is turned until a report came in or a
 * deadline passed. One galera at a time. */
#pragma once

#include "hamon/galera.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct loop loop;
static struct timer tick;
static unsigned ticks; /* of 10 ms: shows that the loop was never blocked */
static struct galera *galera;
static struct galera_facts facts; /* of the last report */
static unsigned reports;

static void on_tick(void *arg)
{
        (void)arg;
        ticks++;
        timer_set(&tick, 10);
}

static void on_facts(void *arg, const struct galera_facts *f)
{
        assert_ptr_equal(arg, &facts);
        facts = *f;
        reports++;
}

static void turn(void)
{
        loop.now_valid = false;
        assert_int_equal(event_base_loop(loop.base, EVLOOP_ONCE), 0);
}

static void loop_setup(void)
{
        assert_int_equal(loop_init(&loop), 0);
        assert_int_equal(timer_init(&tick, &loop, on_tick, NULL), 0);
        timer_set(&tick, 10);
}

static void loop_teardown(void)
{
        timer_done(&tick);
        loop_done(&loop);
}

static void galera_open(const struct galera_config *c)
{
        galera_free(galera);
        galera = NULL;
        reports = 0;
        assert_int_equal(galera_new(&loop, c, on_facts, &facts, &galera), 0);
}

static void galera_shut(void)
{
        galera_free(galera);
        galera = NULL;
}

/* True if so many reports have come in since galera_open(). */
static bool until_reports(unsigned n)
{
        msec_t end = clock_ms() + 10000;

        while (reports < n && clock_ms() < end)
                turn();
        return reports >= n;
}

static const struct galera_facts *ask(void)
{
        unsigned n = reports;

        galera_poll(galera);
        assert_true(until_reports(n + 1));
        return &facts;
}

static void assert_reach(enum db_reach want)
{
        if (facts.reach != want)
                fail_msg("reach %d, error %u: %s", facts.reach, facts.error, facts.text);
}
