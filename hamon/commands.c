/* The table of verbs, and the two that only print. */
#include "hamon/commands.h"

#include "hamon/config.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct command COMMANDS[] = {
        { "run", "", "watch this node (what the service starts)", NULL, NULL },
        { "check", "[--direct]", "is this node fit? exit 0 yes, 1 no, 2 cannot tell", cmd_check,
          "--direct" },
        { "status", "[--json] [--watch]", "what the daemon knows, check by check", cmd_status,
          NULL },
        { "config", "[--defaults]", "the configuration in force, or every key with its default",
          cmd_config, NULL },
        { "doctor", "[--json]",
          "what is wrong on this node, and the exact fix; exit 0 nothing, 1 something", NULL,
          NULL },
        { "move", "in [--from-here] | out [--kept] [--dry-run] [--yes]",
          "Mailcow's data onto the shared volume, or back into this server's own", NULL, NULL },
        { "volume", "status|attach|detach|mount|umount|label|format|grow|check [...]",
          "the shared volume: where it is, or one step with it", NULL, NULL },
        { "ip", "status|assign|release [...]", "the service addresses: where they are, or one step",
          NULL, NULL },
        { "fence", "[--json]", "stop what writes on the volume here, and prove it", NULL, NULL },
        { "fence-test", "[--json]", "would fencing work on this node? looks only; exit 0 yes, 1 no",
          NULL, NULL },
        { "init", "[--dry-run] [...]",
          "make this server a node: write its configuration from a few answers", NULL, NULL },
        { "fsm", "[--dot]", "the state machine: what each event does in each state", cmd_fsm,
          NULL },
        { "guard", "", "fence this node if `hamon run` misses its deadline (a service)", NULL,
          NULL },
        { "galera", "status|position|bootstrap|join|recover|restart [...]",
          "this node's member of the database cluster: how it is, or one step with it", NULL,
          NULL },
        { "notify", "MASTER|BACKUP|FAULT|STOP", "tell the daemon what keepalived says", cmd_notify,
          NULL },
        { "notify-galera", "[...]", "ask the database now (for wsrep_notify_cmd)",
          cmd_notify_galera, NULL },
        { "lease", "status [--json] | take | release",
          "who leads; claim the lead here, or give it back", NULL, NULL },
        { "probe", "[NAME...] [...]", "do this node's services work? exit 0 yes, 75 not all", NULL,
          NULL },
        { "rehearse", "[--json] [--retry TIME]",
          "would a fail-over to this node work? looks only; exit 0 yes, 1 no", NULL, NULL },
        { "stack", "status|start|stop|restart|drain|reload",
          "Mailcow's containers on this node, as sets", NULL, NULL },
        { "alert", "test [TARGET] | status [--json]",
          "try the targets of alerts, or show what was sent and what waits", NULL, NULL },
        { "events", "[--json] [-n N] [--since TIME]",
          "what happened on this node, the last 50 times", NULL, NULL },
        { "why", "[--json]", "the daemon's last decisions, and the reason for each", NULL, NULL },
        { "render", "[WHAT]",
          "print a file that belongs beside hamon: keepalived, galera, nginx, ...", NULL, NULL },
        { "rotate", "token|database|secret [...]",
          "a new token, password or secret in place of the old one, while all runs", NULL, NULL },
        { "store", "init [--print]", "make hamon's tables, row and user in the database", NULL,
          NULL },
        { "sync", "[now|status] [...]",
          "take configuration and certificates from who leads (alone: the service)", NULL, NULL },
        { "switchover", "[--to NODE]", "hand the service to another node, losing nothing",
          cmd_switchover, NULL },
        { "takeover", "--force [...]", "break-glass: lead here, once the others are fenced", NULL,
          NULL },
        { "maintenance", "on [--for TIME] | off", "this node does not lead while it is on",
          cmd_maintenance, NULL },
        { "ack", "", "the breaker's alert is seen: automatic fail-over goes on", cmd_ack, NULL },
        { "web", "", "status, health and metrics over HTTP (a service)", NULL, NULL },
        { "canary", "[--json] [...]", "one mail through this node and back: does mail work?", NULL,
          NULL },
        { "upgrade", "[--dry-run] [--yes]",
          "Mailcow's update.sh on this node, safely; on each in turn, the leader last", NULL,
          NULL },
        { "version", "", "print the version", cmd_version, NULL },
        { "help", "[COMMAND]", "print this, or what one command does", cmd_help, NULL },
};

const size_t N_COMMANDS = ARRAY_SIZE(COMMANDS);

const struct command *command_find(const char *name)
{
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (strcmp(COMMANDS[i].name, name) == 0)
                        return &COMMANDS[i];
        return NULL;
}

int cmd_version(const struct cli *c)
{
        (void)c;
        puts("hamon " MHA_VERSION);
        return EX_OK;
}

int cmd_help(const struct cli *c)
{
        char verb[48];

        if (c->argc > 0) {
                const struct command *cmd = command_find(c->argv[0]);
                if (!cmd)
                        return usage_error("help", "unknown command", c->argv[0]);
                printf("usage: hamon [-c FILE] %s %s\n%s\n", cmd->name, cmd->args, cmd->help);
                return EX_OK;
        }
        puts("usage: hamon [-c FILE] COMMAND\n"
             "Watches one node of a Mailcow HA cluster. See hamon(8).\n");
        for (size_t i = 0; i < N_COMMANDS; i++) {
                snprintf(verb, sizeof verb, "%s %s", COMMANDS[i].name, COMMANDS[i].args);
                printf("  %-32s %s\n", verb, COMMANDS[i].help);
        }
        puts("\nConfiguration: " CONFIG_FILE);
        return EX_OK;
}

int usage_error(const char *verb, const char *what, const char *arg)
{
        fprintf(stderr, "%s: %s: %s (try `hamon help`)\n", verb, what, arg);
        return EX_USAGE;
}

int config_refused(const struct buf *errors)
{
        fprintf(stderr, "%s", buf_str(errors));
        return EX_CONFIG;
}
