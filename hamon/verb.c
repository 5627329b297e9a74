/* The beginning that the engine's verbs share. */
#include "hamon/verb.h"

#include "lib/secret.h"
#include <errno.h>
#include <stdio.h>

int verb_config(const char *file, struct config *ret)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);

        if (config_load(file, ret, &errors, NULL) == 0)
                return 0;
        fputs(buf_str(&errors), stderr);
        return -EINVAL;
}

int verb_password(const char *file, const struct config *c, char **ret)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        int r = secret_read(c->galera.password_file, ret, &error);

        if (r < 0)
                fprintf(stderr, "%s: [galera] password_file: %s\n", file, buf_str(&error));
        return r;
}
