/* PROBES[]: the questions a master asks its own services, because "running" is not "working". One
 * row per probe; configuration, adapter, node and man page read this table. Pure. */
#pragma once

#include "hamon/core/verdict.h"

enum probe {
        PROBE_SMTP,
        PROBE_SUBMISSION,
        PROBE_SMTPS,
        PROBE_IMAP,
        PROBE_IMAPS,
        PROBE_POP3,
        PROBE_POP3S,
        PROBE_SIEVE,
        PROBE_HTTPS,
        PROBE_REDIS,
        PROBE_RSPAMD,
        PROBE_VOLUME,
        PROBE_COUNT_
};

enum probe_kind { /* what is said */
                  KIND_SMTP,
                  KIND_SUBMISSION, /* the same, and STARTTLS */
                  KIND_IMAP,
                  KIND_POP3,
                  KIND_SIEVE,
                  KIND_WEB,    /* any answer below 500 */
                  KIND_RSPAMD, /* GET /ping */
                  KIND_REDIS,
                  KIND_VOLUME, /* no connection: a file is written */
                  KIND_COUNT_
};

struct probe_row {
        const char *name;
        const char *service; /* whose word it is; "" = the shared volume */
        enum probe_kind kind;
        unsigned port;
        bool tls;       /* from the first byte on */
        bool container; /* published nowhere: asked at the container's own address */
        bool vital;     /* false: shown, but never makes a master unfit */
};

extern const struct probe_row PROBES[PROBE_COUNT_];

/* PROBE_COUNT_: there is none of that name. */
enum probe probe_by_name(const char *name);

/* What writing to the volume said: 0 or an errno. */
struct finding probe_judge_volume(int error);
