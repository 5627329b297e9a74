/* What the page says, before any of it is drawn: the snapshot judged for people. Pure. */
#pragma once

#include "hamon/web/page.h"

enum page_level { LEVEL_UNKNOWN, LEVEL_GOOD, LEVEL_WARN, LEVEL_MOVING, LEVEL_BAD, LEVEL_COUNT_ };

struct page_level_row {
        const char *name; /* class in page.css */
        const char *word; /* never colour alone */
        const char *mark; /* id of its icon */
};
extern const struct page_level_row LEVELS[LEVEL_COUNT_];

enum { PAGE_NODES = 9, PAGE_NOTES = 16, PAGE_FUNCTIONS = 6, PAGE_TEXT = 400 };

struct page_node { /* strings are the snapshot's, "" = not known */
        const char *name, *address, *role, *state, *verdict, *reason;
        msec_t age; /* of its word; < 0 = never heard */
        bool self, holder, candidate, mounted;
        bool heard; /* its word is fresh */
        bool late;  /* not in step for longer than anybody should be; `sync` says why */
        const char *sync;
        enum page_level level;
};

struct page_note { /* worth a look, though mail may work */
        enum page_level level;
        char text[PAGE_TEXT];
};

struct page_function { /* what people use mail for */
        const char *name, *what;
        const char *word; /* works, in doubt, ... */
        enum page_level level;
        char text[PAGE_TEXT]; /* why it is not good */
};

struct page_view {
        const struct snap *snap;
        struct page_time time;

        enum page_level level;
        char title[96];
        char why[PAGE_TEXT];
        char next[PAGE_TEXT]; /* what a person may do about it, "" = nothing */

        bool known;   /* the daemon has answered at all */
        bool old;     /* but not lately: nothing of it may hold any more */
        bool cluster; /* else: one node that watches */
        bool lease_known;
        struct page_node nodes[PAGE_NODES];
        size_t n_nodes;
        const struct page_node *self, *holder; /* holder: by the lease, NULL = none, or not known */
        const struct page_node *leader; /* whom people would call the master: who says so itself,
                                           the holder first, else the holder; NULL = nobody */
        bool serves_here; /* the checks below are those of the services that carry mail */
        struct page_function functions[PAGE_FUNCTIONS]; /* if serves_here */
        size_t n_functions;
        struct page_note notes[PAGE_NOTES];
        size_t n_notes;
};

void page_view(const struct snap *s, const struct page_time *t, struct page_view *ret);

/* Does a function that is shown as not good say so already? */
bool page_is_told(const struct page_view *v, const char *check);

/* Its parts, in this order. */
void page_view_nodes(struct page_view *v);
void page_view_functions(struct page_view *v);
void page_view_notes(struct page_view *v);
void page_view_judge(struct page_view *v);

/* Of a rehearsal: nothing stands against a fail-over. */
bool page_finding_good(const cJSON *finding);

void page_note(struct page_view *v, enum page_level level, const char *fmt, ...) PRINTF(3, 4);

/* Of a verdict: up, suspect, down; fit, unfit. */
enum page_level page_level_of(const char *verdict);
/* The sentence for a reason of the daemon's; its name, if that is of a later version. */
const char *page_sentence(const char *reason);

/* From JSON that may be anything: "" / `none` / false if it is not there. */
const char *page_text(const cJSON *o, const char *key);
msec_t page_number(const cJSON *o, const char *key, msec_t none);
bool page_true(const cJSON *o, const char *key);
const cJSON *page_get(const cJSON *o, const char *key);

/* "340 ms", "4.2 s", "3 min", "5 h", "9 days": one number is enough for people. */
char *page_span(msec_t ms, char *dst, size_t size);
