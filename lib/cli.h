/* The words of a program with verbs: PROGRAM [-c FILE] [VERB [WORD...]]. */
#pragma once

struct cli {
        const char *verb; /* NULL: none was given; -h, --help, -V and --version are verbs by their
                             names */
        const char *file; /* configuration file */
        int argc;         /* arguments after the verb */
        char **argv;
};

struct cli cli_parse(int argc, char **argv, const char *file);
