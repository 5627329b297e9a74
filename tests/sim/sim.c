/* sim: the lease of hamon/core under simulated faults, many seeds in a second.
 *
 *     sim [--seeds N] [--nodes K] [--first-seed S] [--minutes M] [--mutant NAME|all]
 *
 * Ends with `seeds=N violations=V …`, exit 0 if there were none. With --mutant a rule is broken on
 * purpose, and it is a success that a violation is found. */
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
        uint64_t seeds, first;
        int nodes;
        msec_t length;
};

static int usage(const char *what)
{
        fprintf(stderr,
                "sim: %s\nusage: sim [--seeds N] [--nodes 2..%d] [--first-seed S] [--minutes M] "
                "[--mutant NAME|all]\n",
                what, MAX_NODES);
        return 64;
}

/* Violations over all seeds; for a mutant the first one is enough. */
static uint64_t run(const struct job *j, enum mutant m, uint64_t *ret_seeds, char *ret_why,
                    size_t size)
{
        uint64_t violations = 0, events = 0, takeovers = 0, done = 0;
        static struct world w;

        while (done < j->seeds && (m == MUTANT_NONE || violations == 0)) {
                uint64_t seed = j->first + done++;
                if (!world_run(&w, seed, j->nodes, m, j->length)) {
                        violations++;
                        snprintf(ret_why, size, "%s", w.why);
                        if (m == MUTANT_NONE && violations <= 5)
                                printf("seed %llu: %s\n", (unsigned long long)seed, w.why);
                }
                events += w.events;
                takeovers += w.takeovers;
        }
        *ret_seeds = done;
        if (m == MUTANT_NONE)
                printf("seeds=%llu violations=%llu nodes=%d minutes=%.1f events=%llu "
                       "takeovers=%llu\n",
                       (unsigned long long)done, (unsigned long long)violations, j->nodes,
                       (double)j->length / 60000, (unsigned long long)events,
                       (unsigned long long)takeovers);
        return violations;
}

static int run_mutants(const struct job *j, const char *name)
{
        int missed = 0, ran = 0;
        uint64_t seeds;
        char why[160];

        for (int m = 1; m < MUTANT_COUNT_; m++) {
                if (strcmp(name, "all") != 0 && strcmp(name, MUTANTS[m]) != 0)
                        continue;
                ran++;
                bool found = run(j, (enum mutant)m, &seeds, why, sizeof why) > 0;
                missed += !found;
                printf("mutant %-16s %s after %llu seeds%s%s\n", MUTANTS[m],
                       found ? "found" : "NOT found", (unsigned long long)seeds, found ? ": " : "",
                       found ? why : "");
        }
        if (ran == 0)
                return usage("no such mutant");
        printf("mutants=%d missed=%d\n", ran, missed);
        return missed ? 1 : 0;
}

static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
        char *end;

        if (!s || *s < '0' || *s > '9')
                return false;
        *ret = strtoull(s, &end, 10);
        return !*end && *ret >= min && *ret <= max;
}

int main(int argc, char **argv)
{
        struct job j = { .seeds = 10000, .first = 1, .nodes = 3, .length = 120000 };
        const char *mutant = NULL;
        uint64_t v, seeds;
        char why[160];

        for (int i = 1; i < argc; i += 2) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (strcmp(argv[i], "--seeds") == 0 && number(value, 1, UINT64_MAX, &v))
                        j.seeds = v;
                else if (strcmp(argv[i], "--first-seed") == 0 && number(value, 0, UINT64_MAX, &v))
                        j.first = v;
                else if (strcmp(argv[i], "--nodes") == 0 && number(value, 2, MAX_NODES, &v))
                        j.nodes = (int)v;
                else if (strcmp(argv[i], "--minutes") == 0 && number(value, 1, 1000, &v))
                        j.length = (msec_t)v * 60000;
                else if (strcmp(argv[i], "--mutant") == 0 && value)
                        mutant = value;
                else
                        return usage(argv[i]);
        }
        if (mutant)
                return run_mutants(&j, mutant);
        return run(&j, MUTANT_NONE, &seeds, why, sizeof why) ? 1 : 0;
}
