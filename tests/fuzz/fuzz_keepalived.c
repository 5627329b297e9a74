/* Anything may be written into the notify fifo, in pieces of any size. Whatever it is, the state
 * afterwards is the one of the last whole line that keepalived_parse() accepts and that concerns
 * our instance. The first byte of the input is the size of the pieces, and whether there is one. */
#include "hamon/keepalived.h"
#include "lib/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop loop;
static char dir[64], path[80];
static int writer;

static void ignore(void *arg, enum vrrp_state s)
{
        (void)arg;
        (void)s;
}

static void remove_dir(void)
{
        unlink(path);
        rmdir(dir);
}

static void setup(void)
{
        snprintf(dir, sizeof dir, "/tmp/fuzz-keepalived.XXXXXX");
        if (!mkdtemp(dir) || loop_init(&loop) < 0)
                abort();
        snprintf(path, sizeof path, "%s/fifo", dir);
        if (mkfifo(path, 0600) < 0 || (writer = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
                abort();
        log_set_level(LOG_ERROR);
        atexit(remove_dir);
}

static enum vrrp_state expected(const uint8_t *data, size_t size, const char *instance)
{
        enum vrrp_state last = VRRP_UNKNOWN, s;
        size_t start = 0;

        for (size_t i = 0; i < size; i++) {
                char line[256];
                size_t len = i - start;
                if (data[i] != '\n')
                        continue;
                if (len < sizeof line && !memchr(data + start, '\0', len)) {
                        memcpy(line, data + start, len);
                        line[len] = '\0';
                        if (keepalived_parse(line, &s) == 0 && keepalived_concerns(line, instance))
                                last = s;
                }
                start = i + 1;
        }
        return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *instance = size > 0 && data[0] % 2 ? "MAIL" : "";
        struct keepalived_config c = {
                .track_file = "", .fifo = path, .state_file = "", .instance = instance
        };
        struct keepalived *k;

        if (!*dir)
                setup();
        if (size < 1 || size > 60000 || keepalived_new(&loop, &c, ignore, NULL, &k) < 0)
                return 0;

        size_t piece = data[0] ? (size_t)data[0] * 16 : 60000;
        data++;
        size--;
        for (size_t at = 0; at < size; at += piece) {
                size_t n = MIN(piece, size - at);
                if (write(writer, data + at, n) != (ssize_t)n)
                        abort();
                event_base_loop(loop.base, EVLOOP_NONBLOCK);
        }
        if (keepalived_state(k) != expected(data, size, instance))
                abort();
        keepalived_free(k);
        return 0;
}
