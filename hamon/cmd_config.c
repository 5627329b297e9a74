/* hamon config: the configuration in force with the source of each value, or all defaults. */
#include "hamon/commands.h"
#include "hamon/config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int print(const struct config *config, const struct conf_source *sources)
{
        CLEANUP(buf_done) struct buf out = BUF(1024 * 1024);

        if (conf_print(&CONFIG_SPEC, config, sources, &out) < 0)
                return EX_SOFTWARE;
        fputs(buf_str(&out), stdout);
        return EX_OK;
}

int cmd_config(const struct cli *c)
{
        CLEANUP(buf_done) struct buf errors = BUF(64 * 1024);
        CLEANUP(config_free) struct config config = { .node = { .name = NULL } };
        CLEANUP(freep) struct conf_source *sources = NULL;

        if (c->argc > 1 || (c->argc == 1 && strcmp(c->argv[0], "--defaults") != 0))
                return usage_error("config", "unexpected argument", c->argv[c->argc - 1]);
        if (c->argc == 1)
                return print(NULL, NULL);

        sources = calloc(CONFIG_SPEC.n_options, sizeof *sources);
        if (!sources)
                return EX_OSERR;
        if (config_load(c->file, &config, &errors, sources) < 0)
                return config_refused(&errors);
        return print(&config, sources);
}
