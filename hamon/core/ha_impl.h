/* Shared by ha.c (what is done), ha_event.c (what is there), ha_hook.c (what runs) and ha_why.c
 * (what to say of it). Nobody else
 * includes it. */
#pragma once

#include "hamon/core/ha.h"

/* ---- ha_event.c ---- */

/* Is this event there now? */
bool ha_event_there(const struct ha *h, const struct ha_facts *f, enum ha_event e, msec_t now);

/* What we want of the lease in this state. */
struct lease_wish ha_wish(const struct ha *h, const struct ha_facts *f, msec_t now);

/* When a claim would be due if nothing else changed; INT64_MAX = not foreseeable. */
msec_t ha_claim_at(const struct ha *h, const struct ha_facts *f, msec_t now);

/* The volume's file is ahead of the lease we hold. */
bool ha_file_ahead(const struct ha *h, const struct ha_facts *f);

bool ha_unfit_for_good(const struct ha *h, const struct ha_facts *f);

/* ---- ha_why.c ---- */

/* Never NULL; "" if it leads, or if another one does. */
const char *ha_why_not(const struct ha *h, const struct ha_facts *f, msec_t now);

/* ---- ha_hook.c ---- */

void ha_copy_name(char *to, const char *from);
struct ha_action *ha_add(struct ha_output *out, enum ha_action_kind kind);
/* Once, until ha_calm(). */
void ha_alert(struct ha *h, struct ha_output *out, enum ha_alert which);
void ha_calm(struct ha *h, enum ha_alert which);

bool ha_hook_runs(const struct ha *h, const struct ha_facts *f);
/* From `at` on this hook shall run, HOOK_NONE: none; what runs is killed first. */
void ha_want_hook(struct ha *h, enum ha_hook hook, enum ha_mode mode, msec_t at);
/* The same one again. */
void ha_again(struct ha *h, msec_t at, struct ha_output *out);
/* What the hook has sent may still arrive. */
void ha_unquiet(struct ha *h, msec_t now);
void ha_run_hooks(struct ha *h, const struct ha_facts *f, msec_t now, struct ha_output *out);
