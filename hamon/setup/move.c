/* The table of `hamon move …`, and what both ways share: the containers, the shared volume, its
 * marker. The steps with the volume are `hamon volume …` themselves, as a person would take them.
 */
#include "hamon/setup/move.h"

#include "hamon/client.h"
#include "hamon/setup/move_impl.h"
#include "hamon/setup/peers.h"
#include "hamon/setup/run.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
        HOURS = 3600 * 1000,
        DOCKER_MS = 120000,
        DAEMON_MS = 1000,
        MARKER_MS = 30000,
        IDS = 64 * 1024,
        MAX_CONTAINERS = 64
};

#define MARKER ".hamon-layout"

/* ---- before anything is touched ---- */

static bool is_daemon_there(const struct step *s)
{
        CLEANUP(buf_done) struct buf answer = BUF(1024 * 1024);
        int r = client_ask(s->config.control.socket, "ping", DAEMON_MS, &answer);

        return r != -ENOENT && r != -ECONNREFUSED;
}

int move_begin(struct move *m, struct step *s)
{
        *m = (struct move){ .step = s, .dry = s->flags & STEP_DRY };
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (is_daemon_there(s))
                return step_end(s, STEP_FAILED,
                                "hamon runs here and could lead at any moment: systemctl disable "
                                "--now hamon hamon-guard, then again");
        int r = volume_place(s, &m->place);
        for (; m->n < N_MOVE_ROWS; m->n++)
                m->volumes[m->n].row = &MOVE_ROWS[m->n];
        return r == 0 ? move_look(s, m->volumes, m->n) : r;
}

/* ---- the shared volume ---- */

static int own_step(struct move *m, const char *kind, const char *verb, bool no_lease)
{
        const char *const words[] = { "hamon", "-c", m->step->file,
                                      kind,    verb, no_lease ? "--no-lease" : NULL,
                                      "--yes", NULL };

        if (m->dry)
                return 0;
        int r = run_shown(words, NULL, MOVE_STEP_MS);
        return r == 0 ? 0 : step_end(m->step, STEP_FAILED, "hamon %s %s: see above", kind, verb);
}

static int is_mounted(struct move *m, bool *ret)
{
        struct volume_mnt mnt;
        int r = volume_mnt_look(m->place.where, &mnt);

        *ret = r == 0 && mnt.count > 0;
        return r == 0 ? 0 : step_end_error(m->step, r, "/proc/self/mountinfo");
}

int move_mount(struct move *m)
{
        bool mounted;
        char other[64];
        int r = is_mounted(m, &mounted);

        if (r != 0 || mounted)
                return r;
        if (peers_answer(&m->step->config, other, sizeof other))
                return step_end(m->step, STEP_FAILED,
                                "hamon runs on %s, which may lead at any moment and take the same "
                                "volume: stop it on every server first",
                                other);
        r = own_step(m, "volume", "attach", true);
        return r == 0 ? own_step(m, "volume", "mount", true) : r;
}

int move_umount(struct move *m)
{
        bool mounted;
        int r = is_mounted(m, &mounted);

        return r == 0 && mounted ? own_step(m, "volume", "umount", false) : r;
}

/* ---- its marker ---- */

struct marker {
        char path[4200], text[256];
        bool write;
};

static int marker_write(const struct marker *k)
{
        char next[4300], dir[4200];
        CLEANUP(closep) int fd = -1, parent = -1;

        snprintf(next, sizeof next, "%s.new", k->path);
        str_copy(dir, sizeof dir, k->path);
        *strrchr(dir, '/') = '\0';
        fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || parent < 0)
                return -errno;
        int r = write_all(fd, k->text, strlen(k->text));
        if (r < 0)
                return r;
        if (syncfs(fd) < 0 || fsync(fd) < 0 || rename(next, k->path) < 0 || fsync(parent) < 0)
                return -errno; /* everything that was copied is on the disk before it says so */
        return 0;
}

static int marker_child(void *arg)
{
        struct marker *k = arg;
        CLEANUP(freep) char *text = NULL;
        size_t n;

        if (k->write)
                return marker_write(k);
        *k->text = '\0';
        int r = read_file(k->path, sizeof k->text - 1, &text, &n);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        str_copy(k->text, sizeof k->text, text);
        return 0;
}

static int marker(struct move *m, struct marker *k)
{
        snprintf(k->path, sizeof k->path, "%s/" MARKER, m->place.where);
        int r = child_call(marker_child, k, sizeof *k, k->write ? HOURS : MARKER_MS, NULL);
        return r == 0 ? 0 : step_end_error(m->step, r, k->path);
}

int move_marker(struct move *m, char *ret, size_t size)
{
        struct marker k = { .write = false };
        int r = marker(m, &k);

        for (char *c = k.text; *c; c++)
                if (*c == '\n')
                        *c = ' ';
        str_copy(ret, size, k.text);
        return r;
}

int move_mark(struct move *m)
{
        struct marker k = { .write = true };
        time_t now = time(NULL);
        struct tm tm;
        char at[32];

        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
        snprintf(k.text, sizeof k.text, "version=1\nfilled_from=%s\nat=%s\n",
                 m->step->config.node.name, at);
        return marker(m, &k);
}

/* ---- Mailcow's containers ---- */

/* Their numbers, space for NULL at the end. */
static int containers(struct move *m, struct buf *text, const char *ret[MAX_CONTAINERS + 1])
{
        char label[128];
        size_t n = 0;
        char *save = NULL;

        snprintf(label, sizeof label, "label=com.docker.compose.project=%s",
                 m->step->config.docker.project);
        const char *const list[] = { "docker", "ps", "-aq", "--filter", label, NULL };
        if (run_asked(list, NULL, DOCKER_MS, text) != 0)
                return step_end(m->step, STEP_FAILED, "Docker does not list its containers");
        if (text->len > 0)
                for (char *id = strtok_r(text->data, "\n", &save); id && n < MAX_CONTAINERS;
                     id = strtok_r(NULL, "\n", &save))
                        ret[n++] = id;
        ret[n] = NULL;
        return 0;
}

static int with_all(struct move *m, const char *const *verb, size_t n_verb)
{
        CLEANUP(buf_done) struct buf text = BUF(IDS);
        const char *words[MAX_CONTAINERS + 8], *ids[MAX_CONTAINERS + 1] = { NULL };
        int r = containers(m, &text, ids);
        size_t n = 0;

        if (r != 0 || !ids[0] || m->dry)
                return r;
        while (n < n_verb) {
                words[n] = verb[n];
                n++;
        }
        for (size_t i = 0; ids[i]; i++)
                words[n++] = ids[i];
        words[n] = NULL;
        if (run_shown(words, NULL, DOCKER_MS) == 0)
                return 0;
        return step_end(m->step, STEP_FAILED, "docker %s failed, see above", verb[1]);
}

int move_stop(struct move *m)
{
        /* Mailcow's own grace of the database is 45 s. With "no" they stay down over a reboot. */
        static const char *const UPDATE[] = { "docker", "update", "--restart=no" };
        static const char *const STOP[] = { "docker", "stop", "--time=60" };
        int r = with_all(m, UPDATE, ARRAY_SIZE(UPDATE));

        return r == 0 ? with_all(m, STOP, ARRAY_SIZE(STOP)) : r;
}

int move_remove(struct move *m)
{
        static const char *const RM[] = { "docker", "rm" };

        return with_all(m, RM, ARRAY_SIZE(RM));
}

static void compose_words(const struct move *m, const char *const *words, const char **ret)
{
        bool standalone = m->step->config.docker.compose == CONFIG_COMPOSE_STANDALONE;

        if (!standalone)
                *ret++ = "docker";
        *ret++ = standalone ? "docker-compose" : "compose";
        while ((*ret++ = *words++))
                ;
}

int move_compose(struct move *m, const char *const *words)
{
        const char *all[16];

        compose_words(m, words, all);
        if (m->dry)
                return 0;
        if (run_shown(all, m->step->config.mailcow.dir, HOURS) == 0)
                return 0;
        return step_end(m->step, STEP_FAILED, "%s: %s %s failed, see above",
                        m->step->config.mailcow.dir, all[0], words[0]);
}

int move_compose_config(struct move *m, struct buf *out)
{
        static const char *const WORDS[] = { "config", NULL };
        const char *all[16];

        compose_words(m, WORDS, all);
        int r = run_asked(all, m->step->config.mailcow.dir, DOCKER_MS, out);
        if (r == 0)
                return 0;
        return step_end(m->step, STEP_FAILED,
                        "compose does not accept the files in %s (above is why)",
                        m->step->config.mailcow.dir);
}

/* ---- the command ---- */

static const struct step_verb VERBS[] = {
        { .name = "in",
          .flags = STEP_FROM_HERE | STEP_DRY | STEP_YES,
          .timeout = 72 * HOURS,
          .run = move_in_run },
        { .name = "out",
          .flags = STEP_KEPT | STEP_DRY | STEP_YES,
          .timeout = 72 * HOURS,
          .run = move_out_run },
};

int move_command(const char *file, int argc, char **argv)
{
        return step_main("move", VERBS, ARRAY_SIZE(VERBS), file, argc, argv);
}
