/* The providers as the configuration names them, and the verbs that only ask them. */
#pragma once

#include "hamon/config.h"
#include "hamon/provider/provider.h"

/* -ENOENT: the configuration names none. On failure a sentence in `error`. */
int providers_new(struct loop *l, const struct config *c, enum config_provider which,
                  struct provider **ret, struct buf *error);

/* `hamon volume …`, `hamon ip …`: the words after the verb. Return the exit code: 0, 1 (the
 * provider refused), EX_TEMPFAIL, EX_CONFIG, EX_USAGE. */
int providers_volume(const char *file, int argc, char **argv);
int providers_ip(const char *file, int argc, char **argv);
