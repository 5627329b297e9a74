/* What a step asks of the daemon, and when it must not go on. */
#include "hamon/client.h"
#include "hamon/step.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
        FRESH_MS = 3000,  /* longest wait for a renewal to commit */
        YOUNG_MS = 400,   /* and no older may it be when the request leaves: another node may take
                             the lease early once the row has stood still for core's in_flight */
        ANSWER_MS = 1000, /* for one answer */
        GAP_MS = 2000,    /* we look at the clock far more often than this */
        MARGIN_MS = 100,  /* a request needs this long to leave */
        PAUSE_MAX_MS = 50,
};

/* "key=" of a line of words; NULL = it is not there. */
static const char *value_of(const char *line, const char *key)
{
        size_t len = strlen(key);

        for (const char *s = strchr(line, ' '); s; s = strchr(s + 1, ' '))
                if (strncmp(s + 1, key, len) == 0)
                        return s + 1 + len;
        return NULL;
}

static int number(const char *line, const char *key, uint64_t max, uint64_t *ret)
{
        const char *value = value_of(line, key);
        char digits[24];

        if (!value)
                return -ENOENT;
        size_t len = strcspn(value, " \r\n");
        if (len >= sizeof digits)
                return -EBADMSG;
        memcpy(digits, value, len);
        digits[len] = '\0';
        return parse_uint(digits, 0, max, ret) < 0 ? -EBADMSG : 0;
}

int step_word(const char *line, const char *key, const char *stop, char *dst, size_t size)
{
        const char *value = value_of(line, key);
        size_t len = value ? strcspn(value, stop) : 0;

        if (!value || len >= size)
                return -EBADMSG;
        memcpy(dst, value, len);
        dst[len] = '\0';
        return 0;
}

static int parse_ok(const char *line, struct step_grant *g)
{
        const uint64_t long_time = (uint64_t)24 * 3600 * 1000;
        uint64_t valid, renewed;
        char hex[20] = "";

        if (number(line, "epoch=", UINT64_MAX, &g->epoch) < 0 || g->epoch == 0 ||
            number(line, "valid_ms=", long_time, &valid) < 0 ||
            number(line, "renewed_ms=", 365 * long_time, &renewed) < 0 ||
            step_word(line, "holder=", " \r\n", g->holder, sizeof g->holder) < 0 || !*g->holder)
                return -EBADMSG;
        g->valid = (msec_t)valid;
        g->renewed = (msec_t)renewed;
        if (value_of(line, "incarnation=")) {
                if (step_word(line, "incarnation=", " \r\n", hex, sizeof hex) < 0 ||
                    strlen(hex) != 16 || strspn(hex, "0123456789abcdef") != 16)
                        return -EBADMSG;
                g->incarnation = strtoull(hex, NULL, 16);
        }
        g->ok = true;
        return 0;
}

int step_parse_grant(const char *line, struct step_grant *ret)
{
        struct step_grant g = { .ok = false };
        int r = -EBADMSG;

        if (strncmp(line, "ok ", 3) == 0) {
                r = parse_ok(line, &g);
        } else if (strncmp(line, "no", 2) == 0 && strchr(" \n", line[2])) {
                r = 0;
                if (step_word(line, "reason=\"", "\"\n", g.reason, sizeof g.reason) < 0)
                        *g.reason = '\0';
        } else if (strncmp(line, "error: ", 7) == 0) {
                r = 0;
                str_copy(g.reason, sizeof g.reason, line + 7);
                g.reason[strcspn(g.reason, "\n")] = '\0';
        }
        if (r < 0)
                return r;
        if (!g.ok && !*g.reason)
                str_copy(g.reason, sizeof g.reason, "the lease is not ours");
        *ret = g;
        return 0;
}

void step_pulse(void *step)
{
        struct step *s = step;
        msec_t now = clock_ms();

        if (now - s->pulse > GAP_MS && s->refused == 0) {
                s->refused = -ESTALE;
                snprintf(s->why, sizeof s->why,
                         "this node or this process did not run for %" PRId64
                         " ms; what was true before may not be so any more",
                         now - s->pulse);
        }
        s->pulse = now;
}

/* What the hook was started for; 0 = we were not started by a hook. */
static uint64_t wanted_epoch(void)
{
        const char *env = getenv("HAMON_EPOCH");
        uint64_t epoch = 0;

        return env && parse_uint(env, 0, UINT64_MAX, &epoch) == 0 ? epoch : 0;
}

/* The first grant is the one the whole step is for. */
static void check(struct step *s, const struct step_grant *g)
{
        if (!g->ok)
                snprintf(s->why, sizeof s->why, "we do not have the lease: %s", g->reason);
        else if (strcmp(g->holder, s->config.node.name) != 0)
                snprintf(s->why, sizeof s->why, "the lease is held by %s, and this is %s",
                         g->holder, s->config.node.name);
        else if (wanted_epoch() != 0 && g->epoch != wanted_epoch())
                snprintf(s->why, sizeof s->why,
                         "the lease is in epoch %" PRIu64 ", this was started for %" PRIu64,
                         g->epoch, wanted_epoch());
        else if (s->grant.ok && s->grant.epoch != g->epoch)
                snprintf(s->why, sizeof s->why,
                         "the lease was lost and taken again meanwhile: epoch %" PRIu64
                         ", not %" PRIu64,
                         g->epoch, s->grant.epoch);
        else
                return;
        s->refused = -EPERM;
}

int step_ask(struct step *s)
{
        CLEANUP(buf_done) struct buf answer = BUF(4096);
        struct step_grant g = { .ok = false };
        char request[64];

        snprintf(request, sizeof request, "lease %" PRIu64, wanted_epoch());
        msec_t sent = clock_ms();
        int r = client_ask(s->config.control.socket, request, ANSWER_MS, &answer);
        if (r == 0)
                r = step_parse_grant(buf_str(&answer), &g);
        if (r < 0)
                return r;
        check(s, &g);
        if (s->refused)
                return s->refused;
        s->grant = g;
        s->valid_until = sent + g.valid; /* it was valid that long when the daemon answered */
        return 0;
}

bool step_may(void *step)
{
        struct step *s = step;
        const msec_t began = clock_ms();
        msec_t pause = 2;

        step_pulse(s);
        if (s->rehearsal) {
                s->refused = -EPERM;
                str_copy(s->why, sizeof s->why, "a rehearsal changes nothing");
        }
        while (s->refused == 0 && !(s->flags & STEP_NO_LEASE)) {
                const msec_t sent = clock_ms();
                int r = step_ask(s);
                step_pulse(s);
                if (s->refused)
                        break;
                msec_t now = clock_ms();
                /* Answered after `sent`: a renewal younger than that began after `began`. */
                if (r == 0 && s->grant.renewed <= sent - began &&
                    s->grant.renewed + now - sent <= YOUNG_MS && now + MARGIN_MS < s->valid_until)
                        return true;
                if (now - began < FRESH_MS && now < s->deadline) {
                        poll(NULL, 0, (int)pause);
                        pause = MIN(pause * 2, PAUSE_MAX_MS);
                        continue;
                }
                s->refused = -EAGAIN;
                if (r < 0)
                        snprintf(s->why, sizeof s->why,
                                 "the daemon does not say whether the lease is ours (%s: %s)",
                                 s->config.control.socket, strerror(-r));
                else
                        snprintf(s->why, sizeof s->why,
                                 "no renewal of the lease was committed in time");
        }
        return s->refused == 0;
}

int step_tell_epoch(struct step *s, uint64_t epoch)
{
        CLEANUP(buf_done) struct buf answer = BUF(4096);
        char request[64];

        snprintf(request, sizeof request, "epoch %" PRIu64, epoch);
        int r = client_ask(s->config.control.socket, request, ANSWER_MS, &answer);
        if (r == 0 && strncmp(buf_str(&answer), "ok", 2) != 0)
                r = -EBADMSG;
        return r;
}
