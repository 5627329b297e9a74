/* What this node says of itself in the database, and what it reads there of the others: once per
 * tick, best of efforts, on a connection of its own. Nothing is decided by it: it is for people,
 * who also want to know how a node was that the peer channel does not reach. */
#include "hamon/lead_impl.h"

#include "lib/log.h"
#include "lib/secret.h"
#include <errno.h>
#include <string.h>

enum { CONNECT_MS = 300, ANSWER_MS = 2000, PAUSE_MS = 900 };

static void on_rows(void *arg, const struct rows_node *nodes, size_t n)
{
        struct lead *l = arg;

        memset(l->rows_seen, 0, sizeof l->rows_seen);
        for (size_t i = 0; i < n; i++) {
                size_t at = lead_index(l, nodes[i].name);
                if (at < l->needs.config->cluster.nodes.n)
                        l->rows_seen[at] = nodes[i];
        }
}

int lead_make_rows(struct lead *l, struct rows **ret)
{
        const struct config *c = l->needs.config;
        CLEANUP(secret_wipe) char *password = NULL;
        CLEANUP(buf_done) struct buf error = BUF(1024);

        if (secret_read(c->galera.password_file, &password, &error) < 0) {
                log_event(LOG_ERROR, "config", LS("key", "galera.password_file"),
                          LS("error", buf_str(&error)));
                return -EINVAL;
        }
        const struct rows_config rc = { .socket = c->galera.socket,
                                        .host = c->galera.host,
                                        .port = (unsigned)c->galera.port,
                                        .user = c->galera.user,
                                        .password = password,
                                        .database = c->galera.database,
                                        .me = c->node.name,
                                        .connect = CONNECT_MS,
                                        .answer = ANSWER_MS };
        return rows_new(l->needs.loop, &rc, on_rows, l, ret);
}

/* Each row is a commit of the whole cluster: at most about one a second, however short the tick. */
void lead_rows_tick(struct lead *l)
{
        const struct node *n = l->needs.node;
        msec_t now = loop_now(l->needs.loop);
        int rank = config_cluster_rank(l->needs.config);

        if ((l->rows_at && now - l->rows_at < PAUSE_MS) || rank < 0)
                return;
        l->rows_at = now;
        rows_put_node(l->rows, config_cluster_node(l->needs.config, (size_t)rank).address,
                      ROLES[n->role], FITNESSES[n->verdict.fitness],
                      reason_name(n->verdict.reason));
        rows_read(l->rows);
}
