/* COMMANDS[]: every verb of `signup`. */
#pragma once

#include "lib/cli.h"
#include <stddef.h>

struct command {
        const char *name;
        const char *args;
        const char *help; /* one line */
        int (*run)(const struct cli *c);
};

extern const struct command COMMANDS[];
extern const size_t N_COMMANDS;

int cmd_serve(const struct cli *c);
int cmd_check_config(const struct cli *c);
int cmd_config(const struct cli *c);
int cmd_invite(const struct cli *c);
int cmd_pending(const struct cli *c);
int cmd_version(const struct cli *c);
int cmd_help(const struct cli *c);

/* `signup VERB: what: arg`. Returns EX_USAGE. */
int usage_error(const char *verb, const char *what, const char *arg);

/* Loads c->file or prints what is wrong with it: EX_OK or EX_CONFIG. */
struct config;
int load_config(const struct cli *c, struct config *config);
