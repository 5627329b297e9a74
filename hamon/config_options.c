/* OPTIONS[]: one row per key of hamon.conf. `hamon config --defaults`, the parser, the environment
 * overrides and the man page read this table. Lists of services default to Mailcow's (services.c
 * says why each is where it is). */
#include "hamon/config.h"

#include "hamon/services.h"
#include "lib/log.h"

#define AT(field) offsetof(struct config, field)

enum { HOUR = 3600 * 1000 };

static const char *const PROVIDERS[] = { "none", "hetzner", "local", NULL };
static const char *const POWEROFFS[] = { "auto", "always", "never", NULL };
static const char *const WATCHDOGS[] = { "auto", "required", "optional", "off", NULL };

static const char *const COMPOSES[] = { "native", "standalone", NULL };
static const char *const THROUGHS[] = { "smtp", "submission", "smtps", NULL };

/* A row: its value lies where its section and key say. */
#define ROW(section_, key_, type_, ...)                                                           \
        {                                                                                         \
                .section = #section_, .key = #key_, .type = (type_), .offset = AT(section_.key_), \
                __VA_ARGS__                                                                       \
        }

/* Rows of [probe] that differ in nothing else. */
#define PROBE_TEXT(key_, def_, mailcow_, help_)                                                 \
        {                                                                                       \
                .section = "probe", .key = #key_, .type = OPT_STRING, .offset = AT(probe.key_), \
                .max = 253, .def = (def_), .mailcow = (mailcow_), .help = (help_)               \
        }
#define PROBE_PORT(key_, def_, mailcow_) \
        PROBE_TEXT(key_, def_, mailcow_, "Port of it, or address:port.")

static const struct option OPTIONS[] = {
        ROW(node, name, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 63, .def = "",
            .help = "Name of this node in logs, status and alerts. Empty: the host name."),
        ROW(node, address, OPT_STRING, .max = 63, .def = "",
            .help = "Address of this node on the private network."),

        ROW(cluster, name, OPT_STRING, .mark = CONFIG_CLUSTER, .min = 1, .max = 63,
            .def = "mailcow", .help = "Name of the cluster, in its label at the provider."),
        ROW(cluster, nodes, OPT_LIST, .mark = CONFIG_RESTART, .def = "",
            .help = "Every node as name=address, the same on all. Empty: nothing is ever moved."),
        ROW(cluster, secret_file, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 4095,
            .def = "/etc/mailcow-ha/cluster.secret",
            .help = "File with the secret the nodes know each other by, on its first line."),
        ROW(peer, listen, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 63, .def = "",
            .help = "Where other nodes ask this one. Its port is that of all nodes. Empty: this "
                    "node's address in cluster.nodes, port 9447."),
        ROW(lease, ttl, OPT_DURATION, .min = 1000, .max = 300000, .def = "10s",
            .help = "How long a master may go on without renewing its lease."),
        ROW(lease, renew, OPT_DURATION, .min = 50, .max = 60000, .def = "1s",
            .help = "How often the master renews it; at most a third of ttl."),
        ROW(breaker, security_wait, OPT_DURATION, .min = 0, .max = 24 * HOUR, .def = "1h",
            .help = "After losing the lead for cause: no claim by itself for so long."),
        ROW(breaker, max_failovers, OPT_UINT, .min = 1, .max = 100, .def = "3",
            .help = "More for cause than this within security_wait: stop until hamon ack."),

        ROW(mailcow, dir, OPT_PATH, .def = "/opt/mailcow-dockerized",
            .help = "Where Mailcow is installed. Values it already has are read from its "
                    "mailcow.conf."),

        ROW(docker, socket, OPT_PATH, .def = "/run/docker.sock",
            .help = "Socket of the Docker engine."),
        ROW(docker, project, OPT_STRING, .max = 63, .def = "mailcowdockerized",
            .mailcow = "COMPOSE_PROJECT_NAME",
            .help = "Compose project of Mailcow. Containers of other projects are never looked "
                    "at."),

        ROW(docker, compose, OPT_CHOICE, .choices = COMPOSES, .def = "native",
            .mailcow = "DOCKER_COMPOSE_VERSION",
            .help = "How compose is called. native: docker compose; standalone: docker-compose."),
        ROW(docker, restart, OPT_BOOL, .def = "on",
            .help = "If a standby restarts Docker, once in a boot, when Docker holds a port for a "
                    "container that is gone and so cannot start a warm one."),

        ROW(stack, warm, OPT_LIST, .def = SERVICES_WARM,
            .help = "Services that run on every node, standbys too, so that a takeover is quick."),
        ROW(stack, active, OPT_LIST, .def = SERVICES_ACTIVE,
            .help = "Services that run on the master only. Any other service of the project that "
                    "is neither warm nor ignored is active too."),
        ROW(stack, optional, OPT_LIST, .def = SERVICES_OPTIONAL,
            .help = "Warm or active services that are watched and shown but never make a node "
                    "unfit: mail works without them."),
        ROW(stack, ignore, OPT_LIST, .def = SERVICES_IGNORED,
            .help = "Services that are never judged. A service this Mailcow does not have belongs "
                    "here."),
        ROW(stack, stop_timeout, OPT_DURATION, .min = 1000, .max = 600000, .def = "10s",
            .help = "How long the services have to end when they are stopped, all of them "
                    "together; then they are killed."),
        ROW(stack, drain_timeout, OPT_DURATION, .min = 0, .max = 600000, .def = "5s",
            .help = "How long a planned switchover waits for mail sessions to end."),

        ROW(galera, socket, OPT_STRING, .max = 107, .def = "",
            .help = "Unix socket of the local MariaDB. Empty: host and port."),
        ROW(galera, host, OPT_STRING, .max = 63, .def = "127.0.0.1",
            .help = "Numeric address of the local MariaDB."),
        ROW(galera, port, OPT_UINT, .min = 1, .max = 65535, .def = "13306", .mailcow = "SQL_PORT",
            .help = "Port of it."),
        ROW(galera, peer_port, OPT_UINT, .min = 1, .max = 65535, .def = "3306",
            .help = "Port of the other nodes' MariaDB, for the lease."),
        ROW(galera, user, OPT_STRING, .max = 80, .def = "hamon",
            .help = "Database user; reading the status needs no rights."),
        ROW(galera, password_file, OPT_STRING, .max = 4095, .def = "/etc/mailcow-ha/galera.pass",
            .help = "File with its password on the first line, readable by root alone. Empty: no "
                    "password."),
        ROW(galera, database, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 64, .def = "hamon",
            .help = "Database of hamon's own tables."),
        ROW(galera, auto_recover, OPT_BOOL, .def = "on",
            .help = "When the database is down on all nodes, and it is proven who has all of it: "
                    "that one becomes the first member again, by itself."),

        ROW(check, interval, OPT_DURATION, .min = 50, .max = HOUR, .def = "1s",
            .help = "How often Galera and the Docker engine are asked. Container events do not "
                    "wait for it."),
        ROW(check, timeout, OPT_DURATION, .min = 50, .max = 60000, .def = "1s",
            .help = "Longest wait for any single answer; `hamon check` ends within it."),
        ROW(check, resync, OPT_DURATION, .min = 1000, .max = HOUR, .def = "30s",
            .help = "How often the full list of containers is fetched, in case an event was "
                    "missed."),
        ROW(check, grace, OPT_DURATION, .min = 0, .max = HOUR, .def = "10s",
            .help = "How long a check may fail before the node counts as unfit. Losing the Galera "
                    "quorum has no grace."),
        ROW(check, rise, OPT_UINT, .min = 1, .max = 100, .def = "2",
            .help = "Good results in a row before a failed check counts as good again."),
        ROW(check, fall, OPT_UINT, .min = 1, .max = 100, .def = "2",
            .help = "Bad results in a row before a check counts as failing. Facts (a container has "
                    "stopped) count at once."),
        ROW(check, stale, OPT_DURATION, .min = 100, .max = HOUR, .def = "5s",
            .help = "A result older than this counts for nothing: the check is unknown."),
        ROW(check, start_period, OPT_DURATION, .min = 0, .max = HOUR, .def = "30s",
            .help = "How long a service that was just started may take until it answers: so long "
                    "it is neither restarted for that nor a reason to move."),

        ROW(probe, interval, OPT_DURATION, .min = 100, .max = HOUR, .def = "2s",
            .help = "How often a master asks its own services whether they work."),
        ROW(probe, timeout, OPT_DURATION, .min = 50, .max = 60000, .def = "3s",
            .help = "Longest wait for each of these answers."),
        PROBE_TEXT(host, "127.0.0.1", NULL, "Numeric address where the services are asked."),
        PROBE_TEXT(https_host, "", "HTTPS_BIND",
                   "The same for https, if it is another. Empty: host."),
        PROBE_TEXT(name, "", "MAILCOW_HOSTNAME",
                   "Name of the mail server, asked for in TLS and HTTP."),
        PROBE_PORT(smtp, "25", "SMTP_PORT"),
        PROBE_PORT(submission, "587", "SUBMISSION_PORT"),
        PROBE_PORT(smtps, "465", "SMTPS_PORT"),
        PROBE_PORT(imap, "143", "IMAP_PORT"),
        PROBE_PORT(imaps, "993", "IMAPS_PORT"),
        PROBE_TEXT(pop3, "", "POP_PORT",
                   "Port of it, or address:port. Empty: it is not published."),
        PROBE_TEXT(pop3s, "", "POPS_PORT",
                   "Port of it, or address:port. Empty: it is not published."),
        PROBE_PORT(sieve, "4190", "SIEVE_PORT"),
        PROBE_PORT(https, "443", "HTTPS_PORT"),
        PROBE_PORT(redis, "127.0.0.1:7654", "REDIS_PORT"),
        PROBE_TEXT(rspamd, "11334", NULL,
                   "Port of its controller, at the address of its container, which the Docker "
                   "engine tells."),
        ROW(probe, redis_password, OPT_STRING, .secret = true, .max = 255, .def = "",
            .mailcow = "REDISPASS", .help = "Password of redis."),
        ROW(probe, disabled, OPT_LIST, .def = "",
            .help = "Probes that are not run: smtp submission smtps imap imaps pop3 pop3s sieve "
                    "https redis rspamd volume."),

        ROW(keepalived, track_file, OPT_STRING, .max = 4000, .def = "/run/mailcow-ha/track",
            .help = "File that keepalived tracks: 0 = fit, -254 = FAULT. Empty: none."),
        ROW(keepalived, fifo, OPT_STRING, .max = 4000, .def = "/run/mailcow-ha/keepalived.fifo",
            .help = "keepalived's vrrp_notify_fifo. hamon makes it. Empty: none."),
        ROW(keepalived, instance, OPT_STRING, .max = 63, .def = "",
            .help = "The vrrp_instance whose state is this node's role; what others say is left "
                    "unread. Empty: any, for a keepalived that has but one."),
        ROW(keepalived, interface, OPT_STRING, .max = 15, .def = "",
            .help = "Interface on which the nodes reach one another, for `hamon render "
                    "keepalived`. Empty: the one that has this node's address."),
        ROW(keepalived, router_id, OPT_UINT, .min = 1, .max = 255, .def = "51",
            .help = "Its virtual_router_id there, the same on all nodes."),
        ROW(keepalived, track_process, OPT_BOOL, .def = "off",
            .help = "It also follows hamon's process by the kernel's word. Not in a container, "
                    "which hears none."),
        ROW(keepalived, state_file, OPT_STRING, .max = 4000, .def = "/run/mailcow-ha/vrrp",
            .help = "Where the last word of keepalived is kept over a restart of hamon. Empty: "
                    "nowhere."),

        ROW(firewall, open, OPT_LIST, .def = "25, 80, 110, 143, 443, 465, 587, 993, 995, 4190",
            .help = "Ports that everybody reaches, as 443 or 51820/udp, for `hamon render "
                    "nftables`."),
        ROW(firewall, ssh, OPT_UINT, .min = 1, .max = 65535, .def = "22", .help = "Port of SSH."),
        ROW(firewall, admin, OPT_LIST, .def = "0.0.0.0/0, ::/0", .help = "Networks that reach it."),

        ROW(volume, provider, OPT_CHOICE, .mark = CONFIG_CLUSTER, .choices = PROVIDERS,
            .def = "none",
            .help = "Who moves the shared volume between the nodes. none: it is not looked at."),
        ROW(volume, id, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 63, .def = "",
            .help = "hetzner: the number of the volume."),
        ROW(volume, device, OPT_PATH, .mark = CONFIG_CLUSTER, .max = 255, .def = "",
            .help = "Its block device. Empty with hetzner: the provider knows."),
        ROW(volume, uuid, OPT_STRING, .mark = CONFIG_CLUSTER, .max = 63, .def = "",
            .help = "UUID of its file system. Only that one is ever mounted."),
        ROW(volume, mount, OPT_PATH, .mark = CONFIG_CLUSTER, .def = "",
            .help = "Where it is mounted on the master."),
        ROW(volume, fstype, OPT_STRING, .max = 31, .def = "ext4",
            .help = "Type of its file system."),
        ROW(volume, options, OPT_STRING, .max = 400, .def = "noatime,nodev,nosuid",
            .help = "How it is mounted. ext2, ext3 and ext4 also get errors=remount-ro unless "
                    "errors= is here."),
        ROW(volume, lock_scan, OPT_DURATION, .min = 0, .max = 60000, .def = "2s",
            .help = "How long after the mount lock files that Dovecot left behind are looked for; "
                    "each would block a mailbox for two minutes. 0s: not at all."),

        ROW(ip, provider, OPT_CHOICE, .mark = CONFIG_CLUSTER, .choices = PROVIDERS, .def = "none",
            .help = "Who moves the service addresses between the nodes. none: they are not looked "
                    "at."),
        ROW(ip, id, OPT_LIST, .def = "",
            .help = "hetzner: the numbers of the floating IPs, IPv4 and IPv6."),
        ROW(ip, address, OPT_LIST, .def = "",
            .help = "The addresses, each with a prefix or alone."),
        ROW(ip, interface, OPT_STRING, .min = 1, .max = 15, .def = "eth0",
            .help = "Interface that has them."),
        ROW(ip, outbound, OPT_BOOL, .def = "on",
            .help = "What Mailcow's containers send out comes from the service address (source NAT "
                    "by nftables), put up and taken down with it."),
        ROW(ip, outbound_networks, OPT_LIST, .def = "172.22.1.0/24, fd4d:6169:6c63:6f77::/64",
            .help = "Networks of Mailcow's containers, as its mailcow.conf has them."),

        ROW(hetzner, api_url, OPT_STRING, .max = 255, .def = "https://api.hetzner.cloud/v1",
            .help = "Where the API is."),
        ROW(hetzner, token_file, OPT_STRING, .max = 4095, .def = "/etc/mailcow-ha/hetzner.token",
            .help = "File with the API token (read and write) on the first line, readable by root "
                    "alone."),
        ROW(hetzner, server, OPT_STRING, .max = 253, .def = "",
            .help = "Name or number of the server this node is. Empty: asked of the metadata "
                    "service."),
        ROW(hetzner, poweroff, OPT_CHOICE, .choices = POWEROFFS, .def = "auto",
            .help = "When a lost master is powered off before its volume is taken. auto: if it is "
                    "silent."),

        ROW(local, fence_command, OPT_PATH, .mark = CONFIG_CLUSTER, .def = "",
            .help = "Command that surely keeps the node named by its argument from writing: exit 0 "
                    "done, 75 try again, else failed. Empty: none."),

        ROW(hooks, dir, OPT_PATH, .def = "/usr/lib/mailcow-ha/hooks",
            .help = "Directory of master.sh and backup.sh."),
        ROW(hooks, master_timeout, OPT_DURATION, .min = 1000, .max = HOUR, .def = "3m",
            .help = "Longest run of master.sh; then its whole process group is killed."),
        ROW(hooks, backup_timeout, OPT_DURATION, .min = 1000, .max = HOUR, .def = "2m",
            .help = "Longest run of backup.sh."),

        ROW(watchdog, device, OPT_PATH, .mark = CONFIG_CLUSTER, .max = 255, .def = "/dev/watchdog",
            .help = "Watchdog device that resets this node if nobody writes to it."),
        ROW(watchdog, mode, OPT_CHOICE, .mark = CONFIG_CLUSTER, .choices = WATCHDOGS, .def = "auto",
            .help = "If this node leads without it. auto: required if nothing else can fence."),

        ROW(control, socket, OPT_PATH, .mark = CONFIG_RESTART, .max = 107,
            .def = "/run/mailcow-ha/hamon.sock",
            .help = "Where the daemon answers `hamon check` and `hamon status`."),

        ROW(web, listen, OPT_LIST, .def = "127.0.0.1:9448",
            .help = "Where `hamon web` answers monitors and people: up to four of address:port, "
                    "numeric. One that the internet reaches needs token_file."),
        ROW(web, token_file, OPT_STRING, .max = 4095, .def = "",
            .help = "File with the token that whoever asks must know, on its first line, 16 "
                    "characters or more. Empty: everybody may ask."),

        ROW(alert, dir, OPT_PATH, .max = 1000, .def = "/etc/mailcow-ha/alerts.d",
            .help = "Whom alerts go to: a file NAME.conf for each, mode 600."),
        ROW(alert, state, OPT_PATH, .max = 1000, .def = "/var/lib/mailcow-ha/alerts",
            .help = "File with what was told, and what is still to be sent."),
        ROW(alert, patience, OPT_DURATION, .min = 10, .max = HOUR, .def = "30s",
            .help = "How long something must be wrong (a node silent, nobody serving) before it "
                    "is told."),
        ROW(alert, burst, OPT_UINT, .min = 3, .max = 100, .def = "12",
            .help = "So many messages at once; what is more is named in one message."),
        ROW(alert, pace, OPT_DURATION, .min = 100, .max = HOUR, .def = "1m",
            .help = "After a burst, one message in so long; ends of what was told always come."),

        ROW(canary, mailbox, OPT_STRING, .max = 253, .def = "",
            .help = "Address of a mailbox of its own, to which the master sends itself mail and "
                    "reads it. Empty: no canary."),
        ROW(canary, password_file, OPT_STRING, .max = 4095,
            .def = "/etc/mailcow-ha/canary.password",
            .help = "File with the mailbox's password, on its first line."),
        ROW(canary, from, OPT_STRING, .max = 253, .def = "",
            .help = "Sender of these mails. Empty: the mailbox."),
        ROW(canary, through, OPT_CHOICE, .choices = THROUGHS, .def = "smtp",
            .help = "Where they are handed in: smtp as the world does, submission and smtps with "
                    "a login."),
        ROW(canary, interval, OPT_DURATION, .min = 1000, .max = HOUR, .def = "1m",
            .help = "How often the master sends one."),
        ROW(canary, timeout, OPT_DURATION, .min = 100, .max = 300000, .def = "20s",
            .help = "Longest wait for the login, for the mail to be taken, and for it to arrive."),
        ROW(canary, delivery_target, OPT_DURATION, .min = 10, .max = 300000, .def = "5s",
            .help = "95 of 100 are to arrive within this."),
        ROW(canary, login_target, OPT_DURATION, .min = 10, .max = 300000, .def = "2s",
            .help = "95 of 100 logins over IMAPS are to take no longer."),
        ROW(canary, certificate_days, OPT_UINT, .min = 1, .max = 365, .def = "14",
            .help = "A certificate that is good for fewer days is told of."),
        ROW(canary, promote, OPT_BOOL, .def = "off",
            .help = "A node is called master only after a canary came through."),

        ROW(sync, listen, OPT_STRING, .max = 63, .def = "",
            .help = "Where the other nodes take configuration and certificates from this one. Its "
                    "port is that of all nodes. Empty: this node's address in cluster.nodes, port "
                    "9449."),
        ROW(sync, paths, OPT_LIST,
            .def = "mailcow.conf, data/conf, data/assets/ssl, data/hooks, "
                   "data/web/inc/vars.local.inc.php, data/web/css/build/0081-custom-mailcow.css",
            .help = "Files and directories beneath mailcow.dir that standbys take from the master. "
                    "Of mailcow.conf only the keys that are not in own_keys."),
        ROW(sync, exclude, OPT_LIST, .def = "data/conf/mysql/zz-mailcow-ha.cnf, *.sock",
            .help = "Patterns of what each node keeps for itself; * takes / too."),
        ROW(sync, own_keys, OPT_LIST, .def = "MASTER",
            .help = "More keys of mailcow.conf that each node has for itself, besides those that "
                    "hamon init leaves alone."),
        ROW(sync, interval, OPT_DURATION, .min = 500, .max = HOUR, .def = "15s",
            .help = "How often a standby looks."),
        ROW(sync, patience, OPT_DURATION, .min = 1000, .max = 24 * HOUR, .def = "10m",
            .help = "A node that was not in step for so long is told of."),
        ROW(sync, state, OPT_PATH, .max = 1000, .def = "/run/mailcow-ha/sync",
            .help = "File on tmpfs with how this node stands."),
        ROW(sync, dir, OPT_PATH, .max = 1000, .def = "/var/lib/mailcow-ha/sync",
            .help = "Directory with the list of what came by a sync, and copies of what was "
                    "changed here and had to give way."),

        ROW(log, level, OPT_CHOICE, .choices = LOG_LEVELS, .def = "info",
            .help = "error: a human must act; warn: degraded; info: something changed; debug: each "
                    "check."),
        ROW(log, events, OPT_STRING, .mark = CONFIG_RESTART, .max = 4000,
            .def = "/var/lib/mailcow-ha/events",
            .help = "File of what happened, for `hamon events`; at most 1 MiB, and as much again "
                    "in file.1. Empty: none."),
};

const struct conf_spec CONFIG_SPEC = { .options = OPTIONS,
                                       .n_options = ARRAY_SIZE(OPTIONS),
                                       .env_prefix = "HAMON" };
