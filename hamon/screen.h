/* `hamon status` on a terminal: the daemon's text with the verdict of each line in colour, fitted
 * to the width, and without anything a container's words could do to a terminal. Pure. */
#pragma once

#include "lib/buf.h"

struct screen {
        unsigned cols, rows; /* of the terminal, >= 1 */
        bool colour;
};

/* Once, as long as it is. The buffer's error. */
int screen_text(const struct screen *s, const char *text, struct buf *out);

/* As one frame that is written over the last one, line by line, so that nothing flickers. `alert`:
 * a line above it, in red, "" = none. `foot`: the last line; what had no room is told there. */
int screen_frame(const struct screen *s, const char *alert, const char *text, const char *foot,
                 struct buf *out);
