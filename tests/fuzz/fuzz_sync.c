/* What comes from another node of the cluster, proven as it is, is still believed only after it was
 * taken apart: an item, the shared keys of mailcow.conf. And what lies on this node's own disk: the
 * ledger's and the state's lines. */
#include "hamon/mailcow_merge.h"
#include "hamon/sync/item.h"
#include "hamon/sync/leader.h"
#include "hamon/sync_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was believed goes over the wire again as it came, and leads nowhere else. */
static void item(const uint8_t *data, size_t size)
{
        CLEANUP(buf_done) struct buf again = BUF(8192);
        struct item it;

        if (item_decode(data, size, &it) < 0)
                return;
        if (!item_path_valid(it.path) || strncmp(it.path, "../", 3) == 0 || *it.path == '/' ||
            (it.kind == ITEM_LINK && !item_target_valid(it.path, it.target)))
                abort();
        if (item_encode(&it, &again) < 0 || again.len != size ||
            memcmp(again.data, data, size) != 0)
                abort();
        item_done(&it);
}

/* Merged once is merged. */
static void conf(const char *text)
{
        CLEANUP(buf_done)
        struct buf shared = BUF(MAILCOW_CONF_MAX), once = BUF(2 * MAILCOW_CONF_MAX),
                   twice = BUF(2 * MAILCOW_CONF_MAX), keys = BUF(MAILCOW_CONF_MAX);

        if (mailcow_shared(text, NULL, &shared) < 0)
                return;
        if (mailcow_merge("A=1\nHTTP_BIND=here\n", buf_str(&shared), &once, NULL) < 0 ||
            !strstr(buf_str(&once), "HTTP_BIND=here\n") ||
            mailcow_merge(buf_str(&once), buf_str(&shared), &twice, &keys) < 0 || keys.len > 0 ||
            strcmp(buf_str(&once), buf_str(&twice)) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[4096];
        struct sync_state s;
        struct leader l;

        item(data, size);
        if (size >= sizeof text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        conf(text);
        leader_parse(text, &l);
        if (sync_state_parse(text, &s) == 0 && !memchr(s.text, '\0', sizeof s.text))
                abort();
        return 0;
}
