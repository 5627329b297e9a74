/* What a service says to a probe, line by line, and what the kernel and the Docker engine say of
 * sockets and addresses. The first byte says which dialog, the second whether there is a password.
 */
#include "hamon/probe_find.h"
#include "hamon/probe_proto.h"
#include "hamon/stack_door.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void talk(enum probe_kind kind, const char *password, const char *text)
{
        struct buf say = BUF(4096), why = BUF(256);
        struct proto p = { .kind = kind, .host = "mail.test", .password = password };
        enum proto_next next = PROTO_MORE;

        proto_begin(&p, &say);
        while (*text && next == PROTO_MORE) {
                char line[PROTO_LINE_MAX + 1];
                size_t n = strcspn(text, "\n"), len = MIN(n, sizeof line - 1);
                memcpy(line, text, len);
                line[len] = '\0';
                next = proto_line(&p, line, &say, &why);
                text += n + (text[n] == '\n');
        }
        if ((next == PROTO_TLS &&
             (kind != KIND_SUBMISSION || proto_secured(&p, &say) != PROTO_PASS)) ||
            (next == PROTO_FAIL) != (why.len > 0) || say.error || !proto_awaits(&p))
                abort();
        for (const char *c = buf_str(&why); *c; c++)
                if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
                        abort(); /* it goes into logs and terminals */
        buf_done(&say);
        buf_done(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const unsigned ports[] = { 25, 465 };
        char address[64];

        if (size < 2)
                return 0;
        char *text = malloc(size - 1);
        if (!text)
                return 0;
        memcpy(text, data + 2, size - 2);
        text[size - 2] = '\0';
        talk((enum probe_kind)(data[0] % KIND_COUNT_), data[1] & 1 ? "secret" : "", text);
        stack_door_count(text, DOOR_SESSIONS, ports, 2);
        stack_door_count(text, DOOR_LISTENERS, ports, 2);
        probe_find_parse(text, size - 2, address, sizeof address);
        free(text);
        return 0;
}
