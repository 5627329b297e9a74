/* ALERT_RULES[]: which of a node's own events are worth a person. One row each; no event fits two
 * of them, so their order means nothing (a test tries all combinations). */
#pragma once

#include "hamon/events.h"
#include "hamon/web/alert_message.h"

enum alert_sort {
        SORT_ONCE,  /* an event: told once; the same key again within `repeat` is counted */
        SORT_OPEN,  /* begins something that lasts: told when it has lasted for `hold` */
        SORT_OVER,  /* ends it */
        SORT_RESET, /* ends all that this node's events began */
};

struct alert_rule {
        /* What must be so; NULL = whatever, else words separated by |. */
        const char *kind, *from, *to, *reason;
        enum alert_sort sort;
        enum log_level level;
        const char *key;      /* the node's name is added: "promoted" becomes "promoted:n2" */
        const char *sentence; /* follows the node's name */
        msec_t hold, repeat;
};
extern const struct alert_rule ALERT_RULES[];
extern const size_t N_ALERT_RULES;

/* The rule of this event; NULL = nobody needs to know. */
const struct alert_rule *alert_rule_find(const struct event_line *e);
bool alert_rule_fits(const struct alert_rule *r, const struct event_line *e);

/* The message, as this event would have it told. */
void alert_rule_message(const struct alert_rule *r, const struct event_line *e, const char *cluster,
                        struct alert_message *ret);
