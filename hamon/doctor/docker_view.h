/* What the doctor reads of the Docker engine's JSON. Pure: no sockets. */
#pragma once

#include "lib/buf.h"
#include <cjson/cJSON.h>

enum { VIEW_MAX = 96, VIEW_MOUNTS = 24, VIEW_PORTS = 24 };

struct view_mount {
        char destination[160];
        char source[256]; /* a bind mount's directory; "" = it is a volume */
        char volume[128]; /* name of the volume */
};

struct view_port {
        unsigned inside;  /* the container's */
        char address[64]; /* on the host, "" = all */
};

struct view_container {
        char id[72], name[128], service[64], compose[32];
        char files[1024]; /* compose files it was made from; "" = not told */
        char policy[24];  /* restart policy, "" = none */
        bool running;
        struct view_mount mounts[VIEW_MOUNTS];
        struct view_port ports[VIEW_PORTS];
        size_t n_mounts, n_ports;
};

struct view {
        struct view_container v[VIEW_MAX];
        size_t n;
};

/* GET /containers/json: those of the project. -EBADMSG. */
int docker_view_list(const char *json, size_t len, const char *project, struct view *ret);
/* GET /containers/ID/json: policy, mounts, ports. -EBADMSG. */
int docker_view_detail(const char *json, size_t len, struct view_container *c);
/* GET /volumes: on which directory of the host a local volume is bound; "" = on none. */
void docker_view_volume(const cJSON *volumes, const char *name, char *ret, size_t size);

const struct view_container *docker_view_find(const struct view *v, const char *service);
