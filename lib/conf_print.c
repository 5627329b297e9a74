/* The file as text: the commented defaults, or the values in force and where each comes from. What
 * is printed can be read back: a value that no file can hold becomes a comment that says so. */
#include "lib/conf_impl.h"

#include <errno.h>
#include <string.h>

enum { WIDTH = 78, LONGEST_LINE = 197 /* of inih */, INDENT = 4, COMMENT_COLUMN = 40 };

static void describe_length(const struct option *o, struct buf *out)
{
        uint64_t max = o->max > 0 ? (uint64_t)o->max : CONF_VALUE_CAP;

        if (o->min > 0)
                buf_addf(out, ", %lld to %llu bytes", (long long)o->min, (unsigned long long)max);
        else
                buf_addf(out, ", at most %llu bytes", (unsigned long long)max);
}

static void describe_range(const struct option *o, struct buf *out)
{
        char min[32], max[32];

        if (o->type == OPT_DURATION) {
                format_duration(o->min, min, sizeof min);
                format_duration(o->max, max, sizeof max);
        } else {
                snprintf(min, sizeof min, "%lld", (long long)o->min);
                snprintf(max, sizeof max, "%lld", (long long)o->max);
        }
        buf_addf(out, o->max > 0 ? " from %s to %s" : " from %s", min, max);
}

int conf_describe(const struct option *o, struct buf *out)
{
        const char *name = option_type_name(o->type);

        switch (o->type) {
        case OPT_STRING:
                buf_adds(out, name);
                describe_length(o, out);
                break;
        case OPT_PATH:
                buf_addf(out, "an %s%s", name, o->def[0] ? "" : " or nothing");
                describe_length(o, out);
                break;
        case OPT_LIST:
                buf_addf(out, "a %s", name);
                describe_length(o, out);
                break;
        case OPT_UINT:
        case OPT_DURATION:
                buf_addf(out, "a %s", name);
                describe_range(o, out);
                break;
        case OPT_BOOL:
                buf_adds(out, name);
                break;
        case OPT_CHOICE:
                for (size_t i = 0; o->choices[i]; i++)
                        buf_addf(out, i > 0 ? ", %s" : "one of %s", o->choices[i]);
                break;
        }
        return out->error;
}

/* Words of `text`, wrapped, each line after `start`. */
static void wrap(struct buf *out, const char *start, const char *text)
{
        size_t column = 0;

        while (*text) {
                size_t word = strcspn(text, " ");
                if (column > 0 && column + 1 + word > WIDTH) {
                        buf_adds(out, "\n");
                        column = 0;
                }
                const char *before = column == 0 ? start : " ";
                buf_adds(out, before);
                buf_add(out, text, word);
                column += strlen(before) + word;
                text += word;
                text += strspn(text, " ");
        }
        if (column > 0)
                buf_adds(out, "\n");
}

/* A list may go on in indented lines, unless a word would look like a key or a section there. */
static bool may_wrap(const struct option *o, const char *value)
{
        if (o->type != OPT_LIST || strchr(value, '='))
                return false;
        for (const char *p = value; *p; p++)
                if (*p == '[' && (p == value || conf_is_blank(p[-1])))
                        return false;
        return true;
}

/* Can a file hold this value? conf_ini.c takes " ;" and " #" for comments and trims blanks. */
static bool fits_a_file(const struct option *o, const char *value)
{
        size_t len = strlen(value), longest = 0;

        for (const char *p = value; *p; p++) {
                if ((p == value || conf_is_blank(p[-1])) && (*p == ';' || *p == '#'))
                        return false;
                longest = MAX(longest, strcspn(p, " "));
        }
        if (may_wrap(o, value))
                return longest <= LONGEST_LINE - INDENT;
        return strlen(o->key) + 3 + len <= LONGEST_LINE && conf_text_ok(value, len) &&
               (len == 0 || (!conf_is_blank(value[0]) && !conf_is_blank(value[len - 1])));
}

static void print_origin(const struct conf_source *source, struct buf *out)
{
        switch (source->origin) {
        case ORIGIN_DEFAULT:
                buf_adds(out, "default");
                break;
        case ORIGIN_MAILCOW:
                buf_addf(out, "mailcow.conf:%u", source->line);
                break;
        case ORIGIN_FILE:
                buf_addf(out, "file:%u", source->line);
                break;
        case ORIGIN_ENV:
                buf_adds(out, "environment");
                break;
        }
}

/* `key = value`, a long list in indented lines; each line starts with `mark`. */
static void print_value(const struct option *o, const char *mark, const char *value,
                        const struct conf_source *source, struct buf *out)
{
        size_t width = strlen(o->key) + 3 + strlen(value), start = out->len;
        bool lines = width > WIDTH && may_wrap(o, value);

        if (source && !lines && width > WIDTH) { /* no room for a comment behind it */
                buf_adds(out, "; ");
                print_origin(source, out);
                buf_adds(out, "\n");
                source = NULL;
                start = out->len;
        }
        buf_addf(out, "%s%s =", mark, o->key);
        if (*value && !lines)
                buf_addf(out, " %s", value);
        if (source) {
                size_t column = out->len - start;
                int gap = column < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - column) : 1;
                buf_addf(out, "%*s; ", gap, "");
                print_origin(source, out);
        }
        buf_adds(out, "\n");
        if (lines) {
                char indent[16];
                snprintf(indent, sizeof indent, "%s%*s", mark, INDENT, "");
                wrap(out, indent, value);
        }
}

int conf_print_value(const struct option *o, const char *value, struct buf *out)
{
        if (!fits_a_file(o, value))
                return -EINVAL;
        print_value(o, "", value, NULL, out);
        return out->error;
}

static void print_hidden(const struct option *o, const char *why, const struct conf_source *source,
                         struct buf *out)
{
        buf_addf(out, "# %s: %s", o->key, why);
        if (source) {
                buf_adds(out, "; from ");
                print_origin(source, out);
        }
        buf_adds(out, "\n");
}

size_t conf_row_at(const struct conf_spec *spec, size_t offset)
{
        size_t i = 0;

        while (i + 1 < spec->n_options && spec->options[i].offset != offset)
                i++;
        return i;
}

void conf_where(const struct conf_spec *spec, size_t row, struct conf_source source,
                const char *file, const char *mailcow_file, struct buf *out)
{
        char name[128];

        switch (source.origin) {
        case ORIGIN_DEFAULT:
                buf_adds(out, file);
                break;
        case ORIGIN_FILE:
                buf_addf(out, "%s:%u", file, source.line);
                break;
        case ORIGIN_MAILCOW:
                buf_addf(out, "%s:%u", mailcow_file, source.line);
                break;
        case ORIGIN_ENV:
                conf_env_name(spec, &spec->options[row], name, sizeof name);
                buf_addf(out, "environment %s", name);
                break;
        }
}

static void print_help(const struct conf_spec *spec, const struct option *o, struct buf *out)
{
        CLEANUP(buf_done) struct buf facts = BUF(4096);
        char name[128];

        wrap(out, "# ", o->help ? o->help : "");
        buf_adds(&facts, "Allowed: ");
        conf_describe(o, &facts);
        buf_adds(&facts, ".");
        if (spec->env_prefix) {
                conf_env_name(spec, o, name, sizeof name);
                buf_addf(&facts, " Environment: %s.", name);
        }
        if (o->mailcow)
                buf_addf(&facts, " Otherwise %s of mailcow.conf.", o->mailcow);
        wrap(out, "# ", buf_str(&facts));
        if (facts.error && !out->error)
                out->error = facts.error;
}

static void print_default(const struct conf_spec *spec, const struct option *o, struct buf *out)
{
        buf_adds(out, "\n");
        print_help(spec, o, out);
        print_value(o, "#", o->def, NULL, out);
}

static void print_current(const struct option *o, const void *values,
                          const struct conf_source *source, struct buf *out)
{
        CLEANUP(buf_done) struct buf value = BUF((size_t)16 * CONF_VALUE_CAP);

        int r = conf_format(o, values, &value);
        if (r < 0 && !out->error)
                out->error = r;
        else if (o->secret)
                print_hidden(o, "hidden", source, out);
        else if (!fits_a_file(o, buf_str(&value)))
                print_hidden(o, "set, but no line of a file can hold the value", source, out);
        else
                print_value(o, "", buf_str(&value), source, out);
}

int conf_print(const struct conf_spec *spec, const void *values, const struct conf_source *sources,
               struct buf *out)
{
        const char *section = NULL;

        for (size_t i = 0; i < spec->n_options; i++) {
                const struct option *o = &spec->options[i];
                if (!str_eq(section, o->section))
                        buf_addf(out, "%s[%s]\n", section ? "\n" : "", o->section);
                section = o->section;
                if (values)
                        print_current(o, values, sources ? &sources[i] : NULL, out);
                else
                        print_default(spec, o, out);
        }
        return out->error;
}
