/* Believe the newer epoch, and of one epoch the later deadline: what a daemon says that was frozen
 * and thaws is older than what its successor said. */
#include "hamon/guard_state.h"

#include <errno.h>
#include <string.h>

enum { FAR_MS = 3600 * 1000, ID_LEN = TARGET_ID_SIZE - 1 };

static void read_boot(char *dst, size_t size)
{
        CLEANUP(freep) char *text = NULL;

        *dst = '\0';
        if (read_file("/proc/sys/kernel/random/boot_id", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        str_copy(dst, size, text);
}

void guard_state_init(struct guard_state *s)
{
        *s = (struct guard_state){ .magic = GUARD_MAGIC, .mode = GUARD_IS_OFF };
        read_boot(s->boot, sizeof s->boot);
}

static bool text_ok(const char *s, size_t size)
{
        return memchr(s, '\0', size) != NULL;
}

static bool path_ok(const char *s)
{
        return text_ok(s, TARGET_PATH) && (*s == '\0' || *s == '/');
}

static bool target_ok(const struct fence_target *t)
{
        if (t->n > TARGET_IDS || !path_ok(t->device) || !path_ok(t->mount))
                return false;
        for (unsigned i = 0; i < t->n; i++)
                if (!text_ok(t->id[i], TARGET_ID_SIZE) || strlen(t->id[i]) != ID_LEN ||
                    strspn(t->id[i], "0123456789abcdef") != ID_LEN)
                        return false;
        return true;
}

bool guard_message_ok(const void *data, size_t len)
{
        const struct guard_message *m = data;

        return len == sizeof *m && m->magic == GUARD_MAGIC && m->verb < GUARD_SAY_COUNT_ &&
               target_ok(&m->target);
}

static bool has_id(const struct fence_target *t, const char *id)
{
        for (unsigned i = 0; i < t->n; i++)
                if (strcmp(t->id[i], id) == 0)
                        return true;
        return false;
}

void guard_target_merge(struct fence_target *t, const struct fence_target *from)
{
        struct fence_target all = *t;

        all.n = 0;
        if (*from->device)
                str_copy(all.device, sizeof all.device, from->device);
        if (from->dev) {
                all.dev = from->dev;
                all.seq = from->seq;
        }
        if (*from->mount)
                str_copy(all.mount, sizeof all.mount, from->mount);
        for (unsigned i = 0; i < from->n + t->n && all.n < TARGET_IDS; i++) {
                const char *id = i < from->n ? from->id[i] : t->id[i - from->n];
                if (!has_id(&all, id))
                        str_copy(all.id[all.n++], TARGET_ID_SIZE, id);
        }
        *t = all;
}

static int arm(struct guard_state *s, const struct guard_message *m, msec_t now)
{
        /* Off, it only keeps what `hamon fence` may need: a cluster whose database was made anew
         * begins at epoch 1, and must not be kept from leading by what was before. */
        if (s->mode != GUARD_IS_OFF && m->epoch < s->epoch)
                return -ESTALE;
        if (m->epoch == s->epoch && s->forced && s->mode == GUARD_IS_ARMED)
                return -EBUSY;
        if (m->epoch == s->epoch && s->mode != GUARD_IS_OFF && m->deadline < s->deadline)
                return -ERANGE;
        if (m->deadline < 0 || m->deadline > now + FAR_MS)
                return -ERANGE;
        /* What was fenced stays so until its deadline is a new one: the same word twice is no news
         */
        if (s->mode == GUARD_HAS_FENCED && m->epoch == s->epoch && m->deadline == s->deadline)
                return -ERANGE;
        s->mode = GUARD_IS_ARMED;
        s->forced = false;
        s->deadline = m->deadline;
        if (m->epoch == s->epoch)
                guard_target_merge(&s->target, &m->target);
        else
                s->target = m->target;
        s->epoch = m->epoch;
        return 0;
}

int guard_state_apply(struct guard_state *s, const struct guard_message *m, msec_t now)
{
        switch ((enum guard_verb)m->verb) {
        case GUARD_SAY_ARM:
                return arm(s, m, now);
        case GUARD_SAY_OFF:
                if (s->mode == GUARD_IS_ARMED && m->epoch != 0 && m->epoch < s->epoch)
                        return -ESTALE;
                s->mode = GUARD_IS_OFF;
                s->forced = false;
                return 0;
        case GUARD_SAY_FENCE: /* stopping is never wrong, whoever says so */
                s->deadline = s->mode == GUARD_IS_ARMED ? MIN(s->deadline, now) : now;
                s->mode = GUARD_IS_ARMED;
                s->forced = true;
                guard_target_merge(&s->target, &m->target);
                return 0;
        case GUARD_SAY_STATUS:
        case GUARD_SAY_COUNT_:
                break;
        }
        return 0;
}

bool guard_state_due(const struct guard_state *s, msec_t now)
{
        return s->mode == GUARD_IS_ARMED && now >= s->deadline;
}

bool guard_state_may_pet(const struct guard_state *s, msec_t now, msec_t budget)
{
        return s->mode != GUARD_IS_ARMED || now < s->deadline + budget;
}

void guard_state_fenced(struct guard_state *s)
{
        s->mode = GUARD_HAS_FENCED;
        s->forced = false;
}

int guard_state_load(const char *path, struct guard_state *ret)
{
        CLEANUP(freep) char *data = NULL;
        struct guard_state s;
        char boot[sizeof s.boot];
        size_t len;

        int r = read_file(path, sizeof s + 1, &data, &len);
        if (r < 0)
                return r;
        if (len != sizeof s)
                return -EBADMSG;
        memcpy(&s, data, sizeof s);
        if (s.magic != GUARD_MAGIC || s.mode > GUARD_HAS_FENCED || !target_ok(&s.target) ||
            !text_ok(s.boot, sizeof s.boot))
                return -EBADMSG;
        read_boot(boot, sizeof boot);
        if (strcmp(boot, s.boot) != 0)
                return -ESTALE;
        *ret = s;
        return 0;
}

int guard_state_save(const char *path, const struct guard_state *s)
{
        return write_file_atomic(path, 0600, (const char *)s, sizeof *s);
}

int guard_path(const char *control, const char *name, char *dst, size_t size)
{
        const char *slash = strrchr(control, '/');

        if (!slash)
                return -EINVAL;
        int n = snprintf(dst, size, "%.*s/%s", (int)(slash - control), control, name);
        return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}
