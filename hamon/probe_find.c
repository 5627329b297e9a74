/* One question to the Docker engine: the running containers of this project's service. */
#include "hamon/probe_find.h"

#include "lib/buf.h"
#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static bool is_address(const char *s)
{
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

static const cJSON *field(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

int probe_find_parse(const char *json, size_t len, char *dst, size_t size)
{
        CLEANUP(delete_json) cJSON *j = cJSON_ParseWithLength(json, len);
        const cJSON *container, *network;

        if (!cJSON_IsArray(j))
                return -EBADMSG;
        dst[0] = '\0';
        cJSON_ArrayForEach(container, j)
        {
                cJSON_ArrayForEach(network, field(field(container, "NetworkSettings"), "Networks"))
                {
                        const char *s = cJSON_GetStringValue(field(network, "IPAddress"));
                        if (s && is_address(s) && str_copy(dst, size, s))
                                return 0;
                }
        }
        return 0;
}

static int make_url(const struct probe_find_config *c, const char *service, struct buf *url)
{
        static const char *const KEYS[] = { "project", "service" };
        const char *const values[] = { c->project, service };
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();
        cJSON *labels = cJSON_AddArrayToObject(j, "label");
        CLEANUP(buf_done) struct buf label = BUF(1024);

        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
                buf_reset(&label);
                int r = buf_addf(&label, "com.docker.compose.%s=%s", KEYS[i], values[i]);
                if (r < 0)
                        return r;
                cJSON_AddItemToArray(labels, cJSON_CreateString(buf_str(&label)));
        }
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        if (!text)
                return -ENOMEM;
        buf_adds(url, "http://docker/containers/json?filters=");
        return buf_add_percent(url, text);
}

int probe_find_start(struct http *h, const struct probe_find_config *c, const char *service,
                     void (*done)(void *arg, const struct http_result *r), void *arg,
                     struct http_call **ret)
{
        CLEANUP(buf_done) struct buf url = BUF(4096);
        int r = make_url(c, service, &url);

        if (r < 0)
                return r;
        const struct http_request rq = { .url = buf_str(&url),
                                         .unix_socket = c->socket,
                                         .connect_timeout = c->timeout,
                                         .timeout = c->timeout,
                                         .arg = arg,
                                         .on_done = done };
        return http_start(h, &rq, ret);
}
