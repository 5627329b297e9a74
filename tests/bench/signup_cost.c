/* What parts of the portal cost in one process: signup_cost image|try|pow COUNT. One line for each:
 * microseconds (processor time of a picture, time on the clock of a try), and a picture's bytes.
 * Compiled by tests/bench/signup against the release build's libraries. */
#include "signup/gate/gate.h"
#include "signup/gate/image.h"
#include "signup/gate/pow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SPENT_MAX = 200000, TTL = 600, BITS = 8 };

static double microseconds(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int image(const struct gate *g, const char *ticket, int64_t now)
{
        CLEANUP(buf_done) struct buf out = BUF(IMAGE_BYTES);
        struct ticket t;

        double start = microseconds(CLOCK_PROCESS_CPUTIME_ID);
        if (gate_look(g, ticket, now, &t) != GATE_PASSED ||
            image_draw(g->keys, &t, false, &out) < 0)
                return -1;
        printf("%.1f %zu\n", microseconds(CLOCK_PROCESS_CPUTIME_ID) - start, out.len);
        return 0;
}

/* Each second answer is right. */
static int try_image(const struct gate *g, const char *ticket, int64_t now)
{
        static bool right;
        char answer[GATE_ANSWER];
        struct ticket t;

        right = !right;
        if (gate_look(g, ticket, now, &t) != GATE_PASSED ||
            gate_answer(g->keys, &t, GATE_IMAGE, answer) < 0)
                return -1;
        const struct gate_try attempt = { GATE_IMAGE, ticket, right ? answer : "nonsense" };
        double start = microseconds(CLOCK_MONOTONIC);
        enum gate_end end = gate_try(g, &attempt, now, &t);
        printf("%.1f\n", microseconds(CLOCK_MONOTONIC) - start);
        return end == (right ? GATE_PASSED : GATE_WRONG) ? 0 : -1;
}

/* A wrong number costs what a right one does. */
static int try_pow(const struct gate *g, const char *ticket, int64_t now)
{
        const struct gate_try attempt = { GATE_POW, ticket, "0" };
        struct ticket t;

        double start = microseconds(CLOCK_MONOTONIC);
        enum gate_end end = gate_try(g, &attempt, now, &t);
        printf("%.1f\n", microseconds(CLOCK_MONOTONIC) - start);
        return end == GATE_PASSED || end == GATE_WRONG ? 0 : -1;
}

static const struct part {
        const char *name;
        int (*run)(const struct gate *g, const char *ticket, int64_t now);
} PARTS[] = { { "image", image }, { "try", try_image }, { "pow", try_pow } };

static int run(const struct part *part, const struct gate *g, uint64_t count)
{
        char ticket[TICKET_TEXT];

        for (uint64_t i = 0; i < count; i++) {
                int64_t now = (int64_t)time(NULL);
                if (gate_form(g, "en-gb", BITS, now, ticket) < 0 || part->run(g, ticket, now) < 0) {
                        fprintf(stderr, "signup_cost: %s failed\n", part->name);
                        return EXIT_FAILURE;
                }
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        CLEANUP(buf_done) struct buf error = BUF(512);
        CLEANUP(keys_freep) struct keys *keys = NULL;
        struct gate g = { .bind = "/signup",
                          .ttl = TTL,
                          .kinds = 1u << GATE_IMAGE | 1u << GATE_POW };
        uint64_t count = 0;
        int code = 64;

        if (keys_parse("the key of the benchmark: no secret", "key", &keys, &error) < 0 ||
            spent_memory_new(SPENT_MAX, &g.spent) < 0)
                return EXIT_FAILURE;
        g.keys = keys;
        for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(PARTS); i++)
                if (strcmp(argv[1], PARTS[i].name) == 0 &&
                    parse_uint(argv[2], 1, SPENT_MAX, &count) == 0)
                        code = run(&PARTS[i], &g, count);
        if (code == 64)
                fprintf(stderr, "usage: signup_cost image|try|pow COUNT\n");
        spent_free(g.spent);
        return code;
}
