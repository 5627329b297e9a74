/* The database is down on all nodes: this part finds out from the others who may be the first
 * member again, keeps two nodes from believing that at once, and starts `hamon galera recover`,
 * which does it. hamon/core/recover.h has the rules.
 *
 * To the other nodes (`galera` on the peer channel):
 *
 *     galera                   db=runs data=placed uuid=… seqno=42 me=… view=…,…
 *     galera yield UUID:SEQNO  yes | wait | no REASON     shall the asker be the first?
 *     galera recover           ok | no …                  recover yourself, if it is you
 *
 * `yes` is a promise for PROMISE_MS: to nobody else, and not to ourselves. It is given only after a
 * look at our own member that began after the question: it is in no Primary component, and has
 * nothing that the asker has not. The asker needs it from every node that was not fenced, and asks
 * when its own member is stopped, so that nobody finds the old membership again with it. */
#include "hamon/lead_recover.h"

#include "hamon/galera_data.h"
#include "hamon/galera_word.h"
#include "hamon/runner.h"
#include "lib/log.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
        ASK_MS = 1500,
        WORD_EVERY = 2000,
        WORD_MS = 20000,
        FRESH_MS = 20000,
        PROMISE_MS = 120000,
        FENCED_MS = 300000,
        CLAIM_MS = 60000,
        SETTLE_MS = 15000, /* Galera has so long to find its membership again by itself */
        ABSENT_MS = 60000, /* and a node that does not answer, to boot */
        AGAIN_MS = 60000,
        DEED_MS = 900000,
};

struct other { /* another node's word; index = place in [cluster] nodes */
        struct recover_node node;
        msec_t at; /* start of the question it answered; 0 = never */
        bool asking, yielding, yes;
        char no[64]; /* why it does not yield; "" = not said */
};

struct lead_recover {
        bool engine; /* this program is hamond: it can be run again for a word or a deed */
        struct runner *word, *deed;
        struct recover_node own;
        msec_t own_at; /* start of the look; 0 = none yet */
        msec_t looked_at;
        struct other others[CLUSTER_MAX];
        msec_t down_since, settled_since, again_at;
        enum recover_bar told;
        char promised[LEASE_NAME];
        msec_t promised_at;
        enum { CLAIM_NONE, CLAIM_ASKING, CLAIM_WON, CLAIM_LOST } claim;
        bool claim_lossy;
        char donors[LEASE_NAME]; /* for whom the list was written: who led then */
        bool has_donors;
        struct galera_position claimed;
        msec_t claimed_at;
};

static const char *const CLAIMS[] = { "none", "asking", "won", "lost" };

static size_t me(const struct lead *l)
{
        return (size_t)config_cluster_rank(l->needs.config);
}

static size_t count(const struct lead *l)
{
        return l->needs.config->cluster.nodes.n;
}

static bool is_up(const struct lead *l)
{
        const struct galera_facts *g = &l->needs.node->galera_facts;

        return g->reach == DB_OK && g->wsrep_on && g->primary && g->ready;
}

/* ---- the view ---- */

static bool is_fenced(const struct lead *l, size_t i, msec_t now)
{
        const struct lead_fenced *f = &l->fenced[i];

        return f->how && !(l->others[i].heard && l->others[i].heard_at > f->at) &&
               now - f->at <= (msec_t)FENCED_MS;
}

static void view(const struct lead *l, struct recover_node nodes[CLUSTER_MAX], msec_t now)
{
        const struct lead_recover *g = l->recover;

        for (size_t i = 0; i < count(l); i++) {
                bool mine = i == me(l);
                msec_t at = mine ? g->own_at : g->others[i].at;
                nodes[i] = (struct recover_node){ .fenced = !mine && is_fenced(l, i, now) };
                if (at == 0 || now - at > (msec_t)FRESH_MS)
                        continue;
                nodes[i] = mine ? g->own : g->others[i].node;
                nodes[i].known = true;
        }
        if (!is_up(l))
                return;
        nodes[me(l)] = (struct recover_node){ .known = true, .primary = true, .runs = true };
}

static void plan(const struct lead *l, bool accept_loss, struct recover_node nodes[CLUSTER_MAX],
                 struct recover_plan *ret)
{
        view(l, nodes, loop_now(l->needs.loop));
        recover_decide(nodes, count(l), accept_loss, ret);
}

static const char *name_of(const struct lead *l, size_t i, struct cluster_node *scratch)
{
        if (i >= count(l))
                return "";
        *scratch = config_cluster_node(l->needs.config, i);
        return scratch->name;
}

bool lead_recover_others_up(const struct lead *l)
{
        struct recover_node nodes[CLUSTER_MAX];

        view(l, nodes, loop_now(l->needs.loop));
        for (size_t i = 0; i < count(l); i++)
                if (i != me(l) && nodes[i].known && nodes[i].primary)
                        return true;
        return false;
}

/* ---- asking the others ---- */

static void on_word(void *arg, const struct peer_answer *a)
{
        struct lead *l = arg;
        struct other *o = &l->recover->others[a->node];

        o->asking = false;
        if (a->end == PEER_ANSWERED && galera_word_parse(a->text, &o->node) == 0)
                o->at = loop_now(l->needs.loop) - a->took;
}

static void lose(struct lead_recover *g)
{
        g->claim = CLAIM_LOST;
        g->promised[0] = '\0';
}

static void on_yield(void *arg, const struct peer_answer *a)
{
        struct lead *l = arg;
        struct lead_recover *g = l->recover;
        struct other *o = &g->others[a->node];

        o->yielding = false;
        if (g->claim != CLAIM_ASKING || a->end != PEER_ANSWERED || str_eq(a->text, "wait"))
                return;
        o->yes = str_eq(a->text, "yes") || (g->claim_lossy && str_eq(a->text, "no unplaced"));
        if (o->yes)
                return;
        str_copy(o->no, sizeof o->no, strncmp(a->text, "no ", 3) == 0 ? a->text + 3 : a->text);
        lose(g);
}

static void ask_yields(struct lead *l, msec_t now)
{
        struct lead_recover *g = l->recover;
        char words[80];
        bool all = true;

        snprintf(words, sizeof words, "yield %s:%" PRId64, g->claimed.uuid, g->claimed.seqno);
        for (size_t i = 0; i < count(l); i++) {
                struct other *o = &g->others[i];
                if (i == me(l) || o->yes || is_fenced(l, i, now))
                        continue;
                all = false;
                if (!o->yielding)
                        o->yielding =
                                peer_ask(l->peer, i, PEER_GALERA, words, ASK_MS, on_yield, l) == 0;
        }
        if (all)
                g->claim = CLAIM_WON;
        else if (now - g->claimed_at > (msec_t)CLAIM_MS)
                lose(g);
}

static void ask_words(struct lead *l)
{
        for (size_t i = 0; i < count(l); i++) {
                struct other *o = &l->recover->others[i];
                if (i != me(l) && !o->asking)
                        o->asking = peer_ask(l->peer, i, PEER_GALERA, "", ASK_MS, on_word, l) == 0;
        }
}

/* ---- our own member ---- */

static void run(struct lead *l, struct runner *r, const char *what, const char *flag, msec_t time)
{
        const char *const argv[] = {
                "/proc/self/exe", "-c", l->needs.file, "galera", what, flag, NULL
        };
        int e = l->recover->engine ? runner_start(r, argv, time) : -EBUSY;

        if (e < 0 && e != -EBUSY)
                log_event(LOG_ERROR, "galera", LS("what", what), LS("error", strerror(-e)));
}

static void on_own(void *arg, const struct runner_end *e)
{
        struct lead *l = arg;

        if (e->code == 0 && galera_word_parse(e->text, &l->recover->own) == 0)
                l->recover->own_at = e->began;
}

static void look(struct lead *l, msec_t now)
{
        struct lead_recover *g = l->recover;

        if (runner_busy(g->word) || now - g->looked_at < (msec_t)WORD_EVERY)
                return;
        g->looked_at = now;
        run(l, g->word, "word", NULL, WORD_MS);
}

/* ---- answering ---- */

static bool has_promised(const struct lead_recover *g, msec_t now)
{
        return *g->promised && now - g->promised_at <= (msec_t)PROMISE_MS;
}

/* What stands against `p` being the first; NULL = nothing. */
static const char *objection(const struct lead *l, const struct galera_position *p)
{
        const struct recover_node *o = &l->recover->own;

        if (is_up(l) || o->primary)
                return "primary";
        if (o->empty)
                return NULL;
        if (!o->placed)
                return "unplaced";
        if (!str_eq(o->uuid, p->uuid))
                return "foreign";
        return o->seqno > p->seqno ? "ahead" : NULL;
}

static void yield(struct lead *l, const char *from, const char *words, struct buf *out)
{
        struct lead_recover *g = l->recover;
        msec_t now = loop_now(l->needs.loop);
        struct galera_position p;
        const char *no;

        if (!galera_parse_position(words, &p)) {
                buf_adds(out, "no sense");
                return;
        }
        if (has_promised(g, now) && !str_eq(g->promised, from)) {
                buf_addf(out, "no promised to %s", g->promised);
                return;
        }
        if (!has_promised(g, now)) {
                str_copy(g->promised, sizeof g->promised, from);
                g->promised_at = now;
                g->looked_at = 0;
                log_event(LOG_WARN, "galera_promise", LS("to", from), LS("position", words));
        }
        if (is_up(l))
                buf_adds(out, "no primary");
        else if (g->own_at <= g->promised_at)
                buf_adds(out, "wait"); /* until we have looked */
        else if ((no = objection(l, &p)))
                buf_addf(out, "no %s", no);
        else
                buf_adds(out, "yes");
        look(l, now);
}

static void tell_word(struct lead *l, struct buf *out)
{
        struct recover_node nodes[CLUSTER_MAX];
        const struct galera_facts *f = &l->needs.node->galera_facts;
        msec_t now = loop_now(l->needs.loop);

        view(l, nodes, now);
        struct recover_node *n = &nodes[me(l)];
        if (n->primary && galera_is_uuid(f->cluster_uuid) && f->last_committed >= 0) {
                str_copy(n->uuid, sizeof n->uuid, f->cluster_uuid);
                n->seqno = f->last_committed;
                n->placed = true;
        }
        if (n->known)
                galera_word_write(out, n);
        else
                buf_adds(out, "error: not known yet");
}

static bool begin_deed(struct lead *l, const char *flag, const char *why)
{
        struct lead_recover *g = l->recover;

        if (runner_busy(g->deed))
                return false;
        g->again_at = loop_now(l->needs.loop) + AGAIN_MS;
        lead_tell_order(l, "galera recover", why, true);
        run(l, g->deed, "recover", flag, DEED_MS);
        return runner_busy(g->deed);
}

void lead_recover_peer(struct lead *l, const char *from, const char *words, struct buf *out)
{
        if (!*words)
                tell_word(l, out);
        else if (strncmp(words, "yield ", 6) == 0)
                yield(l, from, words + 6, out);
        else if (str_eq(words, "recover"))
                buf_adds(out, begin_deed(l, "--auto", from) ? "ok" : "no, it is under way");
        else
                buf_adds(out, "error: want galera, galera yield UUID:SEQNO or galera recover");
}

/* ---- by itself ---- */

static void tell_plan(struct lead *l, const struct recover_plan *p)
{
        struct cluster_node scratch;

        if (p->bar == l->recover->told)
                return;
        l->recover->told = p->bar;
        log_event(LOG_WARN, "galera_recover", LS("plan", RECOVERS[p->bar].name),
                  LS("node", name_of(l, p->bar == RECOVER_GO ? p->chosen : p->culprit, &scratch)),
                  LS("msg", RECOVERS[p->bar].sentence));
}

/* Is a choice proven, once those who do not answer are off? */
static bool would_go(const struct recover_node *nodes, size_t n, size_t who)
{
        struct recover_node copy[CLUSTER_MAX];
        struct recover_plan p;

        for (size_t i = 0; i < n; i++) {
                copy[i] = nodes[i];
                copy[i].fenced |= !copy[i].known;
        }
        recover_decide(copy, n, false, &p);
        return p.bar == RECOVER_GO && p.chosen == who;
}

static void decide(struct lead *l, msec_t now)
{
        struct lead_recover *g = l->recover;
        struct recover_node nodes[CLUSTER_MAX];
        struct recover_plan p;

        plan(l, false, nodes, &p);
        tell_plan(l, &p);
        bool mine = p.chosen == me(l) && would_go(nodes, count(l), me(l));
        if (!mine || (p.bar != RECOVER_GO && p.bar != RECOVER_UNFENCED)) {
                g->settled_since = now;
                return;
        }
        msec_t wait = p.bar == RECOVER_GO ? SETTLE_MS : ABSENT_MS;
        if (!l->needs.config->galera.auto_recover || now < g->again_at ||
            now - g->down_since < wait || now - g->settled_since < wait ||
            (has_promised(g, now) && !str_eq(g->promised, l->needs.config->node.name)))
                return;
        begin_deed(l, "--auto", "by itself");
}

/* ---- who gives a full copy ---- */

static void add_name(const struct lead *l, size_t i, struct buf *out)
{
        if (i != me(l))
                buf_addf(out, "%s%s", out->len > 0 ? "," : "",
                         config_cluster_node(l->needs.config, i).name);
}

/* For galera-start, on tmpfs: the node that leads comes last, for its database has mail to serve.
 */
static void tell_donors(struct lead *l)
{
        struct lead_recover *g = l->recover;
        const char *holder = l->ha.lease.row.holder;
        size_t leads = lead_index(l, holder);
        CLEANUP(buf_done) struct buf list = BUF(1024);

        if (g->has_donors && str_eq(g->donors, holder))
                return;
        for (size_t i = 0; i < count(l); i++)
                if (i != leads)
                        add_name(l, i, &list);
        if (leads < count(l))
                add_name(l, leads, &list);
        buf_adds(&list, "\n");
        str_copy(g->donors, sizeof g->donors, holder);
        int r = list.error ? list.error : make_parents(GALERA_SHARE "/donors");
        if (r == 0)
                r = write_file_atomic(GALERA_SHARE "/donors", 0644, list.data, list.len);
        if (r < 0 && g->has_donors)
                log_event(LOG_WARN, "galera_donors", LS("file", GALERA_SHARE "/donors"),
                          LS("error", strerror(-r)));
        g->has_donors = r == 0;
}

void lead_recover_tick(struct lead *l)
{
        struct lead_recover *g = l->recover;
        msec_t now = loop_now(l->needs.loop);

        tell_donors(l);
        if (is_up(l) && g->claim != CLAIM_ASKING) {
                g->down_since = g->settled_since = 0;
                g->told = RECOVER_GO;
                g->promised[0] = '\0';
                return;
        }
        if (g->down_since == 0)
                g->down_since = g->settled_since = now;
        look(l, now);
        ask_words(l);
        if (g->claim == CLAIM_ASKING)
                ask_yields(l, now);
        else if (!runner_busy(g->deed))
                decide(l, now);
}

/* ---- over the control socket: `hamon galera recover` ---- */

static void tell(const struct lead *l, bool accept_loss, struct buf *out)
{
        const struct lead_recover *g = l->recover;
        struct recover_node nodes[CLUSTER_MAX];
        struct cluster_node scratch;
        struct recover_plan p;
        const char *no = "";

        plan(l, accept_loss, nodes, &p);
        for (size_t i = 0; i < count(l) && !*no; i++)
                no = g->others[i].no;
        buf_addf(out, "ok bar=%s node=%s chosen=%s", RECOVERS[p.bar].name,
                 name_of(l, p.culprit, &scratch), p.chosen < count(l) ? "" : "none");
        buf_addf(out, "%s mine=%s lossy=%s leap=%s claim=%s\nclaim %s\n",
                 name_of(l, p.chosen, &scratch), p.chosen == me(l) ? "yes" : "no",
                 p.lossy ? "yes" : "no", p.leap ? "yes" : "no", CLAIMS[g->claim],
                 g->claim == CLAIM_LOST && !*no ? "not all of them answered" : no);
        for (size_t i = 0; i < count(l); i++) {
                buf_addf(out, "node name=%s known=%s fenced=%s ", name_of(l, i, &scratch),
                         nodes[i].known ? "yes" : "no", nodes[i].fenced ? "yes" : "no");
                if (nodes[i].known)
                        galera_word_write(out, &nodes[i]);
                buf_adds(out, "\n");
        }
}

static void claim(struct lead *l, const char *words, struct buf *out)
{
        struct lead_recover *g = l->recover;
        msec_t now = loop_now(l->needs.loop);
        const char *name = l->needs.config->node.name;
        char position[80];
        size_t len = strcspn(words, " ");

        snprintf(position, sizeof position, "%.*s", (int)len, words);
        if (!galera_parse_position(position, &g->claimed)) {
                buf_adds(out, "error: want recover claim UUID:SEQNO [lossy]\n");
                return;
        }
        if (has_promised(g, now) && !str_eq(g->promised, name)) {
                buf_addf(out, "error: promised to %s a moment ago\n", g->promised);
                return;
        }
        str_copy(g->promised, sizeof g->promised, name);
        g->promised_at = now;
        g->claim_lossy = str_eq(words + len, " lossy");
        g->claim = CLAIM_ASKING;
        g->claimed_at = now;
        for (size_t i = 0; i < count(l); i++) {
                g->others[i].yes = false;
                g->others[i].no[0] = '\0';
        }
        buf_adds(out, "ok\n");
}

static void on_passed(void *arg, const struct peer_answer *a)
{
        (void)arg;
        log_event(LOG_INFO, "galera_passed", LS("end", PEER_ENDS[a->end]));
}

static void pass(struct lead *l, struct buf *out)
{
        struct recover_node nodes[CLUSTER_MAX];
        struct cluster_node scratch;
        struct recover_plan p;

        plan(l, false, nodes, &p);
        if (p.bar != RECOVER_GO || p.chosen == me(l) ||
            peer_ask(l->peer, p.chosen, PEER_GALERA, "recover", ASK_MS, on_passed, l) < 0)
                buf_adds(out, "error: there is nobody to pass it to\n");
        else
                buf_addf(out, "ok %s\n", name_of(l, p.chosen, &scratch));
}

void lead_recover_request(struct lead *l, const char *words, struct buf *out)
{
        if (str_eq(words, "look") || str_eq(words, "look lossy"))
                tell(l, words[4] == ' ', out);
        else if (strncmp(words, "claim ", 6) == 0)
                claim(l, words + 6, out);
        else if (str_eq(words, "pass"))
                pass(l, out);
        else if (str_eq(words, "done")) {
                l->recover->claim = CLAIM_NONE;
                buf_adds(out, "ok\n");
        } else
                buf_adds(out, "error: want recover look, claim UUID:SEQNO, pass or done\n");
}

/* ---- building up ---- */

static void on_deed(void *arg, const struct runner_end *e)
{
        struct lead *l = arg;

        log_event(e->code == 0 ? LOG_WARN : LOG_ERROR, "galera_recovered", LI("code", e->code),
                  LS("msg", e->text));
        l->recover->again_at = loop_now(l->needs.loop) + AGAIN_MS;
}

int lead_recover_start(struct lead *l)
{
        struct lead_recover *g = calloc(1, sizeof *g);
        int r = g ? 0 : -ENOMEM;

        l->recover = g;
        if (r == 0)
                g->engine = runner_is_engine();
        if (r == 0)
                r = runner_new(l->needs.loop, on_own, l, &g->word);
        if (r == 0)
                r = runner_new(l->needs.loop, on_deed, l, &g->deed);
        return r;
}

void lead_recover_free(struct lead *l)
{
        if (!l->recover)
                return;
        runner_free(l->recover->word);
        runner_free(l->recover->deed);
        free(l->recover);
        l->recover = NULL;
}
