/* RENDERS[]: the files around hamon, made from hamon.conf and the templates that are compiled in
 * (templates/, compose.override.yml). Nothing here writes a file: `hamon render` prints, `hamon
 * init` writes. */
#pragma once

#include "hamon/config.h"
#include <sys/types.h>

enum render_what {
        RENDER_KEEPALIVED,
        RENDER_GALERA,
        RENDER_NGINX,
        RENDER_COMPOSE,
        RENDER_SYSTEMD,
        RENDER_NFTABLES,
        RENDER_LOGROTATE,
        RENDER_JOURNALD,
        RENDER_WAZUH,
        RENDER_COUNT_
};

struct render_file {
        const char *name, *help;
        const char *path;  /* where it belongs, a template itself: render_path() */
        const char *after; /* the command that makes it count, NULL = none is needed */
        mode_t mode;       /* none of them holds a secret */
        bool node_own;     /* differs from node to node */
        bool optional;     /* Mailcow HA works without it: written if asked for */
};

extern const struct render_file RENDERS[RENDER_COUNT_];

/* By its name; RENDER_COUNT_ = there is none. */
enum render_what render_find(const char *name);

enum { RENDER_MAX = 256 * 1024 };

/* -EINVAL: what is missing or wrong is a line in `errors`. `c` is of this node: another node's file
 * is made from that node's configuration. */
int render(enum render_what what, const struct config *c, struct buf *out, struct buf *errors);
int render_path(enum render_what what, const struct config *c, struct buf *out, struct buf *errors);

/* `hamon render [WHAT]`. Returns 0, EX_USAGE, EX_CONFIG. */
int render_command(const char *file, int argc, char **argv);
