/* A bucket of tokens. */
#include "hamon/web/alert_flood.h"

#include <inttypes.h>
#include <string.h>

void alert_flood_init(struct alert_flood *f, uint64_t burst, msec_t pace, msec_t now)
{
        *f = (struct alert_flood){ .tokens = burst, .tokens_at = now };
        alert_flood_rule(f, burst, pace);
}

void alert_flood_rule(struct alert_flood *f, uint64_t burst, msec_t pace)
{
        f->burst = MAX(burst, (uint64_t)1);
        f->pace = MAX(pace, (msec_t)1);
        f->tokens = MIN(f->tokens, f->burst);
}

static void refill(struct alert_flood *f, msec_t now)
{
        uint64_t n = now > f->tokens_at ? (uint64_t)((now - f->tokens_at) / f->pace) : 0;

        if (f->tokens + n >= f->burst) {
                f->tokens = f->burst;
                f->tokens_at = now;
        } else {
                f->tokens += n;
                f->tokens_at += (msec_t)n * f->pace;
        }
}

static void keep_back(struct alert_flood *f, const struct alert_message *m, msec_t now)
{
        if (f->held == 0) {
                f->held_since = now;
                f->level = m->level;
        }
        if (f->held < FLOOD_TITLES)
                str_copy(f->titles[f->held], ALERT_TITLE, m->title);
        f->level = MAX(f->level, m->level);
        f->held++;
}

bool alert_flood_tell(struct alert_flood *f, const struct alert_message *m, bool paid, msec_t now)
{
        uint64_t reserve = m->level >= LOG_ERROR ? 0 : f->burst / 3;

        refill(f, now);
        if (f->n_ready == FLOOD_READY || (!paid && f->tokens <= reserve)) {
                keep_back(f, m, now);
                return false;
        }
        if (!paid)
                f->tokens--;
        f->ready[f->n_ready++] = *m;
        return true;
}

static void name_them(const struct alert_flood *f, const char *node, struct alert_message *m)
{
        CLEANUP(buf_done) struct buf text = BUF(FLOOD_TITLES * (ALERT_TITLE + 2) + 64);
        uint64_t named = MIN(f->held, (uint64_t)FLOOD_TITLES);

        for (uint64_t i = 0; i < named; i++)
                buf_addf(&text, "%s%s", i > 0 ? "; " : "", f->titles[i]);
        if (f->held > named)
                buf_addf(&text, "; and %" PRIu64 " more", f->held - named);
        snprintf(m->title, sizeof m->title, "%" PRIu64 " more message%s of %s", f->held,
                 f->held == 1 ? "" : "s", node);
        alert_copy(m->text, sizeof m->text, buf_str(&text));
}

void alert_flood_step(struct alert_flood *f, const char *cluster, const char *node, msec_t now,
                      int64_t unix_ms)
{
        struct alert_message *m = &f->ready[f->n_ready];

        refill(f, now);
        if (f->held == 0 || now - f->held_since < f->pace || f->tokens == 0 ||
            f->n_ready == FLOOD_READY)
                return;
        *m = (struct alert_message){ .level = f->level, .phase = PHASE_EVENT, .at_ms = unix_ms };
        alert_copy(m->cluster, sizeof m->cluster, cluster);
        alert_copy(m->node, sizeof m->node, node);
        snprintf(m->key, sizeof m->key, "more:%s", node);
        name_them(f, node, m);
        alert_identify(m);
        f->tokens--;
        f->n_ready++;
        f->held = 0;
}

bool alert_flood_next(struct alert_flood *f, struct alert_message *ret)
{
        if (f->n_ready == 0)
                return false;
        *ret = f->ready[0];
        memmove(&f->ready[0], &f->ready[1], --f->n_ready * sizeof f->ready[0]);
        return true;
}
