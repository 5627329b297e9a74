/* What another node says is held against our own [sync] paths and exclude: it cannot make us write
 * anything else. */
#include "hamon/sync/fetch.h"

#include "hamon/mailcow_merge.h"
#include "hamon/sync/ledger.h"
#include "hamon/sync/place.h"
#include "hamon/sync/tree.h"
#include "lib/log.h"
#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Mailcow's own update changes it: only between nodes of the same Mailcow. */
#define VERSIONED "data/conf/"

static int failed(struct fetch *f, const char *what, int r)
{
        if (f->error->len == 0)
                buf_addf(f->error, "%s: %s", what, strerror(-r));
        return r;
}

/* ---- receiving ---- */

static int ask(struct fetch *f, size_t i)
{
        const uint32_t number = htobe32((uint32_t)i);

        return channel_send(f->channel, FRAME_GET, &number, sizeof number);
}

/* Into `fd`, or into `text`; exactly its size, exactly its hash. */
static int receive(struct fetch *f, const struct item *it, int fd, struct buf *text)
{
        CLEANUP(buf_wipe) struct buf payload = BUF(CHANNEL_FRAME_MAX);
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        unsigned char sha[EVP_MAX_MD_SIZE];
        enum channel_frame frame = FRAME_DATA;
        uint64_t left = it->size;
        int r = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

        while (r == 0 && frame == FRAME_DATA) {
                r = channel_receive(f->channel, &frame, &payload);
                if (r < 0 || frame != FRAME_DATA)
                        break;
                if (payload.len > left)
                        r = -EBADMSG;
                else if (EVP_DigestUpdate(md, buf_str(&payload), payload.len) != 1)
                        r = -ENOMEM;
                else
                        r = text ? buf_add(text, buf_str(&payload), payload.len)
                                 : write_all(fd, buf_str(&payload), payload.len);
                left -= MIN(left, payload.len);
        }
        if (r == 0 && frame != FRAME_END)
                r = -EBADMSG;
        if (r == 0 && EVP_DigestFinal_ex(md, sha, NULL) != 1)
                r = -ENOMEM;
        if (r == 0 && (left > 0 || memcmp(sha, it->sha, ITEM_SHA) != 0))
                r = -EAGAIN;
        EVP_MD_CTX_free(md);
        if (r == -EAGAIN && f->error->len == 0)
                buf_addf(f->error, "%s: it changed while it was read; the next sync takes it",
                         it->path);
        return r < 0 ? failed(f, it->path, r) : 0;
}

/* ---- the list ---- */

static bool is_ours(const struct fetch *f, const struct item *it)
{
        const struct config *c = f->config;

        if (it->kind == ITEM_CONF)
                return strlist_has(&c->sync.paths, ITEM_CONF_PATH);
        return item_wanted(&c->sync.paths, &c->sync.exclude, it->path) &&
               !(f->other_mailcow && strncmp(it->path, VERSIONED, sizeof VERSIONED - 1) == 0);
}

/* The shared keys of the leader, less what is our own by our own word. */
static int fetch_conf(struct fetch *f, size_t i)
{
        CLEANUP(buf_wipe) struct buf all = BUF(MAILCOW_CONF_MAX);

        int r = ask(f, i);
        if (r == 0)
                r = receive(f, &f->items.v[i], -1, &all);
        if (r == 0 && memchr(buf_str(&all), '\0', all.len))
                r = -EBADMSG;
        buf_init(&f->conf, MAILCOW_CONF_MAX);
        if (r == 0)
                r = mailcow_shared(buf_str(&all), &f->config->sync.own_keys, &f->conf);
        return r < 0 ? failed(f, ITEM_CONF_PATH, r) : 0;
}

static int compare_conf(struct fetch *f, size_t i, char *ret)
{
        CLEANUP(buf_wipe) struct buf text = BUF(MAILCOW_CONF_MAX);
        CLEANUP(buf_wipe) struct buf merged = BUF(2 * MAILCOW_CONF_MAX);
        CLEANUP(buf_done) struct buf keys = BUF(MAILCOW_CONF_MAX);

        int r = fetch_conf(f, i);
        if (r < 0)
                return r;
        r = tree_text(f->root, ITEM_CONF_PATH, MAILCOW_CONF_MAX, &text);
        if (r == 0)
                r = mailcow_merge(buf_str(&text), buf_str(&f->conf), &merged, &keys);
        *ret = keys.len > 0 ? '~' : 0;
        return r < 0 ? failed(f, ITEM_CONF_PATH, r) : 0;
}

/* 0 = the same is here, '+' = it is not here, '~' = it is another one. */
static int compare(struct fetch *f, size_t i, char *ret)
{
        const struct item *it = &f->items.v[i];
        struct item here;

        *ret = 0;
        if (!is_ours(f, it))
                return 0;
        if (it->kind == ITEM_CONF)
                return compare_conf(f, i, ret);
        int r = tree_look(f->root, it->path, &here);
        if (r == -ENOENT) {
                *ret = '+';
                return 0;
        }
        if (r < 0 && r != -EFBIG && r != -EAGAIN)
                return failed(f, it->path, r);
        *ret = r == 0 && item_same(it, &here) ? 0 : '~';
        if (r == 0)
                item_done(&here);
        return 0;
}

static int compare_all(struct fetch *f)
{
        int r = 0;

        f->what = calloc(f->items.n + 1, 1);
        if (!f->what)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < f->items.n; i++) {
                r = compare(f, i, &f->what[i]);
                f->n_todo += f->what[i] != 0;
                if (f->what[i])
                        buf_addf(&f->report->changes, "%c %s\n", f->what[i], f->items.v[i].path);
        }
        return r;
}

int fetch_list(struct fetch *f)
{
        CLEANUP(buf_done) struct buf payload = BUF(CHANNEL_FRAME_MAX);
        enum channel_frame frame = FRAME_ITEM;
        struct item it;

        int r = channel_send(f->channel, FRAME_LIST, "", 0);
        while (r == 0 && frame == FRAME_ITEM) {
                r = channel_receive(f->channel, &frame, &payload);
                if (r == 0 && frame == FRAME_ITEM) {
                        r = item_decode(buf_str(&payload), payload.len, &it);
                        if (r == 0)
                                r = items_add_next(&f->items, &it);
                }
        }
        if (r == 0 && frame == FRAME_REFUSE) {
                channel_refusal(&payload, f->error);
                return -EREMOTEIO;
        }
        if (r == 0 && frame != FRAME_END)
                r = -EBADMSG;
        return r < 0 ? failed(f, "the list of the leader", r) : compare_all(f);
}

/* ---- content ---- */

static int fetch_one(struct fetch *f, struct place *p, size_t i)
{
        const struct item *it = &f->items.v[i];
        CLEANUP(closep) int fd = -1;

        if (it->kind != ITEM_FILE)
                return 0;
        int r = ask(f, i);
        if (r == 0)
                r = place_stage(p, i, &fd);
        if (r < 0)
                return failed(f, it->path, r);
        return receive(f, it, fd, NULL);
}

int fetch_content(struct fetch *f)
{
        int r = place_begin(f->root, &f->place);

        if (r < 0)
                return failed(f, ITEM_STAGE, r);
        f->placing = true;
        for (size_t i = 0; r == 0 && i < f->items.n; i++)
                if (f->what[i])
                        r = fetch_one(f, &f->place, i);
        return r;
}

/* ---- into its place ---- */

/* What is here was not brought by a sync, or was changed since: it is kept aside, and told of. */
static void keep_own(struct fetch *f, const struct ledger *l, const struct item *it)
{
        const struct item *came = items_find(&l->items, it->path);
        struct item here;
        char kept[4096];

        if (it->kind != ITEM_FILE || tree_look(f->root, it->path, &here) < 0)
                return;
        bool changed = here.kind == ITEM_FILE && memcmp(here.sha, it->sha, ITEM_SHA) != 0 &&
                       (!came || memcmp(came->sha, here.sha, ITEM_SHA) != 0);
        item_done(&here);
        snprintf(kept, sizeof kept, "%s/kept", f->config->sync.dir);
        if (!changed)
                return;
        int r = place_keep(&f->place, it->path, kept);
        log_event(LOG_WARN, "sync_replaced", LS("path", it->path),
                  LS("kept", r < 0 ? strerror(-r) : kept));
}

static int put(struct fetch *f, const struct ledger *l, size_t i)
{
        const struct item *it = &f->items.v[i];

        switch ((enum item_kind)it->kind) {
        case ITEM_DIR:
                return place_dir(&f->place, it);
        case ITEM_FILE:
                keep_own(f, l, it);
                return place_file(&f->place, i, it);
        case ITEM_LINK:
                return place_link(&f->place, i, it);
        case ITEM_CONF:
                return place_conf(&f->place, i, buf_str(&f->conf), &f->report->keys);
        }
        return -EBADMSG;
}

static int remember(struct ledger *fresh, const struct item *it)
{
        struct item copy = { .kind = ITEM_FILE, .path = strdup(it->path), .target = strdup("") };

        if (!copy.path || !copy.target) {
                item_done(&copy);
                return -ENOMEM;
        }
        memcpy(copy.sha, it->sha, ITEM_SHA);
        return items_add(&fresh->items, &copy);
}

/* What came once and is the leader's no more. Another Mailcow's, or what we exclude now, is left.
 */
static int take_away(struct fetch *f, const struct ledger *l, struct ledger *fresh)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < l->items.n; i++) {
                const struct item *it = &l->items.v[i];
                if (items_find(&f->items, it->path))
                        continue;
                if (!is_ours(f, it)) {
                        r = remember(fresh, it);
                        continue;
                }
                r = place_remove(&f->place, it->path, it->sha);
                if (r == 1) {
                        buf_addf(&f->report->changes, "- %s\n", it->path);
                        f->report->changed++;
                }
        }
        return r < 0 ? r : 0;
}

static int new_ledger(struct fetch *f, const struct ledger *l, struct ledger *fresh)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < f->items.n; i++) {
                const struct item *it = &f->items.v[i];
                if (it->kind == ITEM_FILE && (f->what[i] || items_find(&l->items, it->path)))
                        r = remember(fresh, it);
        }
        return r;
}

static int place_all(struct fetch *f, const struct ledger *l)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < f->items.n; i++) {
                if (!f->what[i])
                        continue;
                r = put(f, l, i);
                if (r < 0)
                        return failed(f, f->items.v[i].path, r);
                f->report->changed++;
        }
        return r;
}

/* The ledger last: what a kill in between leaves out of it is only never deleted by us. */
int fetch_place(struct fetch *f)
{
        struct ledger old, fresh = { .items = { .v = NULL } };
        CLEANUP(buf_done) struct buf note = BUF(1024);
        char file[4096];

        if (snprintf(file, sizeof file, "%s/ledger", f->config->sync.dir) >= (int)sizeof file)
                return -ENAMETOOLONG;
        int r = ledger_read(file, &old, &note);
        if (note.len > 0)
                log_event(LOG_WARN, "sync_ledger", LS("error", buf_str(&note)));
        if (r < 0)
                return failed(f, file, r);
        r = place_all(f, &old);
        if (r == 0 && (f->n_todo > 0 || old.items.n > 0)) {
                r = new_ledger(f, &old, &fresh);
                if (r == 0)
                        r = take_away(f, &old, &fresh);
                items_sort(&fresh.items);
                if (r == 0)
                        r = ledger_write(file, &fresh);
                if (r < 0)
                        failed(f, file, r);
        }
        ledger_done(&old);
        ledger_done(&fresh);
        return r;
}

void fetch_done(struct fetch *f)
{
        if (f->placing)
                place_end(&f->place);
        items_done(&f->items);
        free(f->what);
        buf_wipe(&f->conf);
}
