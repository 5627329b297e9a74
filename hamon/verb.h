/* What the engine's verbs begin with: hamon.conf and the database's password. Mistakes are said on
 * standard error by the function that finds them; the verb then ends with EX_CONFIG. */
#pragma once

#include "hamon/config.h"

/* -EINVAL. Pairs with config_free(). */
int verb_config(const char *file, struct config *ret);

/* [galera] password_file; `file`: of the configuration, for the words. Pairs with secret_wipe(). */
int verb_password(const char *file, const struct config *c, char **ret);
