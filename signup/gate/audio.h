/* The audio gate: six digits in the language of the ticket, by changing voices at changing speeds,
 * with pauses, over a babble of the same voices backwards and noise. Not the digits that the
 * image's letters could be checked against: an answer of its own. Integer arithmetic on what
 * follows from the ticket: the same ticket, the same bytes. Pure, thread-safe. */
#pragma once

#include "signup/gate/ticket.h"

enum { AUDIO_BYTES = 160000 }; /* at most; about 14 seconds */

/* A WAV (8 bit, 11,025 Hz, one channel) is added to `out`; in English where it does not speak the
 * ticket's language. -ENOMEM, -EIO, or what the buffer says.
 */
int audio_speak(const struct keys *k, const struct ticket *t, struct buf *out);
