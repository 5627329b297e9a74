/* Which service hangs: what runs and does not work, and nothing that is not its own fault. */
#include "node_fixture.h"

#define RUNNING MASTER_OK " dovecot-mailcow=running nginx-mailcow=running postfix-mailcow=running"

enum { START_PERIOD = 30000 };

static const struct finding PASS = { RES_PASS, REASON_OK };
static const struct finding SILENT = { RES_FAIL, REASON_PROBE_TIMEOUT };

/* `n` rounds in which the probes of these bits fail. */
static void rounds(unsigned n, unsigned bits)
{
        struct galera_facts g = member();

        while (n-- > 0) {
                fx.now += TICK;
                node_galera(&fx.node, &g, fx.now);
                for (enum probe i = 0; i < PROBE_COUNT_; i++)
                        node_probe(&fx.node, i, bits & 1u << i ? SILENT : PASS, "x", fx.now);
                eval(FOLD_TICK);
        }
}

static void begin(void)
{
        make_fit(ROLE_MASTER);
        containers(RUNNING);
        node_probing(&fx.node, true);
        rounds(GRACE / TICK, 0);
        assert_node(FIT, REASON_OK);
        assert_null(node_hung(&fx.node, fx.now));
}

static void hung_is(const char *name)
{
        const struct service *s = node_hung(&fx.node, fx.now);

        assert_string_equal(s ? s->name : "none", name);
}

#define SMTP  (1u << PROBE_SMTP)
#define IMAPS (1u << PROBE_IMAPS)
#define HTTPS (1u << PROBE_HTTPS)
#define SIEVE (1u << PROBE_SIEVE)

static void test_probes(void **state)
{
        (void)state;
        begin();
        rounds(1, IMAPS);
        hung_is("none"); /* one sample is no news */
        rounds(1, IMAPS);
        hung_is("dovecot-mailcow");
        assert_node(FIT, REASON_PROBE_TIMEOUT); /* in grace */
        rounds(GRACE / TICK + 2, IMAPS);
        assert_node(UNFIT, REASON_PROBE_TIMEOUT);
        hung_is("dovecot-mailcow");
        rounds(3, 0);
        hung_is("none");
        rounds(5, SIEVE); /* not vital */
        hung_is("none");
        rounds(5, SMTP | IMAPS);
        hung_is("dovecot-mailcow"); /* one after the other */
        rounds(5, SMTP | IMAPS | HTTPS);
        hung_is("none"); /* no service's own fault */
}

static void test_containers(void **state)
{
        static const struct {
                const char *is, *hung;
        } ROWS[] = {
                { "w1=running w2=running a1=paused a2=running a3=running", "a1" },
                { "w1=running w2=running a1=running a2=running/unhealthy a3=running", "a2" },
                { "w1=paused w2=running a1=running a2=running a3=running", "none" }, /* warm */
                { "w1=running w2=running a1=exited a2=running a3=running", "none" }, /* missing */
                { "w1=running w2=running a1=running/starting a2=running a3=running", "none" },
                { "w1=running w2=running a1=running a2=running a3=paused", "none" }, /* optional */
                { "w1=running w2=running a1=running a2=running a3=running", "none" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
                make_fit(ROLE_MASTER);
                node_probing(&fx.node, true); /* these are asked by nobody */
                containers(ROWS[i].is);
                ticks(2, NULL);
                if (strstr(ROWS[i].is, "paused"))
                        hung_is("none"); /* it may be for a moment */
                ticks(GRACE / TICK / 2, NULL);
                hung_is(ROWS[i].hung);
                node_probing(&fx.node, false);
                containers(MASTER_OK);
                ticks(5, NULL);
        }
}

/* Docker's healthcheck is a second opinion where we ask ourselves: on a busy machine its command
 * comes too late, and nothing hangs. */
static void test_second_opinion(void **state)
{
        static const char UNHEALTHY[] = MASTER_OK
                " dovecot-mailcow=running/unhealthy nginx-mailcow=running postfix-mailcow=running";

        (void)state;
        begin();
        containers(UNHEALTHY);
        rounds(2 * GRACE / TICK, 0);
        hung_is("none");
        assert_node(FIT, REASON_CONTAINER_UNHEALTHY); /* told, and no more */
        rounds(1, IMAPS);
        hung_is("none"); /* one sample is no news */
        rounds(2, IMAPS);
        hung_is("dovecot-mailcow");
        rounds(GRACE / TICK + 2, IMAPS);
        assert_node(UNFIT, REASON_CONTAINER_UNHEALTHY);
        rounds(3, 0);
        hung_is("none");
        assert_node(FIT, REASON_CONTAINER_UNHEALTHY);
        containers(RUNNING);
        rounds(3, 0);
        assert_node(FIT, REASON_OK);
}

/* Everything starts at once, and a healthcheck comes too late: no word of ours, no reason. */
static void test_not_asked_yet(void **state)
{
        (void)state;
        make_fit(ROLE_MASTER);
        containers(MASTER_OK " dovecot-mailcow=running/unhealthy nginx-mailcow=running "
                             "postfix-mailcow=running");
        rounds(2 * GRACE / TICK, 0); /* nobody listens to them */
        hung_is("none");
        node_probing(&fx.node, true);
        hung_is("none");
        rounds(3, 0);
        hung_is("none");
        rounds(3, IMAPS);
        hung_is("dovecot-mailcow");
}

#define DEAD MASTER_OK " dovecot-mailcow=exited nginx-mailcow=running postfix-mailcow=running"

/* It ended, and was started: `dead` rounds later. */
static void dies_for(unsigned dead)
{
        containers(DEAD);
        rounds(dead, IMAPS);
        hung_is("none"); /* missing */
        containers(RUNNING);
}

/* What failed while it was dead, and until it answers, is no reason to end it again. */
static void test_just_started(void **state)
{
        (void)state;
        begin();
        dies_for(4);
        for (unsigned t = 0; t < START_PERIOD / TICK; t++) {
                rounds(1, IMAPS);
                hung_is("none");
        }
        rounds(1, IMAPS);
        hung_is("dovecot-mailcow"); /* now it had its time */
        rounds(3, 0);
        hung_is("none");
}

/* Once it has answered, it has no more of that time. */
static void test_started_and_hung(void **state)
{
        (void)state;
        begin();
        dies_for(2);
        rounds(5, IMAPS);
        hung_is("none");
        rounds(1, 0);
        rounds(1, IMAPS);
        rounds(2, 0); /* two in a row are an answer */
        rounds(2, IMAPS);
        hung_is("dovecot-mailcow");
}

static bool awaits(void)
{
        return node_awaits_start(&fx.node, fx.now);
}

/* Unfit because something starts, and for nothing else. */
static void test_awaits_start(void **state)
{
        (void)state;
        begin();
        assert_false(awaits());
        rounds(GRACE / TICK + 2, IMAPS); /* it hangs */
        assert_node(UNFIT, REASON_PROBE_TIMEOUT);
        assert_false(awaits());
        dies_for(1);
        rounds(2, IMAPS);
        assert_node(UNFIT, REASON_PROBE_TIMEOUT);
        assert_true(awaits());
        assert_true(node_is_starting(&fx.node, "dovecot-mailcow", fx.now));
        assert_false(node_is_starting(&fx.node, "nginx-mailcow", fx.now));
        assert_false(node_is_starting(&fx.node, "odd-mailcow", fx.now));
        rounds(GRACE / TICK + 2, IMAPS | HTTPS); /* and another one hangs */
        assert_false(awaits());
        rounds(3, IMAPS);
        assert_true(awaits());
        node_galera(&fx.node, &NON_PRIMARY, fx.now);
        eval(FOLD_TICK);
        assert_false(awaits());
        rounds(3, IMAPS);
        rounds(START_PERIOD / TICK, IMAPS);
        assert_false(awaits());
}

/* What starts again and again is waited for no longer than what starts once. */
static void test_starts_for_ever(void **state)
{
        (void)state;
        begin();
        const msec_t began = fx.now, most = GRACE + START_PERIOD;
        for (msec_t t = 0; t < 2 * most; t = fx.now - began) {
                containers(DEAD);
                rounds(1, IMAPS);
                containers(RUNNING);
                rounds(4, IMAPS);
                hung_is("none");
                t = fx.now - began;
                if (t > GRACE + TICK)
                        assert_int_equal(awaits(), t < most + TICK);
        }
}

/* Others fail too: then it is they. */
static void test_others(void **state)
{
        (void)state;
        begin();
        rounds(3, IMAPS);
        hung_is("dovecot-mailcow");
        node_engine(&fx.node, ENGINE_TIMEOUT, "", true);
        rounds(3, IMAPS);
        hung_is("none"); /* nothing could be restarted */
        node_engine(&fx.node, ENGINE_OK, "", true);
        rounds(3, IMAPS);
        hung_is("dovecot-mailcow");
        fx.node.probes[PROBE_VOLUME].state = (struct check_state){
                .seen = true, .bad = true, .last = RES_FAIL, .verdict = V_SUSPECT
        };
        hung_is("none"); /* a disk that hangs, hangs everybody */
        fx.node.probes[PROBE_VOLUME].state = (struct check_state){ .seen = false };
        fx.node.led = false;
        hung_is("none"); /* a standby serves nobody */
}

static void left_is(const char *after, const char *name)
{
        const struct service *s = node_left_stopped(&fx.node, after);

        assert_string_equal(s ? s->name : "none", name);
}

/* What Docker could not start and leaves so; what a person stopped, and what it starts again by
 * itself, is none of that. */
static void test_left_stopped(void **state)
{
        (void)state;
        make_fit(ROLE_STANDBY);
        left_is("", "none");
        containers("w1=exited w2=restarting a1=exited! a2=exited");
        left_is("", "none"); /* the active set is not Docker's to start */
        containers("w1=exited! w2=running");
        left_is("", "w1");
        left_is("w1", "w1");
        containers("w1=exited! w2=created!");
        left_is("", "w1");
        left_is("w1", "w2"); /* each has its turn */
        left_is("w2", "w1");
        node_engine(&fx.node, ENGINE_OK, "", false);
        left_is("", "none"); /* it is not known how it is now */
        node_engine(&fx.node, ENGINE_OK, "", true);
        left_is("", "w1");
        containers("w1=running w2=running");
        left_is("w1", "none");
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
        const struct CMUnitTest tests[] = { CASE(test_probes),         CASE(test_containers),
                                            CASE(test_second_opinion), CASE(test_not_asked_yet),
                                            CASE(test_just_started),   CASE(test_started_and_hung),
                                            CASE(test_awaits_start),   CASE(test_starts_for_ever),
                                            CASE(test_others),         CASE(test_left_stopped) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
