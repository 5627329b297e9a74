/* `status-json` over the control socket. */
#include "hamon/sync/leader.h"

#include "hamon/client.h"
#include "hamon/core/fsm.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

enum { ANSWER_MAX = 4 * 1024 * 1024 };

static double number(const cJSON *o, const char *key)
{
        const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

        return cJSON_IsNumber(n) && n->valuedouble > 0 && n->valuedouble < 9e15 ? n->valuedouble
                                                                                : 0;
}

int leader_parse(const char *json, struct leader *ret)
{
        struct leader l = { .name = "" };
        cJSON *root = cJSON_Parse(json);
        const cJSON *node = cJSON_GetObjectItemCaseSensitive(root, "node");
        const cJSON *lease = cJSON_GetObjectItemCaseSensitive(root, "lease");
        const cJSON *state = cJSON_GetObjectItemCaseSensitive(root, "state");
        const cJSON *holder = cJSON_GetObjectItemCaseSensitive(lease, "holder");
        bool ok = cJSON_IsString(node) && cJSON_IsString(holder) &&
                  str_copy(l.name, sizeof l.name, holder->valuestring);

        if (ok) {
                l.epoch = (uint64_t)number(lease, "epoch");
                l.here = *l.name && strcmp(l.name, node->valuestring) == 0 &&
                         number(lease, "valid_ms") > 0;
                l.maintenance = cJSON_IsString(state) &&
                                strcmp(state->valuestring, HA_STATES[ST_MAINTENANCE]) == 0;
                *ret = l;
        }
        cJSON_Delete(root);
        return ok ? 0 : -EPROTO;
}

int leader_ask(const struct config *c, struct leader *ret)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);

        int r = client_ask(c->control.socket, "status-json", 2 * c->check.timeout, &answer);
        return r < 0 ? r : leader_parse(buf_str(&answer), ret);
}
