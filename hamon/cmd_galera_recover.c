/* `hamon galera recover`: the database is down on all nodes, and one member is to be the first
 * again. The daemon says which, and what stands against it (lead_recover.c, core/recover.h); here
 * it is done: those who do not answer are fenced, our member is stopped, all others are asked
 * whether it shall be, it starts by an order for exactly the position that was agreed on.
 *
 * `word` is what the daemon tells the others of our member. */
#include "hamon/cmd_galera_recover.h"

#include "hamon/cmd_takeover.h"
#include "hamon/galera_word.h"
#include "hamon/order.h"
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>

enum {
        LOOK_EVERY = 500,
        PATIENCE = 90000, /* for what passes: a member that starts, words that are old */
        CLAIM = 65000,
        ORDER_VALID = 120000,
        NAME = 64,
};

struct outlook { /* the daemon's answer to `recover look` */
        char bar[24], node[NAME], chosen[NAME], mine[8], lossy[8], leap[8], claim[16];
        const char *rest; /* why a claim was lost, then a line per node */
};

/* ---- word ---- */

int galera_word_run(struct step *s)
{
        CLEANUP(buf_done) struct buf line = BUF(2048);
        struct recover_node n = { .known = true, .runs = true, .seqno = -1 };
        struct galera_position p;
        struct galera_facts f = { .reach = DB_UNKNOWN };
        struct galera_data d;

        member_ask(s, &f);
        int code = member_data(s, &d);
        if (code != 0)
                return code;
        n.primary = member_is_primary(&f);
        n.runs = n.primary || member_runs(s);
        n.empty = !d.there || !d.member || d.unusable;
        if (f.reach == DB_OK && galera_is_uuid(f.cluster_uuid) &&
            strcmp(f.cluster_uuid, GALERA_NO_UUID) != 0 && f.last_committed >= 0) {
                n.placed = f.recv_queue == 0; /* else it has more than it says */
                n.empty = false;
                str_copy(n.uuid, sizeof n.uuid, f.cluster_uuid);
                n.seqno = f.last_committed;
        } else if (!n.empty && galera_data_position(&d, &p) && p.seqno >= 0) {
                n.placed = true;
                str_copy(n.uuid, sizeof n.uuid, p.uuid);
                n.seqno = p.seqno;
        }
        if (d.view.n <= RECOVER_NODES) {
                n.n_view = d.view.n;
                str_copy(n.me, sizeof n.me, d.view.me);
                for (size_t i = 0; i < n.n_view; i++)
                        str_copy(n.view[i], RECOVER_ID, d.view.members[i]);
        }
        galera_word_write(&line, &n);
        puts(buf_str(&line));
        return EX_OK;
}

/* ---- what the daemon says ---- */

static int parse(const char *answer, struct outlook *o)
{
        char line[512];

        snprintf(line, sizeof line, " %.*s", (int)strcspn(answer, "\n"), answer);
        const char *rest = strchr(answer, '\n');
        o->rest = rest ? rest + 1 : "";
        return step_word(line, "bar=", " ", o->bar, sizeof o->bar) < 0 ||
                               step_word(line, "node=", " ", o->node, sizeof o->node) < 0 ||
                               step_word(line, "chosen=", " ", o->chosen, sizeof o->chosen) < 0 ||
                               step_word(line, "mine=", " ", o->mine, sizeof o->mine) < 0 ||
                               step_word(line, "lossy=", " ", o->lossy, sizeof o->lossy) < 0 ||
                               step_word(line, "leap=", " ", o->leap, sizeof o->leap) < 0 ||
                               step_word(line, "claim=", " ", o->claim, sizeof o->claim) < 0
                       ? -1
                       : 0;
}

static int look(struct step *s, struct order_talk *t, struct outlook *ret)
{
        int r = order_ask(t, s->flags & STEP_ACCEPT_LOSS ? "recover look lossy" : "recover look");

        step_pulse(s);
        if (r == EX_OK && parse(t->answer, ret) < 0)
                return step_end(s, STEP_FAILED, "the daemon's answer makes no sense");
        return r;
}

static bool is_yes(const char *word)
{
        return strcmp(word, "yes") == 0;
}

static enum recover_bar bar_of(const struct outlook *o)
{
        size_t i = 0;

        while (i < RECOVER_COUNT_ - 1 && strcmp(RECOVERS[i].name, o->bar) != 0)
                i++;
        return (enum recover_bar)i;
}

static int end_bar(struct step *s, const struct outlook *o, enum step_result result)
{
        return step_end(s, result, "%s%s%s", o->node, *o->node ? " " : "",
                        RECOVERS[bar_of(o)].sentence);
}

static int show_plan(struct step *s, const struct outlook *o)
{
        const char *line = strchr(o->rest, '\n');

        for (line = line ? line + 1 : ""; *line; line += strcspn(line, "\n"), line += *line == '\n')
                step_note(s, "%.*s", (int)strcspn(line, "\n"), line);
        if (bar_of(o) == RECOVER_GO)
                return step_end(s, STEP_DONE, "%s would be the first member%s", o->chosen,
                                is_yes(o->lossy)  ? "; this is NOT proven: commits may be lost"
                                : is_yes(o->leap) ? ": it has all but what who is away may have "
                                                    "committed in its last moment"
                                                  : ": it has all that was committed");
        return end_bar(s, o, STEP_TEMPORARY);
}

/* ---- the deed ---- */

/* All others yield, or not. 0: they do. */
static int claim(struct step *s, struct order_talk *t, const struct galera_position *p)
{
        msec_t end = clock_ms() + CLAIM;
        struct outlook o;
        char request[128];

        snprintf(request, sizeof request, "recover claim %s:%" PRId64 "%s", p->uuid, p->seqno,
                 s->flags & STEP_ACCEPT_LOSS ? " lossy" : "");
        int r = order_ask(t, request);
        while (r == EX_OK) {
                r = look(s, t, &o);
                if (r != EX_OK)
                        break;
                if (strcmp(o.claim, "won") == 0)
                        return 0;
                if (strcmp(o.claim, "lost") == 0 || clock_ms() >= end)
                        return step_end(s, STEP_TEMPORARY, "the others do not agree: %.*s",
                                        (int)strcspn(o.rest, "\n"), o.rest);
                poll(NULL, 0, LOOK_EVERY);
        }
        return r;
}

/* What the first member's order is to say. 0, or an exit code and it was said. */
static int agree(struct step *s, struct order_talk *t, struct galera_position *p, bool *leap)
{
        struct galera_data d;
        struct outlook o;
        int code = member_data(s, &d);

        if (code != 0)
                return code;
        if (!galera_data_position(&d, p) || p->seqno < 0)
                return step_end(s, STEP_TEMPORARY,
                                "where its data stands changed while it was stopped");
        code = claim(s, t, p);
        if (code == 0)
                code = look(s, t, &o);
        if (code != 0)
                return code;
        /* who remembers us as a member does not know us while we are stopped: proven is proven */
        if ((bar_of(&o) != RECOVER_GO && bar_of(&o) != RECOVER_UNPROVEN) || !is_yes(o.mine))
                return end_bar(s, &o, STEP_TEMPORARY);
        *leap = is_yes(o.leap);
        int r = galera_order(GALERA_SHARE, p, *leap, clock_ms() + ORDER_VALID);
        return r < 0 ? step_end_error(s, r, GALERA_SHARE) : 0;
}

static int tell_first(struct step *s, const struct galera_facts *f, const struct galera_position *p,
                      bool leap)
{
        if (leap && f->last_committed < p->seqno + GALERA_LEAP)
                return step_end(
                        s, STEP_FAILED,
                        "the database here is the first member again, but its numbers go on "
                        "at %" PRId64 " and not from far above: its galera-start is older "
                        "than this hamon? Whoever is away must not come back with its old "
                        "data: there, hamon galera join --discard",
                        f->last_committed);
        return step_end(s, STEP_DONE,
                        "the database here is the first member again, at %" PRId64
                        "; the others join it by themselves%s",
                        f->last_committed,
                        leap ? ", with a full copy, for not all told where their data stands" : "");
}

/* Whatever came of the agreement, our member starts again: with the order, or as one that joins. */
static int be_first(struct step *s, struct order_talk *t)
{
        struct galera_facts f = { .reach = DB_UNKNOWN };
        struct galera_position p;
        bool leap = false;
        int code = member_stop_waiting(s);

        if (code != 0)
                return code;
        int agreed = agree(s, t, &p, &leap);
        code = member_start(s);
        if (agreed != 0 || code != 0) {
                galera_order_revoke(GALERA_SHARE);
                order_ask(t, "recover done");
                return agreed ? agreed : code;
        }
        bool up = member_await(s, &f);
        order_ask(t, "recover done");
        if (!up)
                return step_end(s, STEP_TEMPORARY, "it is no first member yet");
        return tell_first(s, &f, &p, leap);
}

static int let_it(struct step *s, struct order_talk *t, const struct outlook *o)
{
        struct galera_facts f = { .reach = DB_UNKNOWN };

        if (s->flags & STEP_ACCEPT_LOSS)
                return step_end(s, STEP_FAILED,
                                "%s is the most advanced of those that answer: give this command "
                                "there",
                                o->chosen);
        int r = order_ask(t, "recover pass");
        if (r != EX_OK)
                return r;
        step_note(s, "%s is the most advanced, and was told to be the first", o->chosen);
        if (!member_await(s, &f))
                return step_end(s, STEP_TEMPORARY, "no member has come up yet");
        return step_end(s, STEP_DONE, "it is a synced member of a cluster of %u", f.size);
}

static int join_them(struct step *s, const struct outlook *o)
{
        struct galera_facts f = { .reach = DB_UNKNOWN };

        member_ask(s, &f);
        if (member_is_synced(&f))
                return step_end(s, STEP_ALREADY, "it is a synced member of a cluster of %u",
                                f.size);
        step_note(s, "%s %s", o->node, RECOVERS[RECOVER_NEEDLESS].sentence);
        int code = member_start(s);
        if (code != 0)
                return code;
        if (!member_await(s, &f))
                return step_end(s, STEP_TEMPORARY, "it is no synced member yet");
        return step_end(s, STEP_DONE, "it is a synced member of a cluster of %u", f.size);
}

/* Who does not answer is off before anything is begun. Without a person at hand the provider's word
 * or its power switch. */
static int fence(struct step *s, struct order_talk *t, const char *name)
{
        char request[128];
        const char *how;

        s->flags |= STEP_NO_LEASE | STEP_YES; /* there is none: its database is down */
        if (s->flags & STEP_AUTO)
                s->fence = name;
        int r = takeover_fence(s, name, &how);
        if (r != 0)
                return r;
        snprintf(request, sizeof request, "takeover fenced %s %s", name, how);
        return order_ask(t, request);
}

/* May it be otherwise in a moment? */
static bool passes(enum recover_bar bar)
{
        return bar == RECOVER_UNPLACED || bar == RECOVER_REFORMS || bar == RECOVER_UNFENCED ||
               bar == RECOVER_MINORITY;
}

int galera_recover_run(struct step *s)
{
        struct order_talk t = { .verb = s->what,
                                .socket = s->config.control.socket,
                                .timeout = s->config.check.timeout };
        msec_t began = clock_ms();
        struct outlook o;

        for (;;) {
                int r = look(s, &t, &o);
                if (r != EX_OK)
                        return r;
                enum recover_bar bar = bar_of(&o);
                if (s->flags & STEP_PLAN)
                        return show_plan(s, &o);
                if (bar == RECOVER_GO)
                        return is_yes(o.mine) ? be_first(s, &t) : let_it(s, &t, &o);
                if (bar == RECOVER_NEEDLESS)
                        return join_them(s, &o);
                bool waited = clock_ms() - began >= (msec_t)PATIENCE || (s->flags & STEP_AUTO);
                if (bar == RECOVER_UNFENCED && (waited || s->off || s->fence)) {
                        r = fence(s, &t, o.node);
                        if (r != 0)
                                return r;
                        continue;
                }
                if (!passes(bar) || waited)
                        return end_bar(s, &o, passes(bar) ? STEP_TEMPORARY : STEP_FAILED);
                poll(NULL, 0, LOOK_EVERY);
        }
}
