/* Line by line: mailcow.conf is shell, read as data. */
#include "hamon/mailcow_merge.h"

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

static size_t line_len(const char *s)
{
        return strcspn(s, "\n");
}

static const char *next_line(const char *s)
{
        s += line_len(s);
        return s + (*s == '\n');
}

/* Length of the key of a KEY=VALUE line; 0: it is none. */
static size_t key_len(const char *s)
{
        size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

        return s[n] == '=' ? n : 0;
}

/* The last line with this key, as a shell would take it. NULL: there is none. */
static const char *find(const char *text, const char *key, size_t n)
{
        const char *found = NULL;

        for (; *text; text = next_line(text))
                if (key_len(text) == n && strncmp(text, key, n) == 0)
                        found = text;
        return found;
}

static bool is_own(const char *key, size_t n)
{
        for (size_t i = 0; MAILCOW_NODE_OWN[i]; i++)
                if (strlen(MAILCOW_NODE_OWN[i]) == n && strncmp(MAILCOW_NODE_OWN[i], key, n) == 0)
                        return true;
        return false;
}

static void add_line(struct buf *out, const char *line)
{
        size_t len = line_len(line);

        len -= len > 0 && line[len - 1] == '\r';
        buf_add(out, line, len);
        buf_adds(out, "\n");
}

int mailcow_merge(const char *own, const char *shared, struct buf *out)
{
        for (const char *p = own; *p; p = next_line(p)) {
                size_t n = key_len(p);
                const char *other = n > 0 && !is_own(p, n) ? find(shared, p, n) : NULL;
                add_line(out, other ? other : p);
        }
        for (const char *p = shared; *p; p = next_line(p)) {
                size_t n = key_len(p);
                if (n > 0 && !is_own(p, n) && !find(own, p, n) && find(shared, p, n) == p)
                        add_line(out, p);
        }
        return out->error;
}

/* ---- for people's eyes ---- */

static bool has_word(const char *key, size_t n, const char *word)
{
        size_t len = strlen(word);

        for (size_t i = 0; i + len <= n; i++)
                if (strncmp(key + i, word, len) == 0)
                        return true;
        return false;
}

void mailcow_mask(const char *text, struct buf *out)
{
        static const char *const WORDS[] = { "PASS", "DBROOT", "KEY", "SECRET", "TOKEN" };

        for (; *text; text = next_line(text)) {
                const char *key = text + (*text == '#');
                size_t n = key_len(key), i = 0;
                while (n > 0 && i < ARRAY_SIZE(WORDS) && !has_word(key, n, WORDS[i]))
                        i++;
                if (n == 0 || i == ARRAY_SIZE(WORDS)) {
                        add_line(out, text);
                        continue;
                }
                buf_add(out, text, (size_t)(key - text) + n);
                buf_adds(out, "=(hidden)\n");
        }
}
