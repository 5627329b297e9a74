/* `status-json` over the control socket. */
#include "hamon/sync/leader.h"

#include "hamon/client.h"
#include "hamon/core/fsm.h"
#include "lib/json.h"
#include <errno.h>
#include <string.h>

enum { ANSWER_MAX = 4 * 1024 * 1024 };

static uint64_t number(const cJSON *root, const char *path)
{
        double n = json_number(root, path, 0);

        return n > 0 && n < 9e15 ? (uint64_t)n : 0;
}

int leader_parse(const char *json, struct leader *ret)
{
        struct leader l = { .name = "" };
        CLEANUP(json_freep) cJSON *root = cJSON_Parse(json);
        const char *node = json_text(root, "node"), *holder = json_text(root, "lease.holder");

        if (!*node || !cJSON_IsString(json_at(root, "lease.holder")) ||
            !str_copy(l.name, sizeof l.name, holder))
                return -EPROTO;
        l.epoch = number(root, "lease.epoch");
        l.here = str_eq(holder, node) && number(root, "lease.valid_ms") > 0;
        l.maintenance = str_eq(json_text(root, "state"), HA_STATES[ST_MAINTENANCE]);
        *ret = l;
        return 0;
}

int leader_ask(const struct config *c, struct leader *ret)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);

        int r = client_ask(c->control.socket, "status-json", 2 * c->check.timeout, &answer);
        return r < 0 ? r : leader_parse(buf_str(&answer), ret);
}
