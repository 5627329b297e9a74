/* A world of three to five nodes with an alert book each, whose clock is a number: crashes, cuts,
 * leaders that come and go. What is counted is what a person would get. */
#pragma once

#include "hamon/web/alert_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
        NODES_MAX = 5,
        HEARD_MAX = 400,
        STALE = 5000,
        SLACK = 3000,
        PATIENCE = 30000,
        STEP = 1000,
        REPEAT = 15 * 60000
};

static const char *const NAMES[NODES_MAX] = { "n1", "n2", "n3", "n4", "n5" };

struct told {
        size_t by;
        msec_t at;
        struct alert_message m;
};

static struct world {
        size_t n;
        int leader; /* the lease's holder, -1 = nobody */
        bool up[NODES_MAX];
        unsigned side[NODES_MAX]; /* nodes of different sides do not hear each other */
        msec_t up_at[NODES_MAX];
        msec_t heard_at[NODES_MAX][NODES_MAX]; /* by whom, of whom */
        int believed[NODES_MAX];               /* whom each takes for the leader */
        struct alert_book book[NODES_MAX];
        struct config config[NODES_MAX];
        msec_t now;
        struct told told[HEARD_MAX];
        size_t n_told;
        bool provider_down;
} w;

static struct book_rule rule = { .settle = STALE,
                                 .slack = SLACK,
                                 .stagger = 20000,
                                 .burst = 50,
                                 .pace = 60000,
                                 .repeat = REPEAT };

static void __attribute__((unused)) book_new(size_t i)
{
        alert_book_init(&w.book[i], &rule, NAMES[i], "mail", w.now);
}

static void world(size_t n)
{
        memset(&w, 0, sizeof w);
        w.n = n;
        w.now = 1000000;
        for (size_t i = 0; i < n; i++) {
                w.up[i] = true;
                w.config[i].node.name = (char *)(uintptr_t)NAMES[i];
                w.config[i].cluster.name = (char *)(uintptr_t) "mail";
                w.config[i].cluster.nodes.n = n;
                w.config[i].alert.patience = PATIENCE;
                for (size_t k = 0; k < n; k++)
                        w.heard_at[i][k] = w.now;
                book_new(i);
        }
}

static bool hears(size_t i, size_t k)
{
        return w.up[i] && w.up[k] && w.side[i] == w.side[k];
}

/* What node i would read in its status. */
static void view_of(size_t i, struct alert_view *v)
{
        *v = (struct alert_view){ .n = w.n, .me = (int)i, .leader = -1, .fit = true };
        for (size_t k = 0; k < w.n; k++) {
                struct alert_view_node *n = &v->nodes[k];
                str_copy(n->name, sizeof n->name, NAMES[k]);
                n->age = k == i ? 0 : w.now - w.heard_at[i][k];
                n->heard = n->age <= STALE;
                n->holder = w.believed[i] == (int)k;
                n->serves = n->heard && n->holder;
                v->heard += n->heard;
                if (n->heard && n->holder)
                        v->leader = (int)k;
        }
        v->majority = v->heard * 2 > w.n;
        v->leads = v->leader == v->me;
        v->provider_down = w.provider_down;
}

static void listen_to(size_t i)
{
        struct alert_message m;

        while (alert_book_next(&w.book[i], &m)) {
                assert_true(w.n_told < HEARD_MAX);
                w.told[w.n_told++] = (struct told){ .by = i, .at = w.now, .m = m };
        }
}

static void step_node(size_t i)
{
        static struct alert_conditions k; /* too large for the stack */
        struct alert_view v;

        for (size_t k2 = 0; k2 < w.n; k2++)
                if (hears(i, k2))
                        w.heard_at[i][k2] = w.now - (msec_t)((i * 7 + k2 * 3) % 5) * 100;
        if (w.leader >= 0 && hears(i, (size_t)w.leader))
                w.believed[i] = w.leader;
        else if (w.leader < 0)
                w.believed[i] = -1;
        view_of(i, &v);
        alert_view_conditions(&v, NULL, &w.config[i], &k);
        alert_book_step(&w.book[i], &v, &k, w.now, w.now + 1700000000000);
        listen_to(i);
}

static void __attribute__((unused)) run(msec_t ms)
{
        for (msec_t end = w.now + ms; w.now < end; w.now += STEP)
                for (size_t i = 0; i < w.n; i++)
                        if (w.up[i])
                                step_node(i);
}

static size_t count_by(size_t by, const char *key, enum alert_phase phase)
{
        size_t n = 0;

        for (size_t i = 0; i < w.n_told; i++)
                n += (by == NODES_MAX || w.told[i].by == by) && strcmp(w.told[i].m.key, key) == 0 &&
                     w.told[i].m.phase == phase;
        return n;
}

static size_t __attribute__((unused)) count(const char *key, enum alert_phase phase)
{
        return count_by(NODES_MAX, key, phase);
}

static void print_told(void)
{
        for (size_t i = 0; i < w.n_told; i++)
                print_message("%lld %s %s %s\n", (long long)(w.told[i].at - 1000000) / 1000,
                              NAMES[w.told[i].by], ALERT_PHASES[w.told[i].m.phase],
                              w.told[i].m.key);
}

#define ASSERT_TOLD(n_)                           \
        do {                                      \
                if (w.n_told != (size_t)(n_))     \
                        print_told();             \
                assert_int_equal(w.n_told, (n_)); \
        } while (0)
