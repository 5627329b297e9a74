/* Values of options: how each type is parsed, written and freed (TYPES[]), and conf_load, which
 * lays the sources over each other: defaults, mailcow.conf, the INI file (conf_ini.c), environment.
 */
#include "lib/conf.h"

#include "lib/conf_impl.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool conf_is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static uint64_t upper_limit(const struct option *o, uint64_t otherwise)
{
        return o->max > 0 ? (uint64_t)o->max : otherwise;
}

static int check_length(const struct option *o, const char *text)
{
        size_t len = strlen(text);

        return len < (uint64_t)o->min || len > upper_limit(o, CONF_VALUE_CAP) ? -ERANGE : 0;
}

static int parse_string(const struct option *o, const char *text, void *slot)
{
        char **value = slot;

        int r = check_length(o, text);
        if (r < 0)
                return r;
        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*value);
        *value = copy;
        return 0;
}

static int parse_path(const struct option *o, const char *text, void *slot)
{
        if (text[0] != '/' && (text[0] || o->def[0]))
                return -EINVAL;
        return parse_string(o, text, slot);
}

static int parse_number(const struct option *o, const char *text, void *slot)
{
        return parse_uint(text, (uint64_t)o->min, upper_limit(o, INT64_MAX), slot);
}

static int parse_time(const struct option *o, const char *text, void *slot)
{
        msec_t ms;

        int r = parse_duration(text, &ms);
        if (r < 0)
                return r;
        if (ms < o->min || (uint64_t)ms > upper_limit(o, INT64_MAX))
                return -ERANGE;
        *(msec_t *)slot = ms;
        return 0;
}

static int parse_bool(const struct option *o, const char *text, void *slot)
{
        (void)o;
        if (!str_eq(text, "on") && !str_eq(text, "off"))
                return -EINVAL;
        *(bool *)slot = str_eq(text, "on");
        return 0;
}

static int parse_choice(const struct option *o, const char *text, void *slot)
{
        for (int i = 0; o->choices[i]; i++)
                if (str_eq(o->choices[i], text)) {
                        *(int *)slot = i;
                        return 0;
                }
        return -EINVAL;
}

static bool is_separator(char c)
{
        return conf_is_blank(c) || c == ',';
}

static size_t count_words(const char *s)
{
        size_t n = 0;
        bool inside = false;

        for (; *s; s++) {
                n += !inside && !is_separator(*s);
                inside = !is_separator(*s);
        }
        return n;
}

/* Cut `s` in place into the words v[]. */
static void split_words(char *s, char **v)
{
        for (;;) {
                while (is_separator(*s))
                        s++;
                if (!*s)
                        return;
                *v++ = s;
                while (*s && !is_separator(*s))
                        s++;
                if (*s)
                        *s++ = '\0';
        }
}

/* The list is one block: the pointers, then the words. */
static int parse_list(const struct option *o, const char *text, void *slot)
{
        struct strlist *list = slot;
        size_t n = count_words(text), size = strlen(text) + 1;

        int r = check_length(o, text);
        if (r < 0)
                return r;
        char **v = malloc(n * sizeof *v + size);
        if (!v)
                return -ENOMEM;

        char *words = (char *)(v + n);
        memcpy(words, text, size);
        split_words(words, v);
        free(list->v);
        *list = (struct strlist){ .v = v, .n = n };
        return 0;
}

static int format_string(const struct option *o, const void *slot, struct buf *out)
{
        const char *value = *(char *const *)slot;

        (void)o;
        return buf_adds(out, value ? value : "");
}

static int format_number(const struct option *o, const void *slot, struct buf *out)
{
        (void)o;
        return buf_addf(out, "%llu", (unsigned long long)*(const uint64_t *)slot);
}

static int format_time(const struct option *o, const void *slot, struct buf *out)
{
        char text[32];

        (void)o;
        return buf_adds(out, format_duration(*(const msec_t *)slot, text, sizeof text));
}

static int format_bool(const struct option *o, const void *slot, struct buf *out)
{
        (void)o;
        return buf_adds(out, *(const bool *)slot ? "on" : "off");
}

static int format_choice(const struct option *o, const void *slot, struct buf *out)
{
        return buf_adds(out, o->choices[*(const int *)slot]);
}

static int format_list(const struct option *o, const void *slot, struct buf *out)
{
        const struct strlist *list = slot;

        (void)o;
        for (size_t i = 0; i < list->n; i++)
                buf_addf(out, i > 0 ? " %s" : "%s", list->v[i]);
        return out->error;
}

static void free_string(void *slot)
{
        free(*(char **)slot);
        *(char **)slot = NULL;
}

static void free_list(void *slot)
{
        struct strlist *list = slot;

        free(list->v);
        *list = (struct strlist){ .n = 0 };
}

static const struct type {
        const char *name;
        int (*parse)(const struct option *o, const char *text, void *slot);
        int (*format)(const struct option *o, const void *slot, struct buf *out);
        void (*release)(void *slot); /* NULL = owns nothing */
} TYPES[] = {
        [OPT_STRING] = { "text", parse_string, format_string, free_string },
        [OPT_PATH] = { "absolute path", parse_path, format_string, free_string },
        [OPT_UINT] = { "number", parse_number, format_number, NULL },
        [OPT_DURATION] = { "duration (ms, s, m, h)", parse_time, format_time, NULL },
        [OPT_BOOL] = { "on or off", parse_bool, format_bool, NULL },
        [OPT_CHOICE] = { "choice", parse_choice, format_choice, NULL },
        [OPT_LIST] = { "list (words separated by blanks or commas)", parse_list, format_list,
                       free_list },
};

const char *option_type_name(enum option_type t)
{
        return TYPES[t].name;
}

int conf_format(const struct option *o, const void *values, struct buf *out)
{
        return TYPES[o->type].format(o, (const char *)values + o->offset, out);
}

int conf_put(const struct option *o, void *values, const char *text)
{
        if (!conf_text_ok(text, strlen(text)))
                return -EILSEQ;
        return TYPES[o->type].parse(o, text, (char *)values + o->offset);
}

void conf_free(const struct conf_spec *spec, void *values)
{
        for (size_t i = 0; i < spec->n_options; i++) {
                const struct option *o = &spec->options[i];
                if (TYPES[o->type].release)
                        TYPES[o->type].release((char *)values + o->offset);
        }
}

bool strlist_has(const struct strlist *l, const char *s)
{
        for (size_t i = 0; i < l->n; i++)
                if (str_eq(l->v[i], s))
                        return true;
        return false;
}

/* At most 60 bytes of a value for an error text; nothing in it can break the line. */
static char *quote(const char *text, char *dst, size_t size)
{
        enum { SHOWN = 60 };
        size_t len = strnlen(text, SHOWN + 1), n = 0;
        bool ok = conf_text_ok(text, strlen(text)), cut = len > SHOWN;

        len = MIN(len, SHOWN);
        while (cut && ok && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
                len--; /* not inside a character */
        for (size_t i = 0; i < len && n + 8 < size; i++) {
                unsigned char c = (unsigned char)text[i];
                bool plain = c >= ' ' && c != 0x7f && c != '"' && c != '\\' && (c < 0x80 || ok);
                n += (size_t)snprintf(dst + n, size - n, plain ? "%c" : "\\x%02x", c);
        }
        snprintf(dst + n, size - n, "%s", cut ? "..." : "");
        return dst;
}

void conf_set(struct conf_job *job, const struct option *o, const char *text, const char *where,
              struct conf_source source)
{
        CLEANUP(buf_done) struct buf allowed = BUF(2048);
        char quoted[4 * 60 + 16];

        int r = conf_put(o, job->values, text);
        if (r == 0) {
                job->sources[o - job->spec->options] = source;
                return;
        }
        if (r == -ENOMEM) {
                job->no_memory = true;
                return;
        }
        if (r == -EILSEQ)
                buf_adds(&allowed, "UTF-8 text without control characters");
        else
                conf_describe(o, &allowed);
        if (o->secret)
                conf_error(job, where, source.line,
                           "[%s] %s: the value is not allowed; allowed: %s", o->section, o->key,
                           buf_str(&allowed));
        else
                conf_error(job, where, source.line, "[%s] %s: \"%s\" is not allowed; allowed: %s",
                           o->section, o->key, quote(text, quoted, sizeof quoted),
                           buf_str(&allowed));
}

void conf_env_name(const struct conf_spec *spec, const struct option *o, char *dst, size_t size)
{
        snprintf(dst, size, "%s_%s_%s", spec->env_prefix, o->section, o->key);
        for (char *p = dst; *p; p++)
                *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
}

/* Most programs run without a single HAMON_… variable, keepalived's checks every second among them:
 * then no name needs to be put together. */
static bool any_of_ours(const char *prefix, char **env)
{
        size_t len = strlen(prefix);

        for (char **e = env; *e; e++)
                if (strncmp(*e, prefix, len) == 0 && (*e)[len] == '_')
                        return true;
        return false;
}

static void read_environment(struct conf_job *job, char **env)
{
        const struct conf_spec *spec = job->spec;

        for (size_t i = 0; i < spec->n_options; i++) {
                char name[128], where[160];
                conf_env_name(spec, &spec->options[i], name, sizeof name);
                snprintf(where, sizeof where, "environment %s", name);
                size_t len = strlen(name);
                for (char **e = env; *e; e++)
                        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
                                conf_set(job, &spec->options[i], *e + len + 1, where,
                                         (struct conf_source){ .origin = ORIGIN_ENV });
        }
}

static void set_defaults(struct conf_job *job)
{
        for (size_t i = 0; i < job->spec->n_options; i++)
                conf_set(job, &job->spec->options[i], job->spec->options[i].def, "built-in default",
                         (struct conf_source){ .origin = ORIGIN_DEFAULT });
}

static void read_files(struct conf_job *job, const struct conf_input *in)
{
        CLEANUP(freep) char *mailcow = NULL;
        CLEANUP(freep) char *ini = NULL;
        size_t len = 0;

        if (in->mailcow_file && conf_slurp(job, in->mailcow_file, true, &mailcow, &len))
                conf_read_mailcow(job, in->mailcow_file, mailcow, len);
        if (in->file && conf_slurp(job, in->file, in->file_optional, &ini, &len))
                conf_read_ini(job, in->file, ini, len);
}

static int load(struct conf_job *job, const struct conf_input *in)
{
        set_defaults(job);
        read_files(job, in);
        if (in->env && job->spec->env_prefix && any_of_ours(job->spec->env_prefix, in->env))
                read_environment(job, in->env);
        if (job->no_memory)
                return -ENOMEM;
        return job->n_errors > 0 ? -EINVAL : 0;
}

int conf_load(const struct conf_spec *spec, const struct conf_input *in, void *values,
              struct buf *errors, struct conf_source *ret_sources)
{
        struct conf_source *sources = calloc(spec->n_options + 1, sizeof *sources);
        struct conf_job job = {
                .spec = spec, .values = values, .sources = sources, .errors = errors
        };

        if (!sources)
                return -ENOMEM;
        int r = load(&job, in);
        if (r < 0)
                conf_free(spec, values);
        else if (ret_sources)
                memcpy(ret_sources, sources, spec->n_options * sizeof *sources);
        free(sources);
        return r;
}
