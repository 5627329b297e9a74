/* ROTATIONS[], the command, and the token. */
#include "hamon/setup/rotate.h"

#include "hamon/setup/cloud.h"
#include "hamon/verb.h"
#include "lib/secret.h"
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { NOT_DONE = 1, TOKEN_MAX = 1024 };

static const struct rotation {
        const char *name;
        int (*begin)(const struct rotate *r);
        int (*finish)(const struct rotate *r); /* NULL: there is no second step */
} ROTATIONS[] = {
        { "token", rotate_token, NULL },
        { "database", rotate_database, rotate_database_finish },
        { "secret", rotate_secret, rotate_secret_finish },
};

/* ---- what they share ---- */

int rotate_write(const char *path, const char *first, const char *second)
{
        CLEANUP(buf_wipe) struct buf text = BUF(16384);

        buf_addf(&text, "%s\n", first);
        if (second)
                buf_addf(&text, "%s\n", second);
        int r = text.error ? text.error : write_file_durable(path, 0600, buf_str(&text), text.len);
        if (r < 0)
                fprintf(stderr, "rotate: %s: %s\n", path, strerror(-r));
        return r;
}

void rotate_say_copy(const struct rotate *r)
{
        fputs("    hamon init --copy", stdout);
        for (size_t i = 0; i < r->c->cluster.nodes.n; i++) {
                const struct cluster_node n = config_cluster_node(r->c, i);
                if (!str_eq(n.name, r->c->node.name))
                        printf(" %s", n.name);
        }
        puts(" --run");
}

bool rotate_agreed(const struct rotate *r, const char *question)
{
        char line[64];

        if (r->yes)
                return true;
        if (!isatty(STDIN_FILENO)) {
                fputs("rotate: nobody can be asked: say --yes\n", stderr);
                return false;
        }
        fprintf(stderr, "%s (y/n)? ", question);
        fflush(stderr);
        return fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y');
}

/* ---- the token ---- */

/* One line, not shown while it is typed. */
static int read_token(char *dst, size_t size)
{
        struct termios old, quiet;
        bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;

        if (terminal) {
                quiet = old;
                quiet.c_lflag &= ~(tcflag_t)ECHO;
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet); /* then ask: who is quick is not seen */
                fputs("The new token (it is not shown)? ", stderr);
                fflush(stderr);
        }
        setvbuf(stdin, NULL, _IONBF, 0); /* no copy stays in a buffer */
        bool got = fgets(dst, (int)size, stdin) != NULL;
        if (terminal) {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
                fputs("\n", stderr);
        }
        size_t len = got ? strcspn(dst, "\r\n") : 0;
        dst[len] = '\0';
        if (len == 0 || strspn(dst, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789._~+/=-") != len) {
                fputs("rotate: the token, one line on standard input, is missing or no token\n",
                      stderr);
                return -EINVAL;
        }
        return 0;
}

int rotate_token(const struct rotate *r)
{
        CLEANUP(buf_done) struct buf error = BUF(4096);
        char token[TOKEN_MAX] = "";
        const char *path = r->c->hetzner.token_file;

        if (r->c->volume.provider != CONFIG_HETZNER && r->c->ip.provider != CONFIG_HETZNER) {
                fputs("rotate: no provider is hetzner: there is no token\n", stderr);
                return -EINVAL;
        }
        int e = read_token(token, sizeof token);
        if (e == 0 && (e = cloud_token(r->c->hetzner.api_url, token, &error)) < 0)
                fprintf(stderr, "rotate: %s; the old one stays\n", buf_str(&error));
        if (e == 0)
                e = rotate_write(path, token, NULL);
        explicit_bzero(token, sizeof token);
        if (e < 0)
                return e;
        printf("%s has the new token, and the API takes it. Now:\n", path);
        rotate_say_copy(r);
        puts("    systemctl reload hamon                # on every server\n"
             "then take the old one away at the provider");
        return 0;
}

/* ---- the command ---- */

static int mistake(const char *what, const char *arg)
{
        fprintf(stderr, "rotate: %s%s (try `hamon help rotate`)\n", what, arg);
        return EX_USAGE;
}

static const struct rotation *find(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(ROTATIONS); i++)
                if (str_eq(ROTATIONS[i].name, name))
                        return &ROTATIONS[i];
        return NULL;
}

static int run(const char *file, const struct rotation *what, bool finish, bool yes)
{
        struct config c;
        const struct rotate r = { .c = &c, .file = file, .yes = yes };

        if (geteuid() != 0) {
                fputs("rotate: only root can\n", stderr);
                return EX_NOPERM;
        }
        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        int e = (finish ? what->finish : what->begin)(&r);
        config_free(&c);
        return e < 0 ? NOT_DONE : EX_OK;
}

int rotate_command(const char *file, int argc, char **argv)
{
        const struct rotation *what = argc > 0 ? find(argv[0]) : NULL;
        bool finish = false, yes = false;

        if (!what)
                return mistake("say what: token, database or secret, not ",
                               argc > 0 ? argv[0] : "nothing");
        for (int i = 1; i < argc; i++)
                if (str_eq(argv[i], "--finish") && what->finish)
                        finish = true;
                else if (str_eq(argv[i], "--yes"))
                        yes = true;
                else
                        return mistake("unexpected argument: ", argv[i]);
        return run(file, what, finish, yes);
}
