/* hamon.conf as a struct, and the one table OPTIONS[] that fills, prints and explains it. */
#pragma once

#include "lib/conf.h"

enum config_provider { CONFIG_NONE, CONFIG_HETZNER, CONFIG_LOCAL };
enum config_watchdog {
        CONFIG_WATCHDOG_AUTO,
        CONFIG_WATCHDOG_REQUIRED,
        CONFIG_WATCHDOG_OPTIONAL,
        CONFIG_WATCHDOG_OFF,
};
enum config_compose { CONFIG_COMPOSE_NATIVE, CONFIG_COMPOSE_STANDALONE };
enum config_through { CONFIG_THROUGH_SMTP, CONFIG_THROUGH_SUBMISSION, CONFIG_THROUGH_SMTPS };
enum config_poweroff { CONFIG_POWEROFF_AUTO, CONFIG_POWEROFF_ALWAYS, CONFIG_POWEROFF_NEVER };

struct config {
        struct {
                char *name, *address;
        } node;
        struct {
                char *name, *secret_file;
                struct strlist nodes; /* name=address; config_cluster_node() */
        } cluster;
        struct {
                char *listen;
        } peer;
        struct {
                msec_t ttl, renew;
        } lease;
        struct {
                msec_t security_wait;
                uint64_t max_failovers;
        } breaker;
        struct {
                char *dir;
        } mailcow;
        struct {
                char *socket, *project;
                int compose; /* enum config_compose */
                bool restart;
        } docker;
        struct {
                struct strlist warm, active, optional, ignore;
                msec_t stop_timeout, drain_timeout;
        } stack;
        struct {
                char *socket, *host;
                uint64_t port, peer_port;
                char *user, *password_file, *database;
                bool auto_recover;
        } galera;
        struct {
                msec_t interval, timeout, resync, grace, stale, start_period;
                uint64_t rise, fall;
        } check;
        struct {
                msec_t interval, timeout;
                char *host, *https_host, *name;
                char *smtp, *submission, *smtps, *imap, *imaps, *pop3, *pop3s, *sieve, *https,
                        *redis, *rspamd;
                char *redis_password;
                struct strlist disabled;
        } probe;
        struct {
                char *track_file, *fifo, *state_file, *instance, *interface;
                uint64_t router_id;
                bool track_process;
        } keepalived;
        struct {
                struct strlist open, admin;
                uint64_t ssh;
        } firewall;
        struct {
                int provider; /* enum config_provider */
                char *id, *device, *uuid, *mount, *fstype, *options;
                msec_t lock_scan;
        } volume;
        struct {
                int provider; /* enum config_provider */
                struct strlist id, address, outbound_networks;
                char *interface;
                bool outbound;
        } ip;
        struct {
                char *api_url, *token_file, *server;
                int poweroff; /* enum config_poweroff */
        } hetzner;
        struct {
                char *fence_command;
        } local;
        struct {
                char *dir;
                msec_t master_timeout, backup_timeout;
        } hooks;
        struct {
                char *device;
                int mode; /* enum config_watchdog */
        } watchdog;
        struct {
                char *socket;
        } control;
        struct {
                struct strlist listen; /* config_web_listen() */
                char *token_file;
        } web;
        struct {
                char *dir, *state;
                msec_t patience, pace;
                uint64_t burst;
        } alert;
        struct {
                char *mailbox, *password_file, *from;
                int through; /* enum config_through */
                msec_t interval, timeout, delivery_target, login_target;
                uint64_t certificate_days;
                bool promote;
        } canary;
        struct {
                char *listen;
                struct strlist paths, exclude, own_keys;
                msec_t interval, patience;
                char *state, *dir;
        } sync;
        struct {
                int level; /* enum log_level */
                char *events;
        } log;
};

#define CONFIG_FILE "/etc/mailcow-ha/hamon.conf"

extern const struct conf_spec CONFIG_SPEC;

/* Load `file`, then the values Mailcow already has from <mailcow.dir>/mailcow.conf, then the
 * environment HAMON_<SECTION>_<KEY>; check what no single row can check. On failure each mistake is
 * a line in `errors` and nothing is kept. `ret_sources` may be NULL, else CONFIG_SPEC.n_options. */
int config_load(const char *file, struct config *c, struct buf *errors,
                struct conf_source *ret_sources);

/* The same without mailcow.conf: for the small clients, which need only [control] and [check]. */
int config_load_client(const char *file, struct config *c, struct buf *errors);

void config_free(struct config *c);

/* Marks of OPTIONS[]: what a new value takes. */
enum config_mark {
        CONFIG_LIVE,    /* a reload */
        CONFIG_CLUSTER, /* a restart, on a node of a cluster */
        CONFIG_RESTART, /* a restart */
};
/* What a reload cannot change, as "cluster.nodes, peer.listen"; nothing = all of it can. */
void config_restart(const struct config *old, const struct config *fresh, struct buf *out);

/* Of the values that a reload cannot change: 16 hex digits. Equal if and only if (but for one case
 * in 2^64) config_restart() would find nothing. */
enum { CONFIG_FINGERPRINT = 17 };
void config_fingerprint(const struct config *c, char ret[CONFIG_FINGERPRINT]);

enum {
        CLUSTER_MAX = 9,
        PEER_PORT = 9447,
        WEB_PORT = 9448,
        SYNC_PORT = 9449,
        CONFIG_WEB_LISTEN = 4
};

struct cluster_node {
        char name[64];
        char address[64]; /* numeric */
};

/* Node i of [cluster] nodes, 0 <= i < c->cluster.nodes.n (checked when it was loaded). */
struct cluster_node config_cluster_node(const struct config *c, size_t i);
/* Where this node stands in [cluster] nodes: its rank; -1 = there are none. */
int config_cluster_rank(const struct config *c);
/* One of [ip] address, whatever their prefixes? */
bool config_is_service_address(const struct config *c, const char *address);

/* [peer] listen of a node that `address` is the own address of: "address:port", "[v6]:port", an
 * address alone (then PEER_PORT), "" (then both). The port is that of all nodes. -EINVAL: neither.
 */
int config_peer_listen(const char *listen, const char *address, char *ret_address, size_t size,
                       unsigned *ret_port);

/* [sync] listen, the same way, with SYNC_PORT. */
int config_sync_listen(const char *listen, const char *address, char *ret_address, size_t size,
                       unsigned *ret_port);

/* One word of [web] listen, the same way. */
int config_web_listen(const char *word, char *ret_address, size_t size, unsigned *ret_port);
/* Loopback, link-local, or of a private network: nobody on the internet reaches it. */
bool config_address_private(const char *address);

/* What stops a node that falls silent from writing, if nothing else can: this one must not lead
 * without a watchdog. */
bool config_needs_watchdog(const struct config *c);

/* "[address:]port" of a probe: 25, 127.0.0.1:7654, [::1]:25. Without an address, or with one that
 * means "any", it is `host`. -EINVAL: neither. */
int config_probe_where(const char *value, const char *host, char *address, size_t size,
                       unsigned *ret_port);
/* Where [probe] says that this one is asked; "" = the row has no key (volume). `probe` is an enum
 * probe of core/probes.h. */
const char *config_probe_value(const struct config *c, size_t probe);
char *const *config_probe_field(const struct config *c, size_t probe); /* NULL = no key */
bool config_probe_on(const struct config *c, size_t probe);            /* it is to be asked */
/* A failure makes a master unfit: mail needs it, and its service is not called optional. */
bool config_probe_vital(const struct config *c, size_t probe);
