/* A person for the tests: knows the secret, reads "image TICKET" or "audio TICKET" lines and prints
 * what that person would have typed. usage: signup_answer SECRET_FILE BASE_PATH. Not installed; the
 * portal itself has no way around its gates. */
#include "signup/gate/gate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void answer(const struct gate *g, char *line)
{
        char text[GATE_ANSWER] = "";
        struct ticket t;
        char *ticket = strchr(line, ' ');
        int kind = -1;

        line[strcspn(line, "\n")] = '\0';
        if (ticket) {
                *ticket++ = '\0';
                kind = gate_kind_parse(line);
        }
        if (kind < 0 || gate_look(g, ticket, (int64_t)time(NULL), &t) != GATE_PASSED ||
            gate_answer(g->keys, &t, (enum gate_kind)kind, text) < 0)
                str_copy(text, sizeof text, "?");
        puts(text);
        fflush(stdout);
}

int main(int argc, char **argv)
{
        CLEANUP(buf_done) struct buf why = BUF(1024);
        CLEANUP(keys_freep) struct keys *keys = NULL;
        char line[512];

        if (argc != 3 || keys_load(argv[1], &keys, &why) < 0) {
                fprintf(stderr, "signup_answer: %s\n", buf_str(&why));
                return EXIT_FAILURE;
        }
        const struct gate g = { .keys = keys, .bind = argv[2], .ttl = 86400, .kinds = 15 };
        while (fgets(line, sizeof line, stdin))
                answer(&g, line);
        return EXIT_SUCCESS;
}
