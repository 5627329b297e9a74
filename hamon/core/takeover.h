/* Break-glass: may this node take the lead by an operator's order, though it cannot know what the
 * others do? Safety before availability: everyone who does not say itself that it is clean must
 * have been fenced, and the database must have its quorum. Pure. */
#pragma once

#include "hamon/core/ha.h"

enum takeover_other {                /* another node, as far as it tells */
                      OTHER_UNASKED, /* nobody has asked it yet */
                      OTHER_SILENT,  /* off, hung, cut off, without hamon: nobody knows */
                      OTHER_DIRTY,   /* answers, and something may still write there */
                      OTHER_CLEAN,   /* answers that nothing writes there */
                      OTHER_LEADS,   /* answers, and holds the lease or is about to */
                      OTHER_COUNT_
};
extern const char *const TAKEOVER_OTHERS[OTHER_COUNT_];

struct takeover_node {
        enum takeover_other is;
        bool in_view;        /* a member of our component of the database */
        bool may_be_in_view; /* the database does not tell the addresses of all its members */
        bool fenced;         /* proven by the provider, or by the operator's word */
};

struct takeover_view {
        enum ha_state state; /* of this node */
        bool maintenance, guard, quorum;
        unsigned members; /* of our component of the database */
        size_t n;
        const struct takeover_node *others;
};

/* What stands against it, in the order in which it must be put right. */
enum takeover_bar {
        BAR_NONE,
        BAR_LEADS,         /* this node leads, or is about to */
        BAR_BUSY,          /* it does not know what it left behind, or cleans up */
        BAR_MAINTENANCE,   /* an order that stands */
        BAR_NO_GUARD,      /* who would end what writes here? */
        BAR_UNASKED,       /* culprit */
        BAR_HOLDER_LIVES,  /* culprit answers and leads: it is asked, not robbed */
        BAR_BREAKS_QUORUM, /* fencing who is to be fenced would stop the database */
        BAR_UNFENCED,      /* culprit */
        BAR_NO_QUORUM,     /* last: who is not fenced may have bootstrapped, too */
        BAR_COUNT_
};

struct takeover_row {
        const char *name;     /* in the protocol and in the log */
        const char *sentence; /* of the culprit, if there is one */
};
extern const struct takeover_row BARS[BAR_COUNT_];

/* `valid`: what is left of its lease, by its own clock. */
enum takeover_other takeover_classify(bool asked, bool answers, enum ha_state state, bool mounted,
                                      msec_t valid);

/* Must it be fenced before this node may lead? */
bool takeover_needs_fence(const struct takeover_node *o);

/* Would fencing everyone who needs it end the quorum of the database? */
bool takeover_breaks_quorum(const struct takeover_view *v);

/* The first thing that stands against it. `ret_culprit`: which node; v->n = none. */
enum takeover_bar takeover_bar(const struct takeover_view *v, size_t *ret_culprit);
