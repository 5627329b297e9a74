/* Whom alerts go to: one file per target in [alert] dir, NAME.conf, readable by root alone, since
 * URL and token are secrets. The same strict engine reads it that reads hamon.conf: a mistake is
 * one line `file:line: what, and what is allowed`. */
#pragma once

#include "hamon/web/alert_message.h"
#include "lib/conf.h"

enum alert_format_id {
        ALERT_JSON,
        ALERT_NTFY,
        ALERT_SLACK,
        ALERT_MATTERMOST,
        ALERT_TELEGRAM,
        ALERT_UPTIME_KUMA,
        ALERT_EMAIL,
        ALERT_FORMAT_COUNT_
};
extern const char *const ALERT_FORMAT_NAMES[ALERT_FORMAT_COUNT_ + 1];

enum { ALERT_TARGETS = 16, ALERT_NAME = 33, ALERT_TEMPLATE_MAX = 16 * 1024 };

enum alert_scope { SCOPE_CLUSTER, SCOPE_NODE };

struct alert_keys { /* [target], as its file has it */
        int format; /* enum alert_format_id */
        char *url, *token, *secret, *chat;
        int level; /* enum log_level: what is less is not sent there */
        bool recovered;
        char *template_file, *ca_file;
        msec_t timeout, interval;
        int scope; /* enum alert_scope, of the heartbeat */
        char *from, *user;
        struct strlist to;
        bool starttls;
};

struct alert_target {
        char name[ALERT_NAME];
        struct alert_keys k;
        char *template; /* of template_file; NULL = none */
};

struct alert_targets {
        size_t n;
        struct alert_target v[ALERT_TARGETS]; /* sorted by name */
};

extern const struct conf_spec ALERT_TARGET_SPEC;

/* Each mistake is a line in `errors`, and the target with it is left out; the others are kept. A
 * directory that is not there holds none. 0, -EINVAL (some were left out), -ENOMEM, or why the
 * directory could not be read. */
int alert_targets_load(const char *dir, struct alert_targets *ret, struct buf *errors);
void alert_targets_free(struct alert_targets *t);

/* Does it want this one? */
bool alert_target_wants(const struct alert_target *t, const struct alert_message *m);
/* "smtps://host:port" in its parts. False: it is not of that form. */
bool alert_target_mail(const char *url, bool *ret_tls, char *host, size_t size, unsigned *ret_port);

/* It gets no messages but a sign of life, again and again. */
bool alert_target_beats(const struct alert_target *t);

/* Whatever of the target's secrets stands in `text` is made unreadable. */
void alert_target_scrub(const struct alert_target *t, char *text);
