/* Any bytes as hamon.conf and mailcow.conf: no crash, no leak; a refusal has whole error lines, and
 * what was accepted prints as a file that says the same. The input is split at its first 0xff. */
#include "lib/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct values {
        char *name, *path;
        uint64_t port;
        msec_t interval;
        bool enabled;
        int level;
        struct strlist words;
};

static const char *const LEVELS[] = { "low", "high", NULL };

#define ROW(s, k, t, ...)                                                                     \
        {                                                                                     \
                .section = (s), .key = #k, .type = (t), .offset = offsetof(struct values, k), \
                __VA_ARGS__                                                                   \
        }

static const struct option OPTIONS[] = {
        ROW("node", name, OPT_STRING, .max = 300, .def = "n", .mailcow = "NAME"),
        ROW("node", path, OPT_PATH, .def = "", .mailcow = "DIR"),
        ROW("node", port, OPT_UINT, .min = 1, .max = 65535, .def = "1", .mailcow = "PORT"),
        ROW("check", interval, OPT_DURATION, .max = 60000, .def = "1s"),
        ROW("check", enabled, OPT_BOOL, .def = "on", .mailcow = "ON"),
        ROW("check", level, OPT_CHOICE, .choices = LEVELS, .def = "low"),
        ROW("check", words, OPT_LIST, .max = 1000, .def = "a b", .mailcow = "WORDS"),
};

static const struct conf_spec SPEC = { OPTIONS, ARRAY_SIZE(OPTIONS), "FUZZ" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory, for a reader that wants a path. */
struct memory_file {
        int fd;
        char path[32];
};

static void fill(struct memory_file *m, const void *data, size_t len)
{
        if (m->fd <= 0) {
                m->fd = memfd_create("fuzz", MFD_CLOEXEC);
                snprintf(m->path, sizeof m->path, "/proc/self/fd/%d", m->fd);
        }
        if (ftruncate(m->fd, 0) < 0 || pwrite(m->fd, data, len, 0) != (ssize_t)len)
                abort();
}

static void check_errors(const struct buf *errors, const char *path)
{
        const char *p = buf_str(errors);

        if (errors->error || strlen(p) != errors->len || errors->len == 0)
                abort();
        for (; *p; p = strchr(p, '\n') + 1)
                if (strncmp(p, path, strlen("/proc/self/fd/")) != 0 || !strchr(p, '\n'))
                        abort();
}

static void check_round_trip(const struct values *v, const struct conf_source *sources)
{
        static struct memory_file printed_file;
        CLEANUP(buf_done) struct buf printed = BUF(1 << 20);
        CLEANUP(buf_done) struct buf errors = BUF(1 << 20);
        struct values again = { .name = NULL };

        if (conf_print(&SPEC, v, sources, &printed) < 0)
                abort();
        fill(&printed_file, buf_str(&printed), printed.len);
        struct conf_input in = { .file = printed_file.path };
        if (conf_load(&SPEC, &in, &again, &errors, NULL) < 0)
                abort();
        for (size_t i = 0; i < SPEC.n_options; i++) {
                CLEANUP(buf_done) struct buf a = BUF(1 << 16);
                CLEANUP(buf_done) struct buf b = BUF(1 << 16);
                char hidden[64];
                conf_format(&OPTIONS[i], v, &a);
                conf_format(&OPTIONS[i], &again, &b);
                snprintf(hidden, sizeof hidden, "# %s: set, but no line", OPTIONS[i].key);
                if (strcmp(buf_str(&a), buf_str(&b)) != 0 && !strstr(buf_str(&printed), hidden))
                        abort();
        }
        conf_free(&SPEC, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct memory_file ini, mailcow;
        CLEANUP(buf_done) struct buf errors = BUF(16 << 20);
        struct conf_source sources[ARRAY_SIZE(OPTIONS)];
        struct values v = { .name = NULL };

        const uint8_t *split = size > 0 ? memchr(data, 0xff, size) : NULL;
        size_t ini_len = split ? (size_t)(split - data) : size;
        fill(&ini, data, ini_len);
        fill(&mailcow, split ? split + 1 : data, split ? size - ini_len - 1 : 0);

        struct conf_input in = { .file = ini.path, .mailcow_file = mailcow.path };
        int r = conf_load(&SPEC, &in, &v, &errors, sources);
        if (r == -EINVAL)
                check_errors(&errors, ini.path);
        else if (r == 0)
                check_round_trip(&v, sources);
        else
                abort();
        conf_free(&SPEC, &v);
        return 0;
}
