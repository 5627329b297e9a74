/* What the tests of all providers share: one operation carried out on a loop of the test's own, and
 * CONFORMANCE[], the behaviour that every provider owes its caller, as rows. */
#pragma once

#include "hamon/provider/provider.h"

#include "tests/unit/harness.h"

enum { DEADLINE = 8000, MAX_RUNS = 4 };

struct run {
        unsigned over; /* how often `done` was called */
        enum provider_result result;
        int error;
        char text[1200];
        struct provider_seen seen;
        bool forbid, free_in_done;
        unsigned asked; /* how often `may` was */
        struct provider_call *call;
};

static struct provider_fixture {
        struct loop loop;
        struct timer tick;
        struct provider *p;
        struct run run[MAX_RUNS];
} px;

static inline void px_tick(void *arg)
{
        (void)arg;
        loop_stop(&px.loop);
}

/* Let the loop run for a moment. */
static inline void px_turn(void)
{
        timer_set(&px.tick, 2);
        assert_int_equal(loop_run(&px.loop), 0);
}

#define PX_WAIT(condition)                                                                        \
        do {                                                                                      \
                for (msec_t end_ = clock_ms() + PATIENCE_MS; !(condition);) {                     \
                        px_turn();                                                                \
                        if (clock_ms() > end_)                                                    \
                                fail_msg("never came true: %s (%s)", #condition, px.run[0].text); \
                }                                                                                 \
        } while (0)

static inline bool px_may(void *arg)
{
        struct run *r = arg;

        r->asked++;
        return !r->forbid;
}

static inline void px_done(void *arg, const struct provider_outcome *o)
{
        struct run *r = arg;

        r->over++;
        r->call = NULL;
        r->result = o->result;
        r->error = o->error;
        str_copy(r->text, sizeof r->text, o->text);
        last_heard = r->text;
        r->seen = *o->seen;
        assert_null(strstr(r->text, "-token")); /* the secret of the double */
        if (r->free_in_done)
                px.p->ops->free(take_ptr(px.p));
}

/* Start operation number i; flags set in px.run[i] before are kept. */
static inline int px_start(size_t i, provider_op op, struct provider_request rq)
{
        struct run *r = &px.run[i];

        r->over = 0;
        r->asked = 0;
        r->text[0] = '\0';
        rq.arg = r;
        rq.may = px_may;
        rq.done = px_done;
        rq.deadline = rq.deadline ? rq.deadline : DEADLINE;
        return op(px.p, &rq, &r->call);
}

static inline struct run *px_go(provider_op op, struct provider_request rq)
{
        assert_int_equal(px_start(0, op, rq), 0);
        assert_int_equal(px.run[0].over, 0); /* never from inside the call */
        PX_WAIT(px.run[0].over);
        return &px.run[0];
}

#define GO(op_, ...) px_go(px.p->ops->op_, (struct provider_request){ __VA_ARGS__ })
#define EXPECT(want, op_, ...)                                                               \
        do {                                                                                 \
                const struct run *r_ = GO(op_, __VA_ARGS__);                                 \
                if (r_->result != (want))                                                    \
                        fail_msg(#op_ ": %d, not " #want ": %s", (int)r_->result, r_->text); \
        } while (0)

static inline int px_set_up(void)
{
        memset(&px, 0, sizeof px);
        return loop_init(&px.loop) < 0 || timer_init(&px.tick, &px.loop, px_tick, NULL) < 0;
}

static inline void px_tear_down(void)
{
        if (px.p)
                px.p->ops->free(take_ptr(px.p));
        timer_done(&px.tick);
        loop_done(&px.loop);
}

/* ---- what every provider owes ---- */

/* Names of things in the provider's own world. */
struct conformance {
        const char *volume, *ip, *server; /* the server we run on */
        bool attaches;                    /* attach and detach are acts, not proofs */
};

static inline void conform_volume(const struct conformance *w)
{
        EXPECT(PROVIDER_DONE, volume_get, .id = w->volume);
        assert_true(px.run[0].seen.have_volume);
        if (w->attaches)
                EXPECT(PROVIDER_DONE, volume_attach, .id = w->volume, .server = w->server);
        EXPECT(PROVIDER_ALREADY, volume_attach, .id = w->volume, .server = w->server);
        assert_int_equal(px.run[0].asked, 0); /* nothing was to be sent */
        EXPECT(PROVIDER_DONE, volume_get, .id = w->volume);
        assert_string_equal(px.run[0].seen.volume.server, w->server);
        assert_true(px.run[0].seen.volume.device[0] == '/');
        if (!w->attaches)
                return;
        EXPECT(PROVIDER_DONE, volume_detach, .id = w->volume, .server = w->server);
        assert_string_equal(px.run[0].seen.volume.server, "");
        EXPECT(PROVIDER_ALREADY, volume_detach, .id = w->volume);
}

static inline void conform_ip(const struct conformance *w)
{
        EXPECT(PROVIDER_DONE, ip_get, .id = w->ip);
        assert_string_equal(px.run[0].seen.ip.server, "");
        EXPECT(PROVIDER_DONE, ip_assign, .id = w->ip, .server = w->server);
        assert_string_equal(px.run[0].seen.ip.server, w->server);
        EXPECT(PROVIDER_ALREADY, ip_assign, .id = w->ip, .server = w->server);
        EXPECT(PROVIDER_DONE, ip_unassign, .id = w->ip, .server = w->server);
        assert_string_equal(px.run[0].seen.ip.server, "");
        EXPECT(PROVIDER_ALREADY, ip_unassign, .id = w->ip);
}

static inline void conform_self(const struct conformance *w)
{
        EXPECT(PROVIDER_DONE, server_get, .id = NULL);
        assert_string_equal(px.run[0].seen.server.id, w->server);
}

static inline void conform_may(const struct conformance *w)
{
        px.run[0].forbid = true;
        EXPECT(PROVIDER_FAILED, ip_assign, .id = w->ip, .server = w->server);
        assert_int_equal(px.run[0].error, -EPERM);
        assert_int_equal(px.run[0].asked, 1);
        EXPECT(PROVIDER_DONE, ip_get, .id = w->ip);
        assert_string_equal(px.run[0].seen.ip.server, "");
}

static inline void conform_refusals(const struct conformance *w)
{
        const struct provider_ops *o = px.p->ops;
        const struct provider_request bad[] = {
                { .id = NULL, .server = w->server },
                { .id = "", .server = w->server },
                { .id = "../7", .server = w->server },
                { .id = w->volume, .server = NULL },
                { .id = w->volume, .server = "a b" },
                { .id = w->volume, .server = w->server, .deadline = -1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(px_start(0, o->volume_attach, bad[i]), -EINVAL);
}

static inline void conform_cancel(const struct conformance *w)
{
        struct provider_request rq = { .id = w->ip };

        assert_int_equal(px_start(0, px.p->ops->ip_get, rq), 0);
        assert_int_equal(px_start(1, px.p->ops->ip_get, rq), 0);
        px.p->ops->cancel(px.run[0].call);
        px.p->ops->cancel(NULL);
        PX_WAIT(px.run[1].over == 1);
        assert_int_equal(px.run[0].over, 0);
}

static inline void conform_free(const struct conformance *w)
{
        struct provider_request rq = { .id = w->ip };

        px.run[0].free_in_done = true;
        assert_int_equal(px_start(0, px.p->ops->ip_get, rq), 0);
        assert_int_equal(
                px_start(1, px.p->ops->volume_get, (struct provider_request){ .id = w->volume }),
                0);
        PX_WAIT(!px.p || px.run[1].over);
        PX_WAIT(px.run[0].over == 1);
}

static const struct {
        const char *name;
        void (*run)(const struct conformance *w);
} CONFORMANCE[] = {
        { "volume", conform_volume }, { "ip", conform_ip },
        { "self", conform_self },     { "may", conform_may },
        { "cancel", conform_cancel }, { "refusals", conform_refusals },
        { "free", conform_free },
};
