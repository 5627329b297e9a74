/* One walk over the rows of hamon.conf: a value of ours, else the one that was there, else the
 * default, which is left out. */
#include "hamon/setup/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VALUE_MAX = 64 * 1024 };

struct source { /* where our values come from */
        const struct answers *a;
        const struct self *self;
        const struct mailcow *m;
        const char *interface;
};

int settings_open(const char *file, struct settings_old *ret, struct buf *errors)
{
        const struct conf_input in = { .file = file, .file_optional = true };

        *ret = (struct settings_old){ .sources =
                                              calloc(CONFIG_SPEC.n_options, sizeof *ret->sources) };
        if (!ret->sources)
                return -ENOMEM;
        int r = conf_load(&CONFIG_SPEC, &in, &ret->values, errors, ret->sources);
        if (r < 0)
                settings_close(ret);
        return r;
}

void settings_close(struct settings_old *old)
{
        conf_free(&CONFIG_SPEC, &old->values);
        free(old->sources);
        old->sources = NULL;
}

static bool was_set(const struct settings_old *old, size_t row)
{
        return old->sources[row].origin == ORIGIN_FILE;
}

const char *settings_uuid(const struct settings_old *old)
{
        return old->values.volume.uuid ? old->values.volume.uuid : "";
}

/* ---- values of ours ---- */

static void own_name(const struct source *s, struct buf *out)
{
        buf_adds(out, s->self->name);
}

static void own_address(const struct source *s, struct buf *out)
{
        buf_adds(out, s->self->address);
}

static void own_interface(const struct source *s, struct buf *out)
{
        buf_adds(out, *s->a->ip.interface ? s->a->ip.interface : s->interface);
}

static void own_networks(const struct source *s, struct buf *out)
{
        if (!*s->m->ipv4_network)
                return;
        buf_addf(out, "%s.0/24", s->m->ipv4_network);
        if (*s->m->ipv6_network)
                buf_addf(out, " %s", s->m->ipv6_network);
}

static const struct own {
        const char *section, *key;
        void (*value)(const struct source *s, struct buf *out);
} OWN[] = {
        { "node", "name", own_name },
        { "node", "address", own_address },
        { "ip", "interface", own_interface },
        { "ip", "outbound_networks", own_networks },
};

/* A key of the answers is the key of hamon.conf that has its name. */
static const struct option *answer_row(const struct option *o)
{
        for (size_t i = 0; i < ANSWERS_SPEC.n_options; i++) {
                const struct option *row = &ANSWERS_SPEC.options[i];
                if (str_eq(row->section, o->section) && str_eq(row->key, o->key))
                        return row;
        }
        return NULL;
}

/* False: this key is not ours. An empty value is one: it takes an old one away. */
static bool our_value(const struct source *s, const struct option *o, struct buf *out)
{
        for (size_t i = 0; i < ARRAY_SIZE(OWN); i++)
                if (str_eq(OWN[i].section, o->section) && str_eq(OWN[i].key, o->key)) {
                        OWN[i].value(s, out);
                        return true;
                }
        const struct option *row = answer_row(o);
        if (row)
                conf_format(row, s->a, out);
        return row != NULL;
}

/* ---- the text ---- */

/* What is printed for a row; false: nothing, it has its default. */
static bool value_of(const struct settings_old *old, const struct source *s, size_t row,
                     struct buf *out)
{
        const struct option *o = &CONFIG_SPEC.options[row];

        if (our_value(s, o, out))
                return *buf_str(out) && !str_eq(buf_str(out), o->def);
        if (!was_set(old, row))
                return false;
        conf_format(o, &old->values, out);
        return true;
}

int settings_make(const struct settings_old *old, const struct answers *a, const struct self *self,
                  const struct mailcow *m, const char *interface, struct buf *out,
                  struct buf *errors)
{
        const struct source s = { a, self, m, interface };
        const char *section = NULL;

        buf_adds(out, "# Made by hamon init from " ANSWERS_FILE
                      ". What that does not set may be set here\n"
                      "# and stays: hamon config --defaults lists it all.\n");
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                CLEANUP(buf_done) struct buf value = BUF(VALUE_MAX);
                const struct option *o = &CONFIG_SPEC.options[i];
                if (!value_of(old, &s, i, &value))
                        continue;
                if (!str_eq(section, o->section))
                        buf_addf(out, "\n[%s]\n", o->section);
                section = o->section;
                if (value.error || conf_print_value(o, buf_str(&value), out) == -EINVAL) {
                        buf_addf(errors, "[%s] %s: no line of a file can hold its value\n",
                                 o->section, o->key);
                        return -EINVAL;
                }
        }
        return out->error;
}

/* "/proc/self/fd/5:12: what" becomes "hamon.conf, as it would be: what". */
static void name_errors(const char *lines, const char *file, struct buf *errors)
{
        while (*lines) {
                size_t len = strcspn(lines, "\n");
                const char *words = strstr(lines, ": ");
                if (strncmp(lines, "/proc/self/fd/", 14) == 0 && words && words < lines + len)
                        buf_addf(errors, "%s as the answers make it: %.*s\n", file,
                                 (int)(len - (size_t)(words + 2 - lines)), words + 2);
                else
                        buf_addf(errors, "%.*s\n", (int)len, lines);
                lines += len + (lines[len] == '\n');
        }
}

int settings_load(const struct buf *text, const char *file, struct config *ret, struct buf *errors)
{
        CLEANUP(closep) int fd = memfd_create("hamon.conf", MFD_CLOEXEC);
        CLEANUP(buf_done) struct buf raw = BUF(VALUE_MAX);
        char path[64];

        if (fd < 0)
                return -errno;
        int r = write_all(fd, buf_str(text), text->len);
        if (r < 0)
                return r;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        r = config_load(path, ret, &raw, NULL);
        if (r < 0)
                name_errors(buf_str(&raw), file, errors);
        return r;
}

/* ---- for people's eyes ---- */

static bool is_secret_line(const char *s, size_t len, size_t *ret_key)
{
        for (size_t i = 0; i < CONFIG_SPEC.n_options; i++) {
                const struct option *o = &CONFIG_SPEC.options[i];
                size_t n = strlen(o->key);
                if (o->secret && len > n && strncmp(s, o->key, n) == 0 &&
                    (s[n] == ' ' || s[n] == '\t' || s[n] == '=')) {
                        *ret_key = n;
                        return true;
                }
        }
        return false;
}

void settings_mask(const char *text, struct buf *out)
{
        while (*text) {
                size_t len = strcspn(text, "\n"), blank = strspn(text, " \t"), key = 0;
                if (blank < len && is_secret_line(text + blank, len - blank, &key))
                        buf_addf(out, "%.*s = (hidden)", (int)(blank + key), text);
                else
                        buf_add(out, text, len);
                text += len;
                if (*text) {
                        buf_adds(out, "\n");
                        text++;
                }
        }
}
