/* Three files of Mailcow -> three words. */
#include "hamon/release.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024, PATH_SIZE = 4096, SCHEMA_LEN = 13 };

static bool is_plain(const char *s, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
                        return false;
        return len > 0;
}

static const char *skip_blanks(const char *s)
{
        return s + strspn(s, " \t");
}

bool release_php_word(const char *text, const char *name, char *ret, size_t size)
{
        char want[64];

        snprintf(want, sizeof want, "$%s", name);
        for (const char *p = text; (p = strstr(p, want)); p++) {
                const char *value = skip_blanks(p + strlen(want));
                if (*value != '=')
                        continue; /* a longer name, or used */
                value = skip_blanks(value + 1);
                if (*value != '"' && *value != '\'')
                        continue;
                size_t len = strcspn(value + 1, "\"'\n");
                if (value[len + 1] != *value || len >= size || !is_plain(value + 1, len))
                        return false;
                memcpy(ret, value + 1, len);
                ret[len] = '\0';
                return true;
        }
        return false;
}

/* Summed up, so that the order does not count. */
void release_images(const char *compose, char ret[17])
{
        uint64_t sum = 0;
        unsigned n = 0;

        for (const char *line = compose; *line;
             line += strcspn(line, "\n"), line += *line == '\n') {
                const char *p = skip_blanks(line);
                uint64_t hash = UINT64_C(0xcbf29ce484222325);
                if (strncmp(p, "image:", 6) != 0)
                        continue;
                for (p = skip_blanks(p + 6); *p && !strchr(" \t\r\n#", *p); p++)
                        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
                sum += hash;
                n++;
        }
        *ret = '\0';
        if (n > 0)
                snprintf(ret, 17, "%016" PRIx64, sum);
}

static char *file_of(const char *dir, const char *name)
{
        char path[PATH_SIZE], *text = NULL;

        if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
            read_file(path, FILE_MAX, &text, NULL) < 0)
                return NULL;
        return text;
}

void release_read(const char *dir, struct release *ret)
{
        CLEANUP(freep) char *info = file_of(dir, "data/web/inc/app_info.inc.php");
        CLEANUP(freep) char *init = file_of(dir, "data/web/inc/init_db.inc.php");
        CLEANUP(freep) char *compose = file_of(dir, "docker-compose.yml");

        *ret = (struct release){ .version = "" };
        if (info)
                release_php_word(info, "MAILCOW_GIT_VERSION", ret->version, sizeof ret->version);
        if (init)
                release_php_word(init, "db_version", ret->schema, sizeof ret->schema);
        if (compose)
                release_images(compose, ret->images);
}

/* ---- when a schema is from ---- */

static uint64_t digits(const char *s, size_t from, size_t n)
{
        uint64_t v = 0;

        for (size_t i = from; i < from + n; i++)
                v = v * 10 + (uint64_t)(s[i] - '0');
        return v;
}

uint64_t release_schema_time(const char *schema)
{
        if (strlen(schema) != SCHEMA_LEN || schema[8] != '_')
                return 0;
        for (size_t i = 0; i < SCHEMA_LEN; i++)
                if (i != 8 && !isdigit((unsigned char)schema[i]))
                        return 0;
        uint64_t day = digits(schema, 0, 2), month = digits(schema, 2, 2);
        if (day < 1 || day > 31 || month < 1 || month > 12)
                return 0;
        return ((digits(schema, 4, 4) * 100 + month) * 100 + day) * 10000 + digits(schema, 9, 4);
}

bool release_schema_newer(const char *a, const char *b)
{
        uint64_t at = release_schema_time(a), bt = release_schema_time(b);

        return at > 0 && bt > 0 && at > bt;
}

bool release_same(const struct release *a, const struct release *b)
{
        return strcmp(a->version, b->version) == 0 && strcmp(a->schema, b->schema) == 0 &&
               strcmp(a->images, b->images) == 0;
}
