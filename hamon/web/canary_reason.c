/* The table, and the two ways from an error into it. */
#include "hamon/web/canary_reason.h"

#include <errno.h>
#include <string.h>

const struct canary_reason_row CANARY_REASONS[CANARY_REASON_COUNT_] = {
        [CANARY_OK] = { "ok", "a mail was sent, delivered, read and deleted" },
        [CANARY_SMTP_DOWN] = { "smtp_down", "nobody takes mail" },
        [CANARY_SMTP_SILENT] = { "smtp_silent", "the mail server takes a connection and hangs" },
        [CANARY_REFUSED] = { "refused", "the mail server refuses the mail for good" },
        [CANARY_TEMP_FAILED] = { "temp_failed", "the mail server puts mail off" },
        [CANARY_FULL] = { "full", "there is no room for mail" },
        [CANARY_TLS_FAILED] = { "tls_failed", "no TLS with the server" },
        [CANARY_LOGIN_FAILED] = { "login_failed", "the login is refused" },
        [CANARY_IMAP_DOWN] = { "imap_down", "nobody gives mail out" },
        [CANARY_IMAP_SILENT] = { "imap_silent", "the IMAP server takes a connection and hangs" },
        [CANARY_MAILBOX_FAILED] = { "mailbox_failed", "the mailbox cannot be used" },
        [CANARY_NO_DELIVERY] = { "no_delivery", "mail is taken and does not arrive" },
        [CANARY_JUNK] = { "junk", "the mail arrived among the junk" },
        [CANARY_WRONG_TOKEN] = { "wrong_token", "what arrived is not what was sent" },
        [CANARY_SLOW_DELIVERY] = { "slow_delivery", "delivery takes longer than its target" },
        [CANARY_SLOW_LOGIN] = { "slow_login", "the login takes longer than its target" },
        [CANARY_SETUP] = { "setup", "the canary cannot be sent" },
};

/* 452 is "too many recipients" too, which one is not; 4.2.2 and 5.2.2: the mailbox is full. */
static bool full(const struct mail_result *r)
{
        static const char *const TEXTS[] = { " 4.3.1 ", " 4.2.2 ", " 5.2.2 ", "system storage" };

        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
                if (strcasestr(r->message, TEXTS[i]))
                        return true;
        return r->code == 452;
}

enum canary_reason canary_of_smtp(const struct mail_result *r)
{
        switch (r->error) {
        case -EAGAIN:
                return full(r) ? CANARY_FULL : CANARY_TEMP_FAILED;
        case -EPERM:
                return full(r) ? CANARY_FULL : CANARY_REFUSED;
        case -EACCES:
                return CANARY_LOGIN_FAILED;
        case -ETIMEDOUT:
                return CANARY_SMTP_SILENT;
        case -ENOTSUP:
        case -EKEYREJECTED:
        case -EPROTO:
                return r->connected ? CANARY_REFUSED : CANARY_TLS_FAILED;
        default:
                return CANARY_SMTP_DOWN;
        }
}

enum canary_reason canary_of_imap(int error, bool logged_in)
{
        switch (error) {
        case -ENOSPC:
                return CANARY_FULL;
        case -EACCES:
                return CANARY_LOGIN_FAILED;
        case -ETIMEDOUT:
                return CANARY_IMAP_SILENT;
        case -ENOTSUP:
        case -EKEYREJECTED:
        case -EPROTO:
                return logged_in ? CANARY_MAILBOX_FAILED : CANARY_TLS_FAILED;
        case -EAGAIN:
        case -EPERM:
                return logged_in ? CANARY_MAILBOX_FAILED : CANARY_LOGIN_FAILED;
        default:
                return CANARY_IMAP_DOWN;
        }
}
