/* What comes over the control socket for the part that leads: steps that ask for the lease, and the
 * operator. Orders are numbered, so that the one who gave one can follow it. */
#include "hamon/lead_recover.h"

#include "lib/log.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPERATION_MS = 180000, MAINTENANCE_LINE = 32 };

#define MAINTENANCE_FILE "/var/lib/mailcow-ha/maintenance"

/* ---- steps ---- */

static void permit(struct lead *l, const char *words, struct buf *out)
{
        msec_t now = loop_now(l->needs.loop);
        uint64_t epoch;

        if (parse_uint(words, 0, UINT64_MAX, &epoch) < 0) {
                buf_adds(out, "error: want lease EPOCH\n");
                return;
        }
        struct ha_permit p = ha_permit(&l->ha, epoch, now);
        if (p.ok && !lead_guarded(l, now)) {
                p.ok = false;
                p.reason = "the guard has not said that it knows of this lease";
        }
        ha_hurry(&l->ha, now);
        lead_wake(l);
        if (!p.ok)
                buf_addf(out, "no reason=\"%s\"\n", p.reason);
        else
                buf_addf(out,
                         "ok epoch=%" PRIu64 " valid_ms=%lld renewed_ms=%lld holder=%s "
                         "incarnation=%016" PRIx64 "\n",
                         p.epoch, (long long)p.valid, (long long)p.renewed, l->ha.lease.me,
                         l->ha.lease.incarnation);
}

/* A mount that was refused tells what the volume's file says, so that the next take goes beyond it.
 */
static void told_epoch(struct lead *l, const char *words, struct buf *out)
{
        uint64_t epoch;

        if (parse_uint(words, 1, UINT64_MAX / 2, &epoch) < 0) {
                buf_adds(out, "error: want epoch N\n");
                return;
        }
        l->file = (struct ha_epoch){ .known = true, .epoch = epoch };
        log_event(LOG_ERROR, "epoch_ahead", LI("file", epoch), LI("row", l->ha.lease.row.epoch));
        lead_wake(l);
        buf_adds(out, "ok\n");
}

/* ---- orders ---- */

bool lead_order(struct lead *l, enum ha_order o, const char *to, struct buf *out)
{
        static const char *const NAMES[] = { [ORDER_NONE] = "none",
                                             [ORDER_SWITCHOVER] = "switchover",
                                             [ORDER_TAKEOVER] = "takeover",
                                             [ORDER_ACK] = "ack" };
        struct lead_operation *op = &l->operation;
        char detail[64 + LEASE_NAME];

        if (op->number > 0 && op->state == OPERATION_RUNNING) {
                buf_addf(out, "error: operation %u is still under way: %s\n", op->number,
                         op->sentence);
                return false;
        }
        *op = (struct lead_operation){ .number = op->number + 1,
                                       .state = OPERATION_RUNNING,
                                       .order = o,
                                       .since = loop_now(l->needs.loop) };
        str_copy(op->sentence, sizeof op->sentence, "asked");
        l->order = o;
        str_copy(l->order_to, sizeof l->order_to, to);
        snprintf(detail, sizeof detail, "operation %u%s%s", op->number, *to ? ", to " : "", to);
        lead_tell_order(l, NAMES[o], detail, false);
        lead_wake(l);
        buf_addf(out, "ok %u\n", op->number);
        return true;
}

/* `let_go`: done once the lease is given back, whoever takes it. */
static void switchover(struct lead *l, const char *words, bool let_go, struct buf *out)
{
        const struct lease *lease = &l->ha.lease;

        if (l->ha.state != ST_MASTER) {
                buf_addf(out, "error: this node does not lead; ask %s\n",
                         lease->known && lease->row.holder[0] ? lease->row.holder
                                                              : "again when somebody does");
                return;
        }
        bool ok = lead_order(l, ORDER_SWITCHOVER, words, out);
        l->operation.let_go = ok ? let_go : l->operation.let_go;
}

/* Whoever leads is asked there, and not robbed. */
static void take(struct lead *l, struct buf *out)
{
        const char *holder = l->ha.lease.row.holder;

        if (*holder && !str_eq(holder, l->ha.lease.me) &&
            lead_peer_answers(l, holder, loop_now(l->needs.loop)))
                buf_addf(out, "error: %s holds the lease, and answers; there: hamon switchover\n",
                         holder);
        else
                lead_order(l, ORDER_TAKEOVER, "", out);
}

/* ---- how it goes on ---- */

/* The order is done when it shows in the row and in our state, not when it was accepted. */
static bool is_done(const struct lead *l, const struct lead_operation *o, bool idle)
{
        const struct lease *lease = &l->ha.lease;

        switch (o->order) {
        case ORDER_ACK:
                return true;
        case ORDER_TAKEOVER:
                return l->ha.state == ST_MASTER;
        case ORDER_SWITCHOVER:
                if (!idle || lease->held || lease->names_us)
                        return false;
                return o->let_go || (lease->row.holder[0] && !str_eq(lease->row.holder, lease->me));
        case ORDER_NONE:
                break;
        }
        return false;
}

/* It is back where it began. A node that found the volume's epoch ahead claims again at once. */
static bool is_lost(const struct lead *l, const struct lead_operation *o, bool idle, msec_t now)
{
        bool moved = l->ha.state_since > o->since;

        if (now - o->since > OPERATION_MS)
                return true;
        if (o->order == ORDER_SWITCHOVER)
                return moved && l->ha.state == ST_MASTER;
        return o->order == ORDER_TAKEOVER && moved && idle && !l->ha.eager;
}

void lead_follow(struct lead *l, msec_t now)
{
        struct lead_operation *o = &l->operation;
        const struct lease *lease = &l->ha.lease;
        bool idle = l->ha.state == ST_STANDBY || l->ha.state == ST_HALTED ||
                    l->ha.state == ST_MAINTENANCE;

        if (o->number == 0 || o->state != OPERATION_RUNNING || !o->accepted)
                return;
        if (is_done(l, o, idle)) {
                o->state = OPERATION_DONE;
                snprintf(o->sentence, sizeof o->sentence, "%s leads now",
                         lease->held ? lease->me : lease->row.holder);
                if (o->order == ORDER_ACK)
                        str_copy(o->sentence, sizeof o->sentence, "acknowledged");
                else if (o->let_go)
                        str_copy(o->sentence, sizeof o->sentence, "the lease is given back");
        } else if (is_lost(l, o, idle, now)) {
                o->state = OPERATION_FAILED;
                snprintf(o->sentence, sizeof o->sentence, "it came to nothing; this node is %s",
                         HA_STATES[l->ha.state]);
        }
        if (o->state == OPERATION_RUNNING)
                return;
        lead_tell_order(l, o->state == OPERATION_DONE ? "done" : "failed", o->sentence,
                        o->state == OPERATION_FAILED);
        lead_takeover_over(l);
}

static void operation(const struct lead *l, const char *words, struct buf *out)
{
        static const char *const STATES[] = { [OPERATION_RUNNING] = "running",
                                              [OPERATION_DONE] = "done",
                                              [OPERATION_FAILED] = "failed" };
        const struct lead_operation *o = &l->operation;
        uint64_t number;

        if (parse_uint(words, 1, UINT_MAX, &number) < 0 || number != o->number)
                buf_adds(out, "error: no such operation (the daemon was restarted?)\n");
        else
                buf_addf(out, "ok %s %s\n", STATES[o->state], o->sentence);
}

/* ---- maintenance ---- */

bool lead_in_maintenance(const struct lead *l)
{
        return l->maintenance &&
               (l->maintenance_until == 0 || time(NULL) < (time_t)l->maintenance_until);
}

bool lead_maintenance_load(struct lead *l)
{
        CLEANUP(freep) char *text = NULL;
        uint64_t until;

        if (read_file(MAINTENANCE_FILE, MAINTENANCE_LINE, &text, NULL) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        l->maintenance_until = parse_uint(text, 0, INT64_MAX, &until) == 0 ? (int64_t)until : 0;
        return true;
}

static int keep_maintenance(const struct lead *l)
{
        char line[MAINTENANCE_LINE];

        if (!l->maintenance)
                return unlink(MAINTENANCE_FILE) < 0 && access(MAINTENANCE_FILE, F_OK) == 0 ? -1 : 0;
        int len = snprintf(line, sizeof line, "%lld\n", (long long)l->maintenance_until);
        int r = make_parents(MAINTENANCE_FILE);
        return r < 0 ? r : write_file_atomic(MAINTENANCE_FILE, 0600, line, (size_t)len);
}

static void maintenance(struct lead *l, const char *words, struct buf *out)
{
        bool on = strncmp(words, "on ", 3) == 0;
        char length[32], detail[48];
        uint64_t ms = 0;

        if (!on && strncmp(words, "off", 3) != 0) {
                buf_adds(out, "error: want maintenance on MS or off\n");
                return;
        }
        if (on && parse_uint(words + 3, 0, INT64_MAX, &ms) < 0) {
                buf_adds(out, "error: that is no time\n");
                return;
        }
        l->maintenance = on;
        l->maintenance_until = ms > 0 ? time(NULL) + (int64_t)(ms / 1000) : 0;
        if (keep_maintenance(l) < 0)
                log_event(LOG_ERROR, "maintenance", LS("file", MAINTENANCE_FILE),
                          LS("error", "cannot be kept over a restart"));
        snprintf(detail, sizeof detail, "for %s",
                 format_duration((msec_t)ms, length, sizeof length));
        lead_tell_order(l, on ? "maintenance on" : "maintenance off", on && ms ? detail : NULL,
                        false);
        lead_wake(l);
        buf_addf(out, "ok maintenance is %s\n", on ? "on" : "off");
}

void lead_request(struct lead *l, enum request req, const char *words, struct buf *out)
{
        if (!l) {
                buf_adds(out, "error: this node is of no cluster ([cluster] nodes is empty)\n");
                return;
        }
        switch (req) {
        case REQ_LEASE:
                permit(l, words, out);
                break;
        case REQ_EPOCH:
                told_epoch(l, words, out);
                break;
        case REQ_SWITCHOVER:
                switchover(l, words, false, out);
                break;
        case REQ_MAINTENANCE:
                maintenance(l, words, out);
                break;
        case REQ_ACK:
                lead_order(l, ORDER_ACK, "", out);
                break;
        case REQ_TAKE:
                take(l, out);
                break;
        case REQ_TAKEOVER:
                lead_takeover(l, words, out);
                break;
        case REQ_RECOVER:
                lead_recover_request(l, words, out);
                break;
        case REQ_RELEASE:
                switchover(l, "", true, out);
                break;
        case REQ_OPERATION:
                operation(l, words, out);
                break;
        case REQ_MAILCOW:
                release_read(l->needs.config->mailcow.dir, &l->mailcow);
                buf_addf(out, "ok version=%s schema=%s images=%s\n", l->mailcow.version,
                         l->mailcow.schema, l->mailcow.images);
                break;
        default:
                buf_adds(out, "error: unknown request\n");
                break;
        }
}
