/* The engine's JSON -> struct view. */
#include "hamon/doctor/docker_view.h"

#include "lib/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LABEL "com.docker.compose."

static bool is_id(const char *s)
{
        return *s && s[strspn(s, "0123456789abcdef")] == '\0';
}

int docker_view_list(const char *json, size_t len, const char *project, struct view *ret)
{
        CLEANUP(json_freep) cJSON *list = cJSON_ParseWithLength(json, len);
        const cJSON *o;

        ret->n = 0;
        if (!cJSON_IsArray(list))
                return -EBADMSG;
        cJSON_ArrayForEach(o, list)
        {
                const cJSON *labels = json_field(o, "Labels");
                const char *name =
                        cJSON_GetStringValue(cJSON_GetArrayItem(json_field(o, "Names"), 0));
                struct view_container c = { .running = str_eq(json_word(o, "State"), "running") };
                if (!str_eq(json_word(labels, LABEL "project"), project) || ret->n == VIEW_MAX ||
                    strcasecmp(json_word(labels, LABEL "oneoff"), "true") == 0)
                        continue;
                if (!is_id(json_word(o, "Id")) ||
                    !str_copy(c.id, sizeof c.id, json_word(o, "Id")) ||
                    !str_copy(c.service, sizeof c.service, json_word(labels, LABEL "service")))
                        return -EBADMSG;
                str_copy(c.name, sizeof c.name, name ? name + (*name == '/') : c.service);
                str_copy(c.files, sizeof c.files, json_word(labels, LABEL "project.config_files"));
                str_copy(c.compose, sizeof c.compose, json_word(labels, LABEL "version"));
                ret->v[ret->n++] = c;
        }
        return 0;
}

static void read_mount(const cJSON *o, struct view_mount *m)
{
        bool volume = str_eq(json_word(o, "Type"), "volume");

        *m = (struct view_mount){ .destination = "" };
        str_copy(m->destination, sizeof m->destination, json_word(o, "Destination"));
        for (size_t n = strlen(m->destination); n > 1 && m->destination[n - 1] == '/'; n--)
                m->destination[n - 1] = '\0';
        str_copy(m->volume, sizeof m->volume, volume ? json_word(o, "Name") : "");
        str_copy(m->source, sizeof m->source, volume ? "" : json_word(o, "Source"));
}

/* "25/tcp": [{"HostIp":"","HostPort":"25"}] */
static void read_port(const cJSON *o, struct view_container *c)
{
        const cJSON *one;
        char inside[8];
        uint64_t port;

        snprintf(inside, sizeof inside, "%.*s", (int)strcspn(o->string ? o->string : "", "/"),
                 o->string ? o->string : "");
        if (parse_uint(inside, 1, 65535, &port) < 0)
                return;
        cJSON_ArrayForEach(one, o)
        {
                if (c->n_ports == VIEW_PORTS)
                        return;
                struct view_port *p = &c->ports[c->n_ports++];
                p->inside = (unsigned)port;
                str_copy(p->address, sizeof p->address, json_word(one, "HostIp"));
        }
}

int docker_view_detail(const char *json, size_t len, struct view_container *c)
{
        CLEANUP(json_freep) cJSON *o = cJSON_ParseWithLength(json, len);
        const cJSON *host = json_field(o, "HostConfig"), *one;

        if (!cJSON_IsObject(o))
                return -EBADMSG;
        str_copy(c->policy, sizeof c->policy, json_word(json_field(host, "RestartPolicy"), "Name"));
        c->n_mounts = c->n_ports = 0;
        cJSON_ArrayForEach(one, json_field(o, "Mounts"))
        {
                if (c->n_mounts < VIEW_MOUNTS)
                        read_mount(one, &c->mounts[c->n_mounts++]);
        }
        cJSON_ArrayForEach(one, json_field(host, "PortBindings"))
        {
                read_port(one, c);
        }
        return 0;
}

void docker_view_volume(const cJSON *volumes, const char *name, char *ret, size_t size)
{
        const cJSON *o;

        *ret = '\0';
        cJSON_ArrayForEach(o, json_field(volumes, "Volumes"))
        {
                if (!str_eq(json_word(o, "Name"), name))
                        continue;
                str_copy(ret, size, json_word(json_field(o, "Options"), "device"));
                return;
        }
}

const struct view_container *docker_view_find(const struct view *v, const char *service)
{
        for (size_t i = 0; i < v->n; i++)
                if (str_eq(v->v[i].service, service))
                        return &v->v[i];
        return NULL;
}
