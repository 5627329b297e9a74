/* `hamon move out`: a Mailcow of its own again, with all that is on the shared volume (or, with
 * --kept, with what it had before). A file says that it is under way, because from the middle on it
 * looks like a server that never was in a cluster, with empty volumes. */
#include "hamon/setup/move_impl.h"

#include "hamon/setup/run.h"
#include "hamon/stack_door.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DOOR_MS = 10000 };

#define UNDER_WAY "/var/lib/mailcow-ha/move-out"

/* "copy" or "kept"; "" = none is under way. */
static void under_way(char *ret, size_t size)
{
        CLEANUP(freep) char *text = NULL;
        size_t n;

        *ret = '\0';
        if (read_file(UNDER_WAY, size - 1, &text, &n) == 0)
                str_copy(ret, size, text);
}

static int begin_way(struct step *s, bool kept)
{
        const char *word = kept ? "kept" : "copy";
        int r = make_parents(UNDER_WAY);

        if (r == 0)
                r = write_file_atomic(UNDER_WAY, 0600, word, strlen(word));
        return r == 0 ? 0 : step_end_error(s, r, UNDER_WAY);
}

static bool is_in(const struct move *m)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->volumes[i].is == MOVE_BOUND)
                        return true;
        return false;
}

static int unbind_all(struct move *m)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->n; i++)
                r = move_unbind(m->step, &m->volumes[i]);
        return r;
}

/* Override, Galera's file and the rest go; Mailcow's own files are as they were. */
static int undo_init(struct step *s)
{
        const char *const undo[] = { "hamon", "init", "--undo", "--yes", NULL };

        if (run_shown(undo, NULL, MOVE_STEP_MS) == 0)
                return 0;
        return step_end(s, STEP_FAILED, "hamon init --undo failed, see above");
}

static int copy_back(struct move *m)
{
        int r = move_mount(m);

        for (size_t i = 0; r == 0 && i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];
                if (!*v->target)
                        continue;
                if (v->is != MOVE_LOCAL)
                        return step_end(
                                m->step, STEP_FAILED,
                                "%s is no ordinary volume although the override is gone: is "
                                "there another one in %s?",
                                v->name, m->step->config.mailcow.dir);
                if (move_is_empty(v->target) == 1 && access(v->target, F_OK) < 0)
                        continue; /* this cluster never had it */
                r = move_copy(m->step, v->row, v->target, v->where);
                if (r == 0)
                        r = move_compare(m->step, v->row, v->target, v->where);
        }
        return r;
}

/* mailcow.conf of before has the passwords of the database that is put back. */
static int old_passwords(struct step *s)
{
        char now[4200], before[4300], aside[4300];

        snprintf(now, sizeof now, "%s/mailcow.conf", s->config.mailcow.dir);
        snprintf(before, sizeof before, "%s.before-mailcow-ha", now);
        snprintf(aside, sizeof aside, "%s.from-mailcow-ha", now);
        if (access(before, F_OK) < 0)
                return 0;
        if (rename(now, aside) < 0 || rename(before, now) < 0)
                return step_end(s, STEP_FAILED, "%s: %s", before, strerror(errno));
        return 0;
}

static int put_back(struct move *m)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->n; i++)
                if (m->volumes[i].kept_full && m->volumes[i].is == MOVE_LOCAL)
                        r = move_keep(m->step, &m->volumes[i], "-from-ha");
        if (r == 0)
                r = move_look(m->step, m->volumes, m->n);
        for (size_t i = 0; r == 0 && i < m->n; i++)
                r = move_put_back(m->step, &m->volumes[i]);
        return r == 0 ? old_passwords(m->step) : r;
}

static int let_go(struct move *m)
{
        const char *const detach[] = { "hamon",  "-c",         m->step->file, "volume",
                                       "detach", "--no-lease", "--yes",       NULL };
        int r = move_umount(m);

        if (r == 0 && run_shown(detach, NULL, MOVE_STEP_MS) != 0)
                step_note(m->step, "the volume is still attached here; nothing uses it any more");
        return r;
}

/* What hamon put into this server's network for a master: the service addresses, the rule that lets
 * mail out by them, the door. */
static int leave_network(struct move *m)
{
        const char *const release[] = { "hamon", "-c", m->step->file, "ip", "release", NULL };
        CLEANUP(buf_done) struct buf error = BUF(4096);

        if (run_shown(release, NULL, MOVE_STEP_MS) != 0)
                return step_end(m->step, STEP_FAILED, "hamon ip release failed, see above");
        if (stack_door_open(DOOR_MS, NULL, &error) < 0)
                return step_end(m->step, STEP_FAILED, "the ports stay closed: %s", buf_str(&error));
        return 0;
}

static int away(struct move *m, bool kept)
{
        static const char *const MAKE[] = { "up", "--no-start", NULL };
        static const char *const UP[] = { "up", "-d", NULL };
        int r = move_stop(m);

        if (r == 0)
                r = leave_network(m);
        if (r == 0)
                r = move_remove(m);
        if (r == 0)
                r = move_umount(m); /* before Docker forgets what was bound to it */
        if (r == 0)
                r = unbind_all(m);
        if (r == 0)
                r = undo_init(m->step);
        if (r == 0 && !kept)
                r = move_compose(m, MAKE);
        if (r == 0)
                r = move_look(m->step, m->volumes, m->n);
        if (r == 0)
                r = kept ? put_back(m) : copy_back(m);
        if (r == 0 && !kept)
                r = let_go(m);
        if (r == 0)
                r = move_compose(m, UP);
        if (r == 0 && unlink(UNDER_WAY) < 0 && errno != ENOENT)
                r = step_end_error(m->step, -errno, UNDER_WAY);
        return r;
}

static int say_plan(struct move *m, bool kept)
{
        for (size_t i = 0; i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];
                if (kept && v->kept_full)
                        printf("%s (%s): again what is kept in %s\n", v->name, v->row->what,
                               v->kept);
                else if (!kept && *v->target)
                        printf("%s (%s): a copy of %s\n", v->name, v->row->what, v->target);
        }
        return step_end(m->step, STEP_DONE, "nothing was changed");
}

int move_out_run(struct step *s)
{
        bool kept = s->flags & STEP_KEPT;
        char word[16];
        struct move m;
        int r = move_begin(&m, s);

        if (r != 0)
                return r;
        under_way(word, sizeof word);
        if (*word && kept != (strcmp(word, "kept") == 0))
                return step_end(s, STEP_FAILED, "a `move out%s` is half-way: finish that one",
                                kept ? "" : " --kept");
        if (!*word && !is_in(&m))
                return step_end(s, STEP_ALREADY, "Mailcow's volumes are this server's own");
        if (!kept)
                r = volume_prove_ours(s, &m.place);
        if (r == 0 && m.dry)
                return say_plan(&m, kept);
        if (r == 0 && !*word)
                r = step_agree(s, kept ? "Mailcow goes back to what this server had before. Go on"
                                       : "Mailcow becomes this server's own again, with the "
                                         "mail of the shared volume. Go on");
        if (r == 0)
                r = begin_way(s, kept);
        if (r == 0)
                r = away(&m, kept);
        if (r != 0)
                return r;
        return step_end(s, STEP_DONE, "this is a Mailcow of its own again%s",
                        kept ? ""
                             : "; what was kept before (docker volume ls) may go when you like");
}
