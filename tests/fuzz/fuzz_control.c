/* A client of the control socket may send anything, in pieces of any size. It gets what the first
 * line deserves by control_parse(), and nothing at all if there is no line or it is too long. The
 * first byte of the input is the size of the pieces; the same bytes also go through control_parse()
 * as root and as nobody. */
#include "hamon/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 10000 };

static struct loop loop;
static struct control *control;
static char dir[64], path[80];

static void answer(void *arg, enum request req, const char *words, struct buf *out)
{
        (void)arg;
        if (strchr(words, '\n') || strlen(words) > CONTROL_MAX_LINE)
                abort();
        buf_addf(out, "%d %s\n", (int)req, words);
}

static void tear_down(void)
{
        char lock[96];

        control_free(control);
        loop_done(&loop);
        snprintf(lock, sizeof lock, "%s.lock", path);
        unlink(lock);
        rmdir(dir);
}

static void set_up(void)
{
        snprintf(dir, sizeof dir, "/tmp/fuzz-control.XXXXXX");
        if (!mkdtemp(dir) || loop_init(&loop) < 0)
                abort();
        snprintf(path, sizeof path, "%s/sock", dir);
        if (control_new(&loop, path, answer, NULL, &control) < 0)
                abort();
        atexit(tear_down);
}

/* What the parser itself promises. */
static void parse(const char *line, bool root)
{
        enum request req = REQ_COUNT_;
        const char *words = NULL;

        int r = control_parse(line, root, &req, &words);
        if (r == -EPERM ? root : r != 0 && r != -EINVAL)
                abort();
        if (r < 0 ? req != REQ_COUNT_ || words != NULL : req >= REQ_COUNT_ || !words)
                abort();
        if (r == 0 && (words < line || words > line + strlen(line)))
                abort();
}

static void expect(const char *data, size_t size, struct buf *out)
{
        const char *end = memchr(data, '\n', size), *words;
        char line[CONTROL_MAX_LINE + 1] = "";
        enum request req;

        if (!end || end - data > CONTROL_MAX_LINE)
                return;
        if (!memchr(data, '\0', (size_t)(end - data)))
                memcpy(line, data, (size_t)(end - data));
        int r = control_parse(line, geteuid() == 0, &req, &words);
        if (r == 0)
                answer(NULL, req, words, out);
        else
                buf_adds(out, r == -EPERM ? "error: only root may do this\n"
                                          : "error: unknown request\n");
}

static int dial(void)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        str_copy(sa.sun_path, sizeof sa.sun_path, path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
                abort();
        return fd;
}

static void converse(int fd, const char *data, size_t size, size_t piece, struct buf *got)
{
        char chunk[1024];
        ssize_t n = -1;

        for (size_t at = 0; at < size; at += piece) {
                if (send(fd, data + at, MIN(piece, size - at), MSG_NOSIGNAL) < 0)
                        break; /* it has heard enough */
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
        }
        shutdown(fd, SHUT_WR);
        for (int i = 0; i < TURNS_MAX; i++) {
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
                n = recv(fd, chunk, sizeof chunk, 0);
                if (n > 0)
                        buf_add(got, chunk, (size_t)n);
                else if (n == 0 || errno != EAGAIN)
                        return;
        }
        abort(); /* neither answered nor hung up */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(buf_done) struct buf want = BUF(4096), got = BUF(4096);

        if (!control)
                set_up();
        if (size < 1 || size > 8192)
                return 0;
        size_t piece = data[0] ? data[0] : 8192;
        const char *text = (const char *)data + 1;
        size--;

        char *line = strndup(text, size);
        if (!line)
                abort();
        parse(line, true);
        parse(line, false);
        free(line);

        int fd = dial();
        converse(fd, text, size, piece, &got);
        close(fd);
        expect(text, size, &want);
        if (strcmp(buf_str(&want), buf_str(&got)) != 0)
                abort();
        return 0;
}
