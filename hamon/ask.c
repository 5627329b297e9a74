/* A loop that lives as long as one question. */
#include "hamon/ask.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- HTTP ---- */

struct http_job {
        struct loop loop;
        struct ask_http *ret;
};

static void on_header(void *arg, const char *line, size_t len)
{
        struct http_job *j = arg;

        if (len > 6 && strncasecmp(line, "Date: ", 6) == 0)
                snprintf(j->ret->date, sizeof j->ret->date, "%.*s", (int)(len - 6), line + 6);
}

static void on_http(void *arg, const struct http_result *r)
{
        struct http_job *j = arg;

        j->ret->error = r->error;
        j->ret->status = r->status;
        str_copy(j->ret->message, sizeof j->ret->message, r->message);
        if (r->error == 0)
                j->ret->error = buf_add(&j->ret->body, r->body, r->len);
        loop_stop(&j->loop);
}

int ask_http(const struct http_request *r, struct ask_http *ret)
{
        struct http_job j = { .ret = ret };
        struct http_request copy = *r;
        struct http *http = NULL;
        int e = loop_init(&j.loop);

        ret->error = -EIO;
        ret->status = 0;
        ret->message[0] = ret->date[0] = '\0';
        buf_reset(&ret->body);
        if (e < 0)
                return e;
        copy.arg = &j;
        copy.on_done = on_http;
        copy.on_header = on_header;
        e = http_new(&j.loop, &http);
        if (e == 0)
                e = http_start(http, &copy, NULL);
        if (e == 0)
                e = loop_run(&j.loop);
        http_free(http);
        loop_done(&j.loop);
        if (e < 0)
                snprintf(ret->message, sizeof ret->message, "%s", strerror(-e));
        return e < 0 ? e : ret->error;
}

/* ---- SQL ---- */

struct sql_job {
        struct loop loop;
        struct ask_sql *ret;
        ask_row_fn fn;
        void *arg;
        bool over;
};

static void on_sql(void *arg, const struct sql_answer *a)
{
        struct sql_job *j = arg;
        const char *const *row;

        j->ret->end = a->end;
        j->ret->sent = a->sent;
        j->ret->error = a->error;
        str_copy(j->ret->text, sizeof j->ret->text, a->text ? a->text : "");
        while (a->end == SQL_DONE && a->columns > 0 && j->fn && (row = sql_row(a)))
                j->fn(j->arg, row, a->columns);
        j->over = true;
        loop_stop(&j->loop);
}

int ask_sql(const struct sql_config *c, const char *statement, ask_row_fn fn, void *arg,
            struct ask_sql *ret)
{
        struct sql_job j = { .ret = ret, .fn = fn, .arg = arg };
        struct sql *s = NULL;
        int r = loop_init(&j.loop);

        *ret = (struct ask_sql){ .end = SQL_FAILED };
        if (r < 0)
                return r;
        r = sql_new(&j.loop, c, on_sql, NULL, &j, &s);
        if (r == 0) {
                sql_send(s, statement, strlen(statement));
                if (!j.over)
                        r = loop_run(&j.loop);
        }
        sql_free(s);
        loop_done(&j.loop);
        if (r < 0)
                snprintf(ret->text, sizeof ret->text, "%s", strerror(-r));
        else if (ret->end == SQL_OVERDUE)
                r = -ETIMEDOUT;
        else if (ret->end != SQL_DONE)
                r = -EIO;
        return r;
}
