/* The page from a snapshot in JSON (tests/page/fixtures.py) on standard input: for tests, and to
 * look at. */
#include "hamon/web/page.h"

#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4 * 1024 * 1024, EVENTS_MAX = 1024 };

static size_t read_events(const cJSON *list, struct event_line *dst)
{
        const cJSON *o;
        size_t n = 0;

        cJSON_ArrayForEach(o, list)
        {
                char *line = cJSON_PrintUnformatted(o);
                if (line && n < EVENTS_MAX && events_parse(line, &dst[n]) == 0)
                        n++;
                free(line);
        }
        return n;
}

static int render(const cJSON *o)
{
        CLEANUP(buf_done) struct buf out = BUF(PAGE_CAP);
        CLEANUP(freep) struct event_line *events = calloc(EVENTS_MAX + 1, sizeof *events);
        const cJSON *status = cJSON_GetObjectItem(o, "status");
        const cJSON *now = cJSON_GetObjectItem(o, "now");
        const cJSON *age = cJSON_GetObjectItem(o, "age_ms");
        struct page_time t = { .now = 10000000, .wall = 1795888800000, .stale = 5000 };
        struct snap s = { .status = cJSON_IsObject(status) ? status : NULL,
                          .extra = cJSON_GetObjectItem(o, "extra"),
                          .events = events };

        if (!events)
                return EXIT_FAILURE;
        s.at = t.now - (cJSON_IsNumber(age) ? (msec_t)age->valuedouble : 0);
        s.n_events = read_events(cJSON_GetObjectItem(o, "events"), events);
        char *line = cJSON_IsObject(now) ? cJSON_PrintUnformatted(now) : NULL;
        if (line && events_parse(line, &events[EVENTS_MAX]) == 0)
                s.now = &events[EVENTS_MAX];
        free(line);
        int r = page_render(&s, &t, &out);
        if (r < 0) {
                fprintf(stderr, "page: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        fputs(buf_str(&out), stdout);
        return EXIT_SUCCESS;
}

int main(void)
{
        CLEANUP(buf_done) struct buf text = BUF(INPUT_MAX);
        char some[4096];
        size_t n;

        while ((n = fread(some, 1, sizeof some, stdin)) > 0)
                buf_add(&text, some, n);
        cJSON *o = cJSON_Parse(buf_str(&text));
        int code = o ? render(o) : EXIT_FAILURE;
        cJSON_Delete(o);
        return code;
}
