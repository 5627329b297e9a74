/* What all formats have in common: the words, and the id. */
#include "hamon/web/alert_message.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

const char *const ALERT_PHASES[PHASE_COUNT_ + 1] = {
        [PHASE_EVENT] = "event", [PHASE_OPEN] = "open", [PHASE_OVER] = "over", [PHASE_TEST] = "test"
};

void alert_copy(char *dst, size_t size, const char *src)
{
        str_copy(dst, size, src ? src : "");
        for (char *p = dst; *p; p++) {
                if (*p == '\n' || *p == '\r' || *p == '\t')
                        *p = ' ';
                else if (*p < ' ' || *p > '~')
                        *p = '?';
        }
}

static uint64_t mix(uint64_t hash, const char *s)
{
        do /* the NUL too: "ab","c" is not "a","bc" */
                hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
        while (*s++);
        return hash;
}

void alert_identify(struct alert_message *m)
{
        char numbers[96];
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        snprintf(numbers, sizeof numbers, "%" PRId64 " %" PRIu64 " %d", m->at_ms, m->epoch,
                 (int)m->phase);
        hash = mix(hash, m->cluster);
        hash = mix(hash, m->node);
        hash = mix(hash, m->key);
        hash = mix(hash, m->title);
        hash = mix(hash, m->text);
        hash = mix(hash, numbers);
        snprintf(m->id, sizeof m->id, "%016" PRIx64, hash);
}

void alert_headline(const struct alert_message *m, struct buf *out)
{
        buf_addf(out, "%s%s: %s", m->phase == PHASE_OVER ? "over: " : "", m->cluster, m->title);
}

char *alert_time(int64_t at_ms, char *dst, size_t size)
{
        time_t seconds = (time_t)(at_ms / 1000);
        struct tm tm = { .tm_year = 0 };

        gmtime_r(&seconds, &tm);
        if (strftime(dst, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                *dst = '\0';
        return dst;
}

void alert_body(const struct alert_message *m, struct buf *out)
{
        char when[32];

        if (*m->text)
                buf_addf(out, "%s\n", m->text);
        if (m->more)
                buf_addf(out, "%" PRIu64 " more like this were not told\n", m->more);
        buf_addf(out, "%s, told by %s", alert_time(m->at_ms, when, sizeof when), m->node);
        if (m->epoch)
                buf_addf(out, ", epoch %" PRIu64, m->epoch);
}
