/* The dialogs of the probes, line by line. Pure: no sockets, no clock. Each ends with the first
 * answer that proves a living daemon behind the port, and with a polite word, so that the daemon's
 * log stays clean. A connection that is accepted proves nothing: the kernel does that also for a
 * daemon that is stopped. */
#pragma once

#include "hamon/core/probes.h"
#include "lib/buf.h"

enum { PROTO_LINE_MAX = 4096, PROTO_LINES_MAX = 256 };

struct proto {
        enum probe_kind kind;
        const char *host;     /* KIND_WEB: the name asked for; borrowed */
        const char *password; /* KIND_REDIS: "" = none; borrowed */
        unsigned step, lines;
        bool starttls; /* the server offered it */
};

enum proto_next {
        PROTO_MORE, /* wait for the next line, having said what `say` holds */
        PROTO_TLS,  /* begin a TLS handshake, then proto_secured() */
        PROTO_PASS,
        PROTO_FAIL, /* a bad answer; `why` has the sentence */
};

/* What is to be said as soon as the connection stands; most servers speak first. */
void proto_begin(struct proto *p, struct buf *say);
/* One line of the server's, without its end. */
enum proto_next proto_line(struct proto *p, const char *line, struct buf *say, struct buf *why);
/* The handshake asked for is done. */
enum proto_next proto_secured(struct proto *p, struct buf *say);
/* What the server is waited for: "greeting", "answer to EHLO". */
const char *proto_awaits(const struct proto *p);
