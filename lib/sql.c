/* MariaDB Connector/C runs each call as a coroutine that hands back "wait for this socket"; the
 * loop waits, under our deadline (the library's own timeouts count in whole seconds and are not
 * used). An overdue call is unwound: its socket is shut down, so that whatever it does next fails
 * at once. The idle connection is watched too: the end of a server is news. */
#include "sql.h"

#include "buf.h"
#include "sql_options.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { CR_OUT_OF_MEMORY_ = 2008, CLIENT_ERRORS = 2000, CLIENT_ERRORS_END = 3000 };

enum step { STEP_IDLE, STEP_CONNECT, STEP_QUERY, STEP_STORE };

struct sql {
        struct loop *loop;
        sql_fn fn;
        sql_ended_fn ended;
        void *arg;
        char *socket, *host, *user, *password, *database, *begin; /* NULL = not set */
        unsigned port;
        msec_t connect, answer;

        MYSQL *my; /* NULL = not connected */
        enum step step;
        bool kept; /* this statement goes over the connection of an earlier one */
        const char *statement;
        size_t len;

        struct event *io;
        struct timer deadline;

        MYSQL *connected; /* results of the three calls */
        int query_failed;
        MYSQL_RES *res;
};

static void advance(struct sql *s, int wait);

/* ---- the three calls ---- */

static int call_start(struct sql *s, enum step step)
{
        s->step = step;
        switch (step) {
        case STEP_CONNECT:
                s->connected = NULL;
                return mysql_real_connect_start(&s->connected, s->my, s->host, s->user, s->password,
                                                s->database, s->port, s->socket, 0);
        case STEP_QUERY:
                s->query_failed = 1;
                return mysql_real_query_start(&s->query_failed, s->my, s->statement, s->len);
        case STEP_STORE:
                s->res = NULL;
                return mysql_store_result_start(&s->res, s->my);
        case STEP_IDLE:
                break;
        }
        return 0;
}

static int call_cont(struct sql *s, int ready)
{
        switch (s->step) {
        case STEP_CONNECT:
                return mysql_real_connect_cont(&s->connected, s->my, ready);
        case STEP_QUERY:
                return mysql_real_query_cont(&s->query_failed, s->my, ready);
        case STEP_STORE:
                return mysql_store_result_cont(&s->res, s->my, ready);
        case STEP_IDLE:
                break;
        }
        return 0;
}

static bool call_succeeded(const struct sql *s)
{
        switch (s->step) {
        case STEP_CONNECT:
                return s->connected;
        case STEP_QUERY:
                return !s->query_failed;
        case STEP_STORE:
                return s->res;
        case STEP_IDLE:
                break;
        }
        return false;
}

/* ---- the connection ---- */

/* Only while a call is suspended or the connection is whole: after a failed connect the library
 * would look into memory it has freed. */
static int sock(const struct sql *s)
{
        return (int)mysql_get_socket(s->my);
}

static void shut(const struct sql *s)
{
        int fd = sock(s);

        if (fd >= 0)
                shutdown(fd, SHUT_RDWR);
}

/* The library keeps a copy for reconnects, which are off. */
static void wipe(const struct sql *s)
{
        if (s->my->passwd)
                explicit_bzero(s->my->passwd, strlen(s->my->passwd));
}

/* End the call that is suspended in this step. One that does not end now (never seen) keeps its
 * handle: leaking that is better than freeing a stack that is in use. */
static bool unwind(struct sql *s)
{
        int wait = 1;

        event_del(s->io);
        shut(s);
        for (int i = 0; wait && i < 100; i++)
                wait = call_cont(s, MYSQL_WAIT_TIMEOUT);
        if (s->res)
                mysql_free_result(s->res);
        s->res = NULL;
        return !wait;
}

/* No call is suspended here. */
static void disconnect(struct sql *s)
{
        if (!s->my)
                return;

        event_del(s->io);
        wipe(s);
        int wait = mysql_close_start(s->my); /* says goodbye if the connection is whole */
        while (wait) {
                shut(s);
                wait = mysql_close_cont(s->my, MYSQL_WAIT_TIMEOUT);
        }
        s->my = NULL;
}

static MYSQL *handle_new(const struct sql *s)
{
        unsigned long max_packet = 1 << 20, net_buffer = 8192;

        MYSQL *my = mysql_init(NULL);
        if (!my)
                return NULL;
        mysql_options(my, MYSQL_OPT_NONBLOCK, NULL);
        mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &max_packet);
        mysql_options(my, MYSQL_OPT_NET_BUFFER_LENGTH, &net_buffer);
        sql_options(my, s->socket, s->begin);
        return my;
}

/* ---- waiting ---- */

static void on_io(evutil_socket_t fd, short what, void *arg);

static void listen_for(struct sql *s, short what)
{
        int fd = sock(s);

        event_del(s->io);
        if (fd < 0 || !what)
                return;                 /* the deadline ends it */
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* the library forgets to; hooks must not inherit it */
        event_assign(s->io, s->loop->base, fd, what, on_io, s);
        event_add(s->io, NULL);
}

/* The last act of a statement: nothing of s may be touched after fn, which may free it. */
static void report(struct sql *s, struct sql_answer a)
{
        MYSQL_RES *rows = s->res;

        timer_clear(&s->deadline);
        a.kept = s->kept;
        a.rows = rows;
        s->res = NULL;
        s->step = STEP_IDLE;
        if (s->my)
                listen_for(s, EV_READ);
        s->fn(s->arg, &a);
        if (rows)
                mysql_free_result(rows);
}

/* ---- results ---- */

static void overdue(struct sql *s, const char *text)
{
        struct sql_answer a = { .end = SQL_OVERDUE, .sent = s->step != STEP_CONNECT, .text = text };

        if (unwind(s))
                disconnect(s);
        s->my = NULL;
        report(s, a);
}

/* The call of this step ended in an error. */
static void failed(struct sql *s)
{
        char text[256];
        struct sql_answer a = { .end = SQL_FAILED,
                                .sent = s->step != STEP_CONNECT,
                                .error = mysql_errno(s->my),
                                .text = text };

        str_copy(text, sizeof text, mysql_error(s->my));
        if (!a.sent || a.error == 0 || (a.error >= CLIENT_ERRORS && a.error < CLIENT_ERRORS_END))
                disconnect(s);
        report(s, a);
}

static void answered(struct sql *s)
{
        struct sql_answer a = { .end = SQL_DONE,
                                .sent = true,
                                .text = "",
                                .changed = s->res ? 0 : mysql_affected_rows(s->my),
                                .columns = s->res ? mysql_num_fields(s->res) : 0 };

        report(s, a);
}

static void ask(struct sql *s)
{
        timer_set(&s->deadline, s->answer);
        advance(s, call_start(s, STEP_QUERY));
}

/* `wait` is what the call of this step returned: 0 = it has ended. */
static void advance(struct sql *s, int wait)
{
        if (wait) {
                listen_for(s, (short)((wait & MYSQL_WAIT_READ ? EV_READ : 0) |
                                      (wait & MYSQL_WAIT_WRITE ? EV_WRITE : 0)));
                return;
        }
        if (!call_succeeded(s)) {
                failed(s);
                return;
        }
        switch (s->step) {
        case STEP_CONNECT:
                wipe(s);
                ask(s);
                break;
        case STEP_QUERY:
                if (mysql_field_count(s->my) > 0)
                        advance(s, call_start(s, STEP_STORE));
                else
                        answered(s);
                break;
        case STEP_STORE:
                answered(s);
                break;
        case STEP_IDLE:
                break;
        }
}

/* ---- events ---- */

/* A unix listener whose queue is full (a stopped server fills it within minutes) refuses with
 * EAGAIN, which the library takes for "under way". */
static bool queue_full(const struct sql *s, int fd)
{
        struct sockaddr_un peer;
        socklen_t len = sizeof peer;

        return s->step == STEP_CONNECT && s->socket &&
               getpeername(fd, (struct sockaddr *)&peer, &len) < 0 && errno == ENOTCONN;
}

static void connection_ended(struct sql *s)
{
        shut(s);
        disconnect(s);
        if (s->ended)
                s->ended(s->arg);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
        struct sql *s = arg;

        if (s->step == STEP_IDLE)
                connection_ended(s); /* between statements the server has nothing else to say */
        else if (queue_full(s, fd))
                overdue(s, "the server's queue of new connections is full");
        else
                advance(s, call_cont(s, (what & EV_READ ? MYSQL_WAIT_READ : 0) |
                                                (what & EV_WRITE ? MYSQL_WAIT_WRITE : 0)));
}

static void on_deadline(void *arg)
{
        struct sql *s = arg;

        overdue(s, s->step == STEP_CONNECT ? "no connection and greeting in time"
                                           : "no answer to the query in time");
}

/* ---- the interface ---- */

/* The library copies the path into a sockaddr_un unchecked and resolves any name it is given. */
static bool config_valid(const struct sql_config *c)
{
        unsigned char address[sizeof(struct in6_addr)];

        if (!c->user || !*c->user || c->connect <= 0 || c->answer <= 0)
                return false;
        if (c->socket && *c->socket)
                return strlen(c->socket) < sizeof(((struct sockaddr_un *)0)->sun_path);
        return c->host && c->port > 0 && c->port <= 65535 &&
               (inet_pton(AF_INET, c->host, address) == 1 ||
                inet_pton(AF_INET6, c->host, address) == 1);
}

static bool copy(char **dst, const char *src)
{
        *dst = src && *src ? strdup(src) : NULL;
        return *dst || !src || !*src;
}

static int fill(struct sql *s, const struct sql_config *c)
{
        bool local = c->socket && *c->socket;

        s->port = local ? 0 : c->port;
        s->connect = c->connect;
        s->answer = c->answer;
        if (!copy(&s->socket, c->socket) || !copy(&s->host, local ? NULL : c->host) ||
            !copy(&s->user, c->user) || !copy(&s->password, c->password) ||
            !copy(&s->database, c->database) || !copy(&s->begin, c->begin))
                return -ENOMEM;

        int r = timer_init(&s->deadline, s->loop, on_deadline, s);
        if (r < 0)
                return r;
        s->io = event_new(s->loop->base, -1, EV_READ, on_io, s);
        return s->io ? 0 : -ENOMEM;
}

int sql_new(struct loop *l, const struct sql_config *c, sql_fn fn, sql_ended_fn ended, void *arg,
            struct sql **ret)
{
        if (!config_valid(c))
                return -EINVAL;

        struct sql *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->loop = l;
        s->fn = fn;
        s->ended = ended;
        s->arg = arg;

        int r = fill(s, c);
        if (r < 0) {
                sql_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void sql_free(struct sql *s)
{
        if (!s)
                return;

        if (s->step == STEP_IDLE || unwind(s))
                disconnect(s);
        if (s->io)
                event_free(s->io);
        timer_done(&s->deadline);
        if (s->password)
                explicit_bzero(s->password, strlen(s->password));
        free(s->password);
        free(s->socket);
        free(s->host);
        free(s->user);
        free(s->database);
        free(s->begin);
        free(s);
}

bool sql_busy(const struct sql *s)
{
        return s->step != STEP_IDLE;
}

bool sql_connected(const struct sql *s)
{
        return s->my;
}

void sql_send(struct sql *s, const char *statement, size_t len)
{
        s->statement = statement;
        s->len = len;
        s->kept = s->my;
        if (s->kept) {
                event_del(s->io);
                ask(s);
                return;
        }
        s->my = handle_new(s);
        if (!s->my) {
                report(s, (struct sql_answer){ .end = SQL_FAILED,
                                               .error = CR_OUT_OF_MEMORY_,
                                               .text = "out of memory" });
                return;
        }
        timer_set(&s->deadline, s->connect);
        advance(s, call_start(s, STEP_CONNECT));
}

void sql_close(struct sql *s)
{
        if (s->step == STEP_IDLE)
                disconnect(s);
}

const char *const *sql_row(const struct sql_answer *a)
{
        return a->rows ? (const char *const *)mysql_fetch_row(a->rows) : NULL;
}

int sql_quote(struct buf *out, const char *text)
{
        for (; *text; text++) {
                if (*text == '\'' || *text == '\\')
                        buf_add(out, "\\", 1);
                buf_add(out, text, 1);
        }
        return out->error;
}
