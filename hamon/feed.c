/* The containers are copied whole when the list is complete; while the engine is silent only the
 * ends that the kernel saw are news. */
#include "hamon/feed.h"

#include "lib/log.h"
#include <string.h>

static void feed_containers(struct node *n, const struct docker *d)
{
        node_containers_begin(n);
        for (size_t i = 0; i < docker_count(d); i++) {
                const struct docker_container *c = docker_get(d, i);
                int r = node_container(n, c->service, &c->facts, c->restarts, c->since);
                if (r < 0)
                        log_event(LOG_ERROR, "containers", LS("service", c->service),
                                  LS("error", strerror(-r)));
        }
        node_containers_end(n);
}

static bool another_runs(const struct docker *d, const char *service)
{
        for (size_t i = 0; i < docker_count(d); i++) {
                const struct docker_container *c = docker_get(d, i);
                if (c->facts.state == CTR_RUNNING && str_eq(c->service, service))
                        return true;
        }
        return false;
}

/* While the engine is silent the last picture of the containers stands, but for those whose end the
 * kernel saw. */
static void feed_ends(struct node *n, const struct docker *d)
{
        for (size_t i = 0; i < docker_count(d); i++) {
                const struct docker_container *c = docker_get(d, i);
                if (c->ended && !another_runs(d, c->service))
                        node_container_ended(n, c->service, &c->facts, c->since);
        }
}

void feed_docker(struct node *n, const struct docker *d)
{
        node_engine(n, docker_engine(d), docker_engine_text(d), docker_synced(d));
        if (docker_synced(d))
                feed_containers(n, d);
        else
                feed_ends(n, d);
}

void feed_target(const struct node *n, const struct docker *d, struct fence_target *t)
{
        t->n = 0;
        for (size_t i = 0; i < docker_count(d) && t->n < TARGET_IDS; i++) {
                const struct docker_container *c = docker_get(d, i);
                if (node_set_of(n, c->service) == SET_ACTIVE)
                        str_copy(t->id[t->n++], TARGET_ID_SIZE, c->id);
        }
}
