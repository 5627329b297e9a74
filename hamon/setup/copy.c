/* `hamon init --copy`: the commands that bring to other nodes what all have in common. They are
 * printed, to be read and pasted; with --run they are run as well. */
#include "hamon/setup/answers.h"
#include "hamon/setup/init.h"
#include "hamon/setup/run.h"
#include "hamon/setup/secrets.h"
#include "hamon/verb.h"
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { WORDS_MAX = 24, RUN_MS = 120000, NOT_DONE = 1, LINE = 8192 };

/* One command: words, as execve(2) takes them. */
struct command {
        const char *argv[WORDS_MAX + 1];
        size_t n;
};

struct copy {
        const struct config *c;
        const char *answers;
        bool run;
        char target[160], directory[200], shared[200];
};

static void add(struct command *cmd, const char *word)
{
        if (cmd->n < WORDS_MAX)
                cmd->argv[cmd->n++] = word;
}

/* A file that is there, once. */
static void add_file(struct command *cmd, const char *path)
{
        for (size_t i = 0; i < cmd->n; i++)
                if (str_eq(cmd->argv[i], path))
                        return;
        if (*path && access(path, R_OK) == 0)
                add(cmd, path);
}

static void print_word(const char *word)
{
        static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789._-/@:[]";

        if (*word && word[strspn(word, PLAIN)] == '\0' && !strchr(word, '[')) {
                fputs(word, stdout);
                return;
        }
        putchar('\'');
        for (; *word; word++)
                if (*word == '\'')
                        fputs("'\\''", stdout);
                else
                        putchar(*word);
        putchar('\'');
}

static void print_command(const struct command *cmd)
{
        for (size_t i = 0; i < cmd->n; i++) {
                if (i > 0)
                        putchar(' ');
                print_word(cmd->argv[i]);
        }
        putchar('\n');
}

/* With our environment, for who has an agent for ssh; it asks for a password at the terminal. */
static int carry_out(const struct copy *k, const struct command *cmd)
{
        if (!k->run) {
                print_command(cmd);
                return 0;
        }
        int r = run_shown(cmd->argv, NULL, RUN_MS);
        if (r == 0)
                return 0;
        fprintf(stderr, "init: %s: %s\n", cmd->argv[0],
                r < 0 ? strerror(-r) : "it failed; mend that and say the same again");
        return -EIO;
}

static int make_directory(const struct copy *k)
{
        struct command cmd = { .n = 0 };

        add(&cmd, "ssh");
        add(&cmd, k->target);
        add(&cmd, "install -d -m 755 /etc/mailcow-ha");
        return carry_out(k, &cmd);
}

/* All that lies in our own directory; what hamon.conf has elsewhere goes to the same place there.
 */
static int copy_files(const struct copy *k)
{
        const struct config *c = k->c;
        struct command cmd = { .n = 0 };

        add(&cmd, "scp");
        add(&cmd, "-p");
        add_file(&cmd, k->answers);
        for (size_t i = 0; i < N_SECRETS; i++)
                add_file(&cmd, secret_path(&SECRETS[i], c));
        if (c->volume.provider == CONFIG_HETZNER || c->ip.provider == CONFIG_HETZNER)
                add_file(&cmd, c->hetzner.token_file);
        if (*c->canary.mailbox)
                add_file(&cmd, c->canary.password_file);
        add_file(&cmd, c->web.token_file);
        add(&cmd, k->directory);
        return carry_out(k, &cmd);
}

static int copy_mailcow(const struct copy *k)
{
        struct command cmd = { .n = 0 };
        char path[4200];

        snprintf(path, sizeof path, "%s/mailcow.conf", k->c->mailcow.dir);
        add(&cmd, "scp");
        add(&cmd, "-p");
        add(&cmd, path);
        add(&cmd, k->shared);
        return carry_out(k, &cmd);
}

static int copy_to(struct copy *k, const struct cluster_node *n)
{
        const char *open = strchr(n->address, ':') ? "[" : "", *close = *open ? "]" : "";

        snprintf(k->target, sizeof k->target, "root@%s", n->address);
        snprintf(k->directory, sizeof k->directory, "root@%s%s%s:/etc/mailcow-ha/", open,
                 n->address, close);
        snprintf(k->shared, sizeof k->shared, "root@%s%s%s:%s", open, n->address, close,
                 INIT_SHARED);
        printf("# %s\n", n->name);
        int r = make_directory(k);
        if (r == 0)
                r = copy_files(k);
        return r < 0 ? r : copy_mailcow(k);
}

/* -1: no node of this name, or this one itself; said. */
static int find(const struct config *c, const char *name)
{
        for (size_t i = 0; i < c->cluster.nodes.n; i++)
                if (str_eq(config_cluster_node(c, i).name, name))
                        return str_eq(name, c->node.name) ? -1 : (int)i;
        return -1;
}

static int copy_all(struct copy *k, int argc, char **argv)
{
        for (int i = 0; i < argc; i++) {
                if (str_eq(argv[i], "--run"))
                        continue;
                const struct cluster_node n =
                        config_cluster_node(k->c, (size_t)find(k->c, argv[i]));
                if (copy_to(k, &n) < 0)
                        return NOT_DONE;
        }
        if (!k->run)
                puts("# then there: hamon init");
        return EX_OK;
}

int init_copy(const char *file, const char *answers, int argc, char **argv)
{
        struct config c;
        struct copy k = { .c = &c, .answers = answers };
        int nodes = 0, code = EX_OK;

        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        for (int i = 0; i < argc; i++) {
                if (str_eq(argv[i], "--run")) {
                        k.run = true;
                        continue;
                }
                nodes++;
                if (find(&c, argv[i]) < 0) {
                        fprintf(stderr, "init: --copy: %s is no other node of the cluster\n",
                                argv[i]);
                        code = EX_USAGE;
                }
        }
        if (nodes == 0) {
                fputs("init: --copy: to which nodes? (try `hamon help init`)\n", stderr);
                code = EX_USAGE;
        }
        if (code == EX_OK)
                code = copy_all(&k, argc, argv);
        config_free(&c);
        return code;
}
