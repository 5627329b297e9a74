/* One walk: answers, which node this is, what the provider knows, hamon.conf, and from it all other
 * files; then they are shown, asked about and written. Nothing is written before everything is
 * known to be right. */
#include "hamon/setup/init.h"

#include "hamon/setup/answers.h"
#include "hamon/setup/cloud.h"
#include "hamon/setup/foresee.h"
#include "hamon/setup/init_plan.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#define LOCK_FILE "/run/mailcow-ha-init.lock"

enum { TEXT_MAX = 4 * 1024 * 1024, REFUSED = 1 };

struct words { /* of the command line */
        const char *answers, *node;
        bool example, dry, yes, undo;
        int copy; /* index of the first node behind --copy, 0 = no */
};

/* ---- answers ---- */

/* What a person answers now is planned as a file. */
static int ask_answers(struct init_run *run)
{
        char path[64];

        fprintf(stderr, "There is no %s. Some questions, an empty answer takes what is in [ ]:\n",
                run->answers_file);
        if (answers_ask(&run->answers_text) < 0)
                return -ECANCELED;
        int n = snprintf(path, sizeof path, "/proc/self/fd/%d", run->answers_fd);
        if (n < 0 ||
            write_all(run->answers_fd, buf_str(&run->answers_text), run->answers_text.len) < 0)
                return -EIO;
        return answers_load(path, &run->answers, &run->errors, NULL);
}

static int read_answers(struct init_run *run)
{
        CLEANUP(freep) char *text = NULL;
        int r = read_file(run->answers_file, PLAN_FILE_MAX, &text, NULL);

        if (r == -ENOENT && isatty(STDIN_FILENO))
                return ask_answers(run);
        if (r == -ENOENT)
                buf_addf(&run->errors, "%s is not there: hamon init --example >%s, then edit it\n",
                         run->answers_file, run->answers_file);
        else if (r < 0)
                buf_addf(&run->errors, "%s: %s\n", run->answers_file, strerror(-r));
        if (r < 0)
                return r;
        buf_adds(&run->answers_text, text);
        return answers_load(run->answers_file, &run->answers, &run->errors, NULL);
}

static int read_mailcow(struct init_run *run)
{
        mailcow_read(run->answers.mailcow.dir, &run->mailcow);
        if (run->mailcow.read)
                return 0;
        buf_addf(&run->errors, "%s cannot be read: install Mailcow first, or set [mailcow] dir\n",
                 run->mailcow.path);
        return -ENOENT;
}

/* Everything that has to be known; what is missing or wrong is in run->errors. */
static int learn(struct init_run *run, const struct words *w)
{
        int r = read_answers(run);

        if (r == 0)
                r = self_find(&run->answers.cluster.nodes, w->node, &run->self, &run->errors);
        if (r == 0)
                r = read_mailcow(run);
        if (r == 0)
                r = settings_open(run->file, &run->old, &run->errors);
        if (r == 0)
                r = cloud_resolve(&run->answers, &run->notes, &run->errors);
        if (r == 0)
                r = init_plan(run);
        if (r == 0)
                foresee(&run->mailcow, &run->config, &run->notes);
        return r;
}

/* ---- show, ask, write ---- */

static bool agreed(const struct words *w, const char *question)
{
        char line[64];

        if (w->yes)
                return true;
        if (!isatty(STDIN_FILENO)) {
                fputs("init: nobody can be asked: say --yes, or --dry-run to look only\n", stderr);
                return false;
        }
        fprintf(stderr, "%s (y/n)? ", question);
        fflush(stderr);
        return fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y');
}

static void print_after(const struct plan *p)
{
        const char *head = "where it runs already, now:\n";

        for (size_t i = 0; i < p->n; i++) {
                const struct plan_file *f = &p->files[i];
                bool again = f->state == PLAN_OURS || f->state == PLAN_EDITED;
                if (!again || !f->after)
                        continue;
                printf("%s    %s\n", head, f->after);
                head = "";
        }
}

static void print_merges(const struct plan *p)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct plan_file *f = &p->files[i];
                if (f->state == PLAN_MERGE)
                        fprintf(stderr,
                                "init: %s is yours: merge %s%s into it, its first line too, then "
                                "run hamon init again\n",
                                f->path, f->path, PLAN_BESIDE);
        }
}

/* It is of today: later it would bring old passwords back. */
static void forget_shared(const struct init_run *run)
{
        if (run->merged)
                unlink(INIT_SHARED);
}

static int write_all_files(struct init_run *run)
{
        size_t n = plan_changes(&run->plan);

        if (plan_write(&run->plan, &run->errors) < 0) {
                fputs(buf_str(&run->errors), stderr);
                fputs("init: not finished; once that is mended, run hamon init again\n", stderr);
                return REFUSED;
        }
        forget_shared(run);
        printf("%s: %zu file%s written\n", run->self.name, n, n == 1 ? "" : "s");
        print_after(&run->plan);
        print_merges(&run->plan);
        return plan_merges(&run->plan) > 0 ? REFUSED : EX_OK;
}

static int carry_out(struct init_run *run, const struct words *w)
{
        CLEANUP(buf_done) struct buf out = BUF(TEXT_MAX);
        size_t n = plan_changes(&run->plan);

        plan_show(&run->plan, &out);
        fputs(buf_str(&out), stdout);
        fflush(stdout);
        for (const char *p = buf_str(&run->notes); *p; p += strcspn(p, "\n"), p += *p == '\n')
                fprintf(stderr, "note: %.*s\n", (int)strcspn(p, "\n"), p);
        if (n == 0) {
                int noted = w->dry ? 0 : plan_write(&run->plan, &run->errors);
                fputs(buf_str(&run->errors), stderr);
                if (noted == 0 && !w->dry)
                        forget_shared(run);
                printf("%s: nothing to do\n", run->self.name);
                return noted < 0 ? REFUSED : EX_OK;
        }
        if (w->dry)
                return EX_OK;
        return agreed(w, "Write this") ? write_all_files(run) : REFUSED;
}

static int init(const char *file, const struct words *w)
{
        struct init_run *run = init_run_new(file, w->answers);
        int code = EX_CONFIG;

        if (!run)
                return EX_OSERR;
        if (learn(run, w) == 0) {
                code = carry_out(run, w);
        } else {
                fputs(buf_str(&run->errors), stderr);
                if (run->errors.len == 0)
                        fputs("init: given up; nothing was written\n", stderr);
        }
        init_run_free(run);
        return code;
}

/* ---- the command ---- */

static int example(void)
{
        CLEANUP(buf_done) struct buf out = BUF(TEXT_MAX);

        if (answers_example(&out) < 0)
                return EX_SOFTWARE;
        fputs(buf_str(&out), stdout);
        return EX_OK;
}

/* What would be done, and doing it. */
static int undo_or_look(bool dry, size_t *ret_len)
{
        CLEANUP(buf_done) struct buf said = BUF(TEXT_MAX), errors = BUF(TEXT_MAX);
        int r = init_undo(dry, &said, &errors);

        fputs(buf_str(&said), stdout);
        fflush(stdout);
        fputs(buf_str(&errors), stderr);
        *ret_len = said.len;
        return r;
}

static int undo(const struct words *w)
{
        size_t len = 0;
        int r = 0;

        if (w->dry || !w->yes)
                r = undo_or_look(true, &len);
        if (r == 0 && !w->yes && len == 0)
                puts("nothing to undo");
        if (r < 0 || w->dry || (!w->yes && len == 0))
                return r < 0 ? REFUSED : EX_OK;
        if (!agreed(w, "Do this"))
                return REFUSED;
        r = undo_or_look(false, &len);
        if (r == 0)
                puts(len > 0 ? "undone" : "nothing to undo");
        return r < 0 ? REFUSED : EX_OK;
}

/* One at a time. -1: another runs, or no lock can be had; said. */
static int lock(void)
{
        int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
                return fd;
        fprintf(stderr, "init: %s: %s\n", LOCK_FILE,
                errno == EWOULDBLOCK ? "another hamon init is running" : strerror(errno));
        closep(&fd);
        return -1;
}

static int mistake(const char *what, const char *arg)
{
        fprintf(stderr, "init: %s%s (try `hamon help init`)\n", what, arg);
        return EX_USAGE;
}

static int parse(struct words *w, int argc, char **argv)
{
        const struct {
                const char *name;
                bool *flag;
                const char **value;
        } OPTIONS[] = {
                { "--answers", NULL, &w->answers }, { "--node", NULL, &w->node },
                { "--example", &w->example, NULL }, { "--dry-run", &w->dry, NULL },
                { "--yes", &w->yes, NULL },         { "--undo", &w->undo, NULL },
        };

        for (int i = 0; i < argc; i++) {
                size_t k = 0;
                if (strcmp(argv[i], "--copy") == 0) {
                        w->copy = i + 1;
                        return 0; /* the rest is its own */
                }
                while (k < ARRAY_SIZE(OPTIONS) && strcmp(argv[i], OPTIONS[k].name) != 0)
                        k++;
                if (k == ARRAY_SIZE(OPTIONS))
                        return mistake("unexpected argument: ", argv[i]);
                if (OPTIONS[k].flag)
                        *OPTIONS[k].flag = true;
                else if (++i < argc)
                        *OPTIONS[k].value = argv[i];
                else
                        return mistake("a value is missing behind ", argv[i - 1]);
        }
        return 0;
}

int init_command(const char *file, int argc, char **argv)
{
        struct words w = { .answers = ANSWERS_FILE, .node = "" };
        int code = parse(&w, argc, argv);

        if (code != 0)
                return code;
        if (w.example)
                return example();
        if (geteuid() != 0) {
                fputs("init: only root can\n", stderr);
                return EX_NOPERM;
        }
        if (w.copy > 0)
                return init_copy(file, w.answers, argc - w.copy, argv + w.copy);
        CLEANUP(closep) int fd = lock();
        if (fd < 0)
                return REFUSED;
        return w.undo ? undo(&w) : init(file, &w);
}
