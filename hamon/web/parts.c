/* The list of parts, and all of them as one. */
#include "hamon/web/parts.h"

#include "hamon/web/alert.h"
#include "hamon/web/canary.h"
#include "hamon/web/cert.h"
#include "hamon/web/failover_watch.h"
#include "hamon/web/rehearsal.h"
#include "hamon/web/tally.h"
#include "lib/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct part_row *const PARTS[] = {
        &FAILOVER_PART, &TALLY_PART, &CANARY_PART, &CERT_PART, &PART_REHEARSAL, &PART_ALERT, NULL,
};

struct parts {
        void *part[ARRAY_SIZE(PARTS)]; /* NULL = switched off */
};

int parts_new(const struct part_needs *needs, struct parts **ret)
{
        struct parts *p = calloc(1, sizeof *p);

        if (!p)
                return -ENOMEM;
        for (size_t i = 0; PARTS[i]; i++) {
                int r = PARTS[i]->create(needs, &p->part[i]);
                if (r < 0) {
                        log_event(LOG_ERROR, "part", LS("name", PARTS[i]->name),
                                  LS("error", strerror(-r)));
                        parts_free(p);
                        return r;
                }
        }
        *ret = p;
        return 0;
}

void parts_free(struct parts *p)
{
        if (!p)
                return;
        for (size_t i = 0; PARTS[i]; i++)
                if (p->part[i])
                        PARTS[i]->destroy(p->part[i]);
        free(p);
}

void parts_snap(struct parts *p, const struct snap *snap)
{
        for (size_t i = 0; PARTS[i]; i++)
                if (p->part[i] && PARTS[i]->snap)
                        PARTS[i]->snap(p->part[i], snap);
}

void parts_report(const struct parts *p, cJSON *into)
{
        for (size_t i = 0; PARTS[i]; i++)
                if (p->part[i] && PARTS[i]->report)
                        PARTS[i]->report(p->part[i], into);
}
