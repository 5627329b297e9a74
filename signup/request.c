/* From CGI's words to a request, from a reply to headers (request.h). */
#include "signup/request.h"

#include <errno.h>
#include <string.h>

static enum method method_of(const char *name)
{
        static const struct {
                const char *name;
                enum method method;
        } METHODS[] = { { "GET", METHOD_GET }, { "HEAD", METHOD_HEAD }, { "POST", METHOD_POST } };

        for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
                if (str_eq(METHODS[i].name, name))
                        return METHODS[i].method;
        return METHOD_OTHER;
}

/* Our paths are made of characters that nobody needs to encode: what has others is not ours. */
static void take_path(struct request *r, const char *base, const char *uri)
{
        size_t base_len = strlen(base), len = strcspn(uri, "?#");

        r->path[0] = '\0';
        if (len < base_len || strncmp(uri, base, base_len) != 0 || uri[base_len] != '/')
                return;
        len -= base_len;
        if (len >= sizeof r->path ||
            strspn(uri + base_len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "/._-") < len)
                return;
        memcpy(r->path, uri + base_len, len);
        r->path[len] = '\0';
}

int request_fill(struct request *r, const char *base, const struct strlist *trusted,
                 request_param_fn param, void *arg)
{
        const struct {
                const char *name;
                const char **slot;
        } TEXTS[] = {
                { "QUERY_STRING", &r->query },
                { "HTTP_HOST", &r->host },
                { "HTTP_ORIGIN", &r->origin },
                { "HTTP_SEC_FETCH_SITE", &r->fetch_site },
                { "HTTP_COOKIE", &r->cookie },
                { "HTTP_ACCEPT_LANGUAGE", &r->accept_language },
                { "CONTENT_TYPE", &r->content_type },
        };
        const char *uri = param(arg, "REQUEST_URI"), *remote = param(arg, "REMOTE_ADDR");

        for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
                const char *v = param(arg, TEXTS[i].name);
                *TEXTS[i].slot = v ? v : "";
        }
        if (!uri || !remote)
                return -EINVAL;
        r->method = method_of(param(arg, "REQUEST_METHOD"));
        take_path(r, base, uri);
        return netaddr_client(remote, param(arg, "HTTP_X_FORWARDED_FOR"), trusted, &r->client);
}

/* ---- replies ---- */

void reply_done(struct reply *r)
{
        buf_done(&r->headers);
        buf_done(&r->body);
}

int reply_header(struct reply *r, const char *name, const char *value)
{
        for (const char *p = value; *p; p++)
                if (*p < ' ' || *p > '~')
                        return -EINVAL;
        return buf_addf(&r->headers, "%s: %s\r\n", name, value);
}

static const char *reason(int status)
{
        static const struct {
                int status;
                const char *text;
        } REASONS[] = {
                { 200, "OK" },
                { 400, "Bad Request" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 413, "Content Too Large" },
                { 415, "Unsupported Media Type" },
                { 422, "Unprocessable Content" },
                { 429, "Too Many Requests" },
                { 503, "Service Unavailable" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(REASONS); i++)
                if (REASONS[i].status == status)
                        return REASONS[i].text;
        return "Internal Server Error";
}

/* Nothing may be loaded but our own files; nobody may frame us; the browser tells other sites
 * nothing. (With "no-referrer" it would also send "Origin: null" with our own form.) */
static const char CSP[] =
        "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
        "img-src 'self' data:; media-src 'self'; font-src 'self'; connect-src 'self'; "
        "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n";

static const char *const FIXED[] = {
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: same-origin",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
        "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "X-Robots-Tag: noindex",
        "Strict-Transport-Security: max-age=31536000",
};

int reply_head(const struct reply *r, struct buf *out)
{
        buf_addf(out, "Status: %d %s\r\n", r->status, reason(r->status));
        if (r->type)
                buf_addf(out, "Content-Type: %s\r\n", r->type);
        buf_addf(out, "Content-Length: %zu\r\n", r->body.len);
        buf_addf(out, "Cache-Control: %s\r\n",
                 r->keep ? "public, max-age=31536000, immutable" : "no-store");
        buf_adds(out, CSP);
        for (size_t i = 0; i < ARRAY_SIZE(FIXED); i++)
                buf_addf(out, "%s\r\n", FIXED[i]);
        buf_add(out, buf_str(&r->headers), r->headers.len);
        buf_adds(out, "\r\n");
        return r->headers.error < 0 ? r->headers.error : out->error;
}
