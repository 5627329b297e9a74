/* The local Galera member, asked by one statement on a kept-open connection. MariaDB Connector/C
 * runs each call as a coroutine that hands back "wait for this socket"; the loop waits, under our
 * deadline (the library's own timeouts count in whole seconds and are not used). An overdue call is
 * unwound: its socket is shut down, so that whatever it does next fails at once. The idle
 * connection is watched too: a server that dies is asked again in that moment, not a second later.
 */
#include "hamon/galera.h"
#include "hamon/galera_facts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ER_UNKNOWN_SYSTEM_VARIABLE_ = 1193, CR_OUT_OF_MEMORY_ = 2008 };

enum step { STEP_IDLE, STEP_CONNECT, STEP_QUERY, STEP_STORE };

struct galera {
        struct loop *loop;
        galera_fn fn;
        void *arg;
        char *socket, *host, *user, *password, *database; /* NULL = not set */
        unsigned port;
        msec_t timeout;
        struct buf query;

        MYSQL *my; /* NULL = not connected */
        enum step step;
        bool wanted; /* idle, and the timer starts a poll in the next turn */
        bool again;  /* asked while a poll was under way */
        bool kept;   /* this poll runs on the connection of an earlier one */
        bool pushed; /* one poll was started by the end of the idle connection */

        struct event *io;
        struct timer timer; /* STEP_IDLE: start of the wanted poll; else the deadline */

        MYSQL *connected; /* results of the three calls */
        int query_failed;
        MYSQL_RES *res;
};

static void advance(struct galera *g, int wait);

/* ---- the three calls ---- */

static int call_start(struct galera *g, enum step step)
{
        g->step = step;
        switch (step) {
        case STEP_CONNECT:
                g->connected = NULL;
                return mysql_real_connect_start(&g->connected, g->my, g->host, g->user, g->password,
                                                g->database, g->port, g->socket, 0);
        case STEP_QUERY:
                g->query_failed = 1;
                return mysql_real_query_start(&g->query_failed, g->my, buf_str(&g->query),
                                              g->query.len);
        case STEP_STORE:
                g->res = NULL;
                return mysql_store_result_start(&g->res, g->my);
        case STEP_IDLE:
                break;
        }
        return 0;
}

static int call_cont(struct galera *g, int ready)
{
        switch (g->step) {
        case STEP_CONNECT:
                return mysql_real_connect_cont(&g->connected, g->my, ready);
        case STEP_QUERY:
                return mysql_real_query_cont(&g->query_failed, g->my, ready);
        case STEP_STORE:
                return mysql_store_result_cont(&g->res, g->my, ready);
        case STEP_IDLE:
                break;
        }
        return 0;
}

static bool call_succeeded(const struct galera *g)
{
        switch (g->step) {
        case STEP_CONNECT:
                return g->connected;
        case STEP_QUERY:
                return !g->query_failed;
        case STEP_STORE:
                return g->res;
        case STEP_IDLE:
                break;
        }
        return false;
}

/* ---- the connection ---- */

/* Only while a call is suspended or the connection is whole: after a failed connect the library
 * would look into memory it has freed. */
static int sock(const struct galera *g)
{
        return (int)mysql_get_socket(g->my);
}

static void shut(const struct galera *g)
{
        int fd = sock(g);

        if (fd >= 0)
                shutdown(fd, SHUT_RDWR);
}

/* The library keeps a copy for reconnects, which are off. */
static void wipe(const struct galera *g)
{
        if (g->my->passwd)
                explicit_bzero(g->my->passwd, strlen(g->my->passwd));
}

/* End the call that is suspended in this step. One that does not end now (never seen) keeps its
 * handle: leaking that is better than freeing a stack that is in use. */
static bool unwind(struct galera *g)
{
        int wait = 1;

        event_del(g->io);
        shut(g);
        for (int i = 0; wait && i < 100; i++)
                wait = call_cont(g, MYSQL_WAIT_TIMEOUT);
        if (g->res)
                mysql_free_result(g->res);
        g->res = NULL;
        return !wait;
}

/* No call is suspended here. */
static void disconnect(struct galera *g)
{
        if (!g->my)
                return;

        event_del(g->io);
        wipe(g);
        int wait = mysql_close_start(g->my); /* says goodbye if the connection is whole */
        while (wait) {
                shut(g);
                wait = mysql_close_cont(g->my, MYSQL_WAIT_TIMEOUT);
        }
        g->my = NULL;
}

static MYSQL *handle_new(const struct galera *g)
{
        unsigned protocol = g->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
        unsigned long max_packet = 1 << 20, net_buffer = 8192;
        unsigned no_infile = 0;
        my_bool off = 0;

        MYSQL *my = mysql_init(NULL);
        if (!my)
                return NULL;
        mysql_options(my, MYSQL_OPT_NONBLOCK, NULL);
        mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol);
        mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no_infile);
        mysql_options(my, MYSQL_OPT_RECONNECT, &off);
        mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &off);
        mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &off);
        mysql_options(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &max_packet);
        mysql_options(my, MYSQL_OPT_NET_BUFFER_LENGTH, &net_buffer);
        mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        /* a false server must not talk us into sending the password in clear */
        mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, "mysql_native_password,client_ed25519");
        return my;
}

/* ---- waiting ---- */

static void on_io(evutil_socket_t fd, short what, void *arg);

static void listen_for(struct galera *g, short what)
{
        int fd = sock(g);

        event_del(g->io);
        if (fd < 0 || !what)
                return;                 /* the deadline ends it */
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* the library forgets to; hooks must not inherit it */
        event_assign(g->io, g->loop->base, fd, what, on_io, g);
        event_add(g->io, NULL);
}

/* The last act of a poll: nothing of g may be touched after fn, which may free it. */
static void report(struct galera *g, const struct galera_facts *f)
{
        timer_clear(&g->timer);
        g->step = STEP_IDLE;
        if (g->again) {
                g->again = false;
                g->wanted = true;
                timer_set(&g->timer, 0);
        }
        if (g->my)
                listen_for(g, EV_READ);
        g->fn(g->arg, f);
}

static void connect_afresh(struct galera *g)
{
        struct galera_facts f;

        g->kept = false;
        g->my = handle_new(g);
        if (!g->my) {
                galera_facts_error(DB_ERROR, CR_OUT_OF_MEMORY_, "out of memory", &f);
                report(g, &f);
                return;
        }
        timer_set(&g->timer, g->timeout);
        advance(g, call_start(g, STEP_CONNECT));
}

static void ask(struct galera *g)
{
        timer_set(&g->timer, g->timeout);
        advance(g, call_start(g, STEP_QUERY));
}

/* Start of a poll; always from the loop. */
static void begin(struct galera *g)
{
        g->wanted = false;
        if (!g->my) {
                connect_afresh(g);
                return;
        }
        event_del(g->io);
        g->kept = true;
        ask(g);
}

/* ---- results ---- */

static void overdue(struct galera *g, const char *text)
{
        struct galera_facts f;

        galera_facts_error(DB_TIMEOUT, 0, text, &f);
        if (unwind(g))
                disconnect(g);
        g->my = NULL;
        report(g, &f);
}

/* The call of this step ended in an error. */
static void failed(struct galera *g)
{
        struct galera_facts f;
        unsigned error = mysql_errno(g->my);

        galera_facts_error(galera_reach(error), error,
                           error ? mysql_error(g->my) : "the query gave no rows", &f);
        if (error == ER_UNKNOWN_SYSTEM_VARIABLE_)
                f.reach = DB_OK; /* a server built without Galera: healthy, and not a member */
        disconnect(g);
        if (g->kept)
                connect_afresh(g); /* it may just have been restarted */
        else
                report(g, &f);
}

static void answered(struct galera *g)
{
        struct galera_rows rows;
        struct galera_facts f;
        MYSQL_ROW row;

        galera_facts_begin(&rows);
        while ((row = mysql_fetch_row(g->res)))
                if (mysql_num_fields(g->res) == 2)
                        galera_facts_row(&rows, row[0], row[1]);
        mysql_free_result(g->res);
        g->res = NULL;
        if (galera_facts_end(&rows, &f) < 0) {
                galera_facts_error(DB_ERROR, 0, "the answer has no known row", &f);
                disconnect(g);
        }
        report(g, &f);
}

/* `wait` is what the call of this step returned: 0 = it has ended. */
static void advance(struct galera *g, int wait)
{
        if (wait) {
                listen_for(g, (short)((wait & MYSQL_WAIT_READ ? EV_READ : 0) |
                                      (wait & MYSQL_WAIT_WRITE ? EV_WRITE : 0)));
                return;
        }
        if (!call_succeeded(g)) {
                failed(g);
                return;
        }
        switch (g->step) {
        case STEP_CONNECT:
                wipe(g);
                ask(g);
                break;
        case STEP_QUERY:
                advance(g, call_start(g, STEP_STORE));
                break;
        case STEP_STORE:
                answered(g);
                break;
        case STEP_IDLE:
                break;
        }
}

/* ---- events ---- */

/* A unix listener whose queue is full (a stopped server fills it within minutes) refuses with
 * EAGAIN, which the library takes for "under way". */
static bool queue_full(const struct galera *g, int fd)
{
        struct sockaddr_un peer;
        socklen_t len = sizeof peer;

        return g->step == STEP_CONNECT && g->socket &&
               getpeername(fd, (struct sockaddr *)&peer, &len) < 0 && errno == ENOTCONN;
}

static void connection_ended(struct galera *g)
{
        shut(g);
        disconnect(g);
        if (g->pushed || g->wanted)
                return; /* once per asked poll: a server that always hangs up makes no busy loop */
        g->pushed = true;
        begin(g);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
        struct galera *g = arg;

        if (g->step == STEP_IDLE)
                connection_ended(g); /* between polls the server has nothing else to say */
        else if (queue_full(g, fd))
                overdue(g, "the server's queue of new connections is full");
        else
                advance(g, call_cont(g, (what & EV_READ ? MYSQL_WAIT_READ : 0) |
                                                (what & EV_WRITE ? MYSQL_WAIT_WRITE : 0)));
}

static void on_timer(void *arg)
{
        struct galera *g = arg;

        if (g->step == STEP_IDLE)
                begin(g);
        else if (g->step == STEP_CONNECT)
                overdue(g, "no connection and greeting in time");
        else
                overdue(g, "no answer to the status query in time");
}

/* ---- the interface ---- */

/* The library copies the path into a sockaddr_un unchecked and resolves any name it is given. */
static bool config_valid(const struct galera_config *c)
{
        unsigned char address[sizeof(struct in6_addr)];

        if (!c->user || !*c->user || c->timeout <= 0)
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

static int fill(struct galera *g, const struct galera_config *c)
{
        bool local = c->socket && *c->socket;

        g->port = local ? 0 : c->port;
        g->timeout = c->timeout;
        buf_init(&g->query, 4096);
        if (!copy(&g->socket, c->socket) || !copy(&g->host, local ? NULL : c->host) ||
            !copy(&g->user, c->user) || !copy(&g->password, c->password) ||
            !copy(&g->database, c->database))
                return -ENOMEM;

        int r = galera_facts_query(&g->query);
        if (r < 0)
                return r;
        r = timer_init(&g->timer, g->loop, on_timer, g);
        if (r < 0)
                return r;
        g->io = event_new(g->loop->base, -1, EV_READ, on_io, g);
        return g->io ? 0 : -ENOMEM;
}

int galera_new(struct loop *l, const struct galera_config *c, galera_fn fn, void *arg,
               struct galera **ret)
{
        if (!config_valid(c))
                return -EINVAL;

        struct galera *g = calloc(1, sizeof *g);
        if (!g)
                return -ENOMEM;
        g->loop = l;
        g->fn = fn;
        g->arg = arg;

        int r = fill(g, c);
        if (r < 0) {
                galera_free(g);
                return r;
        }
        *ret = g;
        return 0;
}

void galera_free(struct galera *g)
{
        if (!g)
                return;

        if (g->step == STEP_IDLE || unwind(g))
                disconnect(g);
        if (g->io)
                event_free(g->io);
        timer_done(&g->timer);
        if (g->password)
                explicit_bzero(g->password, strlen(g->password));
        free(g->password);
        free(g->socket);
        free(g->host);
        free(g->user);
        free(g->database);
        buf_done(&g->query);
        free(g);
}

void galera_poll(struct galera *g)
{
        g->pushed = false;
        if (g->step != STEP_IDLE) {
                g->again = true;
        } else if (!g->wanted) {
                g->wanted = true;
                timer_set(&g->timer, 0);
        }
}
