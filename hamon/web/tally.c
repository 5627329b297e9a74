/* What was there when we started was counted by nobody and is not counted now: a counter begins at
 * nought, or every restart would look like a storm. */
#include "hamon/web/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = LOG_ERROR + 1 };

struct tally {
        uint64_t n[EVENT_COUNT_][LEVELS];
        uint64_t seen;
        bool begun;
};

static void count(struct tally *t, const struct event_line *e)
{
        for (size_t k = 0; k < EVENT_COUNT_; k++)
                for (size_t l = 0; l < LEVELS && strcmp(EVENTS[k].name, e->kind) == 0; l++)
                        if (strcmp(LOG_LEVELS[l], e->level) == 0)
                                t->n[k][l]++;
}

static void part_snap(void *part, const struct snap *snap)
{
        struct tally *t = part;
        uint64_t fresh = MIN(snap->n_ever - t->seen, (uint64_t)snap->n_events);

        for (size_t i = snap->n_events - fresh; t->begun && i < snap->n_events; i++)
                count(t, &snap->events[i]);
        t->seen = snap->n_ever;
        t->begun = true;
}

/* The usual level of each kind from the start, so that its first one is seen as one more. */
static void part_report(const void *part, cJSON *into)
{
        const struct tally *t = part;
        cJSON *list = cJSON_AddArrayToObject(into, "events");

        for (size_t k = 0; k < EVENT_NOW; k++)
                for (size_t l = LOG_INFO; l < LEVELS; l++) {
                        if (t->n[k][l] == 0 && l != (size_t)EVENTS[k].level)
                                continue;
                        cJSON *o = cJSON_CreateObject();
                        cJSON_AddStringToObject(o, "kind", EVENTS[k].name);
                        cJSON_AddStringToObject(o, "level", LOG_LEVELS[l]);
                        cJSON_AddNumberToObject(o, "n", (double)t->n[k][l]);
                        cJSON_AddItemToArray(list, o);
                }
}

static int part_new(const struct part_needs *needs, void **ret)
{
        (void)needs;
        *ret = calloc(1, sizeof(struct tally));
        return *ret ? 0 : -ENOMEM;
}

const struct part_row TALLY_PART = { "events", part_new, free, part_snap, part_report };
