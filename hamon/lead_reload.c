/* Another hamon.conf in a daemon that leads, or may: what is made of it is made anew beside the
 * old, and takes its place when all of it could be made. */
#include "hamon/lead_impl.h"

#include "hamon/probe_set.h"
#include "hamon/providers.h"
#include "lib/log.h"
#include <errno.h>
#include <string.h>

struct fresh {
        struct ha_config config;
        struct store *store;
        struct rows *rows;
        struct probes *probes;
        struct provider *provider;
};

static void fresh_done(struct fresh *f)
{
        store_free(f->store);
        rows_free(f->rows);
        probes_free(f->probes);
        if (f->provider)
                f->provider->ops->free(f->provider);
}

static int make_provider(const struct lead *l, struct provider **ret)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        const struct config *c = l->needs.config;

        int r = providers_new(l->needs.loop, c, (enum config_provider)c->volume.provider, ret,
                              &error);
        if (r < 0)
                log_event(LOG_ERROR, "provider", LS("error", buf_str(&error)));
        return r;
}

static int make(struct lead *l, struct fresh *f)
{
        int r;

        lead_ha_config(l, &f->config);
        if ((r = lead_make_store(l, l->ha.lease.incarnation, &f->store)) < 0 ||
            (r = lead_make_rows(l, &f->rows)) < 0 ||
            (r = probe_set_new(l->needs.loop, l->needs.config, lead_on_probe, l, &f->probes)) < 0 ||
            (r = make_provider(l, &f->provider)) < 0)
                return r;
        if (ha_reconfigure(&l->ha, &f->config, loop_now(l->needs.loop)))
                return 0;
        log_event(LOG_ERROR, "config", LS("key", "lease.ttl"),
                  LS("error", "cannot grow while this node leads: the others wait by the old one; "
                              "let another node lead first"));
        return -EPERM;
}

int lead_reload(struct lead *l)
{
        struct fresh f = { .store = NULL };

        if (!l)
                return 0;
        int r = make(l, &f);
        if (r < 0) {
                fresh_done(&f);
                return r;
        }
        struct fresh old = {
                .store = l->store, .rows = l->rows, .probes = l->probes, .provider = l->provider
        };
        l->store = f.store;
        l->rows = f.rows;
        l->probes = f.probes;
        l->provider = f.provider;
        fresh_done(&old); /* what it was asked is given up, unanswered */
        if (l->ha.lease.op != OP_NONE)
                ha_answer(&l->ha, ANSWER_UNKNOWN, NULL, loop_now(l->needs.loop));
        l->asking = NULL;
        memset(l->servers, 0, sizeof l->servers);
        release_read(l->needs.config->mailcow.dir, &l->mailcow);
        timer_set(&l->look, 0);
        lead_wake(l);
        return 0;
}
