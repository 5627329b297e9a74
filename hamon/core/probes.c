/* The table of probes. Vital is what mail needs: taken in, handed out, logged in, filtered, stored.
 */
#include "hamon/core/probes.h"

#include <errno.h>
#include <string.h>

const struct probe_row PROBES[PROBE_COUNT_] = {
        [PROBE_SMTP] = { "smtp", "postfix-mailcow", KIND_SMTP, 25, false, false, true },
        [PROBE_SUBMISSION] = { "submission", "postfix-mailcow", KIND_SUBMISSION, 587, false, false,
                               true },
        [PROBE_SMTPS] = { "smtps", "postfix-mailcow", KIND_SMTP, 465, true, false, false },
        [PROBE_IMAP] = { "imap", "dovecot-mailcow", KIND_IMAP, 143, false, false, true },
        [PROBE_IMAPS] = { "imaps", "dovecot-mailcow", KIND_IMAP, 993, true, false, true },
        [PROBE_POP3] = { "pop3", "dovecot-mailcow", KIND_POP3, 110, false, false, false },
        [PROBE_POP3S] = { "pop3s", "dovecot-mailcow", KIND_POP3, 995, true, false, false },
        [PROBE_SIEVE] = { "sieve", "dovecot-mailcow", KIND_SIEVE, 4190, false, false, false },
        [PROBE_HTTPS] = { "https", "nginx-mailcow", KIND_WEB, 443, true, false, true },
        [PROBE_REDIS] = { "redis", "redis-mailcow", KIND_REDIS, 7654, false, false, true },
        [PROBE_RSPAMD] = { "rspamd", "rspamd-mailcow", KIND_RSPAMD, 11334, false, true, true },
        [PROBE_VOLUME] = { "volume", "", KIND_VOLUME, 0, false, false, true },
};

enum probe probe_by_name(const char *name)
{
        unsigned i = 0;

        while (i < PROBE_COUNT_ && strcmp(PROBES[i].name, name) != 0)
                i++;
        return (enum probe)i;
}

/* A full volume is full on every node: another master would not help, so it is only told. */
struct finding probe_judge_volume(int error)
{
        switch (error) {
        case 0:
                return (struct finding){ RES_PASS, REASON_OK };
        case ENOSPC:
        case EDQUOT:
                return (struct finding){ RES_PASS, REASON_VOLUME_FULL };
        case EAGAIN:
        case ENOMEM: /* nobody could look: no news */
                return (struct finding){ RES_SKIP, REASON_STARTING };
        case EROFS:
                return (struct finding){ RES_FAIL, REASON_VOLUME_READ_ONLY };
        case ENODEV:
                return (struct finding){ RES_FAIL, REASON_VOLUME_NOT_MOUNTED };
        case ETIMEDOUT:
                return (struct finding){ RES_FAIL, REASON_VOLUME_HUNG };
        default:
                return (struct finding){ RES_FAIL, REASON_VOLUME_IO_ERROR };
        }
}
