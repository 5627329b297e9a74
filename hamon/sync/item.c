/* The form of an item: big-endian numbers, strings with their length before them. */
#include "hamon/sync/item.h"

#include <errno.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 1 + 4 + 4 + 4 + 8 + ITEM_SHA, MODE_MASK = 01777 };

/* ---- paths ---- */

static bool is_plain(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

bool item_path_valid(const char *path)
{
        unsigned depth = 0;

        if (strlen(path) >= ITEM_PATH || !is_plain(path))
                return false;
        for (const char *p = path;; p++) {
                size_t len = strcspn(p, "/");
                if (len == 0 || len > 255 || (len == 1 && *p == '.') ||
                    (len == 2 && p[0] == '.' && p[1] == '.') || ++depth > ITEM_DEPTH)
                        return false;
                p += len;
                if (!*p)
                        break;
        }
        return strncmp(path, ITEM_STAGE, sizeof ITEM_STAGE - 1) != 0;
}

bool item_target_valid(const char *path, const char *target)
{
        int depth = 0;

        if (!*target || *target == '/' || strlen(target) >= ITEM_PATH || !is_plain(target))
                return false;
        for (const char *p = path; *p; p++)
                depth += *p == '/';
        for (const char *p = target; *p;) {
                size_t len = strcspn(p, "/");
                if (len == 2 && p[0] == '.' && p[1] == '.') {
                        if (--depth < 0)
                                return false;
                } else if (len > 0 && !(len == 1 && *p == '.')) {
                        depth++;
                }
                p += len + (p[len] == '/');
        }
        return true;
}

/* `path` cut behind each of its components in turn. */
static bool any_above(const char *path, bool (*fn)(const struct strlist *, const char *),
                      const struct strlist *list)
{
        char part[ITEM_PATH];

        if (!str_copy(part, sizeof part, path))
                return false;
        for (char *p = part; (p = strchr(p, '/')) != NULL; *p++ = '/') {
                *p = '\0';
                if (fn(list, part))
                        return true;
        }
        return fn(list, part);
}

static bool is_listed(const struct strlist *list, const char *path)
{
        return strlist_has(list, path);
}

static bool matches(const struct strlist *list, const char *path)
{
        for (size_t i = 0; i < list->n; i++)
                if (fnmatch(list->v[i], path, 0) == 0)
                        return true;
        return false;
}

bool item_excluded(const struct strlist *exclude, const char *path)
{
        return any_above(path, matches, exclude);
}

bool item_wanted(const struct strlist *paths, const struct strlist *exclude, const char *path)
{
        return any_above(path, is_listed, paths) && !item_excluded(exclude, path);
}

/* ---- one ---- */

static void put(struct buf *out, uint64_t value, unsigned bytes)
{
        unsigned char raw[8];

        for (unsigned i = 0; i < bytes; i++)
                raw[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
        buf_add(out, raw, bytes);
}

static uint64_t get(const unsigned char **at, unsigned bytes)
{
        uint64_t value = 0;

        while (bytes-- > 0)
                value = value << 8 | *(*at)++;
        return value;
}

static void put_text(struct buf *out, const char *s)
{
        size_t len = strlen(s);

        put(out, len, 2);
        buf_add(out, s, len);
}

int item_encode(const struct item *it, struct buf *out)
{
        buf_add(out, &it->kind, 1);
        put(out, it->mode, 4);
        put(out, it->uid, 4);
        put(out, it->gid, 4);
        put(out, it->size, 8);
        buf_add(out, it->sha, ITEM_SHA);
        put_text(out, it->path);
        put_text(out, it->target);
        return out->error;
}

/* A string of its own length, without a NUL in it. */
static int get_text(const unsigned char **at, const unsigned char *end, char **ret)
{
        if (end - *at < 2)
                return -EBADMSG;
        size_t len = get(at, 2);
        if ((size_t)(end - *at) < len || len >= ITEM_PATH || memchr(*at, '\0', len))
                return -EBADMSG;
        *ret = strndup((const char *)*at, len);
        *at += len;
        return *ret ? 0 : -ENOMEM;
}

static bool is_sane(const struct item *it)
{
        bool sized = it->kind == ITEM_FILE || it->kind == ITEM_CONF;

        if (!strchr("dflc", it->kind) || (it->mode & ~(uint32_t)MODE_MASK) != 0 ||
            !item_path_valid(it->path) || it->size > (sized ? ITEM_SIZE_MAX : 0))
                return false;
        if ((it->kind == ITEM_CONF) != (strcmp(it->path, ITEM_CONF_PATH) == 0))
                return false;
        return it->kind == ITEM_LINK ? item_target_valid(it->path, it->target) : !*it->target;
}

int item_decode(const void *data, size_t len, struct item *ret)
{
        const unsigned char *at = data, *end = at + len;
        struct item it = { .path = NULL };

        if (len < HEAD || !*at)
                return -EBADMSG;
        it.kind = (char)*at++;
        it.mode = (uint32_t)get(&at, 4);
        it.uid = (uint32_t)get(&at, 4);
        it.gid = (uint32_t)get(&at, 4);
        it.size = get(&at, 8);
        memcpy(it.sha, at, ITEM_SHA);
        at += ITEM_SHA;
        int r = get_text(&at, end, &it.path);
        if (r == 0)
                r = get_text(&at, end, &it.target);
        if (r == 0 && (at != end || !is_sane(&it)))
                r = -EBADMSG;
        if (r < 0) {
                item_done(&it);
                return r;
        }
        *ret = it;
        return 0;
}

void item_done(struct item *it)
{
        freep(&it->path);
        freep(&it->target);
        it->path = it->target = NULL;
}

bool item_same(const struct item *a, const struct item *b)
{
        return a->kind == b->kind && a->size == b->size && memcmp(a->sha, b->sha, ITEM_SHA) == 0 &&
               strcmp(a->target, b->target) == 0 &&
               (a->kind == ITEM_LINK || a->kind == ITEM_CONF ||
                (a->mode == b->mode && a->uid == b->uid && a->gid == b->gid));
}

/* ---- many ---- */

static int room(struct items *l)
{
        if (l->n >= ITEMS_MAX)
                return -EFBIG;
        if (l->n < l->room)
                return 0;
        size_t want = l->room ? 2 * l->room : 256;
        struct item *v = reallocarray(l->v, want, sizeof *v);
        if (!v)
                return -ENOMEM;
        l->v = v;
        l->room = want;
        return 0;
}

int items_add(struct items *l, struct item *it)
{
        int r = l->size + it->size > ITEMS_SIZE_MAX ? -EFBIG : room(l);

        if (r < 0) {
                item_done(it);
                return r;
        }
        l->v[l->n++] = *it;
        l->size += it->size;
        *it = (struct item){ .path = NULL };
        return 0;
}

int items_add_next(struct items *l, struct item *it)
{
        if (l->n > 0 && strcmp(l->v[l->n - 1].path, it->path) >= 0) {
                item_done(it);
                return -EBADMSG;
        }
        return items_add(l, it);
}

static int by_path(const void *a, const void *b)
{
        return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

void items_sort(struct items *l)
{
        if (l->n > 1)
                qsort(l->v, l->n, sizeof *l->v, by_path);
}

const struct item *items_find(const struct items *l, const char *path)
{
        char copy[ITEM_PATH];
        struct item key = { .path = copy };

        if (l->n == 0 || !str_copy(copy, sizeof copy, path))
                return NULL;
        return bsearch(&key, l->v, l->n, sizeof *l->v, by_path);
}

void items_done(struct items *l)
{
        for (size_t i = 0; i < l->n; i++)
                item_done(&l->v[i]);
        free(l->v);
        *l = (struct items){ .v = NULL };
}

int items_digest(const struct items *l, char ret[ITEMS_DIGEST])
{
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        unsigned char sum[EVP_MAX_MD_SIZE];
        CLEANUP(buf_done) struct buf one = BUF(4 * ITEM_PATH);
        bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

        for (size_t i = 0; ok && i < l->n; i++) {
                buf_reset(&one);
                ok = item_encode(&l->v[i], &one) == 0 &&
                     EVP_DigestUpdate(md, one.data, one.len) == 1;
        }
        ok = ok && EVP_DigestFinal_ex(md, sum, NULL) == 1;
        EVP_MD_CTX_free(md);
        if (!ok)
                return -ENOMEM;
        hex_text(sum, (ITEMS_DIGEST - 1) / 2, ret);
        return 0;
}
