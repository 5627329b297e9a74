/* One request under way: who asks, in which language, and what the page will show. */
#pragma once

#include "signup/caller.h"
#include "signup/field.h"
#include "signup/request.h"
#include "signup/site.h"

enum { VISIT_TOKEN = 33, LANGUAGES_MAX = 64, DOMAINS_SHOWN = 64 };

struct visit {
        struct site *site;
        struct caller *caller;
        const struct request *req;
        struct reply *reply;
        const struct locale *locale;
        char browser[VISIT_TOKEN]; /* random, in a cookie: the same for all tabs */
        bool browser_new;          /* it had none */
        char csrf[VISIT_TOKEN];    /* what `browser` must come with */
        struct view view;
        struct row languages[LANGUAGES_MAX], domains[DOMAINS_SHOWN], errors[FIELD_COUNT + 1];
        char urls[LANGUAGES_MAX][16];
        struct buf texts[FIELD_COUNT + 8]; /* formatted error texts */
        size_t n_texts;
};

int visit_init(struct visit *v, struct site *s, struct caller *c, const struct request *req,
               struct reply *reply);
void visit_done(struct visit *v);

/* Is the form's `csrf` the one for this browser's cookie? By any of our keys. */
bool visit_csrf_ok(const struct visit *v, const char *token);

/* A text in the visitor's language; {min}, {max}, {minutes}, {domain}. Good until visit_done(). */
struct text_values {
        uint64_t min, max, minutes;
        const char *domain;
};
const char *visit_text(struct visit *v, const char *key, const struct text_values *values);

/* Renders into the reply. `heading`: a text's key. */
int visit_show(struct visit *v, enum template_id t, int status, const char *heading);

/* The page that only says something. `text`: a text's key; `again`: with a way back to the form. */
int visit_say(struct visit *v, int status, const char *heading, const char *text, bool again);

/* 429, with Retry-After. */
int visit_wait(struct visit *v, msec_t wait);

/* What this visitor's bucket goes by: its address (IPv6: /64), LIMIT_NETWORK: its network. */
struct netaddr visit_bucket(const struct visit *v, enum limit_kind kind);

/* Take one of that bucket. */
bool visit_limit(struct visit *v, enum limit_kind kind, msec_t *ret_wait);

/* For the log. */
const char *visit_from(const struct visit *v, char dst[NETADDR_TEXT]);
