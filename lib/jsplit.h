/* Cuts a byte stream into whole JSON objects: newline- or blank-separated objects (Docker's
 * /events) and the elements of one top-level array (/containers/json) alike, so that a list of
 * a thousand containers never sits in memory as one tree. Only bracket depth and strings are
 * followed; the callback's parser judges the rest. */
#pragma once

#include "buf.h"

struct jsplit {
        struct buf object; /* the object being collected */
        unsigned depth;    /* of braces and brackets inside the object */
        bool in_string, escaped;
        bool in_array; /* the stream is one top-level array */
        bool done;     /* that array was closed */
};

/* One whole object `{…}`; borrowed. Non-zero stops jsplit_feed, which returns it. */
typedef int (*jsplit_fn)(void *arg, const char *object, size_t len);

void jsplit_init(struct jsplit *j, size_t max_object);
void jsplit_done(struct jsplit *j);
void jsplit_reset(struct jsplit *j);

/* -EBADMSG: something that is no object (garbage, text after the array); -EFBIG: object too long.
 */
int jsplit_feed(struct jsplit *j, const char *data, size_t len, jsplit_fn fn, void *arg);

/* True between objects: a stream that ends here was not cut off. */
bool jsplit_at_rest(const struct jsplit *j);
