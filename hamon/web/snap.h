/* What `hamond web` knows at one moment: the daemon's own words, what happened, and what the parts
 * of this process found out. Borrowed, valid during the call it is passed to. */
#pragma once

#include "hamon/events.h"
#include "lib/util.h"
#include <cjson/cJSON.h>

enum { SNAP_EVENTS = 1024 };

struct snap {
        const cJSON *status; /* of `hamon status --json`; NULL = the daemon has not answered yet */
        msec_t at;           /* loop time when that was asked: its age is what /health goes by */
        const cJSON *extra;  /* an object: what the parts report, each under its name */
        const struct event_line *events; /* newest last; `ago` is as of this snapshot */
        size_t n_events;
        uint64_t n_ever; /* of all times: those after the n_ever of an earlier snapshot are new */
        const struct event_line *now; /* last line of `hamon why`; NULL = not heard */
};
