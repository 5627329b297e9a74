/* FIELDS[] is what a template may name. */
#include "hamon/web/alert_template.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { VALUE_MAX = 2048, NAME_MAX_ = 32, FILLED_MAX = 256 * 1024 };

typedef void (*field_fn)(const struct alert_message *m, struct buf *out);

#define FIELD_OF(name_, expression_)                                              \
        static void field_##name_(const struct alert_message *m, struct buf *out) \
        {                                                                         \
                buf_adds(out, (expression_));                                     \
        }
FIELD_OF(id, m->id)
FIELD_OF(key, m->key)
FIELD_OF(cluster, m->cluster)
FIELD_OF(node, m->node)
FIELD_OF(level, LOG_LEVELS[m->level])
FIELD_OF(phase, ALERT_PHASES[m->phase])
FIELD_OF(title, m->title)
FIELD_OF(text, m->text)

static void field_at(const struct alert_message *m, struct buf *out)
{
        char when[32];

        buf_adds(out, alert_time(m->at_ms, when, sizeof when));
}

static void field_at_ms(const struct alert_message *m, struct buf *out)
{
        buf_addf(out, "%" PRId64, m->at_ms);
}

static void field_epoch(const struct alert_message *m, struct buf *out)
{
        buf_addf(out, "%" PRIu64, m->epoch);
}

static void field_more(const struct alert_message *m, struct buf *out)
{
        buf_addf(out, "%" PRIu64, m->more);
}

static const struct {
        const char *name;
        field_fn fn;
} FIELDS[] = {
        { "id", field_id },       { "key", field_key },     { "cluster", field_cluster },
        { "node", field_node },   { "level", field_level }, { "phase", field_phase },
        { "title", field_title }, { "text", field_text },   { "headline", alert_headline },
        { "body", alert_body },   { "at", field_at },       { "at_ms", field_at_ms },
        { "epoch", field_epoch }, { "more", field_more },
};

void alert_escape_json(const char *s, struct buf *out)
{
        for (; *s; s++) {
                unsigned char c = (unsigned char)*s;
                if (c == '"' || c == '\\')
                        buf_addf(out, "\\%c", c);
                else if (c == '\n')
                        buf_adds(out, "\\n");
                else if (c < ' ' || c > '~')
                        buf_addf(out, "\\u%04x", c);
                else
                        buf_add(out, s, 1);
        }
}

static field_fn find(const char *name, size_t len)
{
        for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                if (strlen(FIELDS[i].name) == len && memcmp(FIELDS[i].name, name, len) == 0)
                        return FIELDS[i].fn;
        return NULL;
}

/* The next {{name}}: where it begins and ends. False: none; *ret_end NULL: it never ends. */
static bool next_field(const char *s, const char **ret_begin, const char **ret_end)
{
        *ret_begin = strstr(s, "{{");
        *ret_end = *ret_begin ? strstr(*ret_begin, "}}") : NULL;
        return *ret_begin != NULL;
}

static void put_value(field_fn fn, const struct alert_message *m, struct buf *out)
{
        CLEANUP(buf_done) struct buf value = BUF(VALUE_MAX);

        fn(m, &value);
        alert_escape_json(buf_str(&value), out);
}

int alert_template_fill(const char *template, const struct alert_message *m, struct buf *out)
{
        const char *begin, *end;

        while (next_field(template, &begin, &end)) {
                field_fn fn = end ? find(begin + 2, (size_t)(end - begin - 2)) : NULL;
                if (!fn)
                        return -EINVAL;
                buf_add(out, template, (size_t)(begin - template));
                put_value(fn, m, out);
                template = end + 2;
        }
        return buf_adds(out, template);
}

static unsigned line_of(const char *template, const char *at)
{
        unsigned line = 1;

        for (; template <at; template ++)
                line += *template == '\n';
        return line;
}

static int check_names(const char *file, const char *template, struct buf *errors)
{
        const char *begin, *end;
        int r = 0;

        for (const char *s = template; next_field(s, &begin, &end); s = end + 2) {
                size_t len = end ? (size_t)(end - begin - 2) : 0;
                if (!end) {
                        buf_addf(errors, "%s:%u: a {{ without its }}\n", file,
                                 line_of(template, begin));
                        return -EINVAL;
                }
                if (find(begin + 2, len))
                        continue;
                buf_addf(errors, "%s:%u: there is no {{%.*s}}; there are", file,
                         line_of(template, begin), (int)MIN(len, (size_t)NAME_MAX_), begin + 2);
                for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
                        buf_addf(errors, " %s", FIELDS[i].name);
                buf_adds(errors, "\n");
                r = -EINVAL;
        }
        return r;
}

int alert_template_check(const char *file, const char *template, struct buf *errors)
{
        const struct alert_message sample = {
                .id = "0", .key = "test", .cluster = "c", .node = "n"
        };
        CLEANUP(buf_done) struct buf filled = BUF(FILLED_MAX);

        int r = check_names(file, template, errors);
        if (r < 0)
                return r;
        alert_template_fill(template, &sample, &filled);
        const char *end = NULL;
        cJSON *o = cJSON_ParseWithOpts(buf_str(&filled), &end, true);
        cJSON_Delete(o);
        if (o)
                return 0;
        buf_addf(errors,
                 "%s: filled in, it is no JSON (a {{name}} belongs between double quotes, a number "
                 "may stand without)\n",
                 file);
        return -EINVAL;
}
