/* Line by line: mailcow.conf is shell, read as data. Lines are kept as they are: only the shell
 * that reads them knows what their quotes mean. */
#include "hamon/mailcow_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const MAILCOW_NODE_OWN[] = {
        "HTTP_BIND",
        "HTTPS_BIND",
        "SNAT_TO_SOURCE",
        "SNAT6_TO_SOURCE",
        "IPV4_NETWORK",
        "IPV6_NETWORK",
        "ENABLE_IPV6",
        "SQL_PORT",
        "REDIS_PORT",
        "DOVEADM_PORT",
        "COMPOSE_PROJECT_NAME",
        "DOCKER_COMPOSE_VERSION",
        "MAILCOW_BRANCH",
        "COMPOSE_FILE",
        NULL,
};

enum { LINES_MAX = 2000, KEY_MAX = 128 };

struct line {
        const char *at;
        size_t len; /* without the newline */
};

/* The length of the key of KEY=value; 0 = none: a comment, a blank line. */
static size_t key_len(const struct line *l)
{
        size_t n = 0;

        while (n < l->len && ((l->at[n] >= 'A' && l->at[n] <= 'Z') || l->at[n] == '_' ||
                              (l->at[n] >= 'a' && l->at[n] <= 'z') ||
                              (n > 0 && l->at[n] >= '0' && l->at[n] <= '9')))
                n++;
        return n > 0 && n < KEY_MAX && n < l->len && l->at[n] == '=' ? n : 0;
}

static struct line next_line(const char **at)
{
        struct line l = { *at, strcspn(*at, "\n") };

        *at += l.len + ((*at)[l.len] == '\n');
        return l;
}

static bool is_key(const char *name, const struct line *l, size_t key)
{
        return strlen(name) == key && strncmp(name, l->at, key) == 0;
}

static bool is_own(const struct line *l, size_t key, const struct strlist *own)
{
        for (size_t i = 0; own && i < own->n; i++)
                if (is_key(own->v[i], l, key))
                        return true;
        for (size_t i = 0; MAILCOW_NODE_OWN[i]; i++)
                if (is_key(MAILCOW_NODE_OWN[i], l, key))
                        return true;
        return false;
}

static bool is_plain(const struct line *l)
{
        for (size_t i = 0; i < l->len; i++)
                if (((unsigned char)l->at[i] < ' ' && l->at[i] != '\t') || l->at[i] == 0x7f)
                        return false;
        return true;
}

static int by_key(const void *a, const void *b)
{
        const struct line *x = a, *y = b;
        size_t n = key_len(x), m = key_len(y);
        int r = memcmp(x->at, y->at, MIN(n, m));

        if (r == 0)
                r = (n > m) - (n < m);
        return r != 0 ? r : (x->at > y->at) - (x->at < y->at); /* as they stood */
}

static bool same_key(const struct line *a, const struct line *b)
{
        size_t n = key_len(a);

        return n > 0 && n == key_len(b) && memcmp(a->at, b->at, n) == 0;
}

static bool same_line(const struct line *a, const struct line *b)
{
        return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static int take_lines(const char *text, const struct strlist *own, struct line *lines, size_t *ret)
{
        size_t n = 0;

        while (*text) {
                struct line l = next_line(&text);
                size_t key;
                if (l.len > 0 && l.at[l.len - 1] == '\r')
                        l.len--;
                if ((key = key_len(&l)) == 0 || is_own(&l, key, own))
                        continue;
                if (n == LINES_MAX || !is_plain(&l))
                        return -EBADMSG;
                lines[n++] = l;
        }
        qsort(lines, n, sizeof *lines, by_key);
        *ret = n;
        return 0;
}

int mailcow_shared(const char *text, const struct strlist *own, struct buf *out)
{
        struct line *lines = calloc(LINES_MAX, sizeof *lines);
        size_t n = 0;

        if (!lines)
                return -ENOMEM;
        int r = take_lines(text, own, lines, &n);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (i + 1 == n || !same_key(&lines[i], &lines[i + 1])) {
                        buf_add(out, lines[i].at, lines[i].len);
                        r = buf_add(out, "\n", 1);
                }
        free(lines);
        return r;
}

static bool find(const char *shared, const struct line *like, struct line *ret)
{
        while (*shared) {
                *ret = next_line(&shared);
                if (same_key(ret, like))
                        return true;
        }
        return false;
}

/* The last line of a key counts: the ones before it may stay as they are. */
static bool is_last(const char *rest, const struct line *l)
{
        struct line other;

        return !find(rest, l, &other);
}

static void name_key(struct buf *keys, const struct line *l)
{
        if (!keys)
                return;
        if (keys->len > 0)
                buf_add(keys, " ", 1);
        buf_add(keys, l->at, key_len(l));
}

static void add_line(struct buf *out, const struct line *l)
{
        buf_add(out, l->at, l->len);
        buf_add(out, "\n", 1);
}

static void replace(const char *text, const char *shared, struct buf *out, struct buf *keys)
{
        while (*text) {
                struct line l = next_line(&text), want, bare = l;
                if (bare.len > 0 && bare.at[bare.len - 1] == '\r')
                        bare.len--;
                if (key_len(&l) == 0 || !find(shared, &l, &want) || same_line(&bare, &want) ||
                    !is_last(text, &l)) {
                        add_line(out, &l);
                } else {
                        add_line(out, &want);
                        name_key(keys, &want);
                }
        }
}

int mailcow_merge(const char *text, const char *shared, struct buf *out, struct buf *keys)
{
        struct line none;

        replace(text, shared, out, keys);
        for (const char *at = shared; *at;) {
                struct line l = next_line(&at);
                if (key_len(&l) == 0 || find(text, &l, &none))
                        continue;
                add_line(out, &l);
                name_key(keys, &l);
        }
        return keys && keys->error ? keys->error : out->error;
}

/* ---- for people's eyes ---- */

static bool has_word(const struct line *l, size_t n, const char *word)
{
        size_t len = strlen(word);

        for (size_t i = 0; i + len <= n; i++)
                if (strncmp(l->at + i, word, len) == 0)
                        return true;
        return false;
}

void mailcow_mask(const char *text, struct buf *out)
{
        static const char *const WORDS[] = { "PASS", "DBROOT", "KEY", "SECRET", "TOKEN" };

        while (*text) {
                struct line l = next_line(&text), key = l;
                if (key.len > 0 && *key.at == '#') {
                        key.at++;
                        key.len--;
                }
                size_t n = key_len(&key), i = 0;
                while (n > 0 && i < ARRAY_SIZE(WORDS) && !has_word(&key, n, WORDS[i]))
                        i++;
                if (n == 0 || i == ARRAY_SIZE(WORDS)) {
                        add_line(out, &l);
                        continue;
                }
                buf_add(out, l.at, (size_t)(key.at - l.at) + n);
                buf_adds(out, "=(hidden)\n");
        }
}
