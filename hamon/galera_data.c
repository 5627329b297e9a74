/* The files of galera_data.h. They are small and written by others: each has a cap, and what does
 * not look as it should counts as not there. */
#include "hamon/galera_data.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 16384, WORD = 128 };

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* ---- words ---- */

bool galera_is_uuid(const char *text)
{
        static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

        for (size_t i = 0; i < sizeof shape - 1; i++)
                if (shape[i] == '-' ? text[i] != '-'
                                    : !text[i] || !strchr("0123456789abcdef", text[i]))
                        return false;
        return text[sizeof shape - 1] == '\0';
}

static bool parse_seqno(const char *text, int64_t *ret)
{
        uint64_t n;

        if (strcmp(text, "-1") == 0) {
                *ret = -1;
                return true;
        }
        if (parse_uint(text, 0, INT64_MAX, &n) < 0)
                return false;
        *ret = (int64_t)n;
        return true;
}

/* The first word behind "key:" or "key=" at the beginning of a line. */
static bool field(const char *text, const char *key, char *ret, size_t size)
{
        size_t n = strlen(key);

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                if (strncmp(line, key, n) != 0 || (line[n] != ':' && line[n] != '='))
                        continue;
                const char *value = line + n + 1;
                value += strspn(value, " \t");
                size_t len = strcspn(value, " \t\r\n");
                if (len >= size)
                        return false;
                memcpy(ret, value, len);
                ret[len] = '\0';
                return true;
        }
        return false;
}

static bool position(const char *uuid, const char *seqno, struct galera_position *ret)
{
        struct galera_position p = { .seqno = -1 };

        if (!galera_is_uuid(uuid) || !parse_seqno(seqno, &p.seqno))
                return false;
        str_copy(p.uuid, sizeof p.uuid, uuid);
        *ret = p;
        return true;
}

bool galera_parse_position(const char *text, struct galera_position *ret)
{
        char uuid[GALERA_UUID];

        return strlen(text) > GALERA_UUID && text[GALERA_UUID - 1] == ':' &&
               (str_copy(uuid, sizeof uuid, text), true) && position(uuid, text + GALERA_UUID, ret);
}

bool galera_parse_grastate(const char *text, struct galera_position *ret)
{
        char uuid[WORD], seqno[WORD];

        return field(text, "uuid", uuid, sizeof uuid) &&
               field(text, "seqno", seqno, sizeof seqno) && position(uuid, seqno, ret);
}

/* "view_id: 3 UUID 7" -> "3_UUID_7" */
static bool view_id(const char *text, char ret[GALERA_VIEW_ID])
{
        const char *line = strstr(text, "\nview_id:");

        if (!line)
                return false;
        line += strlen("\nview_id:");
        line += strspn(line, " ");
        size_t len = strcspn(line, "\r\n"), n = 0;
        for (size_t i = 0; i < len && n < GALERA_VIEW_ID - 1; i++)
                if (line[i] != ' ')
                        ret[n++] = line[i];
                else if (n > 0 && ret[n - 1] != '_')
                        ret[n++] = '_';
        while (n > 0 && ret[n - 1] == '_')
                n--;
        ret[n] = '\0';
        return n > 0;
}

bool galera_parse_view(const char *text, struct galera_view *ret)
{
        struct galera_view v = { .n = 0 };
        char uuid[WORD];

        if (!field(text, "my_uuid", uuid, sizeof uuid) || !galera_is_uuid(uuid) ||
            !view_id(text, v.id) || !strstr(text, "#vwend"))
                return false;
        str_copy(v.me, sizeof v.me, uuid);
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                if (strncmp(line, "member:", 7) != 0)
                        continue;
                if (!field(line, "member", uuid, sizeof uuid) || !galera_is_uuid(uuid))
                        return false;
                if (v.n < GALERA_VIEW)
                        str_copy(v.members[v.n], GALERA_UUID, uuid);
                v.n++;
        }
        if (v.n == 0)
                return false;
        *ret = v;
        return true;
}

bool galera_parse_start(const char *text, const char *boot, struct galera_position *ret,
                        char ret_view[GALERA_VIEW_ID])
{
        char id[WORD], uuid[WORD], seqno[WORD];

        return field(text, "boot", id, sizeof id) && strcmp(id, boot) == 0 &&
               field(text, "uuid", uuid, sizeof uuid) &&
               field(text, "seqno", seqno, sizeof seqno) &&
               field(text, "view", ret_view, GALERA_VIEW_ID) && position(uuid, seqno, ret);
}

/* ---- files ---- */

/* 0: read, or not there (then it stays ""). */
static int slurp(const char *dir, const char *name, struct buf *ret)
{
        CLEANUP(freep) char *text = NULL;
        char path[PATH_MAX];
        size_t len = 0;

        if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
                return -ENAMETOOLONG;
        int r = read_file(path, FILE_MAX, &text, &len);
        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        return r < 0 ? r : buf_add(ret, text, len);
}

static bool is_there(const char *dir, const char *name)
{
        char path[PATH_MAX];

        return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path &&
               access(path, F_OK) == 0;
}

static int read_boot(char *ret, size_t size)
{
        CLEANUP(freep) char *text = NULL;
        int r = read_file(BOOT_ID, WORD, &text, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        return str_copy(ret, size, text) ? 0 : -EBADMSG;
}

static int read_data(const char *dir, struct galera_data *d)
{
        CLEANUP(buf_done) struct buf grastate = BUF(FILE_MAX + 1);
        CLEANUP(buf_done) struct buf view = BUF(FILE_MAX + 1);
        int r = slurp(dir, "grastate.dat", &grastate);

        if (r == 0)
                r = slurp(dir, "gvwstate.dat", &view);
        if (r < 0)
                return r;
        d->there = is_there(dir, "ibdata1");
        d->member = grastate.len > 0;
        d->unusable = is_there(dir, "sst_in_progress") ||
                      (galera_parse_grastate(buf_str(&grastate), &d->grastate) &&
                       strcmp(d->grastate.uuid, GALERA_NO_UUID) == 0);
        galera_parse_view(buf_str(&view), &d->view);
        return 0;
}

int galera_data_read(const char *dir, const char *share, struct galera_data *ret)
{
        struct galera_data d = { .grastate = { GALERA_NO_UUID, -1 },
                                 .position = { GALERA_NO_UUID, -1 } };
        CLEANUP(buf_done) struct buf start = BUF(FILE_MAX + 1);
        char boot[WORD];
        int r = read_boot(boot, sizeof boot);

        if (r == 0)
                r = slurp(share, "position", &start);
        if (r < 0)
                return r;
        d.started = galera_parse_start(buf_str(&start), boot, &d.position, d.start_view);
        r = *dir ? read_data(dir, &d) : 0;
        if (r == 0)
                *ret = d;
        return r;
}

bool galera_data_position(const struct galera_data *d, struct galera_position *ret)
{
        if (d->unusable || (d->member && d->grastate.seqno < 0 && !d->started))
                return false;
        if (!d->there)
                *ret = (struct galera_position){ GALERA_NO_UUID, -1 };
        else if (d->member && d->grastate.seqno >= 0)
                *ret = d->grastate; /* an orderly stop */
        else if (*d->view.id && strcmp(d->view.id, d->start_view) != 0)
                return false; /* it went on since: Galera writes the file anew, but the same, to
                                 wait */
        else
                *ret = d->position;
        return true;
}

/* ---- orders ---- */

int galera_order(const char *share, const struct galera_position *p, bool leap, msec_t until)
{
        CLEANUP(buf_done) struct buf text = BUF(1024);
        char boot[WORD], path[PATH_MAX];
        int r = read_boot(boot, sizeof boot);

        if (r < 0)
                return r;
        snprintf(path, sizeof path, "%s/outcome", share);
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        buf_addf(&text, "order=bootstrap\nboot=%s\nuntil=%" PRId64 "\nuuid=%s\nseqno=%" PRId64 "\n",
                 boot, (int64_t)until / 1000, p->uuid, p->seqno);
        if (leap && p->seqno >= 0 && p->seqno <= INT64_MAX - GALERA_LEAP)
                buf_addf(&text, "onward=%" PRId64 "\n", p->seqno + GALERA_LEAP);
        snprintf(path, sizeof path, "%s/order", share);
        r = make_parents(path);
        return r < 0 ? r : write_file_atomic(path, 0600, buf_str(&text), text.len);
}

bool galera_ordered(const char *share)
{
        return is_there(share, "order");
}

void galera_order_revoke(const char *share)
{
        char path[PATH_MAX];

        snprintf(path, sizeof path, "%s/order", share);
        unlink(path);
}

void galera_outcome(const char *share, char *ret, size_t size)
{
        CLEANUP(buf_done) struct buf text = BUF(FILE_MAX + 1);

        slurp(share, "outcome", &text);
        str_copy(ret, size, buf_str(&text));
        ret[strcspn(ret, "\n")] = '\0';
}
