/* signup, the sign-up portal: finds the verb in COMMANDS[]. Without one it serves. */
#include "signup/commands.h"
#include "signup/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct command COMMANDS[] = {
        { "serve", "", "answer nginx by FastCGI (what it does without a verb)", cmd_serve },
        { "check-config", "", "read signup.conf, pages and texts, and say what is wrong",
          cmd_check_config },
        { "config", "[--defaults]", "the configuration in force, or all defaults", cmd_config },
        { "invite", "new|list|revoke ...", "codes for those who may sign up", cmd_invite },
        { "pending", "list|approve ADDRESS|reject ADDRESS", "requests that wait for approval",
          cmd_pending },
        { "version", "", "version of this program", cmd_version },
        { "help", "", "this list", cmd_help },
};
const size_t N_COMMANDS = ARRAY_SIZE(COMMANDS);

int usage_error(const char *verb, const char *what, const char *arg)
{
        fprintf(stderr, "signup %s: %s: %s (signup help)\n", verb, what, arg);
        return EX_USAGE;
}

int cmd_version(const struct cli *c)
{
        (void)c;
        puts("signup " MHA_VERSION);
        return EX_OK;
}

int cmd_help(const struct cli *c)
{
        (void)c;
        puts("usage: signup [-c FILE] [VERB]\n");
        for (size_t i = 0; i < N_COMMANDS; i++) {
                char head[64];
                snprintf(head, sizeof head, "%s %s", COMMANDS[i].name, COMMANDS[i].args);
                printf("  %-44s %s\n", head, COMMANDS[i].help);
        }
        printf("\nFILE: " CONFIG_FILE "; man signup\n");
        return EX_OK;
}

int main(int argc, char **argv)
{
        struct cli c = cli_parse(argc, argv, CONFIG_FILE);
        const char *verb = c.verb ? c.verb : "serve";

        for (size_t k = 0; k < N_COMMANDS; k++)
                if (strcmp(COMMANDS[k].name, verb) == 0)
                        return COMMANDS[k].run(&c);
        return usage_error("", "unknown verb", verb);
}
