/* Any bytes as an answer of Mailcow's API or of the range query: only an entry that says so is a
 * success, and nothing that could break a log line comes out. */
#include "signup/mailcow_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plain(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s > '~')
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(buf_done) struct buf lines = BUF(65536);
        const char *body = (const char *)data;
        struct password_policy policy;
        struct mc_mailbox mailbox;
        struct mc_action action;

        mc_parse_action(body, size, "mailbox_added", &action);
        plain(action.key);
        if (action.shape == MC_DONE && !memmem(data, size, "success", 7))
                abort();
        if (mc_parse_mailbox(body, size, &mailbox) == 0) {
                plain(mailbox.marker);
                plain(mailbox.marker);
        }
        mc_parse_policy(body, size, &policy);
        mc_parse_domains(body, size, "signup", &lines);
        for (const char *p = buf_str(&lines); *p; p++)
                if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-\n", *p))
                        abort();
        mc_parse_pending(body, size, "signup", &lines);

        char *text = strndup(body, size);
        if (text)
                password_in_range(text, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
        free(text);
        return 0;
}
