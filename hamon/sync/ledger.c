/* A line of a file: 64 hex digits, a blank, the path. */
#include "hamon/sync/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 24 * 1024 * 1024, HEX = 2 * ITEM_SHA };

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse(const char *line, struct item *ret)
{
        struct item it = { .kind = ITEM_FILE };

        for (size_t i = 0; i < ITEM_SHA; i++) {
                int high = digit(line[2 * i]), low = high < 0 ? -1 : digit(line[2 * i + 1]);
                if (low < 0)
                        return -EBADMSG;
                it.sha[i] = (unsigned char)(high * 16 + low);
        }
        if (line[HEX] != ' ' || !item_path_valid(line + HEX + 1))
                return -EBADMSG;
        it.path = strdup(line + HEX + 1);
        it.target = strdup("");
        if (!it.path || !it.target) {
                item_done(&it);
                return -ENOMEM;
        }
        *ret = it;
        return 0;
}

int ledger_read(const char *file, struct ledger *ret, struct buf *error)
{
        CLEANUP(freep) char *text = NULL;
        struct ledger l = { .items = { .v = NULL } };
        char *rest = NULL;
        struct item it;

        *ret = l;
        int r = read_file(file, FILE_MAX, &text, NULL);
        if (r < 0) {
                if (r != -ENOENT)
                        buf_addf(error, "%s: %s", file, strerror(-r));
                return r == -ENOENT ? 0 : r;
        }
        for (char *line = strtok_r(text, "\n", &rest); r == 0 && line;
             line = strtok_r(NULL, "\n", &rest))
                if ((r = parse(line, &it)) == 0)
                        r = items_add(&l.items, &it);
        if (r < 0) {
                buf_addf(error, "%s: it makes no sense, and is begun anew", file);
                items_done(&l.items);
                return r == -ENOMEM ? r : 0;
        }
        items_sort(&l.items);
        *ret = l;
        return 0;
}

int ledger_write(const char *file, const struct ledger *l)
{
        CLEANUP(buf_done) struct buf out = BUF(FILE_MAX);
        char hex[HEX + 1];

        for (size_t i = 0; i < l->items.n; i++) {
                hex_text(l->items.v[i].sha, ITEM_SHA, hex);
                buf_addf(&out, "%s %s\n", hex, l->items.v[i].path);
        }
        return out.error ? out.error : write_file_atomic(file, 0600, buf_str(&out), out.len);
}

void ledger_done(struct ledger *l)
{
        items_done(&l->items);
}
