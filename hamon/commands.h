/* COMMANDS[]: every verb of `hamon`, its arguments, its help, and which of the two programs does
 * it. `hamon` is small and static, for what keepalived and MariaDB start every second; `hamond`
 * (the engine) links everything else. The user types `hamon`; it hands over where needed. */
#pragma once

#include "lib/cli.h"
#include <stdbool.h>
#include <stddef.h>

struct command {
        const char *name;
        const char *args;
        const char *help;                /* one line */
        int (*run)(const struct cli *c); /* NULL: done by the engine */
        const char *engine_flag;         /* with this flag the engine does it, NULL = never */
};

extern const struct command COMMANDS[];
extern const size_t N_COMMANDS;

const struct command *command_find(const char *name);

int cmd_check(const struct cli *c);
int cmd_status(const struct cli *c);
int cmd_config(const struct cli *c);
int cmd_fsm(const struct cli *c);
int cmd_notify(const struct cli *c);
int cmd_notify_galera(const struct cli *c);
int cmd_switchover(const struct cli *c);
int cmd_maintenance(const struct cli *c);
int cmd_ack(const struct cli *c);
int cmd_version(const struct cli *c);
int cmd_help(const struct cli *c);

/* Prints the errors of a configuration that was refused. Returns EX_CONFIG. */
struct buf;
int config_refused(const struct buf *errors);
/* `hamon: <verb>: unexpected argument …`. Returns EX_USAGE. */
int usage_error(const char *verb, const char *what, const char *arg);
