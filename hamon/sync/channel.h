/* TLS 1.3 between two nodes over a connected socket: both prove that they know the cluster's secret
 * (a pre-shared key and ephemeral Diffie-Hellman; no certificates, no tickets, no early data).
 * Every call waits in poll(2) and ends at the deadline. For a process of its own: it blocks. */
#pragma once

#include "hamon/sync/key.h"

struct channel;

enum channel_frame {
        FRAME_HELLO = 'H',  /* server: number of the protocol, epoch, its Mailcow */
        FRAME_REFUSE = 'R', /* server: why not, as a sentence; then it hangs up */
        FRAME_LIST = 'L',   /* client: name all items */
        FRAME_ITEM = 'I',   /* server: one of them */
        FRAME_GET = 'G',    /* client: the content of item number */
        FRAME_DATA = 'D',   /* server: a piece of it */
        FRAME_END = 'E',    /* server: that was all of a list or of a content */
};
enum { CHANNEL_FRAME_MAX = 64 * 1024, CHANNEL_PROTOCOL = 1 };

struct channel_hello { /* HELLO, numbers in network order; of any protocol the first one */
        uint32_t protocol, zero;
        uint64_t epoch;
        char images[16]; /* as of struct release; NULs behind it */
};

/* `fd` is the channel's, also on failure. Names are of nodes. -EACCES: the other end does not know
 * the secret (`which` of the ring), or does not believe that we do; a sentence in `error`. */
int channel_connect(int fd, const struct key_ring *k, size_t which, const char *client,
                    const char *server, msec_t deadline, struct channel **ret, struct buf *error);
/* `ret_client`: who it is, proven; `size` bytes. */
int channel_accept(int fd, const struct key_ring *k, const char *server, msec_t deadline,
                   struct channel **ret, char *ret_client, size_t size, struct buf *error);
void channel_free(struct channel *c);

/* Kept back until channel_flush() or the next receive. */
int channel_send(struct channel *c, enum channel_frame frame, const void *data, size_t len);
int channel_flush(struct channel *c);
/* `payload` is emptied first. -ECONNRESET: the other end hung up; -EBADMSG: no frame of ours. */
int channel_receive(struct channel *c, enum channel_frame *ret_frame, struct buf *payload);
/* What REFUSE says, fit for a log. */
void channel_refusal(const struct buf *payload, struct buf *out);
/* The end of what we say; the other one sees it. */
void channel_close(struct channel *c);
