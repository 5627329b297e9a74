/* Volumes, floating IPs and servers of the Hetzner Cloud. The API acts asynchronously and locks the
 * whole server meanwhile: this waits for its own actions and for other people's, and never has two
 * under way on one server. What it retries and what it gives up on: CODES[] in hetzner_http.c. */
#pragma once

#include "hamon/provider/provider.h"

struct hetzner_config {
        const char *api_url;      /* https://api.hetzner.cloud/v1, without a slash at the end */
        const char *metadata_url; /* NULL = the fixed address of the cloud */
        const char *token;        /* wiped from our memory by free() */
        const char *server;       /* id or name of the server we run on; NULL, "" = ask metadata */
        msec_t poll;  /* between two looks at an action, twice that after 20; 0 = 250 ms */
        msec_t retry; /* shortest pause before a retry; 0 = 250 ms */
        msec_t request_timeout; /* for one answer; 0 = 10 s */
};

/* Copies the configuration. -EINVAL: a token or a name that cannot be one. */
int hetzner_new(struct loop *l, const struct hetzner_config *c, struct provider **ret);
