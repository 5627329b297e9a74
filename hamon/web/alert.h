/* Alerts, as a part of `hamon web`: what is worth a person goes to the targets of [alert] dir. What
 * is told and by whom: alert_book.h; what survives: alert_state.h.
 *
 * A message is on disk before it is sent, and goes from there after it was. So a crash in between
 * sends it again, with the same id; nothing is lost, unless the disk refuses, and then telling
 * comes first. */
#pragma once

#include "hamon/web/parts.h"

extern const struct part_row PART_ALERT; /* "alerts" */
