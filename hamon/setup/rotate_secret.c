/* The cluster's secret. While the file has two lines, the first is the one this node asks by, and
 * both are believed (peer.h): each node may get the new file and be restarted at any time. */
#include "hamon/setup/rotate.h"

#include "hamon/peer.h"
#include "hamon/setup/secrets.h"
#include "lib/secret.h"
#include <errno.h>
#include <string.h>

enum { ASK_MS = 3000 };

static int read_both(const struct rotate *r, char **ret, char **ret_second)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        int e = secret_read_two(r->c->cluster.secret_file, ret, ret_second, &error);

        if (e == 0 && !*ret) {
                buf_adds(&error, "[cluster] secret_file is empty");
                e = -EINVAL;
        }
        if (e < 0)
                fprintf(stderr, "rotate: %s\n", buf_str(&error));
        return e;
}

static void say_next(const struct rotate *r)
{
        rotate_say_copy(r);
        puts("    systemctl restart hamon               # on every server\n"
             "and when all have it, on every server:\n"
             "    hamon rotate secret --finish");
}

int rotate_secret(const struct rotate *r)
{
        CLEANUP(secret_wipe) char *old = NULL;
        CLEANUP(secret_wipe) char *second = NULL;
        char fresh[SECRET_TEXT];
        const char *path = r->c->cluster.secret_file;
        int e = read_both(r, &old, &second);

        if (e < 0)
                return e;
        if (second) {
                printf("%s has a new secret and the old one already. Now:\n", path);
                say_next(r);
                return 0;
        }
        e = secret_make(fresh);
        fresh[strcspn(fresh, "\n")] = '\0';
        if (e == 0)
                e = rotate_write(path, fresh, old);
        explicit_bzero(fresh, sizeof fresh);
        if (e < 0)
                return e;
        printf("%s has a new secret; the old one is believed still. Now:\n", path);
        say_next(r);
        return 0;
}

/* ---- the end of the old one ---- */

struct asking {
        struct loop loop;
        const struct config *c;
        size_t open, refused;
};

static void on_answer(void *arg, const struct peer_answer *a)
{
        struct asking *k = arg;

        if (a->end != PEER_ANSWERED) {
                k->refused++;
                fprintf(stderr, "rotate: %s does not take the new secret yet: %s\n",
                        config_cluster_node(k->c, a->node).name, a->text);
        }
        if (--k->open == 0)
                loop_stop(&k->loop);
}

static int ask_all(struct asking *k, struct peer *p, size_t me)
{
        for (size_t i = 0; i < k->c->cluster.nodes.n; i++) {
                if (i == me)
                        continue;
                int e = peer_ask(p, i, PEER_STATE, "", ASK_MS, on_answer, k);
                if (e < 0)
                        return e;
                k->open++;
        }
        return k->open > 0 ? loop_run(&k->loop) : 0;
}

/* By the new one alone: do all others take it? 0, -EAGAIN: not yet, said. */
static int all_take(const struct config *c, const char *secret)
{
        struct asking k = { .c = c };
        struct cluster_node nodes[CLUSTER_MAX];
        struct peer_node peers[CLUSTER_MAX];
        struct peer *p = NULL;
        size_t me = (size_t)MAX(0, config_cluster_rank(c));
        unsigned port = PEER_PORT;
        char ignored[64];

        for (size_t i = 0; i < c->cluster.nodes.n; i++) {
                nodes[i] = config_cluster_node(c, i);
                config_peer_listen(c->peer.listen, nodes[i].address, ignored, sizeof ignored,
                                   &port);
                peers[i] = (struct peer_node){ nodes[i].name, nodes[i].address, port };
        }
        const struct peer_config pc = {
                .nodes = peers, .n_nodes = c->cluster.nodes.n, .me = me, .secret = secret
        };
        int e = loop_init(&k.loop);
        if (e < 0)
                return e;
        e = peer_new(&k.loop, &pc, NULL, NULL, &p);
        if (e == 0)
                e = ask_all(&k, p, me);
        peer_free(p);
        loop_done(&k.loop);
        if (e < 0)
                fprintf(stderr, "rotate: the others cannot be asked: %s\n", strerror(-e));
        return e < 0 ? e : k.refused > 0 ? -EAGAIN : 0;
}

int rotate_secret_finish(const struct rotate *r)
{
        CLEANUP(secret_wipe) char *fresh = NULL;
        CLEANUP(secret_wipe) char *old = NULL;
        const char *path = r->c->cluster.secret_file;
        int e = read_both(r, &fresh, &old);

        if (e < 0)
                return e;
        if (!old) {
                printf("%s has one secret: nothing to do\n", path);
                return 0;
        }
        e = r->c->cluster.nodes.n > 0 ? all_take(r->c, fresh) : 0;
        if (e == -EAGAIN)
                fputs("rotate: the old secret stays until they do: copy the file there and restart "
                      "hamon; a server that is gone for good leaves [cluster] nodes first\n",
                      stderr);
        if (e == 0)
                e = rotate_write(path, fresh, NULL);
        if (e < 0)
                return e;
        printf("%s has the new secret alone. Now here:\n"
               "    systemctl restart hamon\n",
               path);
        return 0;
}
