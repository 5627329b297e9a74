/* How a row becomes lines. What is not there gives no sample, what is old neither: a metric that
 * goes away is news, a value that stands still is a lie. */
#include "hamon/web/metrics.h"

#include "lib/json.h"
#include <math.h>
#include <string.h>

enum { WORD_MAX = 64, LABELS_MAX = 2048 };

static const char *const TYPES[] = {
        [METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter", [METRIC_HISTOGRAM] = "histogram"
};

/* ---- words ---- */

/* The next word of a list of them; NULL at its end. */
static const char *next_word(const char **rest, char word[WORD_MAX])
{
        const char *p = *rest + strspn(*rest, " ");
        size_t len = strcspn(p, " ");

        if (len == 0 || len >= WORD_MAX)
                return NULL;
        memcpy(word, p, len);
        word[len] = '\0';
        *rest = p + len;
        return word;
}

static bool has_word(const char *words, const char *word)
{
        char w[WORD_MAX];

        while (next_word(&words, w))
                if (strcmp(w, word) == 0)
                        return true;
        return false;
}

/* ---- samples ---- */

static void add_escaped(struct buf *out, const char *s)
{
        for (; *s; s++)
                if (*s == '\n')
                        buf_adds(out, "\\n");
                else if (*s == '"' || *s == '\\')
                        buf_addf(out, "\\%c", *s);
                else
                        buf_add(out, s, 1);
}

static void add_label(struct buf *out, const char *label, const char *value)
{
        buf_addf(out, "%s%s=\"", out->len > 0 ? "," : "", label);
        add_escaped(out, value);
        buf_adds(out, "\"");
}

static void label_value(const cJSON *v, char *dst, size_t size)
{
        if (cJSON_IsString(v))
                str_copy(dst, size, v->valuestring);
        else if (cJSON_IsNumber(v))
                snprintf(dst, size, "%.15g", v->valuedouble);
        else
                str_copy(dst, size, cJSON_IsTrue(v) ? "true" : cJSON_IsFalse(v) ? "false" : "");
}

static void labels_of(const struct metric *m, const cJSON *o, struct buf *out)
{
        const char *rest = m->labels ? m->labels : "";
        char word[WORD_MAX], value[256];

        while (next_word(&rest, word)) {
                char *path = strchr(word, '=');
                if (path)
                        *path++ = '\0';
                label_value(json_at(o, path ? path : word), value, sizeof value);
                add_label(out, word, value);
        }
}

static void sample(struct buf *out, const char *name, const char *suffix, const struct buf *labels,
                   double value)
{
        buf_addf(out, "%s%s", name, suffix);
        if (labels->len > 0)
                buf_addf(out, "{%s}", buf_str(labels));
        buf_addf(out, " %.15g\n", value);
}

/* NaN: not known. */
static double value_of(const struct metric *m, const cJSON *o)
{
        const cJSON *v = m->value ? json_at(o, m->value) : NULL;

        if (!m->value)
                return 1;
        if (m->is)
                return !cJSON_IsString(v) ? (double)NAN : has_word(m->is, v->valuestring) ? 1 : 0;
        if (cJSON_IsBool(v))
                return cJSON_IsTrue(v);
        if (!cJSON_IsNumber(v) || v->valuedouble < 0)
                return NAN;
        return v->valuedouble * (m->scale > 0 ? m->scale : 1);
}

static void add_states(const struct metric *m, const cJSON *o, const struct buf *labels,
                       struct buf *out)
{
        const char *value = json_text(o, m->value), *rest = strchr(m->states, ':') + 1;
        char word[WORD_MAX], label[WORD_MAX];

        if (!*value)
                return;
        str_copy(label, sizeof label, m->states);
        label[strcspn(label, ":")] = '\0';
        while (next_word(&rest, word)) {
                CLEANUP(buf_done) struct buf more = BUF(LABELS_MAX);
                buf_adds(&more, buf_str(labels));
                add_label(&more, label, word);
                sample(out, m->name, "", &more, strcmp(word, value) == 0);
        }
}

static void add_bucket(const struct metric *m, const struct buf *labels, const char *le, double n,
                       struct buf *out)
{
        CLEANUP(buf_done) struct buf more = BUF(LABELS_MAX);

        buf_adds(&more, buf_str(labels));
        add_label(&more, "le", le);
        sample(out, m->name, "_bucket", &more, n);
}

static void add_histogram(const struct metric *m, const cJSON *o, const struct buf *labels,
                          struct buf *out)
{
        const cJSON *b;
        char le[32];

        cJSON_ArrayForEach(b, json_at(o, "buckets"))
        {
                snprintf(le, sizeof le, "%.15g", json_number(b, "le_ms", 0) / 1000);
                add_bucket(m, labels, le, json_number(b, "n", 0), out);
        }
        add_bucket(m, labels, "+Inf", json_number(o, "count", 0), out);
        sample(out, m->name, "_sum", labels, json_number(o, "sum_ms", 0) / 1000);
        sample(out, m->name, "_count", labels, json_number(o, "count", 0));
}

static void add_one(const struct metric *m, const cJSON *o, struct buf *out)
{
        CLEANUP(buf_done) struct buf labels = BUF(LABELS_MAX);

        labels_of(m, o, &labels);
        if (labels.error)
                return;
        if (m->type == METRIC_HISTOGRAM) {
                add_histogram(m, o, &labels, out);
        } else if (m->states) {
                add_states(m, o, &labels, out);
        } else {
                double value = value_of(m, o);
                if (!isnan(value))
                        sample(out, m->name, "", &labels, value);
        }
}

static void add_metric(const struct metric *m, const cJSON *document, struct buf *out)
{
        CLEANUP(buf_done) struct buf samples = BUF(out->cap);
        const cJSON *o;
        size_t n = 0;

        if (!m->list)
                add_one(m, document, &samples);
        else
                cJSON_ArrayForEach(o, json_at(document, m->list)) if (n++ < METRIC_SAMPLES)
                        add_one(m, o, &samples);
        if (samples.error)
                out->error = samples.error;
        if (samples.len == 0)
                return;
        buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, TYPES[m->type]);
        buf_add(out, samples.data, samples.len);
}

void metrics_print(const cJSON *document, bool silent, struct buf *out)
{
        for (size_t i = 0; i < N_METRICS; i++)
                if (!silent || METRICS[i].always)
                        add_metric(&METRICS[i], document, out);
}
