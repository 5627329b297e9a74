/* The table of paths, and those that need no file of their own. */
#include "hamon/web/routes.h"

#include "hamon/web/health.h"
#include "hamon/web/metrics.h"
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
        bool ok = row->health ? row->health(v, o) : health_part(v, row->part, o);

        r->status = ok ? 200 : 503;
        r->type = JSON;
        print(o, &r->body);
        cJSON_Delete(o);
}

/* What this process knows joins it under "web". */
static cJSON *document(const struct view *v)
{
        cJSON *o = v->snap->status ? cJSON_Duplicate(v->snap->status, true) : cJSON_CreateObject();
        cJSON *web = v->snap->extra ? cJSON_Duplicate(v->snap->extra, true) : cJSON_CreateObject();

        cJSON_AddNumberToObject(web, "age_ms", (double)view_age(v));
        cJSON_AddBoolToObject(web, "answers", !view_silent(v));
        cJSON_AddItemToObject(o, "web", web);
        return o;
}

static void answer_status(const struct view *v, const struct route *row, struct reply *r)
{
        cJSON *o = document(v);

        (void)row;
        r->status = v->snap->status ? 200 : 503;
        r->type = JSON;
        print(o, &r->body);
        cJSON_Delete(o);
}

static void answer_metrics(const struct view *v, const struct route *row, struct reply *r)
{
        cJSON *o = document(v);

        (void)row;
        r->status = 200;
        r->type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_print(o, view_silent(v), &r->body);
        cJSON_Delete(o);
}

#define HEALTH(path_, health_, help_)                                                          \
        {                                                                                      \
                .path = (path_), .answer = answer_health, .health = (health_), .help = (help_) \
        }
#define PART(part_, help_)                                                          \
        {                                                                           \
                .path = "/health/" #part_, .answer = answer_health, .part = #part_, \
                .help = (help_)                                                     \
        }

const struct route ROUTES[] = {
        HEALTH("/health", health_node, "this node is fit"),
        HEALTH("/master", health_master, "this node leads, and its lease is valid"),
        HEALTH("/standby", health_standby, "this node is a standby, and fit"),
        HEALTH("/ready", health_ready, "this node leads and is fit, or could take over"),
        PART(smtp, "mail is taken here"),
        PART(imap, "mail is handed out here"),
        PART(database, "the database works on this node"),
        PART(webmail, "webmail works here"),
        PART(volume, "the volume is mounted here and can be written to"),
        PART(galera, "this node's member of Galera is of use"),
        { .path = "/", .answer = answer_page, .help = "a page for people" },
        { .path = "/page.css", .answer = answer_page_file, .help = "its style sheet" },
        { .path = "/page.js", .answer = answer_page_file, .help = "its script" },
        { .path = "/status.json",
          .answer = answer_status,
          .help = "hamon status --json, and more" },
        { .path = "/metrics", .answer = answer_metrics, .help = "for Prometheus" },
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
