/* node.c and node_text.c: what each state of the world means, which services there are, and the
 * sentences. How verdicts move in time is test_node_time. */
#include "node_fixture.h"

/* ---- one look: what each state of the world means ---- */

static const struct galera_facts DONOR = { .reach = DB_OK,
                                           .wsrep_on = true,
                                           .primary = true,
                                           .ready = true,
                                           .connected = true,
                                           .local_state = WSREP_DONOR,
                                           .size = 3,
                                           .cluster_status = "Primary",
                                           .state_comment = "Donor/Desynced" };
static const struct galera_facts REFUSED = { .reach = DB_REFUSED, .text = "Connection refused" };
static const struct galera_facts NOBODY_ASKED = { .reach = DB_UNKNOWN };

static const struct look {
        const char *name;
        const struct galera_facts *galera; /* NULL = a healthy member */
        const char *containers;            /* NULL = the list never came */
        enum engine_state engine;
        enum role role;
        enum fitness fitness;
        enum reason reason;
        const char *message;
} LOOKS[] = {
        { "standby", NULL, STANDBY_OK, ENGINE_OK, ROLE_STANDBY, FIT, REASON_OK,
          "everything this node needs works" },
        { "master", NULL, MASTER_OK, ENGINE_OK, ROLE_MASTER, FIT, REASON_OK,
          "everything this node needs works" },
        { "standby whose active services run", NULL, MASTER_OK, ENGINE_OK, ROLE_STANDBY, FIT,
          REASON_OK, NULL },
        { "proposed, nothing started", NULL, STANDBY_OK, ENGINE_OK, ROLE_MASTER, FIT,
          REASON_STACK_DOWN, "keepalived proposes this node" },
        { "master, one active service is not up", NULL,
          "w1=running w2=running a1=running a2=exited a3=running", ENGINE_OK, ROLE_MASTER, UNFIT,
          REASON_CONTAINER_EXITED, "a2: exited with code 3" },
        { "master, an optional active service is not up", NULL,
          "w1=running w2=running a1=running a2=running a3=exited", ENGINE_OK, ROLE_MASTER, FIT,
          REASON_OK, NULL },
        { "warm service stopped", NULL, "w1=exited w2=running a1=created a2=created a3=created",
          ENGINE_OK, ROLE_STANDBY, UNFIT, REASON_CONTAINER_EXITED, "w1: exited with code 3" },
        { "warm service paused", NULL, "w1=paused w2=running a1=created a2=created a3=created",
          ENGINE_OK, ROLE_STANDBY, UNFIT, REASON_CONTAINER_PAUSED, "w1: paused" },
        { "warm service unhealthy", NULL,
          "w1=running/unhealthy w2=running a1=created a2=created a3=created", ENGINE_OK,
          ROLE_STANDBY, UNFIT, REASON_CONTAINER_UNHEALTHY, "w1: running, unhealthy" },
        { "warm service still starting", NULL,
          "w1=running/starting w2=running a1=created a2=created a3=created", ENGINE_OK,
          ROLE_STANDBY, FIT, REASON_OK, NULL },
        { "optional warm service stopped", NULL,
          "w1=running w2=exited a1=created a2=created a3=created", ENGINE_OK, ROLE_STANDBY, FIT,
          REASON_OK, NULL },
        { "no container for an active service", NULL, "w1=running w2=running a2=created a3=created",
          ENGINE_OK, ROLE_STANDBY, UNFIT, REASON_CONTAINER_MISSING, "a1: no container; create it" },
        { "no container for a warm service", NULL, "w2=running a1=created a2=created a3=created",
          ENGINE_OK, ROLE_STANDBY, UNFIT, REASON_CONTAINER_MISSING, "w1: no container; create it" },
        { "no container for an optional service", NULL, "w1=running a1=created a2=created",
          ENGINE_OK, ROLE_STANDBY, FIT, REASON_OK, NULL },
        { "dead container of an active service", NULL,
          "w1=running w2=running a1=dead a2=created a3=created", ENGINE_OK, ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_DEAD, "a1: dead" },
        { "no containers at all", NULL, "", ENGINE_OK, ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_MISSING, "a1: no container" },
        { "an unknown service is active: created is enough for a standby", NULL,
          STANDBY_OK " x1=created", ENGINE_OK, ROLE_STANDBY, FIT, REASON_OK, NULL },
        { "an unknown service is active: created is not enough for a master", NULL,
          MASTER_OK " x1=created", ENGINE_OK, ROLE_MASTER, UNFIT, REASON_CONTAINER_CREATED,
          "x1: created" },
        { "engine refuses", NULL, NULL, ENGINE_REFUSED, ROLE_STANDBY, UNFIT, REASON_DOCKER_REFUSED,
          "docker: said so" },
        { "engine hangs", NULL, NULL, ENGINE_TIMEOUT, ROLE_STANDBY, UNFIT, REASON_DOCKER_TIMEOUT,
          "docker: said so" },
        { "engine errs", NULL, NULL, ENGINE_ERROR, ROLE_STANDBY, UNFIT, REASON_DOCKER_ERROR, NULL },
        { "engine too old", NULL, NULL, ENGINE_TOO_OLD, ROLE_STANDBY, UNFIT, REASON_DOCKER_API,
          NULL },
        { "engine not asked", NULL, NULL, ENGINE_UNKNOWN, ROLE_STANDBY, UNSURE, REASON_STARTING,
          "docker: not every check has answered yet" },
        { "engine lives, no list yet", NULL, NULL, ENGINE_OK, ROLE_STANDBY, UNSURE, REASON_STARTING,
          "a1: not every check has answered yet" },
        { "database refuses", &REFUSED, STANDBY_OK, ENGINE_OK, ROLE_STANDBY, UNFIT,
          REASON_GALERA_REFUSED,
          "galera: the database does not accept connections: Connection refused" },
        { "quorum lost", &NON_PRIMARY, STANDBY_OK, ENGINE_OK, ROLE_STANDBY, UNFIT,
          REASON_GALERA_NON_PRIMARY, "galera: non-Primary, Initialized, 1 member" },
        { "donor", &DONOR, STANDBY_OK, ENGINE_OK, ROLE_STANDBY, FIT, REASON_GALERA_DONOR,
          "galera: Primary, Donor/Desynced, 3 members" },
        { "database not asked", &NOBODY_ASKED, STANDBY_OK, ENGINE_OK, ROLE_STANDBY, UNSURE,
          REASON_STARTING, "galera: not every check has answered yet" },
        { "both down: the engine comes first", &REFUSED, NULL, ENGINE_REFUSED, ROLE_STANDBY, UNFIT,
          REASON_DOCKER_REFUSED, NULL },
        { "down is worse than unknown", &NON_PRIMARY, NULL, ENGINE_UNKNOWN, ROLE_STANDBY, UNFIT,
          REASON_GALERA_NON_PRIMARY, NULL },
};

/* By the rules of one look: no history. */
static void test_looks(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(LOOKS); i++) {
                const struct look *l = &LOOKS[i];
                const struct galera_facts good = member();
                char msg[320];

                node_done(&fx.node);
                assert_int_equal(node_init(&fx.node, &fx.config, l->role, fx.now), 0);
                fx.node.rule = (struct rule){ .rise = 1, .fall = 1, .grace = 0, .stale = STALE };
                node_engine(&fx.node, l->engine, "said so", l->containers != NULL);
                if (l->containers)
                        containers(l->containers);
                node_galera(&fx.node, l->galera ? l->galera : &good, fx.now);
                eval(FOLD_TICK);

                fx.what = l->name;
                assert_node(l->fitness, l->reason);
                node_message(&fx.node, msg, sizeof msg);
                if (l->message && strncmp(msg, l->message, strlen(l->message)) != 0)
                        fail_msg("%s: says \"%s\"", l->name, msg);
        }
}

/* ---- the table of services ---- */

static const struct several {
        const char *list;
        enum ctr_state state;
        enum ctr_health health;
} SEVERAL[] = {
        { "w1=exited w1=running", CTR_RUNNING, HEALTH_NONE },
        { "w1=running w1=exited", CTR_RUNNING, HEALTH_NONE },
        { "w1=running/unhealthy w1=running/healthy", CTR_RUNNING, HEALTH_HEALTHY },
        { "w1=running/healthy w1=running/unhealthy", CTR_RUNNING, HEALTH_HEALTHY },
        { "w1=running/unhealthy w1=running/starting w1=dead", CTR_RUNNING, HEALTH_STARTING },
        { "w1=removing w1=created", CTR_CREATED, HEALTH_NONE },
        { "w1=created w1=removing", CTR_CREATED, HEALTH_NONE },
        { "w1=dead w1=exited w1=restarting", CTR_RESTARTING, HEALTH_NONE },
};

static void test_several_containers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(SEVERAL); i++) {
                containers(SEVERAL[i].list);
                assert_int_equal(service("w1")->facts.state, SEVERAL[i].state);
                assert_int_equal(service("w1")->facts.health, SEVERAL[i].health);
        }
}

static void test_services_come_and_go(void **state)
{
        const char *expected[] = { "a1", "a2", "a3", "w1", "w2" };

        (void)state;
        assert_int_equal(fx.node.n_services, ARRAY_SIZE(expected)); /* before any list came */
        containers(STANDBY_OK " x9=running b5=running");
        assert_int_equal(fx.node.n_services, 8);
        assert_int_equal(service("x9")->set, SET_ACTIVE);
        assert_false(service("x9")->expected);
        assert_int_equal(service("i1")->set, SET_IGNORED);
        assert_int_equal(service("x9")->restarts, 2);
        for (size_t i = 1; i < fx.node.n_services; i++)
                assert_true(strcmp(fx.node.services[i - 1].name, fx.node.services[i].name) < 0);

        containers("");
        assert_int_equal(fx.node.n_services, ARRAY_SIZE(expected));
        for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
                assert_string_equal(fx.node.services[i].name, expected[i]);
        assert_int_equal(service("w1")->facts.state, CTR_MISSING);
}

static void test_names_too_long(void **state)
{
        struct container_facts f = { .state = CTR_RUNNING };
        char name[200];

        (void)state;
        memset(name, 'n', sizeof name - 1);
        name[sizeof name - 1] = '\0';
        for (int i = 0; i < 3; i++) {
                node_containers_begin(&fx.node);
                assert_int_equal(node_container(&fx.node, name, &f, 0, 0), 0);
                node_containers_end(&fx.node);
                assert_int_equal(fx.node.n_services, 6);
        }
}

static void test_ten_thousand(void **state)
{
        struct container_facts f = { .state = CTR_RUNNING };
        char name[32];
        int r = 0, n = 0;

        (void)state;
        node_containers_begin(&fx.node);
        for (; n < 10001 && r == 0; n++) {
                snprintf(name, sizeof name, "s%05d", (n * 7919) % 100003);
                r = node_container(&fx.node, name, &f, 0, 0);
        }
        node_containers_end(&fx.node);
        assert_int_equal(r, -E2BIG);
        assert_int_equal(n, 10000 - 5 + 1); /* five are expected ones */
        node_engine(&fx.node, ENGINE_OK, "", true);
        eval(FOLD_TICK);
}

static void test_reconfigure(void **state)
{
        struct galera_facts g = member();
        struct config old = fx.config;
        char msg[320];

        (void)state;
        make_fit(ROLE_STANDBY);
        containers("w1=exited w2=running a1=created a2=created a3=created i1=exited");
        eval(FOLD_CHANGES);
        assert_node(FIT, REASON_CONTAINER_EXITED);

        /* w1 is ignored from now on, i1 is warm, a service is new */
        assert_int_equal(
                load_config(&fx.config,
                            "warm = w2 i1 n1\nactive = a1 a2\noptional = i1\nignore = w1\n",
                            "grace = 1m\nrise = 3\nfall = 4\nstale = 9s\n"),
                0);
        assert_int_equal(node_reconfigure(&fx.node, &fx.config), 0);
        config_free(&old);
        assert_int_equal(fx.node.rule.grace, 60000);
        assert_int_equal(fx.node.rule.rise, 3);
        assert_int_equal(fx.node.rule.fall, 4);
        assert_int_equal(fx.node.rule.stale, 9000);
        assert_int_equal(service("w1")->set, SET_IGNORED);
        assert_int_equal(service("i1")->set, SET_WARM);
        assert_true(service("n1")->expected);
        assert_int_equal(service("a1")->state.verdict, V_UP); /* kept */
        /* asked between reload and the next judgement: no wrong name, no wild pointer */
        node_message(&fx.node, msg, sizeof msg);
        assert_string_equal(msg, reason_sentence(REASON_CONTAINER_EXITED));

        containers("w1=exited w2=running a1=created a2=created a3=created i1=running n1=running");
        ticks(2, &g);
        assert_node(FIT, REASON_OK);
}

/* ---- words ---- */

static void test_check_line(void **state)
{
        struct galera_facts bad = { .reach = DB_ERROR,
                                    .text = "a \"quoted\" word\nand a \t line \\" };
        char line[768];

        (void)state;
        make_fit(ROLE_MASTER);
        fx.now += 250;
        assert_string_equal(node_check_line(&fx.node, fx.now, line, sizeof line),
                            "fit role=master reason=ok age_ms=250 msg=\"everything this node needs "
                            "works\"");

        for (int i = 0; i < 20; i++) {
                fx.now += TICK;
                node_galera(&fx.node, &bad, fx.now);
                eval(FOLD_TICK);
        }
        node_check_line(&fx.node, fx.now, line, sizeof line);
        assert_memory_equal(line,
                            "unfit role=master reason=galera_error age_ms=0 msg=\"galera: ", 59);
        const char *msg = strchr(line, '"') + 1;
        assert_int_equal(strcspn(msg, "\"\\\n\t"), strlen(msg) - 1); /* only the closing quote */
        assert_string_equal(msg + strlen(msg) - 1, "\"");
}

static void test_messages_fit(void **state)
{
        struct galera_facts g = { .reach = DB_ERROR };
        char engine[400], line[64], msg[40];

        (void)state;
        memset(g.text, 'x', sizeof g.text - 1);
        memset(engine, 'y', sizeof engine - 1);
        engine[sizeof engine - 1] = '\0';
        node_engine(&fx.node, ENGINE_ERROR, engine, false);
        node_galera(&fx.node, &g, fx.now);
        eval(FOLD_TICK);
        for (size_t i = 0; i < node_n_checks(&fx.node); i++)
                assert_true(strlen(node_check_message(&fx.node, i, msg, sizeof msg)) < sizeof msg);
        node_message(&fx.node, msg, sizeof msg);
        assert_true(strlen(node_check_line(&fx.node, fx.now, line, sizeof line)) < sizeof line);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_looks),          T(test_several_containers), T(test_services_come_and_go),
                T(test_names_too_long), T(test_ten_thousand),       T(test_reconfigure),
                T(test_check_line),     T(test_messages_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
