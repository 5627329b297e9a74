/* GET /events as docker_sync.c takes it: cut into objects in pieces of any size, parsed, folded
 * into the table, whose index must stay whole while containers come and go. The first byte says how
 * large the pieces are. */
#include "hamon/docker_table.h"
#include "lib/jsplit.h"
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_index(const struct docker_table *t)
{
        for (size_t i = 0; t->v && i < t->n; i++)
                if (docker_table_find(t, t->v[i].c.id) != &t->v[i])
                        abort();
}

static int on_event(void *arg, const char *object, size_t len)
{
        struct docker_table *t = arg;
        struct docker_event ev;
        int r = docker_json_event(object, len, "mailcow", &ev);

        if (r <= 0)
                return r;
        if (ev.action >= DOCKER_ACTION_COUNT_ || ev.health >= HEALTH_COUNT_ || ev.exit_code < 0)
                abort();

        struct docker_entry *e = docker_table_find(t, ev.id);
        if (ev.action == DOCKER_DESTROY) {
                if (e)
                        docker_table_remove(t, e);
        } else {
                if (!e)
                        e = docker_table_add(t, ev.id);
                if (!e)
                        return -ENOMEM;
                docker_fold_event(e, &ev);
        }
        check_index(t);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct docker_table t = { .n = 0 };
        struct jsplit j;

        if (size == 0)
                return 0;

        size_t piece = data[0] ? data[0] : size;
        const char *s = (const char *)data + 1;
        size--;

        jsplit_init(&j, 4096);
        for (size_t at = 0; at < size; at += piece)
                if (jsplit_feed(&j, s + at, MIN(piece, size - at), on_event, &t) < 0)
                        break;
        jsplit_done(&j);
        docker_table_done(&t);
        return 0;
}
