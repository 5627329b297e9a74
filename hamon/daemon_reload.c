/* SIGHUP: a new hamon.conf in the daemon that runs. */
#include "hamon/daemon_impl.h"

#include "lib/log.h"
#include <string.h>

static void log_config_errors(const struct buf *errors)
{
        const char *p = buf_str(errors);

        while (*p) {
                size_t len = strcspn(p, "\n");
                char line[512];
                snprintf(line, sizeof line, "%.*s", (int)MIN(len, sizeof line - 1), p);
                log_event(LOG_ERROR, "config", LS("error", line));
                p += len + (p[len] == '\n');
        }
}

static void refused(const char *key)
{
        log_event(LOG_ERROR, "reload", LS("result", "refused"), LS("key", key),
                  LS("msg", *key ? "wants a restart of hamon, which interrupts nothing; the old "
                                   "configuration stays in force"
                                 : "the old configuration stays in force"));
}

/* What only a restart can change is refused where hooks and steps would read the new file beside a
 * daemon that goes by the old. A node of no cluster has neither. */
static bool wants_restart(const struct config *old, const struct config *fresh)
{
        CLEANUP(buf_done) struct buf keys = BUF(4096);

        config_restart(old, fresh, &keys);
        if (keys.len == 0)
                return false;
        if (old->cluster.nodes.n > 0 || fresh->cluster.nodes.n > 0) {
                refused(buf_str(&keys));
                return true;
        }
        log_event(LOG_WARN, "reload", LS("key", buf_str(&keys)),
                  LS("msg", "changes with the next restart only"));
        return false;
}

/* Each changes nothing if it fails; what was changed before it is taken back. */
static int take_over(struct daemon *d, const struct config *old, struct galera **ret)
{
        struct config fresh = d->config;

        int r = daemon_make_galera(d, ret);
        if (r == 0)
                r = daemon_start_keepalived(d);
        if (r < 0)
                return r;
        r = lead_reload(d->lead);
        if (r < 0) {
                d->config = *old;
                daemon_start_keepalived(d);
                d->config = fresh;
        }
        return r;
}

/* SIGHUP: a bad file is refused as a whole and the old configuration stays. */
void daemon_reload(struct daemon *d)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        struct config fresh, old = d->config;
        struct galera *galera = NULL;

        if (config_load(d->file, &fresh, &errors, NULL) < 0) {
                log_config_errors(&errors);
                refused("");
                return;
        }
        if (wants_restart(&old, &fresh)) {
                config_free(&fresh);
                return;
        }
        d->config = fresh;
        if (take_over(d, &old, &galera) < 0) {
                galera_free(galera);
                d->config = old;
                config_free(&fresh);
                refused("");
                return;
        }
        galera_free(d->galera);
        d->galera = galera;
        int r = node_reconfigure(&d->node, &d->config);
        if (r == 0)
                r = daemon_start_docker(d);
        log_set_level((enum log_level)d->config.log.level);
        log_set_node(d->config.node.name);
        config_free(&old);
        timer_set(&d->tick, 0);
        log_event(r < 0 ? LOG_ERROR : LOG_INFO, "reload", LS("result", r < 0 ? "failed" : "done"));
}
