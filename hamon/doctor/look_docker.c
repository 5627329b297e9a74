/* The Docker engine, Mailcow's containers on it, how they were made, and where their data lies. The
 * first question that gets no answer ends the look: an engine that hangs would hang eighteen times.
 */
#include "hamon/ask.h"
#include "hamon/doctor/docker_view.h"
#include "hamon/doctor/doctor.h"
#include "hamon/services.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { ASK_MS = 3000, ANSWER_MAX = 4 * 1024 * 1024, DOCKER_WANTED = 24, DISK_PERCENT = 95 };

struct docker_look {
        struct doctor *d;
        struct view view;
        cJSON *volumes;
};

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static bool ask(struct docker_look *k, const char *path, struct ask_http *ret)
{
        const char *socket = k->d->config.docker.socket;
        char url[256];

        snprintf(url, sizeof url, "http://docker%s", path);
        const struct http_request r = {
                .url = url, .unix_socket = socket, .max_body = ANSWER_MAX, .timeout = ASK_MS
        };
        if (ask_http(&r, ret) == 0 && ret->status == 200)
                return true;
        struct flaw *f =
                ret->error < 0
                        ? found(k->d, F_DOCKER, "the engine does not answer: %s", ret->message)
                        : found(k->d, F_DOCKER, "the engine answers %s with status %d", path,
                                ret->status);
        found_at(f, "%s", socket);
        found_fix(f, "systemctl restart docker; journalctl -u docker -n 50");
        return false;
}

static cJSON *ask_json(struct docker_look *k, const char *path)
{
        struct ask_http a = { .body = BUF(ANSWER_MAX) };
        cJSON *j = ask(k, path, &a) ? cJSON_ParseWithLength(buf_str(&a.body), a.body.len) : NULL;

        buf_done(&a.body);
        return j;
}

/* ---- the engine ---- */

static const char *string_of(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

        return s ? s : "";
}

static void judge_version(struct doctor *d, const char *version)
{
        char major[8];
        uint64_t n;

        snprintf(major, sizeof major, "%.*s", (int)strcspn(version, "."), version);
        if (parse_uint(major, 0, 10000, &n) < 0 || n >= DOCKER_WANTED)
                return;
        struct flaw *f = found(d, F_DOCKER_OLD, "the Docker engine is %s, wanted is %d", version,
                               DOCKER_WANTED);
        found_at(f, "%s", d->config.docker.socket);
        found_fix(f, "install docker-ce from Docker's own repository, one node after the other, "
                     "each in `hamon maintenance on`");
}

static void judge_disk(struct doctor *d, const char *dir)
{
        struct statvfs v;

        if (*dir != '/' || statvfs(dir, &v) < 0 || v.f_blocks == 0)
                return;
        uint64_t used = v.f_blocks - v.f_bfree;
        unsigned full = (unsigned)(used * 100 / (used + v.f_bavail > 0 ? used + v.f_bavail : 1));
        if (full < DISK_PERCENT)
                return;
        struct flaw *f =
                found(d, F_DISK, "the file system of Docker's data is full to %u %%", full);
        found_at(f, "%s", dir);
        found_fix(f, "docker system df; docker image prune -a (images in use stay)");
}

static bool look_engine(struct docker_look *k)
{
        CLEANUP(delete_json) cJSON *version = ask_json(k, "/version");

        if (!version)
                return false;
        judge_version(k->d, string_of(version, "Version"));
        CLEANUP(delete_json) cJSON *info = ask_json(k, "/info");
        if (info)
                judge_disk(k->d, string_of(info, "DockerRootDir"));
        return info != NULL;
}

/* ---- the containers ---- */

static bool read_containers(struct docker_look *k)
{
        struct ask_http a = { .body = BUF(ANSWER_MAX) };
        char path[160];
        bool ok = ask(k, "/containers/json?all=1", &a) &&
                  docker_view_list(buf_str(&a.body), a.body.len, k->d->config.docker.project,
                                   &k->view) == 0;

        for (size_t i = 0; ok && i < k->view.n; i++) {
                snprintf(path, sizeof path, "/containers/%s/json", k->view.v[i].id);
                ok = ask(k, path, &a) &&
                     docker_view_detail(buf_str(&a.body), a.body.len, &k->view.v[i]) == 0;
        }
        buf_done(&a.body);
        return ok;
}

static void judge_missing(struct docker_look *k, const struct strlist *set)
{
        const struct config *c = &k->d->config;

        for (size_t i = 0; i < set->n; i++) {
                const char *service = set->v[i];
                if (docker_view_find(&k->view, service) || strlist_has(&c->stack.ignore, service) ||
                    strlist_has(&c->stack.optional, service))
                        continue;
                struct flaw *f = found(k->d, F_CONTAINER_MISSING, "%s has no container", service);
                found_at(f, "project %s, %s", c->docker.project, c->mailcow.dir);
                found_fix(f,
                          "cd %s && docker compose up --no-start %s\n"
                          "or, if this Mailcow has no such service: [stack] ignore in hamon.conf",
                          c->mailcow.dir, found_word(service));
        }
}

static bool restarts(const struct view_container *c)
{
        return *c->policy && !str_eq(c->policy, "no");
}

static void judge_restart(struct docker_look *k, const struct view_container *c)
{
        const struct config *conf = &k->d->config;
        const struct service_row *row = service_find(c->service);
        bool ignored = strlist_has(&conf->stack.ignore, c->service);
        bool warm = strlist_has(&conf->stack.warm, c->service);
        const char *name = found_word(c->name);
        struct flaw *f;

        if (ignored && row && row->part == SERVICE_RIVAL && (c->running || restarts(c))) {
                f = found(k->d, F_RIVAL, "%s %s", c->service,
                          c->running ? "runs" : "is started by Docker at boot");
                found_fix(
                        f,
                        "docker update --restart=no %s && docker stop %s\n"
                        "and in docker-compose.override.yml: services: { %s: { restart: \"no\" } }",
                        name, name, found_word(c->service));
        } else if (!ignored && !warm && restarts(c) && conf->cluster.nodes.n > 0) {
                f = found(k->d, F_RESTART, "Docker starts %s by itself (restart: %s)", c->service,
                          c->policy);
                found_fix(
                        f,
                        "docker update --restart=no %s\n"
                        "and in docker-compose.override.yml: services: { %s: { restart: \"no\" } }",
                        name, found_word(c->service));
        } else if (warm && !restarts(c) && !strlist_has(&conf->stack.optional, c->service)) {
                f = found(k->d, F_WARM_RESTART, "Docker does not start %s at boot", c->service);
                found_fix(f, "docker update --restart=always %s", name);
        } else {
                return;
        }
        found_at(f, "container %s", c->name);
}

static bool service_address(const struct config *c, const char *address)
{
        for (size_t i = 0; i < c->ip.address.n; i++) {
                const char *own = c->ip.address.v[i];
                size_t len = strcspn(own, "/");
                if (strlen(address) == len && strncmp(own, address, len) == 0)
                        return true;
        }
        return false;
}

/* Mail's own ports, as they are inside the containers. */
static void judge_ports(struct docker_look *k, const struct view_container *c)
{
        static const unsigned MAIL[] = { 25, 465, 587, 143, 993, 110, 995, 4190 };
        const struct config *conf = &k->d->config;

        if (conf->ip.provider == CONFIG_NONE)
                return;
        for (size_t i = 0; i < c->n_ports; i++) {
                const struct view_port *p = &c->ports[i];
                bool mail = false;
                for (size_t n = 0; n < ARRAY_SIZE(MAIL); n++)
                        mail = mail || p->inside == MAIL[n];
                if (!mail || !*p->address || str_eq(p->address, "0.0.0.0") ||
                    str_eq(p->address, "::") || service_address(conf, p->address))
                        continue;
                struct flaw *f = found(k->d, F_PORT_BOUND, "port %u of %s is bound to %s only",
                                       p->inside, c->service, p->address);
                found_at(f, "%s, container %s", k->d->mailcow.path, c->name);
                found_fix(f,
                          "take the address out of the *_PORT or *_BIND line of mailcow.conf, "
                          "then: cd %s && "
                          "docker compose up --no-start %s",
                          conf->mailcow.dir, found_word(c->service));
                return;
        }
}

/* ---- how they were made ---- */

static void judge_override(struct docker_look *k)
{
        CLEANUP(buf_done) struct buf names = BUF(200);
        const struct config *conf = &k->d->config;
        size_t n = 0;

        if (conf->cluster.nodes.n == 0)
                return;
        for (size_t i = 0; i < k->view.n; i++) {
                const struct view_container *c = &k->view.v[i];
                if (!*c->files || strstr(c->files, "override"))
                        continue;
                if (n++ < 4)
                        buf_addf(&names, "%s%s", n > 1 ? ", " : "", c->service);
        }
        if (n == 0)
                return;
        struct flaw *f = found(k->d, F_OVERRIDE,
                               "%zu containers were made without docker-compose.override.yml: %s%s",
                               n, buf_str(&names), n > 4 ? ", ..." : "");
        found_at(f, "%s/docker-compose.override.yml", conf->mailcow.dir);
        found_fix(f,
                  "cd %s && docker compose config -q && docker compose up --no-start (without -f)",
                  conf->mailcow.dir);
}

/* What must be on the shared volume: a service's directory and the volume Mailcow keeps it in. */
static const struct {
        const char *service, *destination, *volume, *sub;
} SHARED[] = {
        { "dovecot-mailcow", "/var/vmail", "vmail-vol-1", "vmail" },
        { "dovecot-mailcow", "/mail_crypt", "crypt-vol-1", "crypt" },
        { "redis-mailcow", "/data", "redis-vol-1", "redis" },
        { "postfix-mailcow", "/var/spool/postfix", "postfix-vol-1", "postfix" },
};

static bool below(const char *path, const char *dir)
{
        size_t len = strlen(dir);

        return strncmp(path, dir, len) == 0 && path[len] == '/' && path[len + 1];
}

static void judge_shared(struct docker_look *k, size_t i)
{
        const struct config *conf = &k->d->config;
        const struct view_container *c = docker_view_find(&k->view, SHARED[i].service);
        char where[256] = "";

        if (!c || c->n_mounts == 0)
                return;
        for (size_t m = 0; m < c->n_mounts; m++) {
                if (!str_eq(c->mounts[m].destination, SHARED[i].destination))
                        continue;
                if (*c->mounts[m].volume)
                        docker_view_volume(k->volumes, c->mounts[m].volume, where, sizeof where);
                else
                        str_copy(where, sizeof where, c->mounts[m].source);
        }
        if (below(where, conf->volume.mount))
                return;
        struct flaw *f = found(
                k->d, F_VOLUME_BOUND, "%s of %s is %s%s, not below %s", SHARED[i].destination,
                c->service, *where ? "at " : "a volume of Docker's own", where, conf->volume.mount);
        found_at(f, "%s/docker-compose.override.yml", conf->mailcow.dir);
        found_fix(f,
                  "volumes:\n  %s: {driver: local, driver_opts: {type: none, o: bind, device: "
                  "%s/%s}}\n"
                  "move the data there; then docker rm %s; docker volume rm %s_%s; docker compose "
                  "up --no-start",
                  SHARED[i].volume, conf->volume.mount, SHARED[i].sub, found_word(c->name),
                  conf->docker.project, SHARED[i].volume);
}

static void look_all(struct docker_look *k)
{
        const struct doctor *d = k->d;

        if (!look_engine(k) || !read_containers(k))
                return;
        judge_missing(k, &d->config.stack.warm);
        judge_missing(k, &d->config.stack.active);
        for (size_t i = 0; i < k->view.n; i++) {
                judge_restart(k, &k->view.v[i]);
                judge_ports(k, &k->view.v[i]);
        }
        judge_override(k);
        if (d->config.volume.provider == CONFIG_NONE || !(k->volumes = ask_json(k, "/volumes")))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(SHARED); i++)
                judge_shared(k, i);
}

void look_docker(struct doctor *d)
{
        struct docker_look *k = calloc(1, sizeof *k);

        if (!k)
                return;
        k->d = d;
        look_all(k);
        cJSON_Delete(k->volumes);
        free(k);
}
