/* The table of paths, and those that need no file of their own. */
#include "hamon/web/routes.h"

#include "hamon/web/health.h"
#include "hamon/web/page_answer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char JSON[] = "application/json";

msec_t view_age(const struct view *v)
{
        return v->snap->status ? MAX(0, v->now - v->snap->at) : -1;
}

bool view_silent(const struct view *v)
{
        msec_t age = view_age(v);

        return age < 0 || age > v->config->check.stale;
}

static void print(cJSON *o, struct buf *out)
{
        char *text = cJSON_PrintUnformatted(o);

        if (!text)
                out->error = -ENOMEM;
        else
                buf_addf(out, "%s\n", text);
        free(text);
}

static void answer_health(const struct view *v, const struct route *row, struct reply *r)
{
        cJSON *o = cJSON_CreateObject();

        r->status = health_of(v, row->arg, o) ? 200 : 503;
        r->type = JSON;
        print(o, &r->body);
        cJSON_Delete(o);
}

/* As `hamon status --json`, and what this process knows under "web". */
static void answer_status(const struct view *v, const struct route *row, struct reply *r)
{
        cJSON *o = v->snap->status ? cJSON_Duplicate(v->snap->status, true) : cJSON_CreateObject();
        cJSON *web = v->snap->extra ? cJSON_Duplicate(v->snap->extra, true) : cJSON_CreateObject();

        (void)row;
        cJSON_AddNumberToObject(web, "age_ms", (double)view_age(v));
        cJSON_AddBoolToObject(web, "silent", view_silent(v));
        cJSON_AddItemToObject(o, "web", web);
        r->status = v->snap->status ? 200 : 503;
        r->type = JSON;
        print(o, &r->body);
        cJSON_Delete(o);
}

const struct route ROUTES[] = {
        { "/health", answer_health, "200: this node is fit; 503: not, and why", NULL },
        { "/", answer_page, "a page for people", NULL },
        { "/page.css", answer_page_file, "its style sheet", NULL },
        { "/page.js", answer_page_file, "its script", NULL },
        { "/status.json", answer_status, "hamon status --json, and what web knows", NULL },
};

const size_t N_ROUTES = ARRAY_SIZE(ROUTES);

static void refuse(struct reply *r, int status, const char *text)
{
        buf_done(&r->body);
        r->body = (struct buf)BUF(REPLY_MAX);
        r->status = status;
        r->keep = false;
        r->type = "text/plain; charset=utf-8";
        buf_addf(&r->body, "%s\n", text);
}

void route_answer(const struct view *v, const char *path, struct reply *r)
{
        r->body = (struct buf)BUF(REPLY_MAX);
        for (size_t i = 0; i < N_ROUTES; i++) {
                if (strcmp(ROUTES[i].path, path) != 0)
                        continue;
                ROUTES[i].answer(v, &ROUTES[i], r);
                if (r->body.error)
                        refuse(r, 500, "out of memory, or too much to tell");
                return;
        }
        refuse(r, 404, "not found; hamon(8) lists the paths under MONITORING");
}
