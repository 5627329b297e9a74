/* One request as libcurl sees it: its options, its header and body callbacks, and what its result
 * codes mean for us (CODES[]). */
#include "lib/http_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        DEFAULT_BODY_CAP = 1024 * 1024,
        ERROR_BODY_CAP = 64 * 1024,
        BUFFER_SIZE = 16 * 1024,
        DEFAULT_CONNECT_MS = 1000,
};

void http_call_free(struct http_call *c)
{
        if (c->easy)
                curl_easy_cleanup(c->easy);
        curl_slist_free_all(c->headers);
        buf_done(&c->body);
        free(c);
}

static bool success(int status)
{
        return status >= 200 && status < 300;
}

static void tell_header(struct http_call *c, const char *data, size_t len)
{
        while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
                len--;
        c->on_line(c->arg, data, len);
}

/* Each header line; an empty one ends a header. Interim (1xx) headers are passed over, and after
 * the body trailers come this way too. */
static size_t on_header(const char *data, size_t size, size_t n, void *arg)
{
        struct http_call *c = arg;
        long status = 0;

        if (c->over)
                return 0;
        if (c->head_seen || n == 0)
                return size * n;
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200)
                return size * n;
        if (data[0] != '\r' && data[0] != '\n') {
                if (c->on_line)
                        tell_header(c, data, size * n);
                return c->over ? 0 : size * n;
        }

        c->head_seen = true;
        c->status = (int)status;
        if (!success(c->status))
                c->body.cap = ERROR_BODY_CAP;
        if (c->on_head)
                c->on_head(c->arg, c->status);
        return c->over ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
        struct http_call *c = arg;

        if (c->over)
                return 0;
        if (!c->on_data || !success(c->status))
                return buf_add(&c->body, data, size * n) == 0 ? size * n : 0;
        if (c->on_data(c->arg, data, size * n) != 0)
                c->stopped = true;
        return c->over || c->stopped ? 0 : size * n;
}

/* Like libcurl's own, but not inherited by the hooks we start. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
        const struct http_call *c = arg;
        int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

        (void)purpose;
        if (fd >= 0 && c->arrive > 0 && !c->local) {
                unsigned ms = (unsigned)c->arrive;
                if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) < 0) {
                        close(fd);
                        return CURL_SOCKET_BAD;
                }
        }
        return fd;
}

/* Connected, nothing sent yet. The clock, not libcurl's timer: after a freeze that may come second.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libcurl's */
static int may_send(void *arg, char *ip, char *local_ip, int port, int local_port)
{
        const struct http_call *c = arg;

        (void)ip;
        (void)local_ip;
        (void)port;
        (void)local_port;
        return c->arrive > 0 && clock_ms() > c->send_until ? CURL_PREREQFUNC_ABORT
                                                           : CURL_PREREQFUNC_OK;
}

/* What a code means: our error, and our sentence if libcurl's own would say less. */
static const struct code {
        CURLcode code;
        int error;
        const char *message;
} CODES[] = {
        { CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, NULL },
        { CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, NULL },
        { CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, NULL },
        { CURLE_COULDNT_CONNECT, -ECONNREFUSED, NULL },
        { CURLE_GOT_NOTHING, -ECONNRESET, "the server closed the connection without an answer" },
        { CURLE_PARTIAL_FILE, -ECONNRESET, "the answer was cut off" },
        { CURLE_SEND_ERROR, -ECONNRESET, "the connection broke while sending" },
        { CURLE_RECV_ERROR, -ECONNRESET, "the connection broke while receiving" },
        { CURLE_UNSUPPORTED_PROTOCOL, -EPROTO, "the answer is not HTTP" },
        { CURLE_WEIRD_SERVER_REPLY, -EPROTO, "the answer is not HTTP" },
        { CURLE_BAD_CONTENT_ENCODING, -EPROTO, NULL },
        { CURLE_OUT_OF_MEMORY, -ENOMEM, NULL },
};

static void judge_write_error(const struct http_call *c, struct http_result *r)
{
        if (c->stopped) {
                r->error = -ECANCELED;
                r->message = "stopped by the receiver";
        } else if (c->body.error == -EFBIG) {
                r->error = -EFBIG;
                r->message = "the answer is too long";
        } else {
                r->error = -ENOMEM;
                r->message = "out of memory";
        }
}

static void judge(struct http_call *c, CURLcode code, struct http_result *r)
{
        const char *text = c->message[0] ? c->message : curl_easy_strerror(code);
        long os_error = 0;

        curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os_error);
        r->error = -EIO;
        r->message = text;
        for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
                if (CODES[i].code != code)
                        continue;
                r->error = CODES[i].error;
                r->message = CODES[i].message ? CODES[i].message : text;
        }
        if (code == CURLE_COULDNT_CONNECT && os_error == 0 && c->local)
                os_error = EAGAIN; /* what a unix socket with a full queue says; libcurl drops it */
        if (code == CURLE_COULDNT_CONNECT && os_error > 0) {
                r->error = -(int)os_error;
                r->message = os_error == EAGAIN ? "the server is too busy to accept connections"
                                                : strerror((int)os_error);
        }
        if (code == CURLE_RECV_ERROR && os_error == 0) { /* nothing broke: a malformed answer */
                r->error = -EPROTO;
                r->message = text;
        }
}

void http_call_result(struct http_call *c, CURLcode code, struct http_result *ret)
{
        if (code == CURLE_OK && !c->head_seen)
                code = CURLE_PARTIAL_FILE; /* libcurl is content with half a header */
        *ret = (struct http_result){
                .message = "answered",
                .status = c->status,
                .body = buf_str(&c->body),
                .len = c->body.len,
        };
        if (code == CURLE_WRITE_ERROR)
                judge_write_error(c, ret);
        else if (code != CURLE_OK)
                judge(c, code, ret);
}

/* A line break, or a control character or blank in a URL, would smuggle something in. */
static bool one_line(const char *s, unsigned char least)
{
        for (; *s; s++)
                if ((unsigned char)*s < least || *s == 0x7f)
                        return false;
        return true;
}

static bool acceptable(const struct http_request *r)
{
        if (!r->url || !one_line(r->url, '!') || (r->method && !one_line(r->method, '!')))
                return false;
        if (strncmp(r->url, "http://", 7) != 0 && strncmp(r->url, "https://", 8) != 0)
                return false;
        for (size_t i = 0; r->headers && r->headers[i]; i++)
                if (!one_line(r->headers[i], ' ') || !strchr(r->headers[i], ':'))
                        return false;
        return true;
}

/* Without "Expect: 100-continue", and without the form type libcurl would give a body. */
static int set_headers(struct http_call *c, const struct http_request *r)
{
        static const char *const NO_EXPECT = "Expect:", *const NO_TYPE = "Content-Type:";
        bool typed = false;

        for (size_t i = 0; r->headers && r->headers[i]; i++)
                typed = typed || strncasecmp(r->headers[i], NO_TYPE, strlen(NO_TYPE)) == 0;

        for (size_t i = 0, own = 0;;) {
                const char *line = NULL;
                if (r->headers && r->headers[i])
                        line = r->headers[i++];
                else if (own++ == 0)
                        line = NO_EXPECT;
                else if (own == 2 && !typed)
                        line = NO_TYPE;
                else
                        break;
                struct curl_slist *list = curl_slist_append(c->headers, line);
                if (!list)
                        return -ENOMEM;
                c->headers = list;
        }
        return curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK ? 0 : -ENOMEM;
}

static bool set_method(CURL *e, const struct http_request *r)
{
        const char *method = r->method ? r->method : "GET";
        CURLcode rc = CURLE_OK;

        if (r->body || str_eq(method, "POST")) {
                const char *body = r->body ? r->body : "";
                rc = curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
                if (rc == CURLE_OK)
                        rc = curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, body);
        } else if (str_eq(method, "HEAD")) {
                rc = curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        }
        if (rc == CURLE_OK && (r->body || (!str_eq(method, "GET") && !str_eq(method, "HEAD"))))
                rc = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
        return rc == CURLE_OK;
}

static bool set_target(CURL *e, const struct http_request *r)
{
        if (curl_easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK)
                return false;
        if (r->ca_file && *r->ca_file &&
            curl_easy_setopt(e, CURLOPT_CAINFO, r->ca_file) != CURLE_OK)
                return false;
        if (!r->unix_socket)
                return curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
        return curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, r->unix_socket) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_NOPROXY, "*") == CURLE_OK;
}

static msec_t connect_timeout(const struct http_request *r)
{
        return r->connect_timeout > 0 ? r->connect_timeout : DEFAULT_CONNECT_MS;
}

static void set_limits(CURL *e, const struct http_request *r)
{
#if LIBCURL_VERSION_NUM >= 0x075500
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
        curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_timeout(r));
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout);
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
        curl_easy_setopt(e, CURLOPT_USERAGENT, "mailcow-ha");
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, r->once ? 1L : 0L);
}

static void set_callbacks(struct http_call *c)
{
        CURL *e = c->easy;

        curl_easy_setopt(e, CURLOPT_PRIVATE, c);
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->message);
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
        curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
        curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, may_send);
        curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
}

static int set_up(struct http_call *c, const struct http_request *r)
{
        c->easy = c->http->n_idle > 0 ? c->http->idle[--c->http->n_idle] : curl_easy_init();
        if (!c->easy)
                return -ENOMEM;
        set_callbacks(c);
        set_limits(c->easy, r);
        if (!set_target(c->easy, r) || !set_method(c->easy, r))
                return -ENOMEM;
        return set_headers(c, r);
}

int http_call_new(struct http *h, const struct http_request *r, struct http_call **ret)
{
        if (!acceptable(r))
                return -EINVAL;

        struct http_call *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        c->http = h;
        c->local = r->unix_socket != NULL;
        c->arrive = r->arrive;
        if (c->arrive > 0)
                c->send_until = clock_ms() + connect_timeout(r);
        c->arg = r->arg;
        c->on_data = r->on_data;
        c->on_head = r->on_head;
        c->on_line = r->on_header;
        c->on_done = r->on_done;
        buf_init(&c->body, r->max_body ? r->max_body : DEFAULT_BODY_CAP);

        int rc = set_up(c, r);
        if (rc < 0) {
                http_call_free(c);
                return rc;
        }
        *ret = c;
        return 0;
}
