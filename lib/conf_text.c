/* Text under conf_load: lines, UTF-8, error lines, whole files, and mailcow.conf, which is shell
 * and .env file at once: KEY=VALUE, optional quotes, comments, the last one wins. */
#include "lib/conf_impl.h"

#include <errno.h>
#include <string.h>

bool conf_next_line(struct conf_lines *l, const char **ret, size_t *ret_len)
{
        if (l->next >= l->end)
                return false;

        const char *start = l->next;
        const char *newline = memchr(start, '\n', (size_t)(l->end - start));
        const char *stop = newline ? newline : l->end;

        l->next = newline ? newline + 1 : l->end;
        l->line++;
        if (stop > start && stop[-1] == '\r')
                stop--;
        *ret = start;
        *ret_len = (size_t)(stop - start);
        return true;
}

/* Length of the UTF-8 sequence at s, 0 if it is none (too short, overlong, surrogate, too big). */
static size_t utf8_length(const unsigned char *s, size_t len)
{
        static const struct {
                unsigned char mask, lead;
                uint32_t least;
        } FORMS[] = { { 0x80, 0x00, 0 },
                      { 0xe0, 0xc0, 0x80 },
                      { 0xf0, 0xe0, 0x800 },
                      { 0xf8, 0xf0, 0x10000 } };

        for (size_t n = 1; n <= ARRAY_SIZE(FORMS); n++) {
                if ((s[0] & FORMS[n - 1].mask) != FORMS[n - 1].lead)
                        continue;
                if (n > len)
                        return 0;
                uint32_t c = s[0] & (unsigned char)~FORMS[n - 1].mask;
                for (size_t i = 1; i < n; i++) {
                        if ((s[i] & 0xc0) != 0x80)
                                return 0;
                        c = c << 6 | (s[i] & 0x3f);
                }
                bool fine = c >= FORMS[n - 1].least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
                return fine ? n : 0;
        }
        return 0;
}

bool conf_text_ok(const char *s, size_t len)
{
        const unsigned char *p = (const unsigned char *)s, *end = p + len;

        while (p < end) {
                if ((*p < ' ' && *p != '\t') || *p == 0x7f)
                        return false;
                size_t n = utf8_length(p, (size_t)(end - p));
                if (n == 0)
                        return false;
                p += n;
        }
        return true;
}

void conf_error(struct conf_job *job, const char *where, unsigned line, const char *fmt, ...)
{
        CLEANUP(buf_done) struct buf text = BUF(8192);
        va_list ap;

        buf_adds(&text, where);
        if (line > 0)
                buf_addf(&text, ":%u", line);
        buf_adds(&text, ": ");
        va_start(ap, fmt);
        buf_vaddf(&text, fmt, ap);
        va_end(ap);
        buf_adds(&text, "\n");

        job->n_errors++;
        if (text.error == -ENOMEM)
                job->no_memory = true;
        else
                buf_add(job->errors, buf_str(&text), text.len);
}

bool conf_slurp(struct conf_job *job, const char *path, bool optional, char **ret, size_t *ret_len)
{
        int r = read_file(path, CONF_FILE_CAP, ret, ret_len);

        if (r == 0)
                return true;
        if (r == -ENOMEM)
                job->no_memory = true;
        else if (r == -EFBIG)
                conf_error(job, path, 0, "longer than %d KiB", CONF_FILE_CAP / 1024);
        else if (r != -ENOENT || !optional)
                conf_error(job, path, 0, "cannot be read: %s", strerror(-r));
        return false;
}

/* The value behind `key=` in this line: a part of the line, or NULL if it is another's line. */
static const char *mailcow_value(const char *line, size_t len, const char *key, size_t *ret_len)
{
        const char *p = line, *end = line + len;
        size_t key_len = strlen(key);

        while (p < end && conf_is_blank(*p))
                p++;
        if ((size_t)(end - p) <= key_len || memcmp(p, key, key_len) != 0 || p[key_len] != '=')
                return NULL;
        p += key_len + 1;
        *ret_len = (size_t)(end - p);
        return p;
}

/* Without quotes or comment; false: the quote is not closed. */
static bool unquote(const char **value, size_t *len)
{
        const char *v = *value, *end = v + *len;

        if (v < end && (*v == '"' || *v == '\'')) {
                const char *close = memchr(v + 1, *v, (size_t)(end - v - 1));
                if (!close)
                        return false;
                *value = v + 1;
                *len = (size_t)(close - v - 1);
                return true;
        }
        for (const char *p = v; p < end; p++)
                if (*p == '#' && (p == v || conf_is_blank(p[-1])))
                        end = p;
        while (end > v && conf_is_blank(end[-1]))
                end--;
        *len = (size_t)(end - v);
        return true;
}

/* Mailcow's way of writing a value, turned into ours. */
static const char *translate(const struct option *o, const char *value)
{
        static const struct {
                const char *theirs, *ours;
        } BOOLS[] = { { "y", "on" },  { "Y", "on" },  { "yes", "on" },
                      { "n", "off" }, { "N", "off" }, { "no", "off" } };

        if (o->type == OPT_UINT && strrchr(value, ':')) /* 127.0.0.1:13306 */
                return strrchr(value, ':') + 1;
        for (size_t i = 0; o->type == OPT_BOOL && i < ARRAY_SIZE(BOOLS); i++)
                if (str_eq(BOOLS[i].theirs, value))
                        return BOOLS[i].ours;
        return value;
}

static void read_mailcow_row(struct conf_job *job, const struct option *o, const char *path,
                             struct conf_lines lines)
{
        const char *line, *value = NULL;
        size_t len, value_len = 0;
        struct conf_source source = { .origin = ORIGIN_MAILCOW };

        while (conf_next_line(&lines, &line, &len)) {
                size_t n;
                const char *found = mailcow_value(line, len, o->mailcow, &n);
                if (!found)
                        continue;
                value = found;
                value_len = n;
                source.line = lines.line;
        }
        if (!value)
                return;

        if (!unquote(&value, &value_len)) {
                conf_error(job, path, source.line, "%s: the quote is not closed", o->mailcow);
                return;
        }
        if (value_len > CONF_VALUE_CAP || memchr(value, '\0', value_len)) {
                conf_error(job, path, source.line, "%s: longer than %d bytes or with a NUL byte",
                           o->mailcow, CONF_VALUE_CAP);
                return;
        }
        if (value_len == 0)
                return;

        char text[CONF_VALUE_CAP + 1];
        memcpy(text, value, value_len);
        text[value_len] = '\0';
        conf_set(job, o, translate(o, text), path, source);
}

void conf_read_mailcow(struct conf_job *job, const char *path, const char *text, size_t len)
{
        for (size_t i = 0; i < job->spec->n_options; i++)
                if (job->spec->options[i].mailcow)
                        read_mailcow_row(job, &job->spec->options[i], path,
                                         (struct conf_lines){ .next = text, .end = text + len });
}
