/* node.c in time: grace, rise, storms, silence, gaps, an engine that restarts, and how a role comes
 * and goes. */
#include "node_fixture.h"

/* ---- time ---- */

static void test_starts_unsure(void **state)
{
        char line[768];

        (void)state;
        node_check_line(&fx.node, fx.now, line, sizeof line);
        assert_memory_equal(line, "unknown role=standby reason=starting ", 37);
        assert_false(eval(FOLD_TICK)); /* nothing known, nothing changed */
        assert_node(UNSURE, REASON_STARTING);
        assert_string_equal(fx.changes, "");
        assert_true(node_next(&fx.node, fx.now) < 0);
}

static void test_grace_then_down(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        containers("w1=running w2=running a1=exited a2=running a3=running");
        assert_true(eval(FOLD_CHANGES)); /* a fact: suspect at once */
        assert_node(FIT, REASON_CONTAINER_EXITED);
        assert_string_equal(fx.changes, "a1:up>suspect:container_exited ");
        assert_in_range(node_next(&fx.node, fx.now), 1, GRACE);

        msec_t failed_at = fx.now;
        while (fx.now < failed_at + GRACE - TICK) {
                ticks(1, &g);
                assert_node(FIT, REASON_CONTAINER_EXITED);
        }
        fx.now = failed_at + GRACE; /* exactly when node_next() said */
        node_galera(&fx.node, &g, fx.now);
        assert_true(eval(FOLD_CHANGES));
        assert_node(UNFIT, REASON_CONTAINER_EXITED);
        assert_string_equal(fx.changes, "a1:suspect>down:container_exited ");
}

static void test_rise(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_STANDBY);
        containers("w1=exited w2=running a1=created a2=created a3=created");
        eval(FOLD_CHANGES);
        ticks(11, &g);
        assert_node(UNFIT, REASON_CONTAINER_EXITED);

        containers(STANDBY_OK);
        eval(FOLD_CHANGES);
        assert_int_equal(fx.node.verdict.fitness, UNFIT); /* one good look is not enough */
        eval(FOLD_CHANGES);
        eval(FOLD_CHANGES);
        assert_int_equal(fx.node.verdict.fitness, UNFIT); /* … and the same look is no second */
        ticks(1, &g);
        assert_node(FIT, REASON_OK);
        assert_string_equal(fx.changes, "w1:down>up:ok ");
}

/* A thousand events between two ticks make nothing risen and nothing fallen. */
static void test_storm(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_STANDBY);
        for (int i = 0; i < 500; i++) {
                containers("w1=exited w2=running a1=created a2=created a3=created");
                eval(FOLD_CHANGES);
                assert_node(FIT, REASON_CONTAINER_EXITED); /* suspect */
                containers(STANDBY_OK);
                eval(FOLD_CHANGES);
                assert_int_not_equal(service("w1")->state.verdict, V_UP);
        }
        fx.now += GRACE; /* flapping since then: the grace runs from the first failure */
        node_galera(&fx.node, &g, fx.now);
        containers("w1=exited w2=running a1=created a2=created a3=created");
        eval(FOLD_CHANGES);
        assert_node(UNFIT, REASON_CONTAINER_EXITED);
}

/* Samples (here: a hanging engine) count once per tick, not once per event. */
static void test_samples_count_per_tick(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_STANDBY);
        node_engine(&fx.node, ENGINE_TIMEOUT, "", false);
        for (int i = 0; i < 100; i++)
                eval(FOLD_CHANGES);
        assert_int_equal(fx.node.docker.verdict, V_UP);
        assert_node(FIT, REASON_OK);
        ticks(1, &g);
        assert_int_equal(fx.node.docker.verdict, V_SUSPECT);
        assert_node(FIT, REASON_DOCKER_TIMEOUT);
}

static void test_quorum_has_no_grace(void **state)
{
        (void)state;
        make_fit(ROLE_MASTER);
        node_galera(&fx.node, &NON_PRIMARY, fx.now);
        assert_true(eval(FOLD_CHANGES));
        assert_node(UNFIT, REASON_GALERA_NON_PRIMARY);
        assert_string_equal(fx.changes, "galera:up>down:galera_non_primary ");
}

/* An operator restarts the database: caught in the moment it leaves, it still has its grace. */
static void test_leave_has_grace(void **state)
{
        struct galera_facts g = NON_PRIMARY;

        (void)state;
        g.local_state = WSREP_SYNCED;
        make_fit(ROLE_MASTER);
        node_galera(&fx.node, &g, fx.now);
        eval(FOLD_CHANGES);
        assert_node(FIT, REASON_GALERA_LEAVING);
        ticks(GRACE / TICK, &g);
        assert_node(UNFIT, REASON_GALERA_LEAVING);
}

static void test_silence_goes_stale(void **state)
{
        (void)state;
        make_fit(ROLE_STANDBY);
        ticks(4, NULL); /* the database says nothing; containers and engine do */
        assert_node(FIT, REASON_OK);
        ticks(2, NULL);
        assert_node(UNSURE, REASON_STALE);
        char msg[320];
        assert_string_equal(node_message(&fx.node, msg, sizeof msg),
                            "galera: a check has not answered for too long");
}

/* dockerd is being restarted: eighteen services are not eighteen failures. */
static void test_engine_restart_within_grace(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        node_engine(&fx.node, ENGINE_REFUSED, "nobody listens", false);
        eval(FOLD_CHANGES);
        ticks(8, &g); /* longer than stale, within grace */
        assert_node(FIT, REASON_DOCKER_REFUSED);
        assert_int_equal(service("a1")->state.verdict, V_UP);

        node_engine(&fx.node, ENGINE_OK, "", false); /* lives, the list is under way */
        ticks(1, &g);
        node_engine(&fx.node, ENGINE_OK, "", true);
        containers(MASTER_OK);
        eval(FOLD_CHANGES);
        ticks(2, &g);
        assert_node(FIT, REASON_OK);
}

/* Within the engine's grace the last picture stands, but whom the kernel saw end has ended. */
static void test_end_while_the_engine_is_silent(void **state)
{
        const struct container_facts dead = { .state = CTR_EXITED, .exit_code = -1 };
        struct galera_facts g = member();
        char msg[320];

        (void)state;
        make_fit(ROLE_MASTER);
        node_engine(&fx.node, ENGINE_REFUSED, "gone", false);
        eval(FOLD_CHANGES);
        assert_string_equal(fx.changes, "docker:up>suspect:docker_refused ");
        node_container_ended(&fx.node, "a1", &dead, 1234567891);
        node_container_ended(&fx.node, "nobody", &dead, 1234567891);
        eval(FOLD_CHANGES);
        assert_string_equal(fx.changes, "a1:up>suspect:container_exited ");
        size_t a1 = node_n_checks(&fx.node) - PROBE_COUNT_ - fx.node.n_services +
                    (size_t)(service("a1") - fx.node.services);
        assert_string_equal(node_check_message(&fx.node, a1, msg, sizeof msg), "exited");
        assert_int_equal(service("a2")->state.verdict, V_UP);
        assert_int_equal(service("a1")->since, 1234567891);
        assert_null(service("nobody"));

        ticks(3, &g); /* it is back, and so is the picture */
        node_engine(&fx.node, ENGINE_OK, "", true);
        containers(MASTER_OK);
        ticks(2, &g);
        assert_node(FIT, REASON_OK);

        node_engine(&fx.node, ENGINE_REFUSED, "gone", false);
        ticks(3, &g);
        assert_int_equal(service("a1")->state.verdict, V_UP); /* that was then */
        node_container_ended(&fx.node, "a1", &dead, 1234567891);
        ticks(12, &g);
        assert_int_equal(service("a1")->state.verdict, V_DOWN);
        assert_int_equal(service("a2")->state.verdict, V_UNKNOWN); /* stale: nobody knows */
        assert_node(UNFIT, REASON_DOCKER_REFUSED);
}

/* On a standby an active service may end; a gap forgets it all. */
static void test_end_that_does_not_matter(void **state)
{
        const struct container_facts dead = { .state = CTR_EXITED, .exit_code = -1 };
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_STANDBY);
        node_engine(&fx.node, ENGINE_REFUSED, "gone", false);
        node_container_ended(&fx.node, "a1", &dead, 1234567891);
        ticks(2, &g);
        assert_int_equal(service("a1")->state.verdict, V_UP);
        node_container_ended(&fx.node, "w1", &dead, 1234567891);
        ticks(2, &g);
        assert_int_equal(service("w1")->state.verdict, V_SUSPECT);
        node_gap(&fx.node, fx.now);
        ticks(2, &g);
        assert_int_equal(service("w1")->state.verdict, V_UNKNOWN);
}

static void test_engine_down_for_good(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        node_engine(&fx.node, ENGINE_REFUSED, "", false);
        ticks(11, &g);
        assert_node(UNFIT, REASON_DOCKER_REFUSED);
        ticks(1, &g);
        assert_int_equal(service("a1")->state.verdict, V_UNKNOWN); /* nobody knows */
        assert_node(UNFIT, REASON_DOCKER_REFUSED);
}

static void test_gap(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        fx.now += 600000;
        node_gap(&fx.node, fx.now);
        eval(FOLD_TICK);
        assert_node(UNSURE, REASON_STARTING);

        node_engine(&fx.node, ENGINE_OK, "", true);
        containers(MASTER_OK);
        msec_t thawed = fx.now;
        while (fx.now + TICK < thawed + STALE) { /* "Primary, Synced" is no news from the thawed */
                ticks(1, &g);
                assert_node(UNSURE, REASON_STARTING);
        }
        ticks(1, &g);
        assert_node(FIT, REASON_OK);

        fx.now += 600000;
        node_gap(&fx.node, fx.now);
        node_galera(&fx.node, &NON_PRIMARY, fx.now); /* bad news counts at once */
        eval(FOLD_TICK);
        assert_node(UNFIT, REASON_GALERA_NON_PRIMARY);
}

/* ---- roles ---- */

/* keepalived proposes; the services are started one after the other; then it is a master. */
static void test_candidate_becomes_master(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_STANDBY);
        node_set_role(&fx.node, ROLE_MASTER, false);
        assert_true(eval(FOLD_CHANGES));
        assert_node(FIT, REASON_STACK_DOWN);
        ticks(30, &g);
        assert_node(FIT, REASON_STACK_DOWN); /* nobody starts them: still a candidate */

        containers("w1=running w2=running a1=running a2=exited a3=created");
        eval(FOLD_CHANGES);
        assert_node(FIT, REASON_CONTAINER_EXITED); /* a2 is expected now; grace runs */
        containers(MASTER_OK);
        eval(FOLD_CHANGES);
        ticks(2, &g);
        assert_node(FIT, REASON_OK);
}

/* It lost the lead because a service failed: it must not look fit the moment it is standby. */
static void test_failed_master_stays_unfit(void **state)
{
        struct galera_facts g = member();

        (void)state;
        make_fit(ROLE_MASTER);
        containers("w1=running w2=running a1=exited a2=running a3=running");
        eval(FOLD_CHANGES);
        ticks(11, &g);
        assert_node(UNFIT, REASON_CONTAINER_EXITED);

        node_set_role(&fx.node, ROLE_STANDBY, true); /* FAULT: our own track file's doing */
        ticks(100, &g);
        assert_node(UNFIT, REASON_CONTAINER_EXITED);

        containers(STANDBY_OK); /* somebody stopped the rest: a candidate again */
        eval(FOLD_CHANGES);
        ticks(2, &g);
        assert_node(FIT, REASON_OK);
}

static void test_restarted_on_a_failed_master(void **state)
{
        struct galera_facts g = member();

        (void)state;
        node_set_role(&fx.node, ROLE_STANDBY, true);
        node_engine(&fx.node, ENGINE_OK, "", true);
        containers("w1=running w2=running a1=exited a2=running a3=running");
        ticks(12, &g);
        assert_node(UNFIT, REASON_CONTAINER_EXITED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_starts_unsure),
                T(test_grace_then_down),
                T(test_rise),
                T(test_storm),
                T(test_samples_count_per_tick),
                T(test_quorum_has_no_grace),
                T(test_leave_has_grace),
                T(test_silence_goes_stale),
                T(test_engine_restart_within_grace),
                T(test_end_while_the_engine_is_silent),
                T(test_end_that_does_not_matter),
                T(test_engine_down_for_good),
                T(test_gap),
                T(test_candidate_becomes_master),
                T(test_failed_master_stays_unfit),
                T(test_restarted_on_a_failed_master),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
