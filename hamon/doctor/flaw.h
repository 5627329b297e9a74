/* What a doctor can find: FLAWS[] has a row per kind of mistake, in the order of how much it
 * matters. */
#pragma once

#include "lib/buf.h"
#include <cjson/cJSON.h>

enum severity {
        SEV_ERROR, /* mail will be lost, split or gone when something fails, or is already */
        SEV_WARN,  /* it works, until a bad day */
        SEV_HINT,  /* it could be better */
        SEV_COUNT_
};
extern const char *const SEVERITIES[SEV_COUNT_];

enum flaw_id {
        /* hamon.conf and the daemon */
        F_CONFIG,
        F_CONFIG_MODE,
        F_SECRET,
        F_DAEMON,
        F_GUARD,
        F_HALTED,
        /* who may write on the volume */
        F_FSTAB,
        F_RESTART,
        F_FENCE,
        F_KEEPALIVED_VIP,
        /* the provider */
        F_TOKEN,
        F_TOKEN_READONLY,
        F_VOLUME_NONE,
        F_VOLUME_STRANGER,
        F_VOLUME_UUID,
        F_SERVER_NONE,
        F_SERVER_LOCATION,
        F_IP_NONE,
        F_IP_ADDRESS,
        F_INTERFACE,
        /* the database */
        F_DATABASE,
        F_GALERA_OFF,
        F_GALERA_STATE,
        F_GALERA_ADDRESS,
        F_GALERA_AUTOINC,
        F_GALERA_NON_PK,
        F_TABLE_ENGINE,
        F_STORE,
        F_PEER_DATABASE,
        /* the way to the other nodes */
        F_PORT_FILTERED,
        F_PORT_CLOSED,
        /* Mailcow's containers and data */
        F_MAILCOW,
        F_PROJECT,
        F_DOCKER,
        F_CONTAINER_MISSING,
        F_VOLUME_BOUND,
        F_MOUNT_BUSY,
        F_PORT_BOUND,
        F_HOOK,
        F_NFT,
        F_OUTBOUND_NET,
        F_BIND_ADDRESS,
        /* keepalived */
        F_KEEPALIVED_SYNTAX,
        F_KEEPALIVED_TRACK,
        F_KEEPALIVED_FIFO,
        F_KEEPALIVED_UNICAST,
        F_KEEPALIVED_SOURCE,
        F_KEEPALIVED_INSTANCE,
        F_KEEPALIVED_PREEMPT,
        /* names and certificates */
        F_CERT,
        F_CERT_NAME,
        F_CERT_KEY,
        F_DNS_HOST,
        F_DNS_EXTRA,
        F_DNS_PTR,
        F_DNS_SPF,
        F_DNS_MX,
        /* the machine */
        F_DISK,
        F_BOOT,

        F_UNFIT,
        F_SYNC,
        F_NODES,
        F_GALERA_SIZE,
        F_GALERA_SST,
        F_SERVER_ID,
        F_VERSION,
        F_DAEMON_VERSION,
        F_SKEW,
        F_CLOCK,
        F_CERT_SOON,
        F_TABLE_KEY,
        F_OVERRIDE,
        F_WARM_RESTART,
        F_RIVAL,
        F_FILE,
        F_MAILCOW_MODE,
        F_SECRET_WEAK,
        F_KEEPALIVED_NONE,
        F_KEEPALIVED_CHECK,
        F_KEEPALIVED_TIMEOUT,
        F_KEEPALIVED_PEERS,
        F_KEEPALIVED_SECURITY,
        F_DNS_HELO,
        F_DNS_SILENT,
        F_LOOK,

        F_SOLO,
        F_PROTECTION,
        F_GALERA_COLLISION,
        F_GALERA_TIMERS,
        F_GALERA_FLUSH,
        F_GALERA_NOTIFY,
        F_FILE_HAND,
        F_DOCKER_OLD,
        F_DNS_DMARC,
        F_COUNT_
};

struct flaw_row {
        const char *name;
        enum severity severity;
        const char *why; /* one sentence: why it matters */
};
extern const struct flaw_row FLAWS[F_COUNT_];

enum { FLAWS_MAX = 128, FLAW_WHAT = 320, FLAW_WHERE = 256, FLAW_FIX = 640 };

struct flaw {
        enum flaw_id id;
        char what[FLAW_WHAT], where[FLAW_WHERE], fix[FLAW_FIX];
};

struct flaws {
        size_t n, dropped;
        struct flaw v[FLAWS_MAX];
        struct flaw scratch; /* what is too much lands here */
};

/* The next free one of that kind. Never NULL. */
struct flaw *flaws_add(struct flaws *f, enum flaw_id id);
/* Worst first; among equals in the order of the table, then as found. */
void flaws_rank(struct flaws *f);
size_t flaws_count(const struct flaws *f, enum severity s);

/* For people: `colour` only on a terminal. For programs: one object. */
void flaws_text(const struct flaws *f, const char *node, size_t looks, bool colour,
                struct buf *out);
int flaws_json(const struct flaws *f, const char *node, struct buf *out);

/* Printable ASCII only, the rest as '?': what is found comes from anywhere. */
void flaw_clean(char *s);
