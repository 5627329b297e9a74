/* One list of containers, one status query, one verdict, under one deadline. */
#include "hamon/direct.h"

#include "hamon/feed.h"
#include "hamon/galera.h"
#include "hamon/keepalived.h"
#include "hamon/node.h"
#include "hamon/verb.h"
#include "lib/log.h"
#include "lib/secret.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct look {
        struct loop loop;
        struct docker *docker;
        struct galera *galera;
        struct node node;
        struct timer deadline;
        bool have_galera;
};

static bool docker_told(const struct look *l)
{
        enum engine_state s = docker_engine(l->docker);

        return s == ENGINE_OK ? docker_synced(l->docker) : s != ENGINE_UNKNOWN;
}

static void done_yet(struct look *l)
{
        if (l->have_galera && l->docker && docker_told(l))
                loop_stop(&l->loop);
}

static void on_docker(void *arg)
{
        done_yet(arg);
}

static void on_galera(void *arg, const struct galera_facts *f)
{
        struct look *l = arg;

        node_galera(&l->node, f, loop_now(&l->loop));
        l->have_galera = true;
        done_yet(l);
}

static void on_deadline(void *arg)
{
        struct look *l = arg;

        loop_stop(&l->loop);
}

/* The daemon's memory of keepalived, if there is any: master only if it said so last. */
static enum role remembered_role(const struct config *c)
{
        CLEANUP(freep) char *text = NULL;
        enum vrrp_state s;

        if (!*c->keepalived.state_file || read_file(c->keepalived.state_file, 256, &text, NULL) < 0)
                return ROLE_STANDBY;
        text[strcspn(text, "\n")] = '\0';
        return keepalived_parse(text, &s) == 0 && s == VRRP_MASTER ? ROLE_MASTER : ROLE_STANDBY;
}

static int begin(struct look *l, const struct config *c, const char *password)
{
        msec_t each = c->check.timeout * 8 / 10; /* the adapters speak before the deadline does */
        struct docker_config dc = { .socket = c->docker.socket,
                                    .project = c->docker.project,
                                    .timeout = each };
        struct galera_config gc = { .socket = c->galera.socket,
                                    .host = c->galera.host,
                                    .port = (unsigned)c->galera.port,
                                    .user = c->galera.user,
                                    .password = password,
                                    .timeout = each };
        int r;

        if ((r = timer_init(&l->deadline, &l->loop, on_deadline, l)) < 0 ||
            (r = docker_new(&l->loop, &dc, on_docker, l, &l->docker)) < 0 ||
            (r = galera_new(&l->loop, &gc, on_galera, l, &l->galera)) < 0)
                return r;
        timer_set(&l->deadline, c->check.timeout * 9 / 10);
        docker_poll(l->docker);
        galera_poll(l->galera);
        return 0;
}

static void conclude(struct look *l)
{
        feed_docker(&l->node, l->docker);
        node_eval(&l->node, FOLD_TICK, loop_now(&l->loop), NULL, NULL);
}

static int look(const struct config *c, const char *password)
{
        struct look l = { .have_galera = false };
        char line[768];
        int code = UNSURE;

        if (loop_init(&l.loop) < 0)
                return EX_OSERR;
        if (node_init(&l.node, c, remembered_role(c), loop_now(&l.loop)) == 0 &&
            begin(&l, c, password) == 0) {
                l.node.rule = (struct rule){ .rise = 1, .fall = 1, .grace = 0, .stale = 60000 };
                loop_run(&l.loop);
                conclude(&l);
                puts(node_check_line(&l.node, loop_now(&l.loop), line, sizeof line));
                code = (int)l.node.verdict.fitness;
        }
        docker_free(l.docker);
        galera_free(l.galera);
        timer_done(&l.deadline);
        node_done(&l.node);
        loop_done(&l.loop);
        return code;
}

int direct_check(const char *file)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        CLEANUP(secret_wipe) char *password = NULL;

        if (verb_config(file, &c) < 0 || verb_password(file, &c, &password) < 0)
                return EX_CONFIG;
        return look(&c, password);
}
