/* signup.conf as a struct, and the one table OPTIONS[] that fills, prints and explains it. */
#pragma once

#include "lib/conf.h"

enum mode { MODE_OPEN, MODE_INVITE, MODE_APPROVAL, MODE_CLOSED };
enum on_error { ON_ERROR_ALLOW, ON_ERROR_REFUSE };
enum store_kind { STORE_MEMORY, STORE_GALERA };

struct config {
        struct {
                char *listen, *socket_group;
                uint64_t threads;
                char *base_path, *data_dir, *language;
                char *title, *logo, *stylesheet, *contact, *terms_url, *privacy_url, *terms_version;
                char *webmail_url, *login_url;
                int mode; /* enum mode */
                struct strlist domains, origins;
                char *domain_tag;
        } signup;
        struct {
                char *url, *api_key_file, *ca_file, *hostname;
                msec_t timeout, cache;
        } mailcow;
        struct {
                uint64_t quota_mib;
                struct strlist acl, tags;
                char *rate_limit, *pending_tag;
                bool force_pw_update;
        } mailbox;
        struct {
                struct strlist kinds;
                msec_t ttl, min_age;
                char *secret_file;
        } gate;
        struct {
                char *per_address, *per_network, *per_domain, *global, *attempts, *pages;
                struct strlist trusted_proxies;
        } limit;
        struct {
                char *reserved_file;
                uint64_t name_min, name_max, local_min, local_max, password_min, password_max;
                char *pwned_url;
                int pwned_on_error; /* enum on_error */
                msec_t pwned_timeout;
        } policy;
        struct {
                int kind; /* enum store_kind */
                char *socket, *host;
                uint64_t port;
                char *user, *password_file, *database;
        } store;
        struct {
                int level; /* enum log_level */
        } log;
};

#define CONFIG_FILE "/etc/mailcow-ha/signup.conf"

extern const struct conf_spec CONFIG_SPEC;

/* Load `file`, then the environment SIGNUP_<SECTION>_<KEY>, and check what no single row can check.
 * On failure each mistake is a line "file:line: ..." in `errors` and nothing is kept. */
int config_load(const char *file, struct config *c, struct buf *errors);
void config_free(struct config *c);

/* "20/1h": how many in how long. "off" = no limit (count 0). -EINVAL otherwise. */
struct rate {
        uint64_t count;
        msec_t period;
};
int rate_parse(const char *text, struct rate *ret);

/* Where [signup] listen says: "inherited", "/path" or "address:port" ("[v6]:port"). */
enum listen_kind { LISTEN_INHERITED, LISTEN_UNIX, LISTEN_TCP };
struct listen {
        enum listen_kind kind;
        char address[108]; /* path, or numeric address */
        unsigned port;
};
int listen_parse(const char *text, struct listen *ret);
