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

/* SIGHUP: a bad file is refused as a whole and the old configuration stays. */
void daemon_reload(struct daemon *d)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        struct config fresh, old = d->config;
        struct galera *galera = NULL;

        if (config_load(d->file, &fresh, &errors, NULL) < 0) {
                log_config_errors(&errors);
                log_event(LOG_ERROR, "reload", LS("result", "refused"),
                          LS("msg", "the old configuration stays in force"));
                return;
        }
        if (!str_eq(fresh.control.socket, old.control.socket))
                log_event(LOG_WARN, "reload",
                          LS("msg", "control.socket changes with the next restart only"));

        d->config = fresh;
        if (daemon_make_galera(d, &galera) < 0 ||
            daemon_start_keepalived(d) < 0) { /* both changed nothing */
                galera_free(galera);
                d->config = old;
                config_free(&fresh);
                log_event(LOG_ERROR, "reload", LS("result", "refused"),
                          LS("msg", "the old configuration stays in force"));
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
