/* hamon, the front: finds the verb in COMMANDS[], does the small ones itself and hands the others
 * to the engine by exec, arguments unchanged. */
#include "hamon/commands.h"
#include "hamon/config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int no_engine(const char *path)
{
        fprintf(stderr, "hamon: cannot start its engine %s: %s\n", path, strerror(errno));
        return EX_UNAVAILABLE;
}

/* The engine lies beside us in a build tree, in libexec once installed. */
static int exec_engine(char **argv)
{
        char path[4096];

        ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "hamond");
        if (n > 0) {
                path[n] = '\0';
                char *slash = strrchr(path, '/');
                memcpy(slash + 1, "hamond", sizeof "hamond");
                execv(path, argv);
        }
        execv(MHA_LIBEXECDIR "/hamond", argv);
        return no_engine(MHA_LIBEXECDIR "/hamond");
}

static bool wants_engine(const struct command *cmd, const struct cli *c)
{
        if (!cmd->run)
                return true;
        for (int i = 0; cmd->engine_flag && i < c->argc; i++)
                if (strcmp(c->argv[i], cmd->engine_flag) == 0)
                        return true;
        return false;
}

int main(int argc, char **argv)
{
        struct cli c = cli_parse(argc, argv, CONFIG_FILE);

        if (!c.verb) {
                cmd_help(&c);
                return EX_USAGE;
        }

        const struct command *cmd = command_find(c.verb);
        if (!cmd)
                return usage_error("hamon", "unknown command", c.verb);
        return wants_engine(cmd, &c) ? exec_engine(argv) : cmd->run(&c);
}
