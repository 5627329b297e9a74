/* A node model of its own for test_node*.c, without any I/O but its configuration file. Services:
 * warm w1, w2 (optional); active a1, a2, a3 (optional); ignored i1. */
#pragma once

#include "harness.h"

#include "hamon/node.h"

static const struct galera_facts NON_PRIMARY = { .reach = DB_OK,
                                                 .wsrep_on = true,
                                                 .connected = true,
                                                 .size = 1,
                                                 .cluster_status = "non-Primary",
                                                 .evs_state = "GATHER",
                                                 .state_comment = "Initialized" };
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

static inline int load_config(struct config *c, const char *stack, const char *check)
{
        CLEANUP(buf_done) struct buf errors = BUF(4096);

        put_file(at(&fx.tmp, "conf"), "[node]\nname = n1\n[stack]\n%s[check]\n%s", stack, check);
        int r = config_load_client(at(&fx.tmp, "conf"), c, &errors);
        if (r < 0)
                print_message("%s", buf_str(&errors));
        return r;
}

#define STACK "warm = w1 w2\nactive = a1 a2 a3\noptional = w2 a3\nignore = i1\n"

static inline int setup(void **state)
{
        (void)state;
        fx = (struct fixture){ .now = 1000000 };
        if (tmp_make(&fx.tmp) < 0 || load_config(&fx.config, STACK, "") < 0)
                return -1;
        return node_init(&fx.node, &fx.config, ROLE_STANDBY, fx.now);
}

static inline int teardown(void **state)
{
        (void)state;
        node_done(&fx.node);
        config_free(&fx.config);
        tmp_remove(&fx.tmp);
        return 0;
}

static inline struct galera_facts member(void)
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

static inline int index_of(const char *word, size_t len, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(words[i]) == len && strncmp(words[i], word, len) == 0)
                        return (int)i;
        fail_msg("no such word: %.*s", (int)len, word);
        return -1;
}

/* "w1=running a1=exited/none a1=running/healthy": one container per word. */
static inline void containers(const char *list)
{
        node_containers_begin(&fx.node);
        while (*list) {
                struct container_facts f = { .exit_code = 3 };
                char name[80];
                size_t len = strcspn(list, "=");
                snprintf(name, sizeof name, "%.*s", (int)len, list);
                list += len + 1;
                len = strcspn(list, "/! ");
                f.state = (enum ctr_state)index_of(list, len, CTR_STATES, CTR_STATE_COUNT_);
                list += len;
                if (*list == '/') {
                        len = strcspn(++list, " ");
                        f.health = (enum ctr_health)index_of(list, len, CTR_HEALTHS, HEALTH_COUNT_);
                        list += len;
                }
                f.no_start = *list == '!'; /* Docker could not start it */
                list += strspn(list, "! ");
                assert_int_equal(node_container(&fx.node, name, &f, 2, 1234567890), 0);
        }
        node_containers_end(&fx.node);
}

static inline void on_change(void *arg, const struct node_change *c)
{
        size_t len = strlen(fx.changes);

        assert_ptr_equal(arg, &fx);
        assert_int_not_equal(c->from, c->to);
        snprintf(fx.changes + len, sizeof fx.changes - len, "%s:%s>%s:%s ", c->name,
                 VERDICTS[c->from], VERDICTS[c->to], reason_name(c->reason));
}

static inline bool eval(enum fold fold)
{
        fx.changes[0] = '\0';
        return node_eval(&fx.node, fold, fx.now, on_change, &fx);
}

/* n ticks in which engine and database say the same again. */
static inline void ticks(unsigned n, const struct galera_facts *g)
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
static inline void make_fit(enum role role)
{
        struct galera_facts g = member();

        node_set_role(&fx.node, role, false);
        node_engine(&fx.node, ENGINE_OK, "", true);
        containers(role == ROLE_MASTER ? MASTER_OK : STANDBY_OK);
        ticks(2, &g);
        assert_int_equal(fx.node.verdict.fitness, FIT);
        assert_int_equal(fx.node.verdict.reason, REASON_OK);
}

static inline void assert_node(enum fitness fitness, enum reason reason)
{
        if (fx.node.verdict.fitness != fitness || fx.node.verdict.reason != reason)
                fail_msg("%s: is %s %s, want %s %s", fx.what ? fx.what : "node",
                         FITNESSES[fx.node.verdict.fitness], reason_name(fx.node.verdict.reason),
                         FITNESSES[fitness], reason_name(reason));
}

static inline const struct service *service(const char *name)
{
        for (size_t i = 0; i < fx.node.n_services; i++)
                if (str_eq(fx.node.services[i].name, name))
                        return &fx.node.services[i];
        return NULL;
}
