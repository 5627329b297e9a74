/* RFC 9112, strictly: a request line, then lines of name and value. What we do not understand we
 * refuse; what we do not need we pass over. Bodies are never read. */
#include "hamon/web/head.h"

#include <string.h>
#include <strings.h>

size_t head_end(const char *text, size_t len)
{
        size_t i = 0;

        while (i < len && (text[i] == '\r' || text[i] == '\n'))
                i++; /* empty lines before a request are passed over */
        for (; i < len; i++) {
                if (text[i] != '\n')
                        continue;
                if (i + 1 < len && text[i + 1] == '\n')
                        return i + 2;
                if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
                        return i + 3;
        }
        return 0;
}

static bool is_token(const char *s)
{
        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~' || strchr("\"(),/:;<=>?@[\\]{}", *p))
                        return false;
        return *s != '\0';
}

/* Next line without its end; NULL: no more. Control characters were refused before. */
static char *next_line(char **rest)
{
        char *line = *rest, *end = strchr(line, '\n');

        if (!end)
                return NULL;
        *rest = end + 1;
        if (end > line && end[-1] == '\r')
                end--;
        *end = '\0';
        return line;
}

/* "/path?query", or "http://host/path?query" */
static const char *path_of(char *target)
{
        char *path = target;

        if (strncasecmp(target, "http://", 7) == 0) {
                path = strchr(target + 7, '/');
                if (!path)
                        return "/";
        }
        if (*path != '/')
                return NULL;
        path[strcspn(path, "?#")] = '\0';
        return path;
}

static int request_line(char *line, struct head *ret, bool *ret_host)
{
        char *target = strchr(line, ' ');
        char *version = target ? strchr(target + 1, ' ') : NULL;

        if (!version)
                return 400;
        *target++ = '\0';
        *version++ = '\0';
        if (!is_token(line) || strncmp(version, "HTTP/", 5) != 0)
                return 400;
        if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
                return 505;
        *ret_host = version[7] == '1'; /* wants a Host */
        ret->get = strcmp(line, "GET") == 0;
        ret->headers_only = strcmp(line, "HEAD") == 0;
        ret->path = path_of(target);
        if (!ret->path && (ret->get || ret->headers_only))
                return 400;
        return 0;
}

static int header_line(char *line, struct head *ret, unsigned *hosts)
{
        char *value = strchr(line, ':');

        if (!value)
                return 400;
        *value++ = '\0';
        if (!is_token(line)) /* also: the second half of a folded line, a blank before the colon */
                return 400;
        value += strspn(value, " \t");
        for (size_t n = strlen(value); n > 0 && strchr(" \t", value[n - 1]); n--)
                value[n - 1] = '\0';
        if (strcasecmp(line, "Host") == 0)
                ++*hosts;
        if (strcasecmp(line, "Authorization") != 0)
                return 0;
        if (ret->proof)
                return 400;
        ret->proof = value;
        return 0;
}

static bool printable(const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)text[i];
                bool end = c == '\n' || (c == '\r' && i + 1 < len && text[i + 1] == '\n');
                if ((c < ' ' && c != '\t' && !end) || c == 0x7f)
                        return false;
        }
        return true;
}

int head_parse(char *text, size_t len, struct head *ret)
{
        struct head h = { .path = NULL };
        unsigned lines = 0, hosts = 0;
        bool wants_host = false;
        char *line = NULL;

        if (len == 0 || text[len - 1] != '\n' || !printable(text, len))
                return 400;
        text[len - 1] = '\0'; /* of the empty line: strings end here */
        while (*text == '\r' || *text == '\n')
                text++;
        line = next_line(&text);
        int r = line ? request_line(line, &h, &wants_host) : 400;
        while (r == 0 && (line = next_line(&text)) && *line) {
                if (++lines > HEAD_LINES)
                        return 431;
                r = header_line(line, &h, &hosts);
        }
        if (r == 0 && (hosts > 1 || (wants_host && hosts == 0)))
                r = 400;
        if (r == 0)
                *ret = h;
        return r;
}
