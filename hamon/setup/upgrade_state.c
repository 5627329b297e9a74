/* A few lines of text, replaced by rename. */
#include "hamon/setup/upgrade_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FILE UPGRADE_DIR "/upgrade"

enum { STATE_MAX = 1024 };

const char *const UPGRADE_STEPS[UPGRADE_STEPS_] = {
        [UPGRADE_MAINTENANCE] = "maintenance",
        [UPGRADE_UPDATE] = "update",
        [UPGRADE_CONTAINERS] = "containers",
        [UPGRADE_WARM] = "warm",
        [UPGRADE_FIT] = "fit",
        [UPGRADE_BACK] = "back",
};

/* ---- text ---- */

static bool value_of(const char *text, const char *key, char *dst, size_t size)
{
        size_t want = strlen(key);

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                size_t len = strcspn(line, "\n");
                if (len <= want || line[want] != '=' || strncmp(line, key, want) != 0)
                        continue;
                if (len - want - 1 >= size)
                        return false;
                memcpy(dst, line + want + 1, len - want - 1);
                dst[len - want - 1] = '\0';
                return true;
        }
        return false;
}

int upgrade_state_parse(const char *text, struct upgrade_state *ret)
{
        struct upgrade_state s = { .failed = "" };
        char step[24];

        if (!value_of(text, "step", step, sizeof step) ||
            !value_of(text, "version", s.from.version, sizeof s.from.version) ||
            !value_of(text, "schema", s.from.schema, sizeof s.from.schema) ||
            !value_of(text, "images", s.from.images, sizeof s.from.images) ||
            !value_of(text, "failed", s.failed, sizeof s.failed))
                return -EBADMSG;
        while (s.step < UPGRADE_STEPS_ && !str_eq(UPGRADE_STEPS[s.step], step))
                s.step++;
        if (s.step == UPGRADE_STEPS_)
                return -EBADMSG;
        *ret = s;
        return 0;
}

int upgrade_state_format(const struct upgrade_state *s, char *dst, size_t size)
{
        char failed[sizeof s->failed];

        str_copy(failed, sizeof failed, s->failed);
        for (char *p = failed; *p; p++)
                if ((unsigned char)*p < ' ')
                        *p = ' ';
        int n = snprintf(dst, size, "step=%s\nversion=%s\nschema=%s\nimages=%s\nfailed=%s\n",
                         UPGRADE_STEPS[s->step], s->from.version, s->from.schema, s->from.images,
                         failed);
        return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

/* ---- the file ---- */

int upgrade_state_load(struct upgrade_state *ret)
{
        CLEANUP(freep) char *text = NULL;
        int r = read_file(STATE_FILE, STATE_MAX, &text, NULL);

        return r < 0 ? r : upgrade_state_parse(text, ret);
}

static int sync_dir(void)
{
        CLEANUP(closep) int fd = open(UPGRADE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int upgrade_state_save(const struct upgrade_state *s)
{
        CLEANUP(closep) int fd = -1;
        char text[STATE_MAX];
        int r = upgrade_state_format(s, text, sizeof text);

        if (r == 0)
                r = make_parents(STATE_FILE);
        if (r < 0)
                return r;
        fd = open(STATE_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (r == 0 && (fsync(fd) < 0 || rename(STATE_FILE ".new", STATE_FILE) < 0))
                r = -errno;
        return r < 0 ? r : sync_dir();
}

int upgrade_state_drop(void)
{
        if (unlink(STATE_FILE) < 0 && errno != ENOENT)
                return -errno;
        return sync_dir();
}
