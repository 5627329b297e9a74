/* The HTTP server: GET and HEAD, one request a connection, a bound on everything. With all places
 * taken, those that are here longest have to go: a thousand slow clients keep nobody out. */
#pragma once

#include "hamon/config.h"
#include "hamon/web/routes.h"
#include "lib/loop.h"

enum {
        SERVE_PLACES = 128,    /* connections at a time */
        SERVE_HEAD_MS = 5000,  /* the longest wait for a whole head */
        SERVE_LEAVE_MS = 1000, /* and for the client to close, once it is answered */
        SERVE_LIFE_MS = 20000, /* the longest life of a connection, whatever it does */
};

struct serve;

typedef void (*serve_fn)(void *arg, const char *path, struct reply *r);

/* Listens where [web] listen says. It logs what is wrong. */
int serve_new(struct loop *l, const struct config *c, serve_fn fn, void *arg, struct serve **ret);
void serve_free(struct serve *s);
void serve_report(const struct serve *s, cJSON *into); /* under "http" */
