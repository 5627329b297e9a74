/* Both touch the volume, so each is a child with little time: a volume that hangs is found by
 * others.
 */
#include "hamon/cmd_stack_schema.h"

#include "hamon/schema_mark.h"
#include <errno.h>
#include <string.h>

enum { TOUCH_MS = 3000 };

struct job { /* plain data: the child works on a copy of it */
        char where[256];
        struct release mine;
        char mark[24];
};

static int read_child(void *arg)
{
        struct job *j = arg;

        return schema_mark_read(j->where, j->mark);
}

static int write_child(void *arg)
{
        const struct job *j = arg;

        return schema_mark_write(j->where, j->mine.schema);
}

/* False: there is nothing to compare. */
static bool prepare(struct step *s, struct job *j)
{
        const struct config *c = &s->config;

        *j = (struct job){ .mark = "" };
        if (c->volume.provider == CONFIG_NONE || !*c->volume.mount ||
            !str_copy(j->where, sizeof j->where, c->volume.mount))
                return false;
        release_read(c->mailcow.dir, &j->mine);
        return release_schema_time(j->mine.schema) > 0;
}

int stack_schema_check(struct step *s)
{
        struct job j;

        if (!prepare(s, &j) || STEP_CHILD(s, read_child, &j, TOUCH_MS) < 0 ||
            !release_schema_newer(j.mark, j.mine.schema))
                return 0;
        return step_end(
                s, STEP_FAILED,
                "the database has the shape of a newer Mailcow (schema %s), and the one here "
                "(%s, schema %s) would drop what it does not know: hamon upgrade. If the "
                "database was put back from before that: rm %s/" SCHEMA_MARK,
                j.mark, *j.mine.version ? j.mine.version : "of no known version", j.mine.schema,
                j.where);
}

void stack_schema_note(struct step *s)
{
        struct job j;

        if (!prepare(s, &j))
                return;
        int r = STEP_CHILD(s, read_child, &j, TOUCH_MS);
        if (r == 0 && !release_schema_newer(j.mine.schema, j.mark))
                return;
        if (r == 0 || r == -ENOENT || r == -EBADMSG)
                r = STEP_CHILD(s, write_child, &j, TOUCH_MS);
        if (r < 0)
                step_note(s, "%s/" SCHEMA_MARK ": %s", j.where, strerror(-r));
}
