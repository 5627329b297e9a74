/* The object, its nodes and its addresses; the ends are peer_serve.c and peer_ask.c. */
#include "hamon/peer_impl.h"

#include "lib/secret.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 2000 };

const char *const PEER_COMMANDS[PEER_COMMAND_COUNT_] = {
        [PEER_STATE] = "state",           [PEER_RELEASE] = "release", [PEER_RELEASED] = "released",
        [PEER_SWITCHOVER] = "switchover", [PEER_GALERA] = "galera",
};

const char *const PEER_ENDS[] = {
        [PEER_ANSWERED] = "answered",     [PEER_SILENT] = "silent",   [PEER_REFUSED] = "refused",
        [PEER_BAD_SECRET] = "bad_secret", [PEER_UNASKED] = "unasked",
};

static int fill_nodes(struct peer *p, const struct peer_config *c)
{
        for (size_t i = 0; i < c->n_nodes; i++) {
                if (!peer_wire_name_valid(c->nodes[i].name))
                        return -EINVAL;
                str_copy(p->nodes[i].name, sizeof p->nodes[i].name, c->nodes[i].name);
                int r = address_parse(c->nodes[i].address, c->nodes[i].port, &p->nodes[i].address);
                if (r < 0)
                        return r;
        }
        p->n_nodes = c->n_nodes;
        p->me = c->me;
        return 0;
}

int peer_new(struct loop *l, const struct peer_config *c, peer_fn fn, void *arg, struct peer **ret)
{
        if (c->n_nodes > PEER_NODES || c->me >= c->n_nodes || !c->secret || !*c->secret)
                return -EINVAL;
        struct peer *p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;

        p->loop = l;
        p->fn = fn;
        p->arg = arg;
        p->patience = c->patience > 0 ? c->patience : PATIENCE_MS;
        p->secrets[0] = strdup(c->secret);
        p->secrets[1] = c->other && *c->other ? strdup(c->other) : NULL;
        bool lost = !p->secrets[0] || (c->other && *c->other && !p->secrets[1]);
        int r = lost ? -ENOMEM : fill_nodes(p, c);
        if (r == 0 && c->address)
                r = peer_serve_start(p, c->address, c->port);
        if (r < 0) {
                peer_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

void peer_free(struct peer *p)
{
        if (!p)
                return;
        peer_ask_stop(p);
        peer_serve_stop(p);
        for (size_t i = 0; i < ARRAY_SIZE(p->secrets); i++)
                secret_wipe(&p->secrets[i]);
        free(p);
}
