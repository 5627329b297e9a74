/* Loading, checking and choosing the languages of locale.h. */
#include "signup/locale.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_CAP = 256 * 1024, TEXT_CAP = 2000, NAME_CAP = 32, ACCEPT_CAP = 16 };

static int by_key(const void *a, const void *b)
{
        const struct locale_entry *x = a, *y = b;

        return strcmp(x->key, y->key);
}

static int by_code(const void *a, const void *b)
{
        const struct locale *x = a, *y = b;

        return strcmp(x->code, y->code);
}

const char *locale_text(const struct locale *l, const char *key)
{
        struct locale_entry want = { .key = (char *)(uintptr_t)key };
        const struct locale_entry *e =
                l->n ? bsearch(&want, l->entries, l->n, sizeof want, by_key) : NULL;

        return e ? e->text : NULL;
}

static void locale_done(struct locale *l)
{
        for (size_t i = 0; i < l->n; i++) {
                free(l->entries[i].key);
                free(l->entries[i].text);
        }
        free(l->entries);
        *l = (struct locale){ .n = 0 };
}

void locales_free(struct locales *l)
{
        for (size_t i = 0; i < l->n; i++)
                locale_done(&l->v[i]);
        free(l->v);
        *l = (struct locales){ .n = 0 };
}

/* ---- placeholders ---- */

/* The name in "{name}" at s; its length with braces, or 0 if this is none. */
static size_t placeholder(const char *s, char name[NAME_CAP])
{
        size_t n = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");

        if (s[0] != '{' || n == 0 || n >= NAME_CAP || s[n + 1] != '}')
                return 0;
        memcpy(name, s + 1, n);
        name[n] = '\0';
        return n + 2;
}

int locale_placeholders(const char *text, int (*fn)(void *arg, const char *name), void *arg)
{
        char name[NAME_CAP];

        for (const char *s = text; (s = strchr(s, '{')); s++) {
                if (!placeholder(s, name))
                        continue;
                int r = fn(arg, name);
                if (r != 0)
                        return r;
        }
        return 0;
}

int locale_format(struct buf *out, const char *text, locale_value_fn value, void *arg)
{
        char name[NAME_CAP];

        while (*text) {
                size_t plain = strcspn(text, "{");
                buf_add(out, text, plain);
                text += plain;
                if (!*text)
                        break;
                size_t len = placeholder(text, name);
                const char *v = len ? value(arg, name) : NULL;
                if (v)
                        buf_adds(out, v);
                else
                        buf_add(out, text, len ? len : 1);
                text += len ? len : 1;
        }
        return out->error;
}

struct search {
        const char *text;
};

static int lacks(void *arg, const char *name)
{
        const struct search *s = arg;
        char braced[NAME_CAP + 2];

        snprintf(braced, sizeof braced, "{%s}", name);
        return strstr(s->text, braced) ? 0 : 1;
}

static bool same_placeholders(const char *a, const char *b)
{
        return locale_placeholders(a, lacks, &(struct search){ b }) == 0 &&
               locale_placeholders(b, lacks, &(struct search){ a }) == 0;
}

/* ---- loading ---- */

static void complain(struct buf *errors, const char *path, const char *key, const char *what)
{
        buf_addf(errors, "%s: \"%s\" %s\n", path, key, what);
}

static int add_entry(struct locale *l, const cJSON *item, const char *path, struct buf *errors)
{
        if (!cJSON_IsString(item) || !*item->valuestring || strlen(item->valuestring) > TEXT_CAP) {
                complain(errors, path, item->string, "is no text of 1 to 2000 bytes");
                return -EINVAL;
        }
        struct locale_entry e = { strdup(item->string), strdup(item->valuestring) };
        l->entries[l->n++] = e;
        return e.key && e.text ? 0 : -ENOMEM;
}

static int take_entries(struct locale *l, const cJSON *root, const char *path, struct buf *errors)
{
        int result = 0;

        if (!cJSON_IsObject(root) || !root->child) {
                buf_addf(errors, "%s: is no JSON object of texts\n", path);
                return -EINVAL;
        }
        l->entries = calloc((size_t)cJSON_GetArraySize(root), sizeof *l->entries);
        if (!l->entries)
                return -ENOMEM;
        for (const cJSON *i = root->child; i; i = i->next) {
                int r = add_entry(l, i, path, errors);
                if (r == -ENOMEM)
                        return r;
                result = r < 0 ? r : result;
        }
        if (result < 0)
                return result;
        qsort(l->entries, l->n, sizeof *l->entries, by_key);
        for (size_t i = 1; i < l->n; i++)
                if (str_eq(l->entries[i - 1].key, l->entries[i].key)) {
                        complain(errors, path, l->entries[i].key, "stands there twice");
                        result = -EINVAL;
                }
        return result;
}

static int load_one(struct locale *l, const char *path, struct buf *errors)
{
        CLEANUP(freep) char *text = NULL;
        const char *end = NULL;

        int r = read_file(path, FILE_CAP, &text, NULL);
        if (r < 0) {
                buf_addf(errors, "%s: %s\n", path, strerror(-r));
                return r;
        }
        cJSON *root = cJSON_ParseWithOpts(text, &end, true);
        if (!root) {
                unsigned line = 1;
                for (const char *p = text; end && p < end; p++)
                        line += *p == '\n';
                buf_addf(errors, "%s:%u: is no JSON\n", path, line);
                return -EINVAL;
        }
        r = take_entries(l, root, path, errors);
        cJSON_Delete(root);
        return r;
}

/* "lang.de-de.json" */
static bool file_code(const char *name, char code[8])
{
        if (strlen(name) != strlen("lang.xx-xx.json") || strncmp(name, "lang.", 5) != 0 ||
            strcmp(name + 10, ".json") != 0 || name[7] != '-')
                return false;
        memcpy(code, name + 5, 5);
        code[5] = '\0';
        for (int i = 0; i < 5; i++)
                if (i != 2 && !islower((unsigned char)code[i]))
                        return false;
        return true;
}

static int add_locale(struct locales *l, const char *dir, const char *name, struct buf *errors)
{
        char path[4096], code[8];

        if (!file_code(name, code))
                return 0;
        struct locale *v = reallocarray(l->v, l->n + 1, sizeof *v);
        if (!v)
                return -ENOMEM;
        l->v = v;
        struct locale *one = &l->v[l->n++];
        *one = (struct locale){ .n = 0 };
        memcpy(one->code, code, sizeof one->code);
        memcpy(one->lang, code, 2);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        return load_one(one, path, errors);
}

static int read_dir(struct locales *l, const char *dir, struct buf *errors)
{
        struct dirent **names = NULL;
        int result = 0, n = scandir(dir, &names, NULL, alphasort);

        if (n < 0) {
                result = -errno;
                buf_addf(errors, "%s: %s\n", dir, strerror(-result));
                return result;
        }
        for (int i = 0; i < n; i++) {
                int r = result == -ENOMEM ? 0 : add_locale(l, dir, names[i]->d_name, errors);
                result = r < 0 ? r : result;
                free(names[i]);
        }
        free(names);
        return result;
}

static int compare(const struct locale *want, const struct locale *l, const char *dir,
                   struct buf *errors)
{
        char path[4096];
        int result = 0;

        snprintf(path, sizeof path, "%s/lang.%s.json", dir, l->code);
        for (size_t i = 0; i < want->n; i++) {
                const char *text = locale_text(l, want->entries[i].key), *wrong = NULL;
                if (!text)
                        wrong = "is missing";
                else if (!same_placeholders(text, want->entries[i].text))
                        wrong = "has other {placeholders} than the fallback language";
                if (wrong) {
                        complain(errors, path, want->entries[i].key, wrong);
                        result = -EINVAL;
                }
        }
        for (size_t i = 0; i < l->n; i++)
                if (!locale_text(want, l->entries[i].key)) {
                        complain(errors, path, l->entries[i].key, "is in no other language");
                        result = -EINVAL;
                }
        return result;
}

static int compare_all(struct locales *l, const char *dir, const char *fallback, struct buf *errors)
{
        int result = 0;

        qsort(l->v, l->n, sizeof *l->v, by_code);
        for (size_t i = 0; i < l->n; i++)
                if (str_eq(l->v[i].code, fallback))
                        l->fallback = &l->v[i];
        if (!l->fallback) {
                buf_addf(errors, "%s: has no lang.%s.json\n", dir, fallback);
                return -ENOENT;
        }
        for (size_t i = 0; i < l->n; i++) {
                int r = compare(l->fallback, &l->v[i], dir, errors);
                result = r < 0 ? r : result;
        }
        return result;
}

int locales_load(const char *dir, const char *fallback, struct locales *ret, struct buf *errors)
{
        struct locales l = { .n = 0 };

        int r = read_dir(&l, dir, errors);
        if (r == 0 && l.n == 0) {
                buf_addf(errors, "%s: has no lang.%s.json\n", dir, fallback);
                r = -ENOENT;
        }
        if (r == 0)
                r = compare_all(&l, dir, fallback, errors);
        if (r < 0)
                locales_free(&l);
        else
                *ret = l;
        return r;
}

/* ---- choosing ---- */

const struct locale *locales_find(const struct locales *l, const char *code, size_t len)
{
        for (size_t i = 0; i < l->n; i++)
                if (len == 5 && strncasecmp(l->v[i].code, code, 5) == 0)
                        return &l->v[i];
        if (len < 2 || (len > 2 && code[2] != '-'))
                return NULL;
        for (size_t i = 0; i < l->n; i++)
                if (strncasecmp(l->v[i].code, code, 2) == 0)
                        return &l->v[i];
        return NULL;
}

/* "q=0.8" as thousandths. */
static unsigned weight(const char *s, size_t len)
{
        const char *q = memmem(s, len, "q=", 2);
        unsigned value = 0, unit = 1000;

        if (!q)
                return 1000;
        for (q += 2; q < s + len && (isdigit((unsigned char)*q) || *q == '.'); q++) {
                if (*q == '.')
                        continue;
                value += (unsigned)(*q - '0') * unit;
                unit /= 10;
        }
        return MIN(value, 1000U);
}

static const struct locale *pick_accept(const struct locales *l, const char *accept)
{
        const struct locale *best = NULL;
        unsigned best_weight = 0;

        for (int i = 0; *accept && i < ACCEPT_CAP; i++) {
                accept += strspn(accept, " ,\t");
                size_t len = strcspn(accept, ","), code = strcspn(accept, ",; \t");
                const struct locale *found = locales_find(l, accept, code);
                unsigned w = weight(accept + code, len - code);
                if (found && w > best_weight) {
                        best = found;
                        best_weight = w;
                }
                accept += len;
        }
        return best;
}

const struct locale *locales_pick(const struct locales *l, const char *query, const char *cookie,
                                  const char *accept)
{
        const struct locale *found = query ? locales_find(l, query, strlen(query)) : NULL;

        if (!found && cookie)
                found = locales_find(l, cookie, strlen(cookie));
        if (!found && accept)
                found = pick_accept(l, accept);
        return found ? found : l->fallback;
}
