/* docker volume, rename(2) and rsync. Every function may be run again after it was killed anywhere:
 * it looks first. */
#include "hamon/setup/move_volume.h"

#include "hamon/setup/run.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        DOCKER_MS = 60000,
        COPY_MS = 48 * 3600 * 1000,
        SHORT = 8192,
        NAMES = 128 * 1024,
        DIR_MODE = 0755
};

/* vmail-index could be made anew, slowly; but with it IMAP's modification numbers never go back. */
const struct move_row MOVE_ROWS[] = {
        { "vmail-vol-1", "vmail", false, "mail" },
        { "vmail-index-vol-1", "vmail-index", false, "indexes of mail" },
        { "crypt-vol-1", "crypt", true, "the key that mail is encrypted with" },
        { "redis-vol-1", "redis", true, "DKIM keys and settings" },
        { "postfix-vol-1", "postfix", true, "mail that waits" },
        { "sogo-userdata-backup-vol-1", "sogo-backup", false, "backups of calendars" },
        { "mysql-vol-1", NULL, false, "the database" },
};
const size_t N_MOVE_ROWS = ARRAY_SIZE(MOVE_ROWS);

static int failed(struct step *s, const char *what, const char *name)
{
        return step_end(s, STEP_FAILED, "%s: %s (above is why)", name, what);
}

int move_is_empty(const char *dir)
{
        DIR *d = opendir(dir);
        int n = 0;

        if (!d)
                return errno == ENOENT ? 1 : -errno;
        while (n <= 2 && readdir(d))
                n++;
        closedir(d);
        return n <= 2;
}

static bool has_line(const char *text, const char *line)
{
        size_t len = strlen(line);

        while (*text && !(strncmp(text, line, len) == 0 && (text[len] == '\n' || !text[len]))) {
                text = strchrnul(text, '\n');
                text += *text == '\n';
        }
        return *text != '\0';
}

/* Of those that are there: name, place and options, a line each, then an empty one. Who is there is
 * asked first, since `inspect` fails for one that is not, and Docker 20 has no other word for it.
 */
static int ask(struct step *s, const char *const *names, size_t n, struct buf *out)
{
        CLEANUP(buf_done) struct buf there = BUF(NAMES);
        const char *look[2 * MOVE_VOLUMES + 6] = {
                "docker", "volume", "inspect", "-f",
                "{{.Name}}\n{{.Mountpoint}}\n{{range $k, $v := .Options}}{{$k}}={{$v}}\n{{end}}"
        };
        const size_t words = 5;
        char filter[MOVE_NAME + 16];
        size_t found = 0;

        snprintf(filter, sizeof filter, "name=^%s_", s->config.docker.project);
        const char *const list[] = { "docker", "volume", "ls", "-q", "--filter", filter, NULL };
        if (run_asked(list, NULL, DOCKER_MS, &there) != 0)
                return failed(s, "Docker does not say if it is there", names[0]);
        for (size_t i = 0; i < n; i++)
                if (has_line(buf_str(&there), names[i]))
                        look[words + found++] = names[i];
        if (found > 0 && run_asked(look, NULL, DOCKER_MS, out) != 0)
                return failed(s, "Docker does not say what it is", look[words]);
        return 0;
}

/* What was said of one; "" = it is not there. */
static int read_one(struct step *s, const struct buf *said, const char *name, char *where,
                    size_t size, struct buf *options)
{
        const char *at = buf_str(said);
        size_t len = strlen(name);

        *where = '\0';
        while (*at && !(strncmp(at, name, len) == 0 && at[len] == '\n')) {
                at = strstr(at, "\n\n");
                if (!at)
                        return 0;
                at += 2;
        }
        if (!*at)
                return 0;
        at += len + 1;
        len = strcspn(at, "\n");
        if (len >= size)
                return failed(s, "its path is too long", name);
        memcpy(where, at, len);
        where[len] = '\0';
        at += len + (at[len] == '\n');
        const char *end = strstr(at, "\n\n");
        if (options && *at != '\n')
                buf_add(options, at, end ? (size_t)(end - at) + 1 : strlen(at));
        return 0;
}

static int inspect(struct step *s, const char *name, char *where, size_t size)
{
        CLEANUP(buf_done) struct buf said = BUF(SHORT);
        int r = ask(s, &name, 1, &said);

        return r == 0 ? read_one(s, &said, name, where, size, NULL) : r;
}

static enum move_is what_is_it(const struct buf *options, const char *target)
{
        char device[4200];

        if (options->len == 0)
                return MOVE_LOCAL;
        snprintf(device, sizeof device, "device=%s\n", target);
        const char *found = strstr(buf_str(options), "device=");
        if (!*target || !found)
                return MOVE_OTHER;
        size_t n = strcspn(found, "\n");
        return n == strlen(device) - 1 && strncmp(found, device, n) == 0 ? MOVE_BOUND : MOVE_OTHER;
}

static int judge(struct step *s, const struct buf *said, struct move_volume *v)
{
        CLEANUP(buf_done) struct buf options = BUF(SHORT);
        int r = read_one(s, said, v->name, v->where, sizeof v->where, &options);

        if (r == 0)
                r = read_one(s, said, v->kept, v->kept_where, sizeof v->kept_where, NULL);
        if (r != 0)
                return r;
        v->is = *v->where ? what_is_it(&options, v->target) : MOVE_ABSENT;
        v->kept_full = *v->kept_where && move_is_empty(v->kept_where) != 1;
        if (v->is == MOVE_OTHER)
                return step_end(s, STEP_FAILED,
                                "%s has options of its own (%s): somebody else has bound it; this "
                                "would not know the way back",
                                v->name, buf_str(&options));
        return 0;
}

int move_look(struct step *s, struct move_volume *v, size_t n)
{
        CLEANUP(buf_done) struct buf said = BUF(NAMES);
        const char *names[2 * MOVE_VOLUMES] = { NULL };

        for (size_t i = 0; i < n; i++) {
                const struct move_row *row = v[i].row;

                v[i] = (struct move_volume){ .row = row };
                snprintf(v[i].name, sizeof v[i].name, "%s_%s", s->config.docker.project, row->name);
                snprintf(v[i].kept, sizeof v[i].kept, "%s-before-ha", v[i].name);
                if (row->dir)
                        snprintf(v[i].target, sizeof v[i].target, "%s/%s", s->config.volume.mount,
                                 row->dir);
                names[2 * i] = v[i].name;
                names[2 * i + 1] = v[i].kept;
        }
        int r = ask(s, names, 2 * n, &said);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = judge(s, &said, &v[i]);
        return r;
}

static int remove_volume(struct step *s, const char *name)
{
        const char *const rm[] = { "docker", "volume", "rm", name, NULL };

        return run_shown(rm, NULL, DOCKER_MS) == 0 ? 0 : failed(s, "could not be removed", name);
}

/* What is in one directory into the other, by one rename; the first is there, empty, afterwards. */
static int swap_content(struct step *s, const char *name, const char *from, const char *to)
{
        struct stat st;

        if (stat(from, &st) < 0)
                st.st_mode = DIR_MODE;
        printf("  rename %s to %s\n", from, to);
        if ((rmdir(to) < 0 && errno != ENOENT) || rename(from, to) < 0)
                return step_end(s, STEP_FAILED, "%s: %s to %s: %s", name, from, to,
                                strerror(errno));
        if (mkdir(from, st.st_mode & 07777) < 0)
                return step_end(s, STEP_FAILED, "%s: %s: %s", name, from, strerror(errno));
        return 0;
}

static int make_kept(struct step *s, const char *name, char *where, size_t size)
{
        const char *const make[] = { "docker",          "volume", "create", "--label",
                                     "mailcow-ha=kept", name,     NULL };
        CLEANUP(buf_done) struct buf out = BUF(SHORT);

        if (run_asked(make, NULL, DOCKER_MS, &out) != 0)
                return failed(s, "could not be made", name);
        int r = inspect(s, name, where, size);
        return r != 0 || *where ? r : failed(s, "is gone again", name);
}

int move_keep(struct step *s, struct move_volume *v, const char *suffix)
{
        char kept[MOVE_NAME + 16], where[4096] = "";
        int r, empty = move_is_empty(v->where);

        snprintf(kept, sizeof kept, "%s%s", v->name, suffix);
        if (empty < 0)
                return step_end_error(s, empty, v->where);
        r = inspect(s, kept, where, sizeof where);
        if (r == 0 && !*where && !empty)
                r = make_kept(s, kept, where, sizeof where);
        if (r != 0)
                return r;
        if (!empty && move_is_empty(where) != 1)
                return step_end(s, STEP_FAILED,
                                "%s still holds what was kept the last time: `docker volume rm %s` "
                                "if nobody needs it any more, then again",
                                kept, kept);
        if (!empty)
                r = swap_content(s, v->name, v->where, where);
        if (r == 0)
                r = remove_volume(s, v->name);
        return r;
}

/* As compose would, but empty: a container made on it would first get what the image has there. */
static int make_ordinary(struct step *s, struct move_volume *v)
{
        char project[128], volume[MOVE_NAME];

        snprintf(project, sizeof project, "com.docker.compose.project=%s",
                 s->config.docker.project);
        snprintf(volume, sizeof volume, "com.docker.compose.volume=%s", v->row->name);
        const char *const make[] = { "docker",  "volume", "create", "--label", project,
                                     "--label", volume,   v->name,  NULL };
        if (run_shown(make, NULL, DOCKER_MS) != 0)
                return failed(s, "could not be made", v->name);
        return inspect(s, v->name, v->where, sizeof v->where);
}

int move_put_back(struct step *s, struct move_volume *v)
{
        int r = 0;

        if (!v->kept_full)
                return 0;
        if (v->is == MOVE_ABSENT)
                r = make_ordinary(s, v);
        if (r != 0)
                return r;
        if (move_is_empty(v->where) != 1)
                return failed(s, "is not empty, so nothing is put back into it", v->name);
        r = swap_content(s, v->name, v->kept_where, v->where);
        return r == 0 ? remove_volume(s, v->kept) : r;
}

int move_unbind(struct step *s, struct move_volume *v)
{
        return v->is == MOVE_BOUND ? remove_volume(s, v->name) : 0;
}

/* ---- copies ---- */

/* -H, -A, -X: hard links, ACLs and attributes; dovecot has the first, zstd-ed mail none, but what
 * an admin did to the tree must survive. rsync gives up a disk that says nothing for five minutes.
 */
int move_copy(struct step *s, const struct move_row *row, const char *from, const char *to)
{
        char source[4200], target[4200];

        snprintf(source, sizeof source, "%s/", from);
        snprintf(target, sizeof target, "%s/", to);
        const char *const copy[] = { "rsync",
                                     "-aHAX",
                                     "--numeric-ids",
                                     "--delete",
                                     "--timeout=300",
                                     isatty(STDOUT_FILENO) ? "--info=progress2" : "--info=none",
                                     source,
                                     target,
                                     NULL };
        int r = run_shown(copy, NULL, COPY_MS);

        if (r == 0 || r == 24) /* 24: a file was gone before its turn: of a Mailcow that runs */
                return 0;
        return step_end(s, STEP_FAILED, "%s: rsync ended with %d (above is why)", row->what, r);
}

int move_compare(struct step *s, const struct move_row *row, const char *from, const char *to)
{
        CLEANUP(buf_done) struct buf out = BUF(SHORT);
        char source[4200], target[4200];

        snprintf(source, sizeof source, "%s/", from);
        snprintf(target, sizeof target, "%s/", to);
        const char *const compare[] = { "rsync",
                                        "-aHAXn",
                                        "--numeric-ids",
                                        "--delete",
                                        "--itemize-changes",
                                        "--timeout=300",
                                        source,
                                        target,
                                        row->exact ? "--checksum" : NULL,
                                        NULL };
        int r = run_asked(compare, NULL, COPY_MS, &out);
        if (r != 0)
                return step_end(s, STEP_FAILED, "%s: could not be compared: rsync ended with %d",
                                row->what, r);
        if (out.len == 0)
                return 0;
        return step_end(
                s, STEP_FAILED,
                "%s: the copy differs from what it was made of, so nothing is removed: %.*s",
                row->what, (int)strcspn(buf_str(&out), "\n"), buf_str(&out));
}
