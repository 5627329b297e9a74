/* ALERT_FORMATS[]: from a message to what is sent to a target, and from its answer to what became
 * of it. Pure: no clock, no socket. */
#pragma once

#include "hamon/web/alert_target.h"

enum { ALERT_HEADERS = 4, ALERT_BODY_MAX = 64 * 1024, ALERT_URL_MAX = 8 * 1024 };

struct alert_request { /* alert_request_done() */
        const char *method;
        struct buf url, body; /* email: the whole mail, its lines ended by CR LF */
        struct buf header[ALERT_HEADERS];
        size_t n_headers;
};

enum alert_end {
        ALERT_SENT,
        ALERT_LATER,   /* a matter of time, or of a token to be mended: it is tried again */
        ALERT_REFUSED, /* this message is not wanted, whenever it comes */
};

struct alert_answer {
        int status; /* HTTP; 0 = none came */
        const char *body;
        msec_t retry_after; /* of the header; 0 = it said nothing */
};

struct alert_outcome {
        enum alert_end end;
        msec_t wait;     /* the other end asks for so long; 0 = it does not */
        char error[200]; /* "" = sent; may hold secrets until alert_target_scrub() */
};

struct alert_format {
        int (*build)(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                     struct alert_request *ret);
        /* Does a 2xx mean yes? NULL = always. Else false, with a sentence for people. */
        bool (*accepted)(const char *body, char *error, size_t size);
};
extern const struct alert_format ALERT_FORMATS[ALERT_FORMAT_COUNT_];

/* `unix_ms`: now, for the signature's and the mail's date. */
int alert_build(const struct alert_target *t, const struct alert_message *m, int64_t unix_ms,
                struct alert_request *ret);
void alert_request_done(struct alert_request *q);

/* uptime_kuma: the next sign of life. ping < 0: none is known. */
int alert_build_beat(const struct alert_target *t, bool up, const char *text, msec_t ping,
                     struct alert_request *ret);

void alert_judge(const struct alert_target *t, const struct alert_answer *a,
                 struct alert_outcome *ret);

/* "sha256=" and 64 hex digits over "TIME.BODY"; ret has 72 bytes. */
int alert_sign(const char *secret, const char *time, const char *body, char *ret);
/* Slack: & < > as entities. Mattermost: Markdown's characters lose their meaning, and nobody is
 * called by name. */
void alert_escape_slack(const char *s, struct buf *out);
void alert_escape_markdown(const char *s, struct buf *out);
