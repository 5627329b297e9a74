/* Which Mailcow lies in [mailcow] dir: its version, the shape its web interface gives the database,
 * and the images its compose file names. Read as data, never run. The words go into a peer's
 * answer, so each is "" unless it is a plain word. */
#pragma once

#include "lib/util.h"

struct release {
        char version[32]; /* as in "2026-08"; $MAILCOW_GIT_VERSION of app_info.inc.php */
        char schema[24];  /* as in "05082026_1130"; $db_version of init_db.inc.php */
        char images[17];  /* hex digits, equal if and only if (but for chance) the images are */
};

/* What is not there, or makes no sense, is "". Reads three files of a few KB: not for a loop that
 * must never wait. */
void release_read(const char *dir, struct release *ret);

/* Pure. The value of `$name = "value";` or `$name="value";`, the first one. False: not there, or no
 * plain word. */
bool release_php_word(const char *text, const char *name, char *ret, size_t size);
/* Pure. The `image:` lines of a compose file, in whatever order; "" if there are none. */
void release_images(const char *compose, char ret[17]);

/* Mailcow writes DDMMYYYY_HHMM. A number that grows with time, 0 = not of that form. */
uint64_t release_schema_time(const char *schema);
/* `a` is newer than `b`, and both say when they are from. */
bool release_schema_newer(const char *a, const char *b);
bool release_same(const struct release *a, const struct release *b);
