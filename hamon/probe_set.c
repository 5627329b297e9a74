/* Which probes are on, and where each is asked. */
#include "hamon/probe_set.h"

int probe_set_new(struct loop *l, const struct config *c, probe_fn fn, void *arg,
                  struct probes **ret)
{
        char addresses[PROBE_COUNT_][64];
        struct probes_config pc = { .timeout = c->probe.timeout,
                                    .host = c->probe.name,
                                    .redis_password = c->probe.redis_password,
                                    .volume = c->volume.mount,
                                    .socket = c->docker.socket,
                                    .project = c->docker.project };

        for (size_t i = 0; i < PROBE_COUNT_; i++) {
                struct probe_target *t = &pc.targets[i];
                const char *host = i == PROBE_HTTPS && *c->probe.https_host ? c->probe.https_host
                                                                            : c->probe.host;
                t->on = config_probe_on(c, i);
                if (!t->on || PROBES[i].kind == KIND_VOLUME)
                        continue;
                int r = config_probe_where(config_probe_value(c, i), host, addresses[i],
                                           sizeof addresses[i], &t->port);
                if (r < 0)
                        return r;
                t->address = addresses[i];
        }
        return probes_new(l, &pc, fn, arg, ret);
}
