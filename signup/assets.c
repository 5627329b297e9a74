/* The static files of assets.h. */
#include "signup/assets.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { ASSET_CAP = 512 * 1024, ASSETS_MAX = 64, HASH_BYTES = 8 };

static const struct {
        const char *ending, *type;
} TYPES[] = {
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".woff2", "font/woff2" },
};

static const char *type_of(const char *name, size_t *ret_stem)
{
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && dot > name && i < ARRAY_SIZE(TYPES); i++)
                if (strcmp(dot, TYPES[i].ending) == 0) {
                        *ret_stem = (size_t)(dot - name);
                        return TYPES[i].type;
                }
        return NULL;
}

static void name_it(struct asset *a, const char *base, size_t stem)
{
        unsigned char hash[SHA256_DIGEST_LENGTH];
        char hex[2 * HASH_BYTES + 1];

        SHA256((const unsigned char *)a->data, a->len, hash);
        hex_text(hash, HASH_BYTES, hex);
        snprintf(a->path, sizeof a->path, "%s/s/%.*s.%s%s", base, (int)stem, a->name, hex,
                 a->name + stem);
}

static int add(struct assets *set, const char *dir, const char *base, const char *name,
               struct buf *errors)
{
        char path[4096];
        size_t stem = 0;
        const char *type = type_of(name, &stem);
        struct asset a = { .type = type };

        if (name[0] == '.')
                return 0;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (!type || set->n >= ASSETS_MAX || !str_copy(a.name, sizeof a.name, name)) {
                buf_addf(errors, "%s: is no file that can be served (css, js, svg, png, woff2)\n",
                         path);
                return -EINVAL;
        }
        int r = read_file(path, ASSET_CAP, &a.data, &a.len);
        if (r < 0) {
                buf_addf(errors, "%s: %s\n", path, strerror(-r));
                return r;
        }
        name_it(&a, base, stem);
        set->v[set->n++] = a;
        return 0;
}

int assets_load(const char *dir, const char *base, struct assets *ret, struct buf *errors)
{
        struct assets set = { .v = calloc(ASSETS_MAX, sizeof *set.v) };
        struct dirent **names = NULL;
        int result = 0;

        if (!set.v)
                return -ENOMEM;
        int n = scandir(dir, &names, NULL, alphasort);
        if (n < 0) {
                result = -errno;
                buf_addf(errors, "%s: %s\n", dir, strerror(-result));
        }
        for (int i = 0; i < n; i++) {
                int r = add(&set, dir, base, names[i]->d_name, errors);
                result = r < 0 ? r : result;
                free(names[i]);
        }
        free(names);
        if (result < 0)
                assets_free(&set);
        else
                *ret = set;
        return result;
}

void assets_free(struct assets *a)
{
        for (size_t i = 0; i < a->n; i++)
                free(a->v[i].data);
        free(a->v);
        *a = (struct assets){ .n = 0 };
}

const struct asset *assets_by_name(const struct assets *a, const char *name)
{
        for (size_t i = 0; i < a->n; i++)
                if (str_eq(a->v[i].name, name))
                        return &a->v[i];
        return NULL;
}

const struct asset *assets_by_path(const struct assets *a, const char *path)
{
        for (size_t i = 0; i < a->n; i++)
                if (str_eq(a->v[i].path, path))
                        return &a->v[i];
        return NULL;
}
