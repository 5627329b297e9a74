/* /metrics in Prometheus' text format, made from the document of /status.json by METRICS[]. Pure.
 */
#pragma once

#include "lib/buf.h"
#include <cjson/cJSON.h>
#include <stdbool.h>

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric {
        const char *name, *help;
        const char *list; /* path of a list, a sample for each element; NULL: one of the document */
        const char *labels; /* words label=path, or label alone if both are called the same */
        const char *value;  /* path of a number or a bool; NULL = 1 */
        const char *is;     /* words: 1 if the string at `value` is one of them, else 0 */
        const char *states; /* "label: word word": a sample for each word, 1 if it is the value */
        double scale;       /* 0 = 1; a negative number is not known, and gives no sample */
        enum metric_type type;
        bool always; /* also while the daemon is silent: it is no word of its */
};

extern const struct metric METRICS[];
extern const size_t N_METRICS;

enum { METRIC_SAMPLES = 2000 }; /* of one metric; more are cut off */

void metrics_print(const cJSON *document, bool silent, struct buf *out);
