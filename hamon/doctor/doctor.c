/* `hamon doctor`: the looks, one after the other, each in a child with a deadline. A look that
 * hangs (a dead disk, a resolver, an engine) is a finding itself, and the others are made all the
 * same. */
#include "hamon/doctor/doctor.h"

#include "lib/child.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const struct look {
        const char *name;
        void (*run)(struct doctor *d);
        msec_t deadline;
} LOOKS[] = {
        { "config", look_config, 5000 },      { "files", look_files, 5000 },
        { "daemon", look_daemon, 5000 },      { "system", look_system, 5000 },
        { "certificate", look_cert, 5000 },   { "docker", look_docker, 15000 },
        { "galera", look_galera, 10000 },     { "schema", look_schema, 10000 },
        { "peers", look_peers, 15000 },       { "keepalived", look_keepalived, 10000 },
        { "provider", look_provider, 20000 }, { "dns", look_dns, 30000 },
};

/* ---- findings ---- */

struct flaw *found(struct doctor *d, enum flaw_id id, const char *fmt, ...)
{
        struct flaw *f = flaws_add(&d->found, id);
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(f->what, sizeof f->what, fmt, ap);
        va_end(ap);
        flaw_clean(f->what);
        return f;
}

void found_at(struct flaw *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(f->where, sizeof f->where, fmt, ap);
        va_end(ap);
        flaw_clean(f->where);
}

void found_at_key(const struct doctor *d, struct flaw *f, const void *value)
{
        CLEANUP(buf_done) struct buf where = BUF(8192);
        size_t row =
                conf_row_at(&CONFIG_SPEC, (size_t)((const char *)value - (const char *)&d->config));
        const struct option *o = &CONFIG_SPEC.options[row];

        conf_where(&CONFIG_SPEC, row, d->sources[row], d->file, d->mailcow.path, &where);
        found_at(f, "%s: [%s] %s", buf_str(&where), o->section, o->key);
}

void found_fix(struct flaw *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(f->fix, sizeof f->fix, fmt, ap);
        va_end(ap);
        for (char *p = f->fix; *p; p++)
                if (*p != '\n' && (*p < ' ' || *p > '~'))
                        *p = '?';
}

const char *found_word(const char *s)
{
        static const char PLAIN[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

        return *s && *s != '-' && s[strspn(s, PLAIN)] == '\0' ? s : "NAME";
}

/* ---- the looks ---- */

/* In the child. The pointers in *d are the parent's and stay as they are. */
static int run_look(void *arg)
{
        struct doctor *d = arg;

        LOOKS[d->look].run(d);
        return 0;
}

static void look(struct doctor *d, size_t i)
{
        const struct look *l = &LOOKS[i];

        d->look = i;
        int r = child_call(run_look, d, sizeof *d, l->deadline, NULL);
        if (r == 0)
                return;
        struct flaw *f = found(d, F_LOOK, "the look at %s did not come to an end: %s", l->name,
                               strerror(-r));
        found_at(f, "hamon doctor, look \"%s\", %lld s", l->name, (long long)l->deadline / 1000);
        found_fix(f,
                  "see what hangs: dmesg | tail; systemctl status docker; then hamon doctor again");
}

/* Each line of the loader is a mistake of its own: "FILE:LINE: what". */
static void mistakes_of(struct doctor *d, char *lines)
{
        char *rest = NULL;

        for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                char *colon = strstr(line, ": ");
                struct flaw *f = found(d, F_CONFIG, "%s", colon ? colon + 2 : line);
                found_at(f, "%.*s", colon ? (int)(colon - line) : 0, line);
                if (!*f->where)
                        found_at(f, "%s", d->file);
                found_fix(f, "edit %s; hamon config shows what is in force", d->file);
        }
}

static size_t examine(struct doctor *d)
{
        CLEANUP(buf_done) struct buf errors = BUF(64L * 1024);

        if (config_load(d->file, &d->config, &errors, d->sources) < 0) {
                mistakes_of(d, errors.data ? errors.data : (char[]){ "it cannot be read" });
                return 1;
        }
        mailcow_read(d->config.mailcow.dir, &d->mailcow);
        for (size_t i = 0; i < ARRAY_SIZE(LOOKS); i++)
                look(d, i);
        return ARRAY_SIZE(LOOKS);
}

static void show(const struct doctor *d, size_t looks, bool json)
{
        CLEANUP(buf_done) struct buf out = BUF(1024L * 1024);
        const char *node = d->config.node.name ? d->config.node.name : "?";
        bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

        if (json)
                flaws_json(&d->found, node, &out);
        else
                flaws_text(&d->found, node, looks, colour, &out);
        fputs(buf_str(&out), stdout);
}

static int examine_and_show(struct doctor *d, bool json)
{
        size_t looks = examine(d);

        flaws_rank(&d->found);
        show(d, looks, json);
        return flaws_count(&d->found, SEV_ERROR) + flaws_count(&d->found, SEV_WARN) > 0
                       ? EXIT_FAILURE
                       : EX_OK;
}

int doctor_command(const char *file, int argc, char **argv)
{
        bool json = argc == 1 && strcmp(argv[0], "--json") == 0;

        if (argc > json) {
                fprintf(stderr, "doctor: unexpected argument: %s (try `hamon help doctor`)\n",
                        argv[argc - 1]);
                return EX_USAGE;
        }
        if (geteuid() != 0) {
                fputs("doctor: only root can see all of it\n", stderr);
                return EX_NOPERM;
        }
        struct doctor *d = calloc(1, sizeof *d);
        if (!d)
                return EX_OSERR;
        d->file = file;
        d->sources = calloc(CONFIG_SPEC.n_options, sizeof *d->sources);
        int code = d->sources ? examine_and_show(d, json) : EX_OSERR;
        explicit_bzero(d->mailcow.dbpass, sizeof d->mailcow.dbpass);
        config_free(&d->config);
        free(d->sources);
        free(d);
        return code;
}
