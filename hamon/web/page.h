/* The page at "/": does mail work, and if not, why not. Pure: from a snapshot to HTML that needs no
 * script, no other host and no inline style; whatever comes from outside is escaped.
 *
 * PAGE_FILES[] are the style sheet and the script it names, compiled in: they fit the markup of
 * this very program, also while a new version is being installed, and the process needs no file for
 * them. The page asks for them with a mark of their content ("/page.css?0d15ea5e"), so that they
 * may be kept for ever. */
#pragma once

#include "hamon/web/snap.h"

struct page_time {
        msec_t now;   /* loop time, as snap.at */
        int64_t wall; /* Unix time in ms, for people */
        msec_t stale; /* an answer of the daemon that is older says nothing any more */
};

enum { PAGE_CAP = 512 * 1024 };

/* The buffer's error: -EFBIG, -ENOMEM. */
int page_render(const struct snap *s, const struct page_time *t, struct buf *out);

struct page_file {
        const char *path, *mark, *type;
        const unsigned char *data;
        size_t len;
};
enum { PAGE_CSS, PAGE_JS, PAGE_FILES_ };
extern const struct page_file PAGE_FILES[PAGE_FILES_]; /* made by cmake/embed.cmake */
