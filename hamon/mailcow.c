/* KEY=VALUE of mailcow.conf, and key = value of postfix. */
#include "hamon/mailcow.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024 };

#define AT(f) offsetof(struct mailcow, f)

static const struct {
        const char *key;
        size_t offset;
} KEYS[] = {
        { "MAILCOW_HOSTNAME", AT(hostname) },
        { "COMPOSE_PROJECT_NAME", AT(project) },
        { "IPV4_NETWORK", AT(ipv4_network) },
        { "IPV6_NETWORK", AT(ipv6_network) },
        { "DBNAME", AT(dbname) },
        { "DBUSER", AT(dbuser) },
        { "DBPASS", AT(dbpass) },
        { "DBROOT", AT(dbroot) },
        { "HTTP_BIND", AT(http_bind) },
        { "HTTPS_BIND", AT(https_bind) },
        { "ENABLE_IPV6", AT(enable_ipv6) },
        { "SKIP_UNBOUND_HEALTHCHECK", AT(skip_unbound) },
        { "SNAT_TO_SOURCE", AT(snat) },
};

/* Without the quotes around it and the blanks behind it. */
static void copy_value(const char *s, size_t len, char *dst)
{
        while (len > 0 && isspace((unsigned char)s[len - 1]))
                len--;
        if (len >= 2 && (*s == '"' || *s == '\'') && s[len - 1] == *s) {
                s++;
                len -= 2;
        }
        if (len >= MAILCOW_VALUE)
                len = 0; /* cut short it would be another value */
        memcpy(dst, s, len);
        dst[len] = '\0';
}

void mailcow_parse(const char *text, struct mailcow *ret)
{
        while (*text) {
                size_t len = strcspn(text, "\n");
                for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
                        size_t key = strlen(KEYS[i].key);
                        if (len > key && text[key] == '=' && strncmp(text, KEYS[i].key, key) == 0)
                                copy_value(text + key + 1, len - key - 1,
                                           (char *)ret + KEYS[i].offset);
                }
                text += len + (text[len] == '\n');
        }
}

void mailcow_read(const char *dir, struct mailcow *ret)
{
        CLEANUP(freep) char *text = NULL;

        *ret = (struct mailcow){ .read = false };
        snprintf(ret->path, sizeof ret->path, "%s/mailcow.conf", dir);
        if (read_file(ret->path, FILE_MAX, &text, NULL) < 0)
                return;
        ret->read = true;
        mailcow_parse(text, ret);
}

int mailcow_root_password(const char *dir, char **ret)
{
        struct mailcow m;

        mailcow_read(dir, &m);
        *ret = *m.dbroot ? strdup(m.dbroot) : NULL;
        int r = *m.dbroot && !*ret ? -ENOMEM : 0;
        explicit_bzero(&m, sizeof m);
        return r;
}

/* ---- postfix ---- */

/* One logical line: what begins with a blank goes on. Returns what follows it. */
static const char *logical_line(const char *text, size_t *ret_len)
{
        const char *p = text;

        for (;;) {
                p += strcspn(p, "\n");
                if (!*p || (p[1] != ' ' && p[1] != '\t'))
                        break;
                p++;
        }
        *ret_len = (size_t)(p - text);
        return *p ? p + 1 : p;
}

static size_t skip_blanks(const char *s, size_t len)
{
        size_t n = 0;

        while (n < len && isspace((unsigned char)s[n]))
                n++;
        return n;
}

bool mailcow_postfix(const char *text, const char *key, char *ret, size_t size)
{
        size_t want = strlen(key), len;
        bool there = false;

        for (const char *line = text, *next; *line; line = next) {
                next = logical_line(line, &len);
                if (len <= want || strncmp(line, key, want) != 0)
                        continue;
                size_t at = want + skip_blanks(line + want, len - want);
                if (at >= len || line[at] != '=')
                        continue;
                at++;
                at += skip_blanks(line + at, len - at);
                while (len > at && isspace((unsigned char)line[len - 1]))
                        len--;
                if (len - at >= size)
                        continue;
                memcpy(ret, line + at, len - at);
                ret[len - at] = '\0';
                there = true;
        }
        return there;
}
