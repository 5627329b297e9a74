/* Small helpers every layer may use: cleanup attributes, strict number and duration parsing,
 * whole-file reads and atomic writes, the one clock. No HA knowledge, no logging.
 * Functions return 0 (or a count) on success and a negative errno on failure; `ret_x` outputs
 * come last and are written only on success. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef int64_t msec_t; /* milliseconds, of a duration or on CLOCK_BOOTTIME */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(fn)   __attribute__((cleanup(fn)))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

void freep(void *p);  /* CLEANUP(freep) char *s */
void closep(int *fd); /* CLEANUP(closep) int fd = -1; leaves -1 */
void fclosep(FILE **f);
int take_fd(int *fd); /* hand over a descriptor: returns it, leaves -1 */

/* Hand over a pointer: returns it and leaves NULL behind. */
#define take_ptr(p)                         \
        __extension__({                     \
                __typeof__(p) taken_ = (p); \
                (p) = NULL;                 \
                taken_;                     \
        })

/* Milliseconds since boot, suspend included (CLOCK_BOOTTIME). Only the loop and main() call it:
 * everything else gets the time as an argument. */
msec_t clock_ms(void);

/* Decimal digits only, no sign, no blanks. -EINVAL: not a number; -ERANGE: outside min..max. */
int parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* "250ms", "2s", "5m", "1h"; a bare number is refused (-EINVAL), so that nobody guesses the unit.
 * At most 10,000 hours (-ERANGE). */
int parse_duration(const char *s, msec_t *ret);

/* The shortest exact form of a duration: 1500 -> "1500ms", 60000 -> "1m". Returns dst. */
char *format_duration(msec_t ms, char *dst, size_t size);

/* Copy with truncation, always NUL-terminated. Returns false if it had to cut. */
bool str_copy(char *dst, size_t size, const char *src);
void hex_text(const void *data, size_t n, char *dst); /* 2 * n small digits and a NUL */
bool str_eq(const char *a, const char *b);            /* NULL-safe */

/* Whole file into a fresh NUL-terminated string; -EFBIG beyond `cap` bytes. Caller frees. */
int read_file(const char *path, size_t cap, char **ret, size_t *ret_len);

/* All of it, over short writes and EINTR; -errno. For a descriptor that blocks. */
int write_all(int fd, const char *data, size_t len);

/* Replace `path` by rename, so that a reader (or inotify) sees the old or the new content, never a
 * part. The temporary file lies in the same directory. No fsync: for tmpfs. */
int write_file_atomic(const char *path, mode_t mode, const char *data, size_t len);
/* The same, and on disk when it returns. */
int write_file_durable(const char *path, mode_t mode, const char *data, size_t len);

/* Make the parent directories of `path` (0755); an existing one is fine. */
int make_parents(const char *path);
