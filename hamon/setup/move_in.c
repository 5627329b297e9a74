/* `hamon move in`. On the server whose mail counts (--from-here): copy while Mailcow runs, stop it,
 * copy what changed, compare, mark the volume as filled, and only then put the old volumes aside.
 * On the others: put the old ones aside, the database too, which a full copy replaces. Last,
 * compose makes volumes and containers anew, not started. Killed anywhere, the next run goes on. */
#include "hamon/setup/move_impl.h"

#include "hamon/galera_member.h"
#include "hamon/setup/run.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_TEXT = 512 * 1024, ASK_MS = 4 * 3600 * 1000, SPARE = 20 /* a twentieth */ };

/* ---- would it do? ---- */

/* The override must bind every volume, or Mailcow would be made anew with an empty one. */
static int is_bound_by_compose(struct move *m)
{
        CLEANUP(buf_done) struct buf config = BUF(CONFIG_TEXT);
        int r = move_compose_config(m, &config);

        for (size_t i = 0; r == 0 && i < m->n; i++) {
                const char *target = m->volumes[i].target;
                if (*target && !strstr(buf_str(&config), target))
                        r = step_end(
                                m->step, STEP_FAILED,
                                "compose does not bind %s to %s: is docker-compose.override.yml "
                                "what `hamon render compose` prints? (hamon init writes it)",
                                m->volumes[i].row->name, target);
        }
        return r;
}

static bool is_all_bound(const struct move *m)
{
        for (size_t i = 0; i < m->n; i++)
                if (*m->volumes[i].target && m->volumes[i].is != MOVE_BOUND)
                        return false;
        return true;
}

/* A word of a program's output as a number of bytes. */
static int bytes(struct step *s, const char *const *argv, const char *of, uint64_t *ret)
{
        CLEANUP(buf_done) struct buf out = BUF(4096);
        int r = run_asked(argv, NULL, ASK_MS, &out);
        const char *last = strrchr(buf_str(&out), '\n');
        char *end;

        last = last ? last + 1 : buf_str(&out);
        *ret = strtoull(last, &end, 10);
        return r == 0 && end != last ? 0
                                     : step_end(s, STEP_FAILED, "%s: its size is not known", of);
}

static int is_there_room(struct move *m)
{
        const char *const df[] = { "df", "-B1", "--output=avail", m->place.where, NULL };
        uint64_t need = 0, have, has, free;

        for (size_t i = 0; i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];
                const char *const du[] = { "du", "-s", "-B1", v->where, NULL };
                if (!*v->target || v->is != MOVE_LOCAL)
                        continue;
                int r = bytes(m->step, du, v->name, &has);
                if (r != 0)
                        return r;
                need += has;
        }
        const char *const done[] = { "du", "-s", "-B1", m->place.where, NULL };
        if (bytes(m->step, df, m->place.where, &free) != 0 ||
            bytes(m->step, done, m->place.where, &have) != 0)
                return 1;
        printf("%s: %" PRIu64 " MB to be moved, %" PRIu64 " MB free\n", m->place.where, need >> 20,
               free >> 20);
        if (need + need / SPARE <= free + have)
                return 0;
        return step_end(m->step, STEP_FAILED,
                        "the volume is too small: Mailcow has %" PRIu64 " MB, and %" PRIu64
                        " MB are free",
                        need >> 20, free >> 20);
}

/* ---- the copy ---- */

static int make_target(struct step *s, const struct move_volume *v)
{
        struct stat st;

        if (stat(v->where, &st) < 0)
                return step_end(s, STEP_FAILED, "%s: %s", v->where, strerror(errno));
        if (mkdir(v->target, st.st_mode & 07777) < 0 && errno != EEXIST)
                return step_end(s, STEP_FAILED, "%s: %s", v->target, strerror(errno));
        return 0;
}

static int copy_all(struct move *m, bool compare)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];
                if (!*v->target || v->is == MOVE_BOUND)
                        continue;
                if (v->is == MOVE_ABSENT) { /* this Mailcow never had it */
                        if (mkdir(v->target, 0755) < 0 && errno != EEXIST)
                                r = step_end(m->step, STEP_FAILED, "%s: %s", v->target,
                                             strerror(errno));
                        continue;
                }
                r = make_target(m->step, v);
                if (r == 0)
                        r = move_copy(m->step, v->row, v->where, v->target);
                if (r == 0 && compare)
                        r = move_compare(m->step, v->row, v->where, v->target);
        }
        return r;
}

/* A kept volume with something in it, and no marker: its content is not on the volume, and a copy
 * of the empty one would say otherwise. */
static int is_nothing_kept(struct move *m)
{
        for (size_t i = 0; i < m->n; i++)
                if (*m->volumes[i].target && m->volumes[i].kept_full)
                        return step_end(m->step, STEP_FAILED,
                                        "%s holds what an earlier move put aside, and the shared "
                                        "volume is not that one's; put it back first (hamon move "
                                        "out --kept), or docker volume rm it",
                                        m->volumes[i].kept);
        return 0;
}

static int fill(struct move *m)
{
        char marker[256] = "", mine[128];
        int r = volume_prove_ours(m->step, &m->place);

        if (r == 0)
                r = step_agree(m->step,
                               "Mailcow's mail goes from here to the shared volume. Mailcow "
                               "stops for the end of it. Go on");
        if (r == 0)
                r = move_mount(m);
        if (r == 0 && !m->dry)
                r = move_marker(m, marker, sizeof marker);
        if (r != 0 || m->dry)
                return r;
        snprintf(mine, sizeof mine, "filled_from=%s ", m->step->config.node.name);
        if (*marker && !strstr(marker, mine))
                return step_end(m->step, STEP_FAILED,
                                "the volume was filled already (%s): here it is `hamon move in`, "
                                "without --from-here",
                                marker);
        if (*marker)
                return move_stop(m); /* the copy is whole; only what follows is missing */
        r = is_nothing_kept(m);
        if (r == 0)
                r = is_there_room(m);
        if (r == 0)
                puts("First copy, while Mailcow runs:");
        if (r == 0)
                r = copy_all(m, false);
        if (r == 0)
                puts("Mailcow stops; what changed meanwhile:");
        if (r == 0)
                r = move_stop(m);
        if (r == 0)
                r = copy_all(m, true);
        return r == 0 ? move_mark(m) : r;
}

/* ---- and then ---- */

static int keep_all(struct move *m, bool from_here)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->n; i++) {
                struct move_volume *v = &m->volumes[i];
                if (v->is != MOVE_LOCAL)
                        continue;
                /* The database of who brings the mail stays; another's is replaced by a copy of it,
                 * once: what is here at a second run is that copy already. */
                if (!*v->target && (from_here || v->kept_full))
                        continue;
                r = move_keep(m->step, v, "-before-ha");
        }
        return r;
}

static int make_anew(struct move *m)
{
        static const char *const UP[] = { "up", "--no-start", NULL };
        int r = move_compose(m, UP);

        if (r == 0)
                r = move_look(m->step, m->volumes, m->n);
        for (size_t i = 0; r == 0 && i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];

                if (*v->target && v->is != MOVE_BOUND)
                        r = step_end(m->step, STEP_FAILED, "compose did not bind %s to %s", v->name,
                                     v->target);
        }
        return r;
}

/* A database that is to become a member is the next command's to start, `hamon galera bootstrap` or
 * join: without its order it would look for the others, and not listen to a stop meanwhile. */
static void start_warm(struct move *m, bool with_database)
{
        const char *const warm[] = { "hamon",        "-c",
                                     m->step->file,  "stack",
                                     "start",        "--set",
                                     "warm",         with_database ? NULL : "--without",
                                     MEMBER_SERVICE, NULL };

        if (run_shown(warm, NULL, MOVE_STEP_MS) != 0)
                step_note(m->step,
                          "not all of the warm set runs yet; `hamon stack status` says who");
}

static int say_plan(struct move *m, bool from_here)
{
        for (size_t i = 0; i < m->n; i++) {
                const struct move_volume *v = &m->volumes[i];
                if (v->is == MOVE_LOCAL && *v->target)
                        printf("%s (%s): %sthen kept as %s\n", v->name, v->row->what,
                               from_here ? "copied to the shared volume, compared, " : "", v->kept);
                else if (v->is == MOVE_LOCAL && !from_here && !v->kept_full)
                        printf("%s (%s): kept as %s\n", v->name, v->row->what, v->kept);
        }
        return step_end(m->step, STEP_DONE, "nothing was changed");
}

int move_in_run(struct step *s)
{
        const bool from_here = s->flags & STEP_FROM_HERE;
        struct move m;
        int r = move_begin(&m, s);

        if (r == 0)
                r = is_bound_by_compose(&m);
        const bool was_bound = r == 0 && is_all_bound(&m);
        if (r == 0 && m.dry)
                return say_plan(&m, from_here);
        if (r == 0 && !was_bound)
                r = from_here ? fill(&m)
                              : step_agree(s, "Mailcow stops here, and what it has is put aside: "
                                              "its data will be the cluster's. Go on");
        if (r == 0 && !was_bound && !from_here)
                r = move_stop(&m);
        if (r == 0 && !was_bound)
                r = move_remove(&m);
        if (r == 0 && !was_bound)
                r = keep_all(&m, from_here);
        if (r == 0)
                r = make_anew(&m);
        if (r == 0)
                r = move_umount(&m);
        if (r != 0)
                return r;
        start_warm(&m, was_bound);
        return step_end(s, was_bound ? STEP_ALREADY : STEP_DONE,
                        "Mailcow's data is the shared volume's; next: hamon galera %s",
                        from_here ? "bootstrap" : "join");
}
