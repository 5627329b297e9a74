/* From a question to the page. Its status is 200 whatever it says: it is for people, and a browser
 * shows it as it is; programs ask /health. */
#include "hamon/web/page_answer.h"

#include "hamon/web/page.h"
#include <string.h>
#include <time.h>

void answer_page(const struct view *v, const struct route *row, struct reply *r)
{
        struct page_time t = { .now = v->now, .stale = v->config->check.stale };
        struct timespec wall;

        (void)row;
        clock_gettime(CLOCK_REALTIME, &wall); /* to be shown: nothing is decided by it */
        t.wall = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
        r->status = 200;
        r->type = "text/html; charset=utf-8";
        page_render(v->snap, &t, &r->body);
}

void answer_page_file(const struct view *v, const struct route *row, struct reply *r)
{
        (void)v;
        for (size_t i = 0; i < PAGE_FILES_; i++) {
                const struct page_file *f = &PAGE_FILES[i];
                if (strcmp(f->path, row->path) != 0)
                        continue;
                r->status = 200;
                r->type = f->type;
                r->keep = true;
                buf_add(&r->body, f->data, f->len);
        }
}
