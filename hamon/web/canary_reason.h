/* CANARY_REASONS[]: what a canary can find, one row each. The name is what scripts, metrics and
 * alerts see; the sentence is for people. Pure. */
#pragma once

#include "lib/mail.h"

enum canary_reason {
        CANARY_OK,
        CANARY_SMTP_DOWN,
        CANARY_SMTP_SILENT,
        CANARY_REFUSED,
        CANARY_TEMP_FAILED,
        CANARY_FULL,
        CANARY_TLS_FAILED,
        CANARY_LOGIN_FAILED,
        CANARY_IMAP_DOWN,
        CANARY_IMAP_SILENT,
        CANARY_MAILBOX_FAILED,
        CANARY_NO_DELIVERY,
        CANARY_JUNK,
        CANARY_WRONG_TOKEN,
        CANARY_SLOW_DELIVERY,
        CANARY_SLOW_LOGIN,
        CANARY_SETUP,
        CANARY_REASON_COUNT_
};

struct canary_reason_row {
        const char *name, *sentence;
};

extern const struct canary_reason_row CANARY_REASONS[CANARY_REASON_COUNT_];

/* What an error of SMTP means; not for 0. */
enum canary_reason canary_of_smtp(const struct mail_result *r);
/* The same of a login over IMAP, and of what is done after it. */
enum canary_reason canary_of_imap(int error, bool logged_in);
