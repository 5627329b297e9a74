/* sim: hamon/core under simulated faults, many seeds in a second.
 *
 *     sim [--seeds N] [--nodes K] [--first-seed S] [--minutes M] [--mutant NAME|all] [--cells]
 *         [--trace]
 *
 * Ends with `seeds=N violations=V …`, exit 0 if there were none. With --mutant a rule is broken on
 * purpose, and it is a success that a violation is found. --cells names the cells of the state
 * machine that mean something and were never gone through. --trace tells what happens. */
#include "tests/sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
        uint64_t seeds, first;
        int nodes;
        msec_t length;
        bool cells, trace;
};

struct sum {
        uint64_t seeds, violations, events, takeovers, faults, first_bad;
        unsigned fewest; /* faults in one seed */
        uint32_t seen[ST_COUNT_];
        char why[160];
};

static int usage(const char *what)
{
        fprintf(stderr,
                "sim: %s\nusage: sim [--seeds N] [--nodes 2..%d] [--first-seed S] [--minutes M] "
                "[--mutant NAME|all] [--cells] [--trace]\n",
                what, MAX_NODES);
        return 64;
}

static void one(const struct job *j, enum mutant m, uint64_t seed, struct sum *s)
{
        static struct world w;

        struct world_plan plan = {
                .nodes = j->nodes, .length = j->length, .mutant = m, .trace = j->trace
        };
        if (!world_run(&w, seed, &plan)) {
                if (s->violations++ == 0) {
                        s->first_bad = seed;
                        memcpy(s->why, w.why, sizeof s->why);
                }
                if (m == MUTANT_NONE && s->violations <= 10)
                        printf("seed %llu: %s\n", (unsigned long long)seed, w.why);
        } else if (w.faults < s->fewest) {
                s->fewest = w.faults;
        }
        s->seeds++;
        s->events += w.events;
        s->takeovers += w.takeovers;
        s->faults += w.faults;
        for (int i = 0; i < ST_COUNT_; i++)
                s->seen[i] |= w.seen[i];
}

/* ---- cells ---- */

static bool acts(int state, int event)
{
        return FSM[state][event].act != ACT_NONE || FSM[state][event].next != (unsigned)state;
}

static void print_cells(const struct sum *s, bool names, unsigned *ret_seen, unsigned *ret_all)
{
        *ret_seen = *ret_all = 0;
        for (int st = 0; st < ST_COUNT_; st++)
                for (int e = 0; e < EV_COUNT_; e++) {
                        bool seen = s->seen[st] >> e & 1;
                        *ret_all += acts(st, e);
                        *ret_seen += acts(st, e) && seen;
                        if (names && acts(st, e) && !seen)
                                printf("never: %s %s\n", HA_STATES[st], HA_EVENTS[e]);
                }
}

static int run(const struct job *j)
{
        struct sum s = { .fewest = -1u };
        unsigned seen, all;

        for (uint64_t i = 0; i < j->seeds; i++)
                one(j, MUTANT_NONE, j->first + i, &s);
        print_cells(&s, j->cells, &seen, &all);
        printf("seeds=%llu violations=%llu nodes=%d minutes=%.1f events=%llu faults=%llu "
               "fewest_faults=%u takeovers=%llu cells=%u/%u\n",
               (unsigned long long)s.seeds, (unsigned long long)s.violations, j->nodes,
               (double)j->length / 60000, (unsigned long long)s.events,
               (unsigned long long)s.faults, s.fewest, (unsigned long long)s.takeovers, seen, all);
        return s.violations ? 1 : 0;
}

static int run_mutants(const struct job *j, const char *name)
{
        int missed = 0, ran = 0;

        for (int m = 1; m < MUTANT_COUNT_; m++) {
                struct sum s = { .fewest = 0 };
                if (strcmp(name, "all") != 0 && strcmp(name, MUTANTS[m].name) != 0)
                        continue;
                ran++;
                while (s.seeds < j->seeds && s.violations == 0)
                        one(j, (enum mutant)m, j->first + s.seeds, &s);
                missed += s.violations == 0;
                printf("mutant %-14s %s after %llu seeds: %s%s%s\n", MUTANTS[m].name,
                       s.violations ? "found" : "NOT found", (unsigned long long)s.seeds,
                       MUTANTS[m].what, s.violations ? " -> " : "", s.why);
                fflush(stdout);
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
        setvbuf(stdout, NULL, _IOLBF, 0);
        struct job j = { .seeds = 10000, .first = 1, .nodes = 3, .length = 120000 };
        const char *mutant = NULL;
        uint64_t v;

        for (int i = 1; i < argc; i++) {
                const char *value = i + 1 < argc ? argv[i + 1] : NULL;
                if (strcmp(argv[i], "--cells") == 0) {
                        j.cells = true;
                        continue;
                }
                if (strcmp(argv[i], "--trace") == 0) {
                        j.trace = true;
                        continue;
                }
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
                i++;
        }
        return mutant ? run_mutants(&j, mutant) : run(&j);
}
