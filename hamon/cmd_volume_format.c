/* `hamon volume format`, `grow`, `check`: the file system of the shared volume, by its own tools.
 * Nobody leads while one is made or checked, so there is no lease to ask for; what takes its place:
 * the provider says that no other server has it, nothing on this node holds it, and a person says
 * yes. Nothing is ever wiped: where something is already, it is refused. */
#include "hamon/cmd_volume.h"

#include "hamon/volume_dev.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT = 16 * 1024, DEVICE_MS = 15000, AGAIN_US = 100000 };

/* What makes, grows and checks a type of file system. {d}: device, {m}: mount point, {u}: UUID. */
static const struct tools {
        const char *fstype;
        const char *make[10], *grow[4], *check[5];
        int check_mended; /* exit codes up to this are good */
} TOOLS[] = {
        /* -m 1: of a terabyte 5 % for root would be 50 GB. No -F: mkfs shall refuse by itself too.
         */
        { "ext4",
          { "/sbin/mkfs.ext4", "-q", "-m", "1", "-L", "mailcow-ha", "-U", "{u}", "{d}", NULL },
          { "/sbin/resize2fs", "{d}", NULL },
          { "/sbin/e2fsck", "-f", "-p", "{d}", NULL },
          1 },
        { "xfs",
          { "/sbin/mkfs.xfs", "-q", "-L", "mailcow-ha", "-m", "{u}", "{d}", NULL },
          { "/sbin/xfs_growfs", "{m}", NULL },
          { "/sbin/xfs_repair", "{d}", NULL },
          0 },
};

struct work {
        struct volume_place place;
        const struct tools *tools;
};

static int begin(struct step *s, struct work *w)
{
        int r = volume_place(s, &w->place);

        for (size_t i = 0; i < ARRAY_SIZE(TOOLS); i++)
                if (strcmp(TOOLS[i].fstype, s->config.volume.fstype) == 0)
                        w->tools = &TOOLS[i];
        if (r == 0 && !w->tools)
                return step_end(
                        s, STEP_FAILED,
                        "[volume] fstype = %s: this knows ext4 and xfs; make yours by hand, "
                        "with the UUID of hamon.conf",
                        s->config.volume.fstype);
        return r;
}

/* Run one of the tools. Its exit code, or a negative errno; what it said in `out`. */
static int tool(struct step *s, const struct work *w, const char *const *words, struct buf *out)
{
        const char *argv[12];
        char uuid[80];
        size_t n = 0;
        int code = 0;

        /* xfs wants it as a word of an option */
        snprintf(uuid, sizeof uuid, "%s%s", strcmp(w->tools->fstype, "xfs") == 0 ? "uuid=" : "",
                 s->config.volume.uuid);
        for (; words[n]; n++) {
                argv[n] = strcmp(words[n], "{d}") == 0   ? w->place.device
                          : strcmp(words[n], "{m}") == 0 ? w->place.where
                          : strcmp(words[n], "{u}") == 0 ? uuid
                                                         : words[n];
        }
        argv[n] = NULL;
        int r = child_program(argv, "", step_left(s, s->timeout), NULL, out, &code);
        return r < 0 ? r : code;
}

static int tool_failed(struct step *s, const char *name, int r, struct buf *out)
{
        if (r < 0)
                return step_end_error(s, r, name);
        return step_end(s, STEP_FAILED, "%s: exit status %d: %s", name, r, buf_str(out));
}

static int prove_unmounted(struct step *s, const struct work *w)
{
        struct volume_mnt m;
        int r = volume_mnt_look(w->place.where, &m);

        if (r < 0)
                return step_end_error(s, r, "/proc/self/mountinfo");
        if (m.count > 0)
                return step_end(s, STEP_FAILED,
                                "it is mounted on %s: hamon maintenance on, or hamon volume umount",
                                w->place.where);
        r = volume_prove_free(s, w->place.device, DEVICE_MS);
        if (r == -EBUSY)
                return step_end(s, STEP_FAILED, "something on this node still holds %s",
                                w->place.device);
        return r == 0 ? 0 : step_end_error(s, r, w->place.device);
}

/* Nobody else has it, a person says yes, it is attached here, and nothing holds it. */
static int make_ready(struct step *s, const struct work *w, const char *question)
{
        int r = volume_prove_ours(s, &w->place);

        if (r == 0)
                r = step_agree(s, question);
        if (r != 0)
                return r;
        s->flags |= STEP_NO_LEASE | STEP_YES; /* proven above: no other server has it */
        r = volume_attach_run(s);
        return r == 0 ? prove_unmounted(s, w) : r;
}

/* ---- format ---- */

struct look {
        char device[256], uuid[80], fstype[32], found[200];
};

static int look_child(void *arg)
{
        struct look *l = arg;
        int r;

        while ((r = volume_dev_check(l->device, l->uuid, l->fstype, l->found, sizeof l->found)) ==
               -ENOENT)
                usleep(AGAIN_US); /* udev; the deadline ends it */
        return r;
}

static int blank_child(void *arg)
{
        const struct look *l = arg;

        return volume_dev_blank(l->device);
}

/* No name that libblkid knows is not yet nothing: a partition table, somebody's own format. */
static int prove_blank(struct step *s, struct look *l)
{
        int r = STEP_CHILD(s, blank_child, l, DEVICE_MS);

        if (r == -ENOTEMPTY)
                return step_end(s, STEP_FAILED,
                                "there is no file system on %s, but something is, and nothing is "
                                "ever wiped here. If nobody needs it: wipefs -a %s && dd "
                                "if=/dev/zero of=%s bs=1M count=4",
                                l->device, l->device, l->device);
        return r < 0 ? step_end_error(s, r, l->device) : 0;
}

int volume_format_run(struct step *s)
{
        CLEANUP(buf_done) struct buf out = BUF(OUTPUT);
        struct work w = { .tools = NULL };
        struct look l = { .found = "" };
        int r = begin(s, &w);

        if (r == 0 && !*s->config.volume.uuid)
                return step_end(s, STEP_FAILED,
                                "[volume] uuid is empty: hamon init chooses one for all nodes");
        if (r == 0)
                r = make_ready(s, &w, "A new file system on the shared volume. Go on");
        if (r != 0)
                return r;
        str_copy(l.device, sizeof l.device, w.place.device);
        str_copy(l.uuid, sizeof l.uuid, s->config.volume.uuid);
        str_copy(l.fstype, sizeof l.fstype, s->config.volume.fstype);
        r = STEP_CHILD(s, look_child, &l, DEVICE_MS);
        if (r == 0)
                return step_end(s, STEP_ALREADY, "%s has its file system, UUID %s", l.device,
                                l.uuid);
        if (r == -EMEDIUMTYPE)
                return step_end(
                        s, STEP_FAILED,
                        "something is on %s already (%s), and nothing is ever wiped here. If "
                        "it is to be used as it is, put its UUID into [volume] uuid",
                        l.device, l.found);
        if (r != -ENODATA)
                return step_end_error(s, r, l.device);
        r = prove_blank(s, &l);
        if (r != 0)
                return r;
        r = tool(s, &w, w.tools->make, &out);
        if (r != 0)
                return tool_failed(s, w.tools->make[0], r, &out);
        r = STEP_CHILD(s, look_child, &l, DEVICE_MS);
        if (r < 0)
                return step_end_error(s, r, "the new file system");
        return step_end(s, STEP_DONE, "%s: %s, UUID %s", l.device, l.fstype, l.uuid);
}

/* ---- grow, check ---- */

int volume_grow_run(struct step *s)
{
        CLEANUP(buf_done) struct buf out = BUF(OUTPUT);
        struct work w = { .tools = NULL };
        struct volume_mnt m;
        int r = begin(s, &w);

        if (r != 0)
                return r;
        r = volume_mnt_look(w.place.where, &m);
        if (r < 0)
                return step_end_error(s, r, "/proc/self/mountinfo");
        if (m.count == 0)
                return step_end(
                        s, STEP_FAILED,
                        "it is not mounted here: it is grown on the master, while mail runs");
        r = tool(s, &w, w.tools->grow, &out);
        if (r != 0)
                return tool_failed(s, w.tools->grow[0], r, &out);
        return step_end(s, STEP_DONE, "%s is as large as the volume", w.place.where);
}

int volume_check_run(struct step *s)
{
        CLEANUP(buf_done) struct buf out = BUF(OUTPUT);
        struct work w = { .tools = NULL };
        int r = begin(s, &w);

        if (r == 0)
                r = make_ready(s, &w,
                               "No other node may mount the volume meanwhile (hamon maintenance "
                               "on, on all). Check it now");
        if (r != 0)
                return r;
        r = tool(s, &w, w.tools->check, &out);
        if (r < 0 || r > w.tools->check_mended)
                return tool_failed(s, w.tools->check[0], r, &out);
        return step_end(s, STEP_DONE, "%s: %s", w.place.device,
                        r == 0 ? "nothing was wrong" : "what was wrong is mended");
}
