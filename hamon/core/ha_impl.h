/* Shared by ha.c (what is done) and ha_event.c (what is there). Nobody else includes it. */
#pragma once

#include "hamon/core/ha.h"

/* Is this event there now? */
bool event_there(const struct ha *h, const struct ha_facts *f, enum ha_event e, msec_t now);

/* What we want of the lease in this state. */
struct lease_wish wish_now(const struct ha *h, const struct ha_facts *f, msec_t now);

/* When a claim would be due if nothing else changed; INT64_MAX = not foreseeable. */
msec_t claim_at(const struct ha *h, const struct ha_facts *f, msec_t now);

bool hook_runs(const struct ha *h, const struct ha_facts *f);
bool can_move(const struct ha_facts *f);
bool unfit_for_good(const struct ha *h, const struct ha_facts *f);
/* The row, its age brought up to `now`. */
struct lease_row row_now(const struct lease *l, msec_t now);
