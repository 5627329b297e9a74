/* One canary: log in over IMAP, send a mail with a token over SMTP, wait for it in the mailbox,
 * read the token, delete the mail. If it does not come, look where it went: among the junk? is
 * there room for it at all? */
#pragma once

#include "hamon/config.h"
#include "hamon/web/canary_reason.h"
#include "lib/loop.h"

struct canary_run;

struct canary_result {
        enum canary_reason reason;
        const char *message;    /* what was wrong, with names and numbers */
        msec_t delivery, login; /* -1 = it did not come to that */
};

/* Once, from the loop; the run is gone when it returns. */
typedef void (*canary_fn)(void *arg, const struct canary_result *r);

/* `c` is borrowed until the end. */
int canary_run_new(struct loop *l, const struct config *c, canary_fn fn, void *arg,
                   struct canary_run **ret);
void canary_run_free(struct canary_run *r); /* no callback any more; NULL is fine */
