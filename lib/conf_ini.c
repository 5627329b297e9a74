/* The INI file, over inih. inih splits `key = value ; comment`; what it does not tell is ours: our
 * reader hands it one line at a time, so it knows line numbers, refuses what inih would silently
 * cut or skip, follows the sections, and tells a continued value from a key given twice. */
#include "lib/conf_impl.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

struct ini {
        struct conf_job *job;
        const char *path;
        struct conf_lines lines;
        unsigned *seen; /* per option: line it was given on, 0 = not yet */

        bool any_section;    /* a header came, good or bad */
        const char *section; /* the known section we are in, or NULL */
        bool below_key;      /* an indented line continues a value */
        bool continues;      /* this line does */
        bool expect_key;     /* inih has yet to call on_value() for this line */

        const struct option *option; /* its value is being collected, NULL = it was refused */
        unsigned option_line;
        struct buf value;
};

enum { CLOSE_ENOUGH = 2, NAME_CAP = 40 };

/* Levenshtein distance; names longer than NAME_CAP are never close. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t row[NAME_CAP + 1], len_a = strlen(a), len_b = strlen(b);

        if (len_a > NAME_CAP || len_b > NAME_CAP)
                return SIZE_MAX;
        for (size_t j = 0; j <= len_b; j++)
                row[j] = j;
        for (size_t i = 1; i <= len_a; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= len_b; j++) {
                        size_t swap = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(swap, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[len_b];
}

/* The name nearest to a mistyped one: of a section (section NULL) or of a key in `section`. */
static const char *nearest(const struct conf_spec *spec, const char *section, const char *name)
{
        const char *best = NULL;
        size_t best_distance = MIN((size_t)CLOSE_ENOUGH, strlen(name) / 2) + 1;

        for (size_t i = 0; i < spec->n_options; i++) {
                const struct option *o = &spec->options[i];
                if (section && !str_eq(section, o->section))
                        continue;
                const char *candidate = section ? o->key : o->section;
                size_t distance = edit_distance(name, candidate);
                if (distance < best_distance) {
                        best = candidate;
                        best_distance = distance;
                }
        }
        return best;
}

/* "a, b, c": all sections, or all keys of one. */
static void list_names(const struct conf_spec *spec, const char *section, struct buf *out)
{
        const char *last = NULL;

        for (size_t i = 0; i < spec->n_options; i++) {
                const struct option *o = &spec->options[i];
                const char *name = section ? o->key : o->section;
                if ((section && !str_eq(section, o->section)) || str_eq(name, last))
                        continue;
                buf_addf(out, last ? ", %s" : "%s", name);
                last = name;
        }
}

/* An unknown name: the guess, or the key's right section, or everything there is. */
static void unknown(struct ini *ini, const char *section, const char *name)
{
        const struct conf_spec *spec = ini->job->spec;
        const char *guess = nearest(spec, section, name), *home = NULL;
        CLEANUP(buf_done) struct buf names = BUF(4096);

        for (size_t i = 0; section && i < spec->n_options; i++)
                if (str_eq(spec->options[i].key, name))
                        home = spec->options[i].section;
        if (home)
                buf_addf(&names, "it belongs into [%s]", home);
        else if (guess)
                buf_addf(&names, section ? "did you mean %s?" : "did you mean [%s]?", guess);
        else
                buf_adds(&names, section ? "keys here: " : "sections: ");
        if (!home && !guess)
                list_names(spec, section, &names);

        if (section)
                conf_error(ini->job, ini->path, ini->lines.line,
                           "unknown key \"%.60s\" in [%s]; %s", name, section, buf_str(&names));
        else
                conf_error(ini->job, ini->path, ini->lines.line, "unknown section [%.60s]; %s",
                           name, buf_str(&names));
}

static const struct option *find_option(const struct ini *ini, const char *key, size_t len)
{
        const struct conf_spec *spec = ini->job->spec;

        for (size_t i = 0; ini->section && i < spec->n_options; i++) {
                const struct option *o = &spec->options[i];
                if (str_eq(o->section, ini->section) && strncmp(o->key, key, len) == 0 &&
                    o->key[len] == '\0')
                        return o;
        }
        return NULL;
}

/* The value is complete: the next key, section or the end has come. */
static void finish_value(struct ini *ini)
{
        const struct option *o = ini->option;

        ini->option = NULL;
        if (!o)
                return;
        if (ini->value.error)
                conf_error(ini->job, ini->path, ini->option_line,
                           "[%s] %s: the value is longer than %d bytes", o->section, o->key,
                           CONF_VALUE_CAP);
        else
                conf_set(ini->job, o, buf_str(&ini->value), ini->path,
                         (struct conf_source){ .origin = ORIGIN_FILE, .line = ini->option_line });
}

static void start_value(struct ini *ini, const char *key, const char *value)
{
        unsigned line = ini->lines.line;

        if (!ini->section) {
                if (!ini->any_section) /* the keys of a refused section are not judged */
                        conf_error(ini->job, ini->path, line,
                                   "key before any [section]: which one does it belong to?");
                return;
        }
        const struct option *o = find_option(ini, key, strlen(key));
        if (!o) {
                unknown(ini, ini->section, key);
                return;
        }
        unsigned *seen = &ini->seen[o - ini->job->spec->options];
        if (*seen) {
                conf_error(ini->job, ini->path, line,
                           "[%s] %s is given twice, first on line %u; give it once", o->section,
                           o->key, *seen);
                return;
        }
        *seen = line;
        ini->option = o;
        ini->option_line = line;
        buf_reset(&ini->value);
        buf_adds(&ini->value, value);
}

/* An indented line below a key: inih says it continues the value. */
static void continue_value(struct ini *ini, const char *more, size_t len)
{
        const struct option *o = ini->option;
        const char *equals = memchr(more, '=', len);

        if (o->type != OPT_LIST || *more == '[' ||
            (equals && find_option(ini, more, strcspn(more, " \t=")))) {
                conf_error(ini->job, ini->path, ini->lines.line,
                           "an indented line continues [%s] %s above; only words of a list may be "
                           "indented",
                           o->section, o->key);
                return;
        }
        buf_adds(&ini->value, " ");
        buf_add(&ini->value, more, len);
}

/* Where in s[0..len) this mark stands at the start or behind a blank; len = nowhere. */
static size_t find_mark(const char *s, size_t len, char mark)
{
        for (size_t i = 0; i < len; i++)
                if (s[i] == mark && (i == 0 || conf_is_blank(s[i - 1])))
                        return i;
        return len;
}

static int on_value(void *arg, const char *section, const char *key, const char *value)
{
        struct ini *ini = arg;
        size_t len = strlen(value);

        (void)section;
        ini->expect_key = false;
        if (ini->continues)
                len = find_mark(value, len, ';'); /* inih has not cut the comment off here */
        else
                ini->below_key = *key != '\0';

        if (find_mark(value, len, '#') < len)
                conf_error(ini->job, ini->path, ini->lines.line,
                           "\" #\" in a value; a comment behind a value starts with \" ;\"");
        else if (ini->continues)
                continue_value(ini, value, len);
        else
                start_value(ini, key, value);
        return 1;
}

static void enter_section(struct ini *ini, const char *name)
{
        const struct conf_spec *spec = ini->job->spec;

        for (size_t i = 0; i < spec->n_options && !ini->section; i++)
                if (str_eq(spec->options[i].section, name))
                        ini->section = spec->options[i].section;
        if (!ini->section)
                unknown(ini, NULL, name);
}

/* `[name]`, and behind it nothing or a comment. */
static void read_header(struct ini *ini, const char *s, size_t len)
{
        const char *close = memchr(s, ']', len);
        const char *rest = close ? close + 1 : s;

        ini->any_section = true;
        ini->section = NULL;
        ini->below_key = false;
        while (close && rest < s + len && conf_is_blank(*rest))
                rest++;
        if (!close || (rest < s + len && *rest != ';' && *rest != '#')) {
                conf_error(ini->job, ini->path, ini->lines.line,
                           "a section is written [name], alone on its line");
                return;
        }
        char name[64] = "";
        size_t name_len = MIN((size_t)(close - s - 1), sizeof name - 1);
        memcpy(name, s + 1, name_len);
        enter_section(ini, name);
}

/* What a line is. Returns whether inih shall see it; it sees no indentation that is only layout. */
static bool classify(struct ini *ini, const char **s, size_t *len, size_t limit)
{
        bool indented = *len > 0 && conf_is_blank(**s);

        while (*len > 0 && conf_is_blank(**s)) {
                (*s)++;
                (*len)--;
        }
        if (!conf_text_ok(*s, *len)) {
                conf_error(ini->job, ini->path, ini->lines.line,
                           "not UTF-8 text, or with control characters");
                return false;
        }
        if (*len == 0 || **s == '#' || **s == ';')
                return false;

        ini->continues = indented && ini->below_key;
        if (ini->continues && !ini->option)
                return false; /* below a refused key */
        if (!ini->continues)
                finish_value(ini);
        if (*len > limit) {
                conf_error(ini->job, ini->path, ini->lines.line,
                           "line longer than %zu bytes; a list may go on in indented lines", limit);
                ini->below_key = true; /* what follows may be the rest of it */
                return false;
        }
        if (!ini->continues && **s == '[') {
                read_header(ini, *s, *len);
                return false;
        }
        ini->expect_key = true;
        return true;
}

static void skip_bom(struct conf_lines *l)
{
        static const char BOM[] = "\xef\xbb\xbf";

        if ((size_t)(l->end - l->next) >= sizeof BOM - 1 &&
            memcmp(l->next, BOM, sizeof BOM - 1) == 0)
                l->next += sizeof BOM - 1;
}

static void end_line(struct ini *ini)
{
        if (!ini->expect_key)
                return;
        ini->expect_key = false;
        conf_error(ini->job, ini->path, ini->lines.line,
                   "neither \"key = value\" nor [section] nor a comment");
}

/* inih's fgets(): one whole line into dst, an empty one for what it need not see. */
static char *read_line(char *dst, int size, void *arg)
{
        struct ini *ini = arg;
        const char *s;
        size_t len;

        end_line(ini);
        if (!conf_next_line(&ini->lines, &s, &len)) {
                finish_value(ini);
                return NULL;
        }
        size_t limit = (size_t)size - 3; /* a blank, LF, NUL */
        char *p = dst;
        if (classify(ini, &s, &len, limit)) {
                if (ini->continues)
                        *p++ = ' ';
                memcpy(p, s, len);
                p += len;
        }
        memcpy(p, "\n", 2);
        return dst;
}

void conf_read_ini(struct conf_job *job, const char *path, const char *text, size_t len)
{
        CLEANUP(freep) unsigned *seen = calloc(job->spec->n_options + 1, sizeof *seen);
        struct ini ini = { .job = job,
                           .path = path,
                           .lines = { .next = text, .end = text + len },
                           .seen = seen,
                           .value = BUF(CONF_VALUE_CAP) };

        if (!seen) {
                job->no_memory = true;
                return;
        }
        skip_bom(&ini.lines);
        ini_parse_stream(read_line, &ini, on_value, &ini); /* its result says less than we know */
        buf_done(&ini.value);
}
