/* What a mail server says: the SMTP dialog line by line, with and without TLS and a login, and the
 * answer to an IMAP SEARCH. The first byte chooses. */
#include "lib/imap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void smtp(const char *text, unsigned how)
{
        static const char *const TO[] = { "a@b", "c@d", NULL };
        const struct smtp_message message = { "x@y", TO, ".\n..\r\nz" };
        struct smtp s = { .helo = "n1",
                          .starttls = how & 1,
                          .user = how & 2 ? "user" : NULL,
                          .password = "password",
                          .message = how & 4 ? &message : NULL };
        enum smtp_next next = SMTP_MORE;

        for (const char *p = text; next == SMTP_MORE || next == SMTP_SECURE;) {
                CLEANUP(buf_done) struct buf say = BUF(4096), why = BUF(1024);
                char line[512] = "";
                int error = 1;
                size_t len = strcspn(p, "\n");
                memcpy(line, p, MIN(len, sizeof line - 1));
                next = smtp_line(&s, line, &say, &why, &error);
                if (next == SMTP_FAILED && (error >= 0 || why.len == 0))
                        abort(); /* a failure has a reason */
                if (strstr(buf_str(&say), "AUTH") && (how & 1) && !s.secured)
                        abort(); /* a password in the clear */
                for (size_t i = 0; i < why.len; i++)
                        if ((unsigned char)why.data[i] < ' ' || (unsigned char)why.data[i] >= 0x7f)
                                abort(); /* it goes into a log */
                if (next == SMTP_SECURE)
                        smtp_secured(&s, &say);
                if (!p[len])
                        break;
                p += len + 1;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint32_t numbers[8];

        if (size == 0 || size > 65536)
                return 0;
        char *text = malloc(size);
        if (!text)
                return 0;
        memcpy(text, data + 1, size - 1);
        text[size - 1] = '\0';
        if (data[0] & 8)
                (void)imap_search(text, numbers, ARRAY_SIZE(numbers));
        else
                smtp(text, data[0]);
        free(text);
        return 0;
}
