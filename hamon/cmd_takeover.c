/* The operator's end of the break-glass. The daemon says who might still write (lead_takeover.c);
 * each of those is fenced here, by the provider, or by the word of a person who names it; then the
 * daemon is given the order, and looks at all of it again. First the fence, then a database without
 * quorum is spoken of: to bootstrap it while others may do the same makes two of it.
 *
 * The lease is held by nobody who could be asked, so the person's word replaces it here: that is
 * why nothing is powered off that was not named. */
#include "hamon/cmd_takeover.h"

#include "hamon/core/takeover.h"
#include "hamon/order.h"
#include "hamon/step.h"
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { MINUTE = 60000, LOOK = 15000, POWEROFF = 60000, NAME = 64 };

struct seen { /* the daemon's answer to `takeover look` */
        char bar[24], node[NAME], state[24], database[24], holder[NAME];
        uint64_t members, nodes;
        const char *rest; /* one line per other node */
};

struct other {
        char name[NAME], is[16];
        uint64_t heard_ms; /* UINT64_MAX: never */
        bool fenced;
};

/* ---- what the daemon says ---- */

static int number_of(const char *line, const char *key, uint64_t *ret)
{
        char text[24];
        int r = step_word(line, key, " \n", text, sizeof text);

        return r < 0 ? r : parse_uint(text, 0, UINT64_MAX, ret) < 0 ? -EBADMSG : 0;
}

static int parse(const char *answer, struct seen *s)
{
        char line[ORDER_ANSWER];

        snprintf(line, sizeof line, " %s", answer);
        const char *rest = strchr(answer, '\n');
        s->rest = rest ? rest + 1 : "";
        line[strcspn(line, "\n")] = '\0';
        if (step_word(line, "bar=", " ", s->bar, sizeof s->bar) < 0 ||
            step_word(line, "node=", " ", s->node, sizeof s->node) < 0 ||
            step_word(line, "state=", " ", s->state, sizeof s->state) < 0 ||
            step_word(line, "database=", " ", s->database, sizeof s->database) < 0 ||
            step_word(line, "holder=", " ", s->holder, sizeof s->holder) < 0 ||
            number_of(line, "members=", &s->members) < 0 ||
            number_of(line, "nodes=", &s->nodes) < 0)
                return -EBADMSG;
        return 0;
}

/* The next line of `*at` into `ret`; false = there is none, or it makes no sense. */
static bool next_other(const char **at, struct other *ret)
{
        char line[512], fenced[8];
        size_t len = strcspn(*at, "\n");

        if (len == 0 || len >= sizeof line)
                return false;
        memcpy(line, *at, len);
        line[len] = '\0';
        *at += len + ((*at)[len] == '\n');
        *ret = (struct other){ .heard_ms = UINT64_MAX };
        if (step_word(line, "name=", " ", ret->name, sizeof ret->name) < 0 ||
            step_word(line, "is=", " ", ret->is, sizeof ret->is) < 0 ||
            step_word(line, "fenced=", " ", fenced, sizeof fenced) < 0)
                return false;
        ret->fenced = strcmp(fenced, "yes") == 0;
        if (number_of(line, "heard_ms=", &ret->heard_ms) < 0)
                ret->heard_ms = UINT64_MAX;
        return true;
}

static bool is(const char *word, enum takeover_other o)
{
        return strcmp(word, TAKEOVER_OTHERS[o]) == 0;
}

static bool is_bar(const struct seen *s, enum takeover_bar bar)
{
        return strcmp(s->bar, BARS[bar].name) == 0;
}

static int look(struct step *s, struct order_talk *t, struct seen *ret)
{
        int r = order_ask(t, "takeover look");

        if (r == EX_OK && parse(t->answer, ret) < 0)
                return step_end(s, STEP_FAILED, "the daemon's answer makes no sense");
        return r;
}

/* ---- what nobody can know ---- */

static void tell_other(const struct step *s, const struct other *o)
{
        char when[64] = "has never answered";

        if (o->heard_ms != UINT64_MAX)
                snprintf(when, sizeof when, "was last heard %llu s ago",
                         (unsigned long long)o->heard_ms / 1000);
        if (is(o->is, OTHER_CLEAN))
                step_note(s, "%s answers, and nothing writes there", o->name);
        else if (is(o->is, OTHER_DIRTY))
                step_note(s, "%s answers, and something may still write there", o->name);
        else if (is(o->is, OTHER_SILENT))
                step_note(s,
                          "%s %s: whether it is off, or only cut off from here and at work, alone "
                          "or with a database of its own, cannot be known from here",
                          o->name, when);
}

static void tell(const struct step *s, const struct seen *seen)
{
        const char *at = seen->rest;
        struct other o;

        while (next_other(&at, &o))
                tell_other(s, &o);
        if (strcmp(seen->database, "primary") == 0 && seen->members * 2 <= seen->nodes)
                step_note(s,
                          "the database here calls itself Primary with %llu of %llu nodes: what "
                          "the others committed since they are gone is not in it",
                          (unsigned long long)seen->members, (unsigned long long)seen->nodes);
        if (*seen->holder)
                step_note(s, "the lease was held by %s when it was last read", seen->holder);
}

/* ---- the fence ---- */

/* The name again, from the terminal: "yes" is typed too easily. */
static bool is_typed(struct step *s, const char *name, const char *question)
{
        char answer[NAME + 2] = "";

        if (!isatty(STDIN_FILENO))
                return false;
        fprintf(stderr, "%s Type its name (%s) to say so: ", question, name);
        if (!fgets(answer, sizeof answer, stdin))
                return false;
        answer[strcspn(answer, "\n")] = '\0';
        s->pulse = clock_ms(); /* a person may think as long as they like */
        s->deadline = s->pulse + s->timeout;
        return strcmp(answer, name) == 0;
}

static int by_word(struct step *s, const char *name, const char *why, const char **ret_how)
{
        char question[512];

        snprintf(question, sizeof question,
                 "%s. If you know that %s is off, and stays off until this node leads, say so.",
                 why, name);
        if (!step_is_named(s->off, name) && !is_typed(s, name, question))
                return step_end(s, STEP_FAILED,
                                "%s; only if it is surely off and stays off: --off %s. Nothing was "
                                "taken over",
                                why, name);
        *ret_how = "word";
        return 0;
}

static bool power_off(struct step *s, const char *server, struct step_seen *o)
{
        step_operate(s, s->provider->ops->poweroff, (struct provider_request){ .server = server },
                     POWEROFF, o);
        return step_went_well(o);
}

static int by_order(struct step *s, const char *name, const char *server, const char **ret_how)
{
        char question[256], why[256];
        struct step_seen o;

        snprintf(question, sizeof question,
                 "%s will be powered off; what it has not written is lost.", name);
        if (!step_is_named(s->fence, name) && !is_typed(s, name, question))
                return step_end(
                        s, STEP_FAILED,
                        "%s may still write: let it be powered off with --fence %s. Nothing "
                        "was taken over",
                        name, name);
        *ret_how = "poweroff";
        if (power_off(s, server, &o))
                return 0;
        if (s->refused)
                return step_end_refused(s);
        snprintf(why, sizeof why, "%s could not be powered off: %.120s", name, o.text);
        return by_word(s, name, why, ret_how);
}

/* Hetzner tells whether a server runs, and is believed more than a person. */
static int by_provider(struct step *s, const char *name, const char **ret_how)
{
        char why[256], server[PROVIDER_ID_SIZE];
        struct step_seen o;

        step_operate(s, s->provider->ops->server_get, (struct provider_request){ .server = name },
                     LOOK, &o);
        if (!step_went_well(&o)) {
                snprintf(why, sizeof why, "the provider does not say whether %s runs: %.120s", name,
                         o.text);
                return by_word(s, name, why, ret_how);
        }
        if (strcmp(o.seen.server.status, "off") == 0) {
                step_note(s, "%s is off, says the provider", name);
                *ret_how = "off";
                return 0;
        }
        if (s->config.hetzner.poweroff == CONFIG_POWEROFF_NEVER) {
                snprintf(why, sizeof why,
                         "%s is %s, says the provider, and hetzner.poweroff = never", name,
                         o.seen.server.status);
                return by_word(s, name, why, ret_how);
        }
        str_copy(server, sizeof server, o.seen.server.id);
        return by_order(s, name, server, ret_how);
}

int takeover_fence(struct step *s, const char *name, const char **ret_how)
{
        enum config_provider which = (enum config_provider)s->config.volume.provider;
        int r = step_provider(s, which); /* a cluster has one */

        if (r != 0)
                return r;
        if (which == CONFIG_HETZNER)
                return by_provider(s, name, ret_how);
        if (s->provider->ops->can_fence(s->provider))
                return by_order(s, name, name, ret_how);
        return by_word(s, name, "nobody can fence a node from here (local.fence_command)", ret_how);
}

static int fence_all(struct step *s, struct order_talk *t, const struct seen *seen)
{
        char lines[ORDER_ANSWER], request[128];
        const char *at = lines, *how = NULL;
        struct other o;

        str_copy(lines, sizeof lines, seen->rest); /* t->answer is used meanwhile */
        while (next_other(&at, &o)) {
                if (o.fenced || !(is(o.is, OTHER_SILENT) || is(o.is, OTHER_DIRTY)))
                        continue;
                int r = takeover_fence(s, o.name, &how);
                if (r != 0)
                        return r;
                snprintf(request, sizeof request, "takeover fenced %s %s", o.name, how);
                r = order_ask(t, request);
                if (r != EX_OK)
                        return r;
        }
        return 0;
}

/* A name that is mistyped must not look like a consent. 0, or how it ended. */
static int check_names(struct step *s, const char *flag, const char *list)
{
        const struct config *c = &s->config;
        char name[NAME];

        for (const char *p = list ? list : ""; *p; p += strcspn(p, ","), p += *p == ',') {
                bool known = false;
                snprintf(name, sizeof name, "%.*s", (int)strcspn(p, ","), p);
                for (size_t i = 0; i < c->cluster.nodes.n; i++)
                        known |= str_eq(config_cluster_node(c, i).name, name) &&
                                 (int)i != config_cluster_rank(c);
                if (!known) {
                        step_end(s, STEP_FAILED, "%s %s: no other node of [cluster] nodes", flag,
                                 name);
                        return EX_USAGE;
                }
        }
        return 0;
}

/* ---- all of it ---- */

static int without_quorum(struct step *s, const struct seen *seen)
{
        step_note(s, "the others are fenced: see that they stay off. Now the database:");
        if (strcmp(seen->database, "silent") == 0)
                step_note(s,
                          "  hamon stack start --only mysql-mailcow   (it does not answer here)");
        step_note(s, "  hamon galera recover --plan");
        step_note(s, "  hamon galera recover --accept-loss   (what the others committed last and "
                     "this one has not is lost; where their disks can be read, mariadbd "
                     "--wsrep-recover there says more)");
        return step_end(s, STEP_TEMPORARY, "%s; once it is there, the same command again",
                        BARS[BAR_NO_QUORUM].sentence);
}

static int refused(struct step *s, const struct seen *seen)
{
        for (size_t i = 0; i < BAR_COUNT_; i++)
                if (is_bar(seen, (enum takeover_bar)i))
                        return step_end(
                                s, i == BAR_UNASKED || i == BAR_BUSY ? STEP_TEMPORARY : STEP_FAILED,
                                "%s%s%s", seen->node, *seen->node ? " " : "", BARS[i].sentence);
        return step_end(s, STEP_FAILED, "the daemon says \"%s\"", seen->bar);
}

static int run(struct step *s)
{
        struct order_talk t = { .verb = s->what,
                                .socket = s->config.control.socket,
                                .timeout = s->config.check.timeout };
        struct seen seen;
        int r = check_names(s, "--fence", s->fence);

        if (r == 0)
                r = check_names(s, "--off", s->off);
        if (r == 0)
                r = look(s, &t, &seen);
        if (r != 0)
                return r;
        if (is_bar(&seen, BAR_LEADS))
                return step_end(s, STEP_ALREADY, "%s", BARS[BAR_LEADS].sentence);
        tell(s, &seen);
        if (is_bar(&seen, BAR_UNFENCED)) {
                s->flags |= STEP_NO_LEASE | STEP_YES; /* see above */
                r = fence_all(s, &t, &seen);
                if (r == 0)
                        r = look(s, &t, &seen);
                if (r != 0)
                        return r;
        }
        if (is_bar(&seen, BAR_NO_QUORUM))
                return without_quorum(s, &seen);
        if (!is_bar(&seen, BAR_NONE))
                return refused(s, &seen);
        return order_run(&t, "takeover go");
}

static const struct step_verb VERBS[] = {
        { .name = "--force",
          .flags = STEP_TIMEOUT | STEP_FENCE | STEP_OFF,
          .timeout = 10 * MINUTE,
          .run = run },
};

int takeover_command(const char *file, int argc, char **argv)
{
        if (argc == 0 || strcmp(argv[0], "--force") != 0) {
                fputs("usage: hamon takeover --force [--fence NODE,...] [--off NODE,...]\n"
                      "Only when no other node can lead any more: for a planned move there is "
                      "hamon "
                      "switchover. See hamon(8), TAKEOVER.\n",
                      stderr);
                return EX_USAGE;
        }
        return step_main("takeover", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
