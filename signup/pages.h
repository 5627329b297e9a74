/* PAGES[]: which path is answered by what. */
#pragma once

#include "signup/visit.h"

/* The whole of one request; the reply is always filled. */
void page_serve(struct site *s, struct caller *c, const struct request *req, struct reply *reply);

/* ---- one file per page; each fills the visit's reply; <0 = an error page is due ---- */

int page_form(struct visit *v);      /* GET / */
int page_submit(struct visit *v);    /* POST / */
int page_invite(struct visit *v);    /* GET /invite/<code> */
int page_challenge(struct visit *v); /* GET /challenge: a new ticket, as JSON */
int page_captcha(struct visit *v);   /* GET /captcha/<ticket>.jpg, .dark.jpg, .wav */
int page_asset(struct visit *v);     /* GET /s/<name> */
int page_health(struct visit *v);    /* GET /health */

/* The form again, or for the first time. */
struct form_state {
        const struct form *typed;       /* NULL = nothing yet */
        const struct problem *problems; /* FIELD_COUNT of them, or NULL */
        const char *alert;              /* a sentence above the form; NULL = none */
        const char *gate_problem;       /* a text's key, or NULL */
        const char *ticket;             /* to be kept; NULL = a new one */
        bool passed;                    /* `ticket` says that a gate was passed */
        int status;
};
int form_show(struct visit *v, const struct form_state *s);

bool page_closed(struct visit *v, struct strlist *ret_domains); /* fills the reply if so */
