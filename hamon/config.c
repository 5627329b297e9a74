/* OPTIONS[]: one row per key of hamon.conf. `hamon config --defaults`, the parser, the environment
 * overrides and the man page read this table. Lists of services default to Mailcow's (services.c
 * says why each is where it is). */
#include "hamon/config.h"

#include "hamon/services.h"
#include "lib/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct config, field)

enum { HOUR = 3600 * 1000 };

static const char *const PROVIDERS[] = { "none", "hetzner", "local", NULL };
static const char *const POWEROFFS[] = { "auto", "always", "never", NULL };

static const struct option OPTIONS[] = {
        { .section = "node",
          .key = "name",
          .type = OPT_STRING,
          .offset = AT(node.name),
          .max = 63,
          .def = "",
          .help = "Name of this node in logs, status and alerts. Empty: the host name." },
        { .section = "node",
          .key = "address",
          .type = OPT_STRING,
          .offset = AT(node.address),
          .max = 63,
          .def = "",
          .help = "Address of this node on the private network." },

        { .section = "mailcow",
          .key = "dir",
          .type = OPT_PATH,
          .offset = AT(mailcow.dir),
          .def = "/opt/mailcow-dockerized",
          .help = "Where Mailcow is installed. Values it already has are read from its "
                  "mailcow.conf." },

        { .section = "docker",
          .key = "socket",
          .type = OPT_PATH,
          .offset = AT(docker.socket),
          .def = "/run/docker.sock",
          .help = "Socket of the Docker engine." },
        { .section = "docker",
          .key = "project",
          .type = OPT_STRING,
          .offset = AT(docker.project),
          .max = 63,
          .def = "mailcowdockerized",
          .mailcow = "COMPOSE_PROJECT_NAME",
          .help = "Compose project of Mailcow. Containers of other projects are never looked at." },

        { .section = "stack",
          .key = "warm",
          .type = OPT_LIST,
          .offset = AT(stack.warm),
          .def = SERVICES_WARM,
          .help = "Services that run on every node, standbys too, so that a takeover is quick." },
        { .section = "stack",
          .key = "active",
          .type = OPT_LIST,
          .offset = AT(stack.active),
          .def = SERVICES_ACTIVE,
          .help = "Services that run on the master only. Any other service of the project that is "
                  "neither warm nor ignored is active too." },
        { .section = "stack",
          .key = "optional",
          .type = OPT_LIST,
          .offset = AT(stack.optional),
          .def = SERVICES_OPTIONAL,
          .help = "Warm or active services that are watched and shown but never make a node unfit: "
                  "mail works without them." },
        { .section = "stack",
          .key = "ignore",
          .type = OPT_LIST,
          .offset = AT(stack.ignore),
          .def = SERVICES_IGNORED,
          .help = "Services that are never judged. A service this Mailcow does not have belongs "
                  "here." },

        { .section = "galera",
          .key = "socket",
          .type = OPT_STRING,
          .offset = AT(galera.socket),
          .max = 107,
          .def = "",
          .help = "Unix socket of the local MariaDB. Empty: host and port." },
        { .section = "galera",
          .key = "host",
          .type = OPT_STRING,
          .offset = AT(galera.host),
          .max = 63,
          .def = "127.0.0.1",
          .help = "Numeric address of the local MariaDB." },
        { .section = "galera",
          .key = "port",
          .type = OPT_UINT,
          .offset = AT(galera.port),
          .min = 1,
          .max = 65535,
          .def = "13306",
          .mailcow = "SQL_PORT",
          .help = "Port of it." },
        { .section = "galera",
          .key = "user",
          .type = OPT_STRING,
          .offset = AT(galera.user),
          .max = 80,
          .def = "hamon",
          .help = "Database user; reading the status needs no rights." },
        { .section = "galera",
          .key = "password_file",
          .type = OPT_STRING,
          .offset = AT(galera.password_file),
          .max = 4095,
          .def = "/etc/mailcow-ha/galera.pass",
          .help = "File with its password on the first line, readable by root alone. Empty: no "
                  "password." },
        { .section = "galera",
          .key = "database",
          .type = OPT_STRING,
          .offset = AT(galera.database),
          .max = 64,
          .def = "hamon",
          .help = "Database of hamon's own tables." },

        { .section = "check",
          .key = "interval",
          .type = OPT_DURATION,
          .offset = AT(check.interval),
          .min = 50,
          .max = HOUR,
          .def = "1s",
          .help = "How often Galera and the Docker engine are asked. Container events do not wait "
                  "for it." },
        { .section = "check",
          .key = "timeout",
          .type = OPT_DURATION,
          .offset = AT(check.timeout),
          .min = 50,
          .max = 60000,
          .def = "1s",
          .help = "Longest wait for any single answer; `hamon check` ends within it." },
        { .section = "check",
          .key = "resync",
          .type = OPT_DURATION,
          .offset = AT(check.resync),
          .min = 1000,
          .max = HOUR,
          .def = "30s",
          .help = "How often the full list of containers is fetched, in case an event was "
                  "missed." },
        { .section = "check",
          .key = "grace",
          .type = OPT_DURATION,
          .offset = AT(check.grace),
          .min = 0,
          .max = HOUR,
          .def = "10s",
          .help = "How long a check may fail before the node counts as unfit. Losing the Galera "
                  "quorum has no grace." },
        { .section = "check",
          .key = "rise",
          .type = OPT_UINT,
          .offset = AT(check.rise),
          .min = 1,
          .max = 100,
          .def = "2",
          .help = "Good results in a row before a failed check counts as good again." },
        { .section = "check",
          .key = "fall",
          .type = OPT_UINT,
          .offset = AT(check.fall),
          .min = 1,
          .max = 100,
          .def = "2",
          .help = "Bad results in a row before a check counts as failing. Facts (a container has "
                  "stopped) count at once." },
        { .section = "check",
          .key = "stale",
          .type = OPT_DURATION,
          .offset = AT(check.stale),
          .min = 100,
          .max = HOUR,
          .def = "5s",
          .help = "A result older than this counts for nothing: the check is unknown." },

        { .section = "keepalived",
          .key = "track_file",
          .type = OPT_STRING,
          .offset = AT(keepalived.track_file),
          .max = 4000,
          .def = "/run/mailcow-ha/track",
          .help = "File that keepalived tracks: 0 = fit, -254 = FAULT. Empty: none." },
        { .section = "keepalived",
          .key = "fifo",
          .type = OPT_STRING,
          .offset = AT(keepalived.fifo),
          .max = 4000,
          .def = "/run/mailcow-ha/keepalived.fifo",
          .help = "keepalived's vrrp_notify_fifo. hamon makes it. Empty: none." },
        { .section = "keepalived",
          .key = "state_file",
          .type = OPT_STRING,
          .offset = AT(keepalived.state_file),
          .max = 4000,
          .def = "/run/mailcow-ha/vrrp",
          .help = "Where the last word of keepalived is kept over a restart of hamon. Empty: "
                  "nowhere." },

        { .section = "volume",
          .key = "provider",
          .type = OPT_CHOICE,
          .offset = AT(volume.provider),
          .choices = PROVIDERS,
          .def = "none",
          .help = "Who moves the shared volume between the nodes. none: it is not looked at." },
        { .section = "volume",
          .key = "id",
          .type = OPT_STRING,
          .offset = AT(volume.id),
          .max = 63,
          .def = "",
          .help = "hetzner: the number of the volume." },
        { .section = "volume",
          .key = "device",
          .type = OPT_PATH,
          .offset = AT(volume.device),
          .max = 255,
          .def = "",
          .help = "Its block device. Empty with hetzner: the provider knows." },
        { .section = "volume",
          .key = "uuid",
          .type = OPT_STRING,
          .offset = AT(volume.uuid),
          .max = 63,
          .def = "",
          .help = "UUID of its file system. Only that one is ever mounted." },
        { .section = "volume",
          .key = "mount",
          .type = OPT_PATH,
          .offset = AT(volume.mount),
          .def = "",
          .help = "Where it is mounted on the master." },
        { .section = "volume",
          .key = "fstype",
          .type = OPT_STRING,
          .offset = AT(volume.fstype),
          .max = 31,
          .def = "ext4",
          .help = "Type of its file system." },

        { .section = "ip",
          .key = "provider",
          .type = OPT_CHOICE,
          .offset = AT(ip.provider),
          .choices = PROVIDERS,
          .def = "none",
          .help = "Who moves the service addresses between the nodes. none: they are not looked "
                  "at." },
        { .section = "ip",
          .key = "id",
          .type = OPT_LIST,
          .offset = AT(ip.id),
          .def = "",
          .help = "hetzner: the numbers of the floating IPs, IPv4 and IPv6." },
        { .section = "ip",
          .key = "address",
          .type = OPT_LIST,
          .offset = AT(ip.address),
          .def = "",
          .help = "The addresses, each with a prefix or alone." },
        { .section = "ip",
          .key = "interface",
          .type = OPT_STRING,
          .offset = AT(ip.interface),
          .min = 1,
          .max = 15,
          .def = "eth0",
          .help = "Interface that has them." },

        { .section = "hetzner",
          .key = "api_url",
          .type = OPT_STRING,
          .offset = AT(hetzner.api_url),
          .max = 255,
          .def = "https://api.hetzner.cloud/v1",
          .help = "Where the API is." },
        { .section = "hetzner",
          .key = "token_file",
          .type = OPT_STRING,
          .offset = AT(hetzner.token_file),
          .max = 4095,
          .def = "/etc/mailcow-ha/hetzner.token",
          .help = "File with the API token (read and write) on the first line, readable by root "
                  "alone." },
        { .section = "hetzner",
          .key = "server",
          .type = OPT_STRING,
          .offset = AT(hetzner.server),
          .max = 253,
          .def = "",
          .help = "Name or number of the server this node is. Empty: asked of the metadata "
                  "service." },
        { .section = "hetzner",
          .key = "poweroff",
          .type = OPT_CHOICE,
          .offset = AT(hetzner.poweroff),
          .choices = POWEROFFS,
          .def = "auto",
          .help = "When a lost master is powered off before its volume is taken. auto: if it is "
                  "silent." },

        { .section = "local",
          .key = "fence_command",
          .type = OPT_PATH,
          .offset = AT(local.fence_command),
          .def = "",
          .help = "Command that surely keeps the node named by its argument from writing: exit 0 "
                  "done, 75 try again, else failed. Empty: none." },

        { .section = "control",
          .key = "socket",
          .type = OPT_PATH,
          .offset = AT(control.socket),
          .max = 107,
          .def = "/run/mailcow-ha/hamon.sock",
          .help = "Where the daemon answers `hamon check` and `hamon status`." },

        { .section = "log",
          .key = "level",
          .type = OPT_CHOICE,
          .offset = AT(log.level),
          .choices = LOG_LEVELS,
          .def = "info",
          .help = "error: a human must act; warn: degraded; info: something changed; debug: each "
                  "check." },
};

const struct conf_spec CONFIG_SPEC = { .options = OPTIONS,
                                       .n_options = ARRAY_SIZE(OPTIONS),
                                       .env_prefix = "HAMON" };

void config_free(struct config *c)
{
        conf_free(&CONFIG_SPEC, c);
}

static int default_node_name(struct config *c)
{
        char host[64] = "";

        if (*c->node.name)
                return 0;
        if (gethostname(host, sizeof host - 1) < 0 || !*host)
                str_copy(host, sizeof host, "node");
        char *name = strdup(host);
        if (!name)
                return -ENOMEM;
        freep(&c->node.name);
        c->node.name = name;
        return 0;
}

/* A service may stand in one of warm, active and ignore only. */
static int check_lists(const struct config *c, const char *file, struct buf *errors)
{
        static const char *const NAMES[] = { "warm", "active", "ignore" };
        const struct strlist *lists[] = { &c->stack.warm, &c->stack.active, &c->stack.ignore };
        int r = 0;

        for (size_t a = 0; a < ARRAY_SIZE(lists); a++)
                for (size_t b = a + 1; b < ARRAY_SIZE(lists); b++)
                        for (size_t i = 0; i < lists[a]->n; i++) {
                                if (!strlist_has(lists[b], lists[a]->v[i]))
                                        continue;
                                buf_addf(errors,
                                         "%s: [stack] %s stands in both %s and %s; take it out of "
                                         "one\n",
                                         file, lists[a]->v[i], NAMES[a], NAMES[b]);
                                r = -EINVAL;
                        }
        return r;
}

static int check_times(const struct config *c, const char *file, struct buf *errors)
{
        if (c->check.stale > c->check.interval + c->check.timeout)
                return 0;
        buf_addf(
                errors,
                "%s: [check] stale must be longer than interval + timeout, or a healthy node would "
                "count as unknown\n",
                file);
        return -EINVAL;
}

/* The database is asked without a resolver: a name would need one. */
static int check_galera(const struct config *c, const char *file, struct buf *errors)
{
        unsigned char address[sizeof(struct in6_addr)];
        int r = 0;

        if (!*c->galera.user) {
                buf_addf(errors, "%s: [galera] user must not be empty\n", file);
                r = -EINVAL;
        }
        if (!*c->galera.socket && inet_pton(AF_INET, c->galera.host, address) != 1 &&
            inet_pton(AF_INET6, c->galera.host, address) != 1) {
                buf_addf(errors,
                         "%s: [galera] host: \"%s\" is not a numeric address (IPv4 or IPv6), and "
                         "socket is empty\n",
                         file, c->galera.host);
                r = -EINVAL;
        }
        return r;
}

static bool is_number(const char *s)
{
        size_t len = strlen(s);

        return len > 0 && len <= 16 && *s != '0' && strspn(s, "0123456789") == len;
}

/* What a provider needs to know. */
static int check_providers(const struct config *c, const char *file, struct buf *errors)
{
        int r = 0;

        if (c->volume.provider == CONFIG_HETZNER && !is_number(c->volume.id)) {
                buf_addf(errors, "%s: [volume] id must be the number of a Hetzner volume\n", file);
                r = -EINVAL;
        }
        if (c->volume.provider == CONFIG_LOCAL && !*c->volume.device) {
                buf_addf(errors, "%s: [volume] device must be set with provider = local\n", file);
                r = -EINVAL;
        }
        if (c->ip.provider == CONFIG_HETZNER && c->ip.id.n == 0) {
                buf_addf(errors, "%s: [ip] id must name the Hetzner floating IPs\n", file);
                r = -EINVAL;
        }
        for (size_t i = 0; c->ip.provider == CONFIG_HETZNER && i < c->ip.id.n; i++)
                if (!is_number(c->ip.id.v[i])) {
                        buf_addf(errors, "%s: [ip] id: \"%s\" is no number of a floating IP\n",
                                 file, c->ip.id.v[i]);
                        r = -EINVAL;
                }
        if (c->ip.provider == CONFIG_LOCAL && c->ip.address.n == 0) {
                buf_addf(errors, "%s: [ip] address must be set with provider = local\n", file);
                r = -EINVAL;
        }
        return r;
}

static int load(const char *file, const char *mailcow_file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        struct conf_input in = { .file = file, .mailcow_file = mailcow_file, .env = environ };

        *c = (struct config){ .node = { .name = NULL } };
        return conf_load(&CONFIG_SPEC, &in, c, errors, ret_sources);
}

static int finish(const char *file, struct config *c, struct buf *errors)
{
        static int (*const CHECKS[])(const struct config *, const char *,
                                     struct buf *) = { check_lists, check_times, check_galera,
                                                       check_providers };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++) {
                int bad = CHECKS[i](c, file, errors);
                r = r < 0 ? r : bad;
        }
        if (r == 0)
                r = default_node_name(c);
        if (r < 0)
                config_free(c);
        return r;
}

int config_load_client(const char *file, struct config *c, struct buf *errors)
{
        int r = load(file, NULL, c, errors, NULL);

        return r < 0 ? r : finish(file, c, errors);
}

int config_load(const char *file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources)
{
        char mailcow_file[4096];

        int r = load(file, NULL, c, errors,
                     NULL); /* where Mailcow lives stands in the file itself */
        if (r < 0)
                return r;
        int n = snprintf(mailcow_file, sizeof mailcow_file, "%s/mailcow.conf", c->mailcow.dir);
        config_free(c);
        if (n < 0 || (size_t)n >= sizeof mailcow_file)
                return -ENAMETOOLONG;

        r = load(file, mailcow_file, c, errors, ret_sources);
        return r < 0 ? r : finish(file, c, errors);
}
