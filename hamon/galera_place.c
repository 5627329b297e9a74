/* Where the member's data lies on this host, and its way into another volume. The engine is asked
 * for the volume, which compose names <project>_mysql-vol-1; the disk is touched in a child. */
#include "hamon/galera_member.h"

#include "lib/http.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { ENGINE_MS = 10000, READ_MS = 10000, MOVE_MS = 60000, PORT_MS = 1500, GALERA_PORT = 4567 };

/* ---- the engine ---- */

struct volume_talk {
        struct loop *loop;
        int error, status;
        char place[PATH_MAX], text[256];
};

static void on_volume(void *arg, const struct http_result *r)
{
        struct volume_talk *t = arg;
        cJSON *o = cJSON_ParseWithLength(r->body, r->len);
        const char *place = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "Mountpoint"));
        const char *said = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "message"));

        t->error = r->error;
        t->status = r->status;
        str_copy(t->place, sizeof t->place, place && *place == '/' ? place : "");
        str_copy(t->text, sizeof t->text, said ? said : r->message);
        cJSON_Delete(o);
        loop_stop(t->loop);
}

/* Ask for it, or with `make` make it, which is fine if it is there. 0, or an exit code. */
static int volume(struct step *s, const char *suffix, bool make, char ret[PATH_MAX])
{
        static const char *const headers[] = { "Content-Type: application/json", NULL };
        struct volume_talk t = { .loop = &s->loop, .error = -EIO };
        char url[512], body[512], name[256];
        struct http *http = NULL;

        snprintf(name, sizeof name, "%s_mysql-vol-1%s", s->config.docker.project, suffix);
        snprintf(url, sizeof url, "http://localhost/volumes/%s", make ? "create" : name);
        snprintf(body, sizeof body, "{\"Name\":\"%s\"}", name);
        const struct http_request rq = { .method = make ? "POST" : NULL,
                                         .url = url,
                                         .unix_socket = s->config.docker.socket,
                                         .headers = make ? headers : NULL,
                                         .body = make ? body : NULL,
                                         .timeout = ENGINE_MS,
                                         .arg = &t,
                                         .on_done = on_volume };
        int r = step_loop(s);
        if (r == 0)
                r = http_new(&s->loop, &http);
        if (r == 0)
                r = http_start(http, &rq, NULL);
        if (r == 0)
                r = loop_run(&s->loop);
        http_free(http);
        step_pulse(s);
        if (r < 0)
                return step_end_error(s, r, "the Docker engine");
        if (t.error < 0 || t.status >= 300 || !*t.place)
                return step_end(s, t.error < 0 ? STEP_TEMPORARY : STEP_FAILED,
                                "Docker's volume %s: %s", name, t.text);
        str_copy(ret, PATH_MAX, t.place);
        return 0;
}

int member_place(struct step *s, char ret[PATH_MAX])
{
        return volume(s, "", false, ret);
}

/* ---- the data ---- */

struct reading {
        char dir[PATH_MAX];
        struct galera_data data;
};

static int read_data(void *arg)
{
        struct reading *r = arg;

        return galera_data_read(r->dir, GALERA_SHARE, &r->data);
}

int member_data(struct step *s, struct galera_data *ret)
{
        static struct reading look;
        int code = member_place(s, look.dir);

        if (code != 0)
                return code;
        int r = STEP_CHILD(s, read_data, &look, READ_MS);
        if (r < 0)
                return step_end_error(s, r, look.dir);
        *ret = look.data;
        return 0;
}

struct shift {
        char from[PATH_MAX], to[PATH_MAX];
};

static bool is_dots(const char *name)
{
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_empty(DIR *d)
{
        const struct dirent *e;

        while ((e = readdir(d)))
                if (!is_dots(e->d_name))
                        return false;
        return true;
}

/* One rename each: what a kill leaves half done, the next call ends. R: nothing of the same name
 * is overwritten. */
static int shift_entries(DIR *from, int to)
{
        const struct dirent *e;

        while ((e = readdir(from))) {
                if (is_dots(e->d_name))
                        continue;
                if (renameat2(dirfd(from), e->d_name, to, e->d_name, RENAME_NOREPLACE) < 0)
                        return -errno;
        }
        return fsync(to) < 0 ? -errno : 0;
}

/* A mark in the target says that it is not whole yet. */
static int shift_between(DIR *from, DIR *to)
{
        bool half = faccessat(dirfd(to), ".half-moved", F_OK, 0) == 0;

        if (!half && !is_empty(to))
                return -ENOTEMPTY;
        if (!half) {
                int fd = openat(dirfd(to), ".half-moved", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                if (fd < 0 || close(fd) < 0)
                        return -errno;
        }
        int r = shift_entries(from, dirfd(to));
        return r < 0 ? r : unlinkat(dirfd(to), ".half-moved", 0) < 0 ? -errno : 0;
}

static int shift_all(void *arg)
{
        const struct shift *m = arg;
        DIR *from = opendir(m->from);

        if (!from)
                return -errno;
        DIR *to = opendir(m->to);
        int r = to ? shift_between(from, to) : -errno;
        if (to)
                closedir(to);
        closedir(from);
        return r;
}

int member_set_aside(struct step *s, const char *suffix)
{
        static struct shift m;
        int code = member_place(s, m.from);

        if (code == 0)
                code = volume(s, suffix, true, m.to);
        if (code != 0)
                return code;
        int r = STEP_CHILD(s, shift_all, &m, MOVE_MS);
        if (r == -ENOTEMPTY || r == -EEXIST)
                return step_end(s, STEP_FAILED,
                                "%s has an older database in it: look whether you need it, then "
                                "docker volume rm %s_mysql-vol-1%s",
                                m.to, s->config.docker.project, suffix);
        if (r < 0)
                return step_end_error(s, r, m.to);
        step_note(s, "the database that was here is kept: volume %s_mysql-vol-1%s",
                  s->config.docker.project, suffix);
        return 0;
}

/* ---- other members ---- */

static int address_of(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof *ret);
        if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(GALERA_PORT);
                *ret_len = sizeof *v4;
                return 0;
        }
        if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
                return -EINVAL;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(GALERA_PORT);
        *ret_len = sizeof *v6;
        return 0;
}

enum member_port member_port(const char *address)
{
        struct sockaddr_storage a;
        socklen_t len;
        int error = 0;
        socklen_t size = sizeof error;

        if (address_of(address, &a, &len) < 0)
                return PORT_SILENT;
        CLEANUP(closep) int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return PORT_SILENT;
        if (connect(fd, (const struct sockaddr *)&a, len) == 0)
                return PORT_OPEN;
        if (errno == ECONNREFUSED)
                return PORT_CLOSED;
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (errno != EINPROGRESS || poll(&p, 1, PORT_MS) != 1 ||
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return PORT_SILENT;
        return error == 0 ? PORT_OPEN : error == ECONNREFUSED ? PORT_CLOSED : PORT_SILENT;
}
