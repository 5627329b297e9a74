/* Lines of a rehearsal, in a space that is bounded. */
#include "hamon/rehearsal.h"

const char *const FOUNDS[FOUND_COUNT_] = { "ok", "warn", "fail" };

void rehearsal_add(struct rehearsal *r, enum found found, const char *text)
{
        bool full = r->n == REHEARSAL_MAX;
        struct rehearsal_line *l = &r->v[full ? r->n - 1 : r->n++];

        *l = (struct rehearsal_line){ .found = full ? FOUND_FAIL : found };
        str_copy(l->check, sizeof l->check, r->check);
        str_copy(l->text, sizeof l->text, full ? "more was found than can be told" : text);
}

size_t rehearsal_count(const struct rehearsal *r, size_t first, enum found found)
{
        size_t count = 0;

        for (size_t i = first; i < r->n; i++)
                count += r->v[i].found == found;
        return count;
}
