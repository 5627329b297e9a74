/* -c before the verb, nothing else: verbs read their own words. */
#include "lib/cli.h"

#include "lib/util.h"
#include <string.h>

static const char *verb_of(const char *word)
{
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
                return "help";
        if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
                return "version";
        return word;
}

struct cli cli_parse(int argc, char **argv, const char *file)
{
        struct cli c = { .file = file };
        int i = 1;

        if (argc > 2 && strcmp(argv[1], "-c") == 0) {
                c.file = argv[2];
                i = 3;
        }
        c.verb = i < argc ? verb_of(argv[i]) : NULL;
        c.argc = MAX(argc - i - 1, 0);
        c.argv = argv + MIN(i + 1, argc);
        return c;
}
