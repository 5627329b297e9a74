/* ANSWERS[], loading and checking them. What hamon.conf checks itself (addresses, names of nodes)
 * is left to it: settings.c loads what comes out before anything is written. */
#include "hamon/setup/answers.h"

#include "hamon/setup/render.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROW(section_, key_, type_, ...)                                        \
        {                                                                      \
                .section = #section_, .key = #key_, .type = (type_),           \
                .offset = offsetof(struct answers, section_.key_), __VA_ARGS__ \
        }

static const char *const PROVIDERS[] = { "hetzner", "local", NULL };

static const struct option ANSWERS[] = {
        ROW(cluster, name, OPT_STRING, .def = "mailcow",
            .help = "Name of the cluster: letters, digits, '.', '_', '-'."),
        ROW(cluster, nodes, OPT_LIST, .mark = ANSWERS_ASK, .def = "",
            .help = "Every server as name=address: its host name, and its address on the private "
                    "network. The server whose mail counts comes first. Three, five or seven."),

        ROW(mailcow, dir, OPT_PATH, .def = "/opt/mailcow-dockerized",
            .help = "Where Mailcow is installed, the same on every server."),

        ROW(volume, provider, OPT_CHOICE, .mark = ANSWERS_ASK, .choices = PROVIDERS,
            .def = "hetzner",
            .help = "Who moves the shared volume: hetzner (a Cloud volume), or local (a block "
                    "device that every server sees: iSCSI, Fibre Channel, NBD)."),
        ROW(volume, id, OPT_STRING, .mark = ANSWERS_ASK_HETZNER, .def = "",
            .help = "hetzner: name or number of the volume (hcloud volume list)."),
        ROW(volume, device, OPT_PATH, .mark = ANSWERS_ASK_LOCAL, .def = "",
            .help = "local: the block device, by a name that is the same everywhere and for ever, "
                    "as in /dev/disk/by-id/."),
        ROW(volume, uuid, OPT_STRING, .def = "",
            .help = "UUID of its file system. Empty: hamon init chooses one and writes it here, "
                    "and hamon volume format makes the file system with it."),
        ROW(volume, mount, OPT_PATH, .min = 2, .def = "/mnt/mailcow-ha",
            .help = "Where it is mounted."),
        ROW(volume, fstype, OPT_STRING, .min = 1, .def = "ext4",
            .help = "Type of its file system."),

        ROW(ip, provider, OPT_CHOICE, .mark = ANSWERS_ASK, .choices = PROVIDERS, .def = "hetzner",
            .help = "Who moves the service address: hetzner (a Floating IP), or local (announced "
                    "by the server itself in a network that all share)."),
        ROW(ip, id, OPT_LIST, .mark = ANSWERS_ASK_HETZNER, .def = "",
            .help = "hetzner: names or numbers of the Floating IPs (hcloud floating-ip list)."),
        ROW(ip, address, OPT_LIST, .mark = ANSWERS_ASK_LOCAL, .def = "",
            .help = "The service addresses, with prefix, as in 203.0.113.10/32. Empty with "
                    "hetzner: asked of the API."),
        ROW(ip, interface, OPT_STRING, .max = 15, .def = "",
            .help = "Interface that gets them. Empty: the one of the default route."),

        ROW(hetzner, api_url, OPT_STRING, .min = 1, .def = "https://api.hetzner.cloud/v1",
            .help = "Where the API is."),
        ROW(hetzner, token_file, OPT_STRING, .def = "/etc/mailcow-ha/hetzner.token",
            .help = "File with an API token (read and write) of the servers' project, mode 600: "
                    "install -m 600 /dev/stdin FILE"),

        ROW(local, fence_command, OPT_PATH, .def = "",
            .help = "local: command that surely stops the server named by its argument (IPMI, a "
                    "power strip): hamon.conf(5). Empty: the servers' watchdogs have to do."),

        ROW(write, skip, OPT_LIST, .def = "",
            .help = "Files that hamon init is not to write, by their names in hamon render, as in "
                    "nftables, journald."),
        ROW(write, also, OPT_LIST, .def = "",
            .help = "Files that it writes only if asked to, as in nginx, wazuh."),
};

const struct conf_spec ANSWERS_SPEC = { .options = ANSWERS, .n_options = ARRAY_SIZE(ANSWERS) };

void answers_free(struct answers *a)
{
        conf_free(&ANSWERS_SPEC, a);
}

/* ---- checks ---- */

struct check {
        const struct answers *a;
        const char *file;
        const struct conf_source *sources;
        struct buf *errors;
        bool wrong;
};

static PRINTF(3, 4) void mistake(struct check *k, const void *value, const char *fmt, ...)
{
        size_t row = conf_row_at(&ANSWERS_SPEC, (size_t)((const char *)value - (const char *)k->a));
        const struct option *o = &ANSWERS[row];
        va_list ap;

        conf_where(&ANSWERS_SPEC, row, k->sources[row], k->file, NULL, k->errors);
        buf_addf(k->errors, ": [%s] %s: ", o->section, o->key);
        va_start(ap, fmt);
        buf_vaddf(k->errors, fmt, ap);
        va_end(ap);
        buf_adds(k->errors, "\n");
        k->wrong = true;
}

static void check_names(struct check *k, const struct strlist *names, bool optional)
{
        for (size_t i = 0; i < names->n; i++) {
                enum render_what what = render_find(names->v[i]);
                if (what == RENDER_COUNT_)
                        mistake(k, names, "there is no file \"%s\" (hamon render lists them)",
                                names->v[i]);
                else if (RENDERS[what].optional != optional)
                        mistake(k, names, "%s is %s", names->v[i],
                                optional ? "written anyway"
                                         : "not written unless [write] also "
                                           "names it");
        }
}

static void check(struct check *k)
{
        const struct answers *a = k->a;

        if (a->cluster.nodes.n == 0)
                mistake(k, &a->cluster.nodes,
                        "which servers? As in: nodes = n1=10.0.0.1 n2=10.0.0.2 n3=10.0.0.3");
        if (a->volume.provider == ANSWERS_HETZNER && !*a->volume.id)
                mistake(k, &a->volume.id,
                        "which volume? Its name or number, by hcloud volume list");
        if (a->volume.provider == ANSWERS_LOCAL && !*a->volume.device)
                mistake(k, &a->volume.device, "which block device? As in /dev/disk/by-id/...");
        if (a->ip.provider == ANSWERS_HETZNER && a->ip.id.n == 0)
                mistake(k, &a->ip.id,
                        "which Floating IP? Its name or number, by hcloud floating-ip list");
        if (a->ip.provider == ANSWERS_LOCAL && a->ip.address.n == 0)
                mistake(k, &a->ip.address, "which service address? As in 203.0.113.10/32");
        if ((a->ip.provider == ANSWERS_HETZNER || a->volume.provider == ANSWERS_HETZNER) &&
            !*a->hetzner.token_file)
                mistake(k, &a->hetzner.token_file, "it cannot be empty with hetzner");
        check_names(k, &a->write.skip, false);
        check_names(k, &a->write.also, true);
}

int answers_load(const char *file, struct answers *a, struct buf *errors,
                 struct conf_source *ret_sources)
{
        const struct conf_input in = { .file = file };
        struct conf_source sources[ARRAY_SIZE(ANSWERS)];
        struct check k = { .a = a, .file = file, .sources = sources, .errors = errors };

        *a = (struct answers){ .cluster = { .name = NULL } };
        int r = conf_load(&ANSWERS_SPEC, &in, a, errors, sources);
        if (r < 0)
                return r;
        check(&k);
        if (k.wrong) {
                answers_free(a);
                return -EINVAL;
        }
        if (ret_sources)
                memcpy(ret_sources, sources, sizeof sources);
        return 0;
}

int answers_example(struct buf *out)
{
        buf_adds(out, "# What hamon init has to know. The same file on every server; it holds no "
                      "secret.\n"
                      "# Take the # away in front of what you set; the rest is as good as it "
                      "stands.\n\n");
        return conf_print(&ANSWERS_SPEC, NULL, NULL, out);
}
