/* The address of a service's container, for what Mailcow publishes nowhere. */
#pragma once

#include "lib/http.h"

struct probe_find_config {
        const char *socket, *project; /* borrowed for as long as searches run */
        msec_t timeout;
};

/* GET /containers/json -> the first address of the first running container; "" = there is none.
 * -EBADMSG: not what the API promises. */
int probe_find_parse(const char *json, size_t len, char *dst, size_t size);

struct http_call;
/* Ask; `done` gets the answer for probe_find_parse(). */
int probe_find_start(struct http *h, const struct probe_find_config *c, const char *service,
                     void (*done)(void *arg, const struct http_result *r), void *arg,
                     struct http_call **ret);
