/* node.c and node_text.c: engine, database and containers in, verdict and sentences out. Services:
 * warm w1, w2 (optional); active a1, a2, a3 (optional); ignored i1. */
#include "harness.h"

#include "hamon/node.h"

enum { TICK = 1000, GRACE = 10000, STALE = 5000 };

static struct fixture {
        struct tmp tmp;
        struct config config;
        struct node node;
        msec_t now;
        char changes[512];
        const char *what; /* row of a table */
} fx;

/* ---- fixture ---- */

static int load_config(struct config *c, const char *stack, const char *check)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);

        put_file(at(&fx.tmp, "conf"), "[node]\nname = n1\n[stack]\n%s[check]\n%s", stack, check);
        int r = config_load_client(at(&fx.tmp, "conf"), c, &errors);
        if (r < 0)
                print_message("%s", buf_str(&errors));
        return r;
}

#define STACK "warm = w1 w2\nactive = a1 a2 a3\noptional = w2 a3\nignore = i1\n"

static int setup(void **state)
{
        (void)state;
        fx = (struct fixture){ .now = 1000000 };
        if (tmp_make(&fx.tmp) < 0 || load_config(&fx.config, STACK, "") < 0)
                return -1;
        return node_init(&fx.node, &fx.config, ROLE_STANDBY, fx.now);
}

static int teardown(void **state)
{
        (void)state;
        node_done(&fx.node);
        config_free(&fx.config);
        tmp_remove(&fx.tmp);
        return 0;
}

static struct galera_facts member(void)
{
        return (struct galera_facts){ .reach = DB_OK,
                                      .wsrep_on = true,
                                      .primary = true,
                                      .ready = true,
                                      .connected = true,
                                      .local_state = WSREP_SYNCED,
                                      .size = 3,
                                      .conf_id = 7,
                                      .cluster_status = "Primary",
                                      .state_comment = "Synced" };
}

static int index_of(const char *word, size_t len, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(words[i]) == len && strncmp(words[i], word, len) == 0)
                        return (int)i;
        fail_msg("no such word: %.*s", (int)len, word);
        return -1;
}

/* "w1=running a1=exited/none a1=running/healthy": one container per word. */
static void containers(const char *list)
{
        node_containers_begin(&fx.node);
        while (*list) {
                struct container_facts f = { .exit_code = 3 };
                char name[80];
                size_t len = strcspn(list, "=");
                snprintf(name, sizeof name, "%.*s", (int)len, list);
                list += len + 1;
                len = strcspn(list, "/ ");
                f.state = (enum ctr_state)index_of(list, len, CTR_STATES, CTR_STATE_COUNT_);
                list += len;
                if (*list == '/') {
                        len = strcspn(++list, " ");
                        f.health = (enum ctr_health)index_of(list, len, CTR_HEALTHS, HEALTH_COUNT_);
                        list += len;
                }
                list += strspn(list, " ");
                assert_int_equal(node_container(&fx.node, name, &f, 2, 1234567890), 0);
        }
        node_containers_end(&fx.node);
}

static void on_change(void *arg, const struct node_change *c)
{
        size_t len = strlen(fx.changes);

        assert_ptr_equal(arg, &fx);
        assert_int_not_equal(c->from, c->to);
        snprintf(fx.changes + len, sizeof fx.changes - len, "%s:%s>%s:%s ", c->name,
                 VERDICTS[c->from], VERDICTS[c->to], reason_name(c->reason));
}

static bool eval(enum fold fold)
{
        fx.changes[0] = '\0';
        return node_eval(&fx.node, fold, fx.now, on_change, &fx);
}

/* n ticks in which engine and database say the same again. */
static void ticks(unsigned n, const struct galera_facts *g)
{
        while (n-- > 0) {
                fx.now += TICK;
                if (g)
                        node_galera(&fx.node, g, fx.now);
                eval(FOLD_TICK);
        }
}

#define STANDBY_OK "w1=running w2=running a1=created a2=exited a3=created i1=exited"
#define MASTER_OK  "w1=running w2=running a1=running a2=running/healthy a3=running i1=exited"

/* A node that is fit, in either role. */
static void make_fit(enum role role)
{
        struct galera_facts g = member();

        node_set_role(&fx.node, role, false);
        node_engine(&fx.node, ENGINE_OK, "", true);
        containers(role == ROLE_MASTER ? MASTER_OK : STANDBY_OK);
        ticks(2, &g);
        assert_int_equal(fx.node.verdict.fitness, FIT);
        assert_int_equal(fx.node.verdict.reason, REASON_OK);
}

static void assert_node(enum fitness fitness, enum reason reason)
{
        if (fx.node.verdict.fitness != fitness || fx.node.verdict.reason != reason)
                fail_msg("%s: is %s %s, want %s %s", fx.what ? fx.what : "node",
                         FITNESSES[fx.node.verdict.fitness], reason_name(fx.node.verdict.reason),
                         FITNESSES[fitness], reason_name(reason));
}

static const struct service *service(const char *name)
{
        for (size_t i = 0; i < fx.node.n_services; i++)
                if (str_eq(fx.node.services[i].name, name))
                        return &fx.node.services[i];
        return NULL;
}

/* ---- one look: what each state of the world means ---- */

static const struct galera_facts NON_PRIMARY = { .reach = DB_OK,
                                                 .wsrep_on = true,
                                                 .connected = true,
                                                 .size = 1,
                                                 .cluster_status = "non-Primary",
                                                 .state_comment = "Initialized" };
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
        enum engine_state engine;
        const struct galera_facts *galera; /* NULL = a healthy member */
        const char *containers;            /* NULL = the list never came */
        enum role role;
        enum fitness fitness;
        enum reason reason;
        const char *message;
} LOOKS[] = {
        { "standby", ENGINE_OK, NULL, STANDBY_OK, ROLE_STANDBY, FIT, REASON_OK,
          "everything this node needs works" },
        { "master", ENGINE_OK, NULL, MASTER_OK, ROLE_MASTER, FIT, REASON_OK,
          "everything this node needs works" },
        { "standby whose active services run", ENGINE_OK, NULL, MASTER_OK, ROLE_STANDBY, FIT,
          REASON_OK, NULL },
        { "proposed, nothing started", ENGINE_OK, NULL, STANDBY_OK, ROLE_MASTER, FIT,
          REASON_STACK_DOWN, "keepalived proposes this node" },
        { "master, one active service is not up", ENGINE_OK, NULL,
          "w1=running w2=running a1=running a2=exited a3=running", ROLE_MASTER, UNFIT,
          REASON_CONTAINER_EXITED, "a2: exited with code 3" },
        { "master, an optional active service is not up", ENGINE_OK, NULL,
          "w1=running w2=running a1=running a2=running a3=exited", ROLE_MASTER, FIT, REASON_OK,
          NULL },
        { "warm service stopped", ENGINE_OK, NULL,
          "w1=exited w2=running a1=created a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_EXITED, "w1: exited with code 3" },
        { "warm service paused", ENGINE_OK, NULL,
          "w1=paused w2=running a1=created a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_PAUSED, "w1: paused" },
        { "warm service unhealthy", ENGINE_OK, NULL,
          "w1=running/unhealthy w2=running a1=created a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_UNHEALTHY, "w1: running, unhealthy" },
        { "warm service still starting", ENGINE_OK, NULL,
          "w1=running/starting w2=running a1=created a2=created a3=created", ROLE_STANDBY, FIT,
          REASON_OK, NULL },
        { "optional warm service stopped", ENGINE_OK, NULL,
          "w1=running w2=exited a1=created a2=created a3=created", ROLE_STANDBY, FIT, REASON_OK,
          NULL },
        { "no container for an active service", ENGINE_OK, NULL,
          "w1=running w2=running a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_MISSING, "a1: no container; create it" },
        { "no container for a warm service", ENGINE_OK, NULL,
          "w2=running a1=created a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_MISSING, "w1: no container; create it" },
        { "no container for an optional service", ENGINE_OK, NULL,
          "w1=running a1=created a2=created", ROLE_STANDBY, FIT, REASON_OK, NULL },
        { "dead container of an active service", ENGINE_OK, NULL,
          "w1=running w2=running a1=dead a2=created a3=created", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_DEAD, "a1: dead" },
        { "no containers at all", ENGINE_OK, NULL, "", ROLE_STANDBY, UNFIT,
          REASON_CONTAINER_MISSING, "a1: no container" },
        { "an unknown service is active: created is enough for a standby", ENGINE_OK, NULL,
          STANDBY_OK " x1=created", ROLE_STANDBY, FIT, REASON_OK, NULL },
        { "an unknown service is active: created is not enough for a master", ENGINE_OK, NULL,
          MASTER_OK " x1=created", ROLE_MASTER, UNFIT, REASON_CONTAINER_CREATED, "x1: created" },
        { "engine refuses", ENGINE_REFUSED, NULL, NULL, ROLE_STANDBY, UNFIT, REASON_DOCKER_REFUSED,
          "docker: said so" },
        { "engine hangs", ENGINE_TIMEOUT, NULL, NULL, ROLE_STANDBY, UNFIT, REASON_DOCKER_TIMEOUT,
          "docker: said so" },
        { "engine errs", ENGINE_ERROR, NULL, NULL, ROLE_STANDBY, UNFIT, REASON_DOCKER_ERROR, NULL },
        { "engine too old", ENGINE_TOO_OLD, NULL, NULL, ROLE_STANDBY, UNFIT, REASON_DOCKER_API,
          NULL },
        { "engine not asked", ENGINE_UNKNOWN, NULL, NULL, ROLE_STANDBY, UNSURE, REASON_STARTING,
          "docker: not every check has answered yet" },
        { "engine lives, no list yet", ENGINE_OK, NULL, NULL, ROLE_STANDBY, UNSURE, REASON_STARTING,
          "a1: not every check has answered yet" },
        { "database refuses", ENGINE_OK, &REFUSED, STANDBY_OK, ROLE_STANDBY, UNFIT,
          REASON_GALERA_REFUSED,
          "galera: the database does not accept connections: Connection refused" },
        { "quorum lost", ENGINE_OK, &NON_PRIMARY, STANDBY_OK, ROLE_STANDBY, UNFIT,
          REASON_GALERA_NON_PRIMARY, "galera: non-Primary, Initialized, 1 member" },
        { "donor", ENGINE_OK, &DONOR, STANDBY_OK, ROLE_STANDBY, FIT, REASON_GALERA_DONOR,
          "galera: Primary, Donor/Desynced, 3 members" },
        { "database not asked", ENGINE_OK, &NOBODY_ASKED, STANDBY_OK, ROLE_STANDBY, UNSURE,
          REASON_STARTING, "galera: not every check has answered yet" },
        { "both down: the engine comes first", ENGINE_REFUSED, &REFUSED, NULL, ROLE_STANDBY, UNFIT,
          REASON_DOCKER_REFUSED, NULL },
        { "down is worse than unknown", ENGINE_UNKNOWN, &NON_PRIMARY, NULL, ROLE_STANDBY, UNFIT,
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
                T(test_looks),
                T(test_starts_unsure),
                T(test_grace_then_down),
                T(test_rise),
                T(test_storm),
                T(test_samples_count_per_tick),
                T(test_quorum_has_no_grace),
                T(test_silence_goes_stale),
                T(test_engine_restart_within_grace),
                T(test_engine_down_for_good),
                T(test_gap),
                T(test_candidate_becomes_master),
                T(test_failed_master_stays_unfit),
                T(test_restarted_on_a_failed_master),
                T(test_several_containers),
                T(test_services_come_and_go),
                T(test_names_too_long),
                T(test_ten_thousand),
                T(test_reconfigure),
                T(test_check_line),
                T(test_messages_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
