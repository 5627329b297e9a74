/* One question a second. */
#include "hamon/setup/upgrade_watch.h"

#include "hamon/client.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

enum { ANSWER_MAX = 4 * 1024 * 1024, PAUSE_MS = 500 };

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

int upgrade_watch_look(struct upgrade_watch *w)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);
        int r = client_ask(w->socket, "status-json", w->timeout, &answer);

        if (r < 0)
                return r;
        CLEANUP(delete_json) cJSON *status = cJSON_ParseWithLength(buf_str(&answer), answer.len);
        return upgrade_view_parse(status, &w->view);
}

int upgrade_watch_until(struct upgrade_watch *w,
                        bool (*is)(const struct upgrade_view *v, void *arg), void *arg,
                        msec_t deadline)
{
        msec_t end = clock_ms() + deadline;
        char told[sizeof w->view.message] = "";

        for (;;) {
                bool heard = upgrade_watch_look(w) == 0;
                if (heard && is(&w->view, arg))
                        return 0;
                if (heard && strcmp(told, w->view.message) != 0) {
                        printf("  %s\n", w->view.message);
                        fflush(stdout);
                        str_copy(told, sizeof told, w->view.message);
                }
                if (clock_ms() >= end)
                        return -ETIMEDOUT;
                poll(NULL, 0, PAUSE_MS);
        }
}
