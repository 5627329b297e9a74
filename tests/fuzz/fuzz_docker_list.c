/* GET /containers/json as docker_sync.c takes it: cut into objects in pieces of any size, parsed,
 * folded into the table. The same bytes also go through the parsers of single answers. The first
 * byte says how large the pieces are. */
#include "hamon/docker_table.h"
#include "lib/jsplit.h"
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_item(void *arg, const char *object, size_t len)
{
        struct docker_table *t = arg;
        struct docker_item it;
        int r = docker_json_item(object, len, "mailcow", &it);

        if (r <= 0)
                return r;

        struct docker_entry *e = docker_table_find(t, it.id);
        if (!e)
                e = docker_table_add(t, it.id);
        if (!e)
                return -ENOMEM;
        docker_fold_item(e, &it);
        if (it.state >= CTR_STATE_COUNT_ || it.health >= HEALTH_COUNT_ || it.exit_code < 0 ||
            it.created < 0 || docker_table_find(t, it.id) != e)
                abort();
        return 0;
}

static void single_answers(const char *s, size_t len)
{
        struct docker_version v;
        struct docker_detail d;
        const struct docker_failure f = {
                .what = "x", .socket = "/s", .status = 500, .body = s, .len = len
        };
        char text[32];

        if (docker_json_detail(s, len, &d) == 0 &&
            (d.state >= CTR_STATE_COUNT_ || d.health >= HEALTH_COUNT_ || d.since < 0))
                abort();
        docker_json_version(s, len, &v);
        docker_json_failure(&f, text, sizeof(text));
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
        single_answers(s, size);

        jsplit_init(&j, 4096);
        for (size_t at = 0; at < size; at += piece)
                if (jsplit_feed(&j, s + at, MIN(piece, size - at), on_item, &t) < 0)
                        break;
        jsplit_done(&j);
        docker_table_done(&t);
        return 0;
}
