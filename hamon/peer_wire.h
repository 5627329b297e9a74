/* What goes over the peer channel, as text and as proofs. Pure but for the random numbers.
 *
 *     server: hamon-peer 1 SERVER_NONCE
 *     client: NAME CLIENT_NONCE PROOF COMMAND [words]
 *     server: PROOF answer
 *
 * One line each, in this order, then the server hangs up. A proof is an HMAC-SHA256 by the
 * cluster's secret over what it is for (asking, answering), both names, both nonces and the words:
 * it fits no other connection, no other node, no other direction. Nothing is secret here but the
 * secret. */
#pragma once

#include "lib/buf.h"

enum { PEER_NONCE = 16, PEER_PROOF = 32, PEER_NAME = 64, PEER_LINE = 1024 };

struct peer_talk { /* one connection */
        const char *secret;
        const char *server, *client; /* names of nodes */
        unsigned char server_nonce[PEER_NONCE], client_nonce[PEER_NONCE];
};

int peer_wire_nonce(unsigned char ret[PEER_NONCE]); /* -errno: no random numbers to be had */
bool peer_wire_name_valid(const char *s);           /* [A-Za-z0-9._-], 1 to PEER_NAME - 1 bytes */
bool peer_wire_text_valid(const char *s);           /* printable ASCII and blanks: fits in a line */

/* Each appends one line, the newline too. -EFBIG, -EINVAL: not a line that may be sent. */
int peer_wire_hello(struct buf *out, const struct peer_talk *t);
int peer_wire_ask(struct buf *out, const struct peer_talk *t, const char *command);
int peer_wire_answer(struct buf *out, const struct peer_talk *t, const char *command,
                     const char *answer);

struct peer_line {            /* what was in an ask or an answer; not believed yet */
        char name[PEER_NAME]; /* of an ask */
        unsigned char nonce[PEER_NONCE];
        unsigned char proof[PEER_PROOF];
        const char *text; /* within the line */
};

/* A line without its newline. -EBADMSG: not one of ours. */
int peer_wire_parse_hello(const char *line, unsigned char ret_nonce[PEER_NONCE]);
int peer_wire_parse_ask(const char *line, struct peer_line *ret);
int peer_wire_parse_answer(const char *line, struct peer_line *ret);

/* Does the proof hold? In constant time. */
bool peer_wire_ask_proven(const struct peer_talk *t, const struct peer_line *l);
bool peer_wire_answer_proven(const struct peer_talk *t, const char *command,
                             const struct peer_line *l);
