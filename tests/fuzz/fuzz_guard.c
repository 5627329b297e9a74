/* Any bytes may come in a message to the guard. Each record of the input is "how many bytes, where
 * in the message" and the bytes, laid over the last message that was right, so that the fuzzer gets
 * past the checks. Whatever is believed: all of it is in bounds, an armed guard goes to no older
 * epoch and, except by an order to fence, to no earlier deadline of the same one. */
#include "hamon/guard_state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 100000 };

static void check(bool so)
{
        if (!so)
                abort();
}

static void in_bounds(const struct guard_state *s)
{
        struct guard_message m = { .magic = GUARD_MAGIC, .target = s->target };

        check(s->mode <= GUARD_HAS_FENCED);
        check(guard_message_ok(&m, sizeof m));
}

static void one(struct guard_state *s, const struct guard_message *m)
{
        struct guard_state before = *s;
        int r = guard_state_apply(s, m, NOW);

        in_bounds(s);
        if (r < 0)
                check(memcmp(&before, s, sizeof before) == 0);
        if (before.mode == GUARD_IS_ARMED && s->mode == GUARD_IS_ARMED &&
            m->verb != GUARD_SAY_FENCE) {
                check(s->epoch >= before.epoch);
                check(s->epoch > before.epoch || s->deadline >= before.deadline);
        }
        check(!guard_state_due(s, NOW) || !guard_state_may_pet(s, NOW, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct guard_message FIRST = {
                .magic = GUARD_MAGIC, .verb = GUARD_SAY_ARM, .epoch = 1, .deadline = NOW + 1
        };
        static struct guard_message good, m;
        static struct guard_state s;

        (void)guard_message_ok(data, size);
        good = FIRST;
        memset(&s, 0, sizeof s);
        s.magic = GUARD_MAGIC;
        while (size >= 3) {
                size_t len = MIN((size_t)data[0], size - 3);
                size_t where = (size_t)(data[1] | data[2] << 8) % sizeof m;
                len = MIN(len, sizeof m - where);
                m = good;
                memcpy((char *)&m + where, data + 3, len);
                data += 3 + len;
                size -= 3 + len;
                if (!guard_message_ok(&m, sizeof m))
                        continue;
                good = m;
                one(&s, &m);
        }
        return 0;
}
