/* Loading hamon.conf: the rows of config_options.c, filled from the files and the environment, then
 * held against one another (config_check.c). */
#include "hamon/config.h"
#include "hamon/config_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void config_free(struct config *c)
{
        conf_free(&CONFIG_SPEC, c);
}

static int default_node_name(struct config *c)
{
        char host[64] = "";

        if (*c->node.name)
                return 0;
        if (gethostname(host, sizeof host - 1) < 0 || !*host)
                str_copy(host, sizeof host, "node");
        char *name = strdup(host);
        if (!name)
                return -ENOMEM;
        freep(&c->node.name);
        c->node.name = name;
        return 0;
}

struct cluster_node config_cluster_node(const struct config *c, size_t i)
{
        struct cluster_node n = { .name = "" };
        const char *word = c->cluster.nodes.v[i];
        size_t len = strcspn(word, "=");

        if (len >= sizeof n.name || !word[len])
                return n;
        memcpy(n.name, word, len);
        if (!str_copy(n.address, sizeof n.address, word + len + 1))
                n.address[0] = '\0';
        return n;
}

int config_cluster_rank(const struct config *c)
{
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                if (str_eq(config_cluster_node(c, i).name, c->node.name))
                        return (int)i;
        return -1;
}

static int load(const struct config_files *f, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        struct conf_input in = { .file = f->file, .mailcow_file = f->mailcow, .env = environ };

        *c = (struct config){ .node = { .name = NULL } };
        return conf_load(&CONFIG_SPEC, &in, c, errors, ret_sources);
}

static int finish(const struct config_files *f, struct config *c, struct buf *errors,
                  const struct conf_source *sources)
{
        int r = default_node_name(c);

        if (r == 0)
                r = config_check(c, f, sources, errors);
        if (r < 0)
                config_free(c);
        return r;
}

/* Load, and check what no single row can. */
static int load_checked(const struct config_files *f, struct config *c, struct buf *errors,
                        struct conf_source *ret_sources)
{
        struct conf_source *sources = calloc(CONFIG_SPEC.n_options, sizeof *sources);

        if (!sources)
                return -ENOMEM;
        int r = load(f, c, errors, sources);
        if (r == 0)
                r = finish(f, c, errors, sources);
        if (r == 0 && ret_sources)
                memcpy(ret_sources, sources, CONFIG_SPEC.n_options * sizeof *sources);
        free(sources);
        return r;
}

int config_load_client(const char *file, struct config *c, struct buf *errors)
{
        return load_checked(&(struct config_files){ .file = file }, c, errors, NULL);
}

int config_load(const char *file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        char mailcow[4096];
        struct config_files f = { .file = file };

        int r = load(&f, c, errors, NULL); /* where Mailcow lives stands in the file itself */
        if (r < 0)
                return r;
        int n = snprintf(mailcow, sizeof mailcow, "%s/mailcow.conf", c->mailcow.dir);
        config_free(c);
        if (n < 0 || (size_t)n >= sizeof mailcow)
                return -ENAMETOOLONG;

        f.mailcow = mailcow;
        return load_checked(&f, c, errors, ret_sources);
}

/* The guard goes by the ttl it was started with: where its watchdog is the fence, both change. */
static bool wants_restart(const struct option *o, const struct config *old,
                          const struct config *fresh)
{
        bool cluster = old->cluster.nodes.n > 0 || fresh->cluster.nodes.n > 0;
        bool guarded = config_needs_watchdog(old) || config_needs_watchdog(fresh);

        if (o->offset == offsetof(struct config, lease.ttl))
                return cluster && guarded;
        return o->mark == CONFIG_RESTART || (o->mark == CONFIG_CLUSTER && cluster);
}

void config_restart(const struct config *old, const struct config *fresh, struct buf *out)
{
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];
                CLEANUP(buf_done) struct buf a = BUF(64 * 1024), b = BUF(64 * 1024);
                if (!wants_restart(o, old, fresh))
                        continue;
                conf_format(o, old, &a);
                conf_format(o, fresh, &b);
                if (!str_eq(buf_str(&a), buf_str(&b)))
                        buf_addf(out, "%s%s.%s", out->len > 0 ? ", " : "", o->section, o->key);
        }
}

/* FNV-1a: it tells a change from none, and nobody gains by a collision. */
void config_fingerprint(const struct config *c, char ret[CONFIG_FINGERPRINT])
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];
                CLEANUP(buf_done) struct buf value = BUF(64 * 1024);
                if (!wants_restart(o, c, c))
                        continue;
                conf_format(o, c, &value);
                for (const char *p = buf_str(&value); *p; p++)
                        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
                hash = (hash ^ i) * UINT64_C(0x100000001b3);
        }
        snprintf(ret, CONFIG_FINGERPRINT, "%016" PRIx64, hash);
}

bool config_is_service_address(const struct config *c, const char *address)
{
        for (size_t i = 0; i < c->ip.address.n; i++) {
                size_t len = strcspn(c->ip.address.v[i], "/");
                if (strlen(address) == len && strncmp(address, c->ip.address.v[i], len) == 0)
                        return true;
        }
        return false;
}
