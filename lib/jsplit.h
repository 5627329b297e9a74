/* Cuts a byte stream into whole JSON objects: newline- or blank-separated objects (Docker's
 * /events) and the elements of one top-level array (/containers/json) alike, so that a list of
 * a thousand containers never sits in memory as one tree. Only bracket depth and strings are
 * followed; the callback's parser judges the rest. */
#pragma once

#include "buf.h"

enum { JSPLIT_DEPTH = 128 }; /* deeper nesting is refused */

enum jsplit_place {                   /* what may come next, outside an object */
                    JSPLIT_START,     /* an object, or the array */
                    JSPLIT_STREAM,    /* another object */
                    JSPLIT_FIRST,     /* the array's first object, or its end */
                    JSPLIT_SEPARATOR, /* a comma, or the array's end */
                    JSPLIT_NEXT,      /* an object: a comma came */
                    JSPLIT_END,       /* nothing: the array was closed */
                    JSPLIT_BROKEN,    /* nothing: an error came first */
};

struct jsplit {
        struct buf object; /* the object being collected */
        enum jsplit_place place;
        unsigned depth; /* of braces and brackets inside the object; 0 = between objects */
        bool in_string, escaped;
};

/* One whole object `{…}`, NUL-terminated; borrowed. Non-zero stops jsplit_feed at once (`j` may be
 * reset or done by then), which returns it and forgets the rest of the data. */
typedef int (*jsplit_fn)(void *arg, const char *object, size_t len);

void jsplit_init(struct jsplit *j, size_t max_object);
void jsplit_done(struct jsplit *j);
void jsplit_reset(struct jsplit *j); /* for a new stream; gives the memory back */

/* -EBADMSG: something that is no object (garbage, text after the array, nested too deep); -EFBIG:
 * object too long; -ENOMEM. After an error only jsplit_reset() helps. */
int jsplit_feed(struct jsplit *j, const char *data, size_t len, jsplit_fn fn, void *arg);

/* True between objects: a stream that ends here was not cut off. */
bool jsplit_at_rest(const struct jsplit *j);
