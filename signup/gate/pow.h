/* Proof of work: nothing to read, nothing to hear. The browser looks for a number N such that
 *
 *     PBKDF2-HMAC-SHA256(password = the ticket's text, salt = "signup-pow:" N, POW_ITERATIONS, 32
 * bytes)
 *
 * begins with `bits` zero bits; N in decimal digits without leading zeros, from 0. WebCrypto does
 * this as fast as a native program does, unlike a loop over single hashes. We check one derivation
 * (about 1 ms). `bits` is in the ticket (ticket.count), signed with it. Thread-safe, pure. */
#pragma once

#include "lib/util.h"

enum { POW_ITERATIONS = 5000, POW_BITS_MIN = 4, POW_BITS_MAX = 16, POW_DIGITS = 15 };

/* 2^bits derivations are expected: 8 is about 0.3 s of one core. */
bool pow_check(const char *ticket, unsigned bits, const char *number);

/* Adaptive: `base` bits up to `normal` form tickets per minute, one more for each doubling, at
 * most `max`. All within POW_BITS_MIN to POW_BITS_MAX. */
unsigned pow_bits(unsigned base, unsigned max, uint64_t normal, uint64_t recent);
