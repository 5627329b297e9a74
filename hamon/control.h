/* The daemon's unix socket: one request line in, one answer out, then it closes. Requests and who
 * may send them stand in REQUESTS[] of control.c. Bounded: clients (half of the places are kept for
 * root), line length, time. */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct control;

enum request {
        REQ_CHECK,
        REQ_STATUS,      /* for people */
        REQ_STATUS_JSON, /* for programs */
        REQ_NOTIFY,      /* keepalived speaks; root only */
        REQ_GALERA,      /* wsrep_notify_cmd: ask the database now */
        REQ_LEASE,       /* EPOCH: may this node write? Renews at once; root only, as all below */
        REQ_EPOCH,       /* N: the volume's epoch file is that far */
        REQ_SWITCHOVER,  /* [NODE] */
        REQ_MAINTENANCE, /* on|off MS */
        REQ_ACK,
        REQ_TAKE,      /* claim the lease as soon as that is allowed */
        REQ_TAKEOVER,  /* look|fenced NODE HOW|go */
        REQ_RELEASE,   /* give the lead back, step by step */
        REQ_OPERATION, /* N: how what was asked for is going */
        REQ_RECOVER,   /* look|claim UUID:SEQNO|pass|done: the database, lead_recover.c */
        REQ_WHY,       /* anyone: the last decisions */
        REQ_MAILCOW,   /* look at the installed Mailcow again */
        REQ_COUNT_
};

/* Answer `req` with its `words` (what follows the request's name, may be "") into `out`. */
typedef void (*control_fn)(void *arg, enum request req, const char *words, struct buf *out);

enum { CONTROL_MAX_LINE = 512, CONTROL_MAX_ANSWER = 4 * 1024 * 1024, CONTROL_MAX_CLIENTS = 64 };

/* Listen on `path` (0666: anyone may ask how the node is; SO_PEERCRED guards the rest). A leftover
 * socket is replaced, anything else there is -EEXIST; -EADDRINUSE if another daemon holds
 * `path`.lock. */
int control_new(struct loop *l, const char *path, control_fn fn, void *arg, struct control **ret);
void control_free(struct control *c);

/* The pure part: a request line (no newline) -> request and the words after it. -EINVAL: unknown,
 * -EPERM: not for this user. */
int control_parse(const char *line, bool root, enum request *ret, const char **ret_words);
