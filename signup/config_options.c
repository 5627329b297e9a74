/* OPTIONS[]: one row per key of signup.conf. `signup config --defaults`, the parser, the
 * environment overrides and the man page read this table. */
#include "signup/config.h"

#include "lib/log.h"

#define AT(field) offsetof(struct config, field)

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const char *const MODES[] = { "open", "invite", "approval", "closed", NULL };
static const char *const ON_ERRORS[] = { "allow", "refuse", NULL };
static const char *const STORES[] = { "memory", "galera", NULL };

/* Rows that differ in nothing else. */
#define ROW(section_, key_, type_, def_, help_, ...)                                              \
        {                                                                                         \
                .section = #section_, .key = #key_, .type = (type_), .offset = AT(section_.key_), \
                .def = (def_), .help = (help_), __VA_ARGS__                                       \
        }
#define TEXT(section_, key_, max_, def_, help_) \
        ROW(section_, key_, OPT_STRING, def_, help_, .max = (max_))
#define LIST(section_, key_, def_, help_)  ROW(section_, key_, OPT_LIST, def_, help_, .max = 4096)
#define FILE_(section_, key_, def_, help_) ROW(section_, key_, OPT_PATH, def_, help_, .max = 4095)
#define NUMBER(section_, key_, min_, max_, def_, help_) \
        ROW(section_, key_, OPT_UINT, def_, help_, .min = (min_), .max = (max_))
#define TIME(section_, key_, min_, max_, def_, help_) \
        ROW(section_, key_, OPT_DURATION, def_, help_, .min = (min_), .max = (max_))
#define CHOICE(section_, key_, choices_, def_, help_) \
        ROW(section_, key_, OPT_CHOICE, def_, help_, .choices = (choices_))

static const struct option OPTIONS[] = {
        TEXT(signup, listen, 200, "/run/mailcow-signup/signup.sock",
             "Where nginx finds the portal by FastCGI: a path (unix socket), address:port, or "
             "inherited."),
        TEXT(signup, socket_group, 32, "",
             "Group that may use the unix socket (mode 0660). Empty: the group of the process."),
        NUMBER(signup, threads, 1, 256, "32", "Requests that are worked on side by side."),
        TEXT(signup, base_path, 64, "/signup", "Path under which nginx serves the portal."),
        FILE_(signup, data_dir, "/usr/share/mailcow-ha",
              "Where the folders templates and locales are."),
        TEXT(signup, language, 5, "en-gb",
             "Language for visitors who speak none of those in the folder locales."),
        TEXT(signup, title, 200, "Mail", "Name of the service, on top of each page."),
        TEXT(signup, logo, 500, "/img/cow_mailcow.svg",
             "Picture on top: a path on the same server. Empty: none."),
        TEXT(signup, stylesheet, 500, "",
             "A further stylesheet on the same server, such as "
             "/css/build/0081-custom-mailcow.css."),
        TEXT(signup, contact, 300, "",
             "Mail address for visitors who cannot pass. Empty: none is shown."),
        TEXT(signup, terms_url, 500, "",
             "The terms of use, https or a path on the same server. With it or privacy_url, "
             "consent "
             "is asked for."),
        TEXT(signup, privacy_url, 500, "", "The privacy statement, likewise."),
        TEXT(signup, terms_version, 32, "1", "Version of the terms, written into the log."),
        TEXT(signup, webmail_url, 500, "/SOGo/", "Where a new user reads mail in the browser."),
        TEXT(signup, login_url, 500, "/", "Where a new user finds Mailcow's own page."),
        CHOICE(signup, mode, MODES, "open",
               "Who may sign up: open, invite (with a code), approval (an administrator decides), "
               "closed."),
        LIST(signup, domains, "", "Domains that are open for signup."),
        LIST(signup, origins, "",
             "Origins the form may be sent from, as https://mail.example.org. Empty: the "
             "request's own host."),
        TEXT(signup, domain_tag, 64, "",
             "Mailcow domains with this tag are open for signup. domains, if set, comes first."),
        TEXT(mailcow, url, 300, "", "Where Mailcow's API is: https://mail.example.org."),
        FILE_(mailcow, api_key_file, "/etc/mailcow-ha/mailcow.key",
              "File with a read-write key of Mailcow's API, on its first line."),
        FILE_(mailcow, ca_file, "",
              "Certificates that Mailcow's is checked against. Empty: the system's."),
        TEXT(mailcow, hostname, 253, "",
             "Host name for mail programs. Empty: the one in mailcow.url."),
        TIME(mailcow, timeout, 200, MINUTE, "10s", "How long one call to the API may take."),
        TIME(mailcow, cache, 0, HOUR, "1m",
             "How long the password policy and the list of domains are kept."),
        NUMBER(mailbox, quota_mib, 1, 1 << 30, "1024", "Size of a new mailbox in MiB."),
        LIST(mailbox, acl, "",
             "What a new user may do, as Mailcow names it. Empty: Mailcow's default."),
        LIST(mailbox, tags, "signup", "Tags of a new mailbox."),
        TEXT(mailbox, rate_limit, 20, "",
             "How many messages a new user may send: 20/h (s, m, h, d). Empty: no own limit."),
        TEXT(mailbox, pending_tag, 64, "signup-pending",
             "Tag of a mailbox that waits for approval; also of one that a machine seems "
             "to have asked for. Set, unless signup.mode is closed."),
        ROW(mailbox, force_pw_update, OPT_BOOL, "off",
            "The password has to be changed at the first login.", .min = 0),
        LIST(gate, kinds, "pow image audio",
             "Proofs of which one must be given: image, audio, pow, invite (needs store.kind = "
             "galera)."),
        TIME(gate, ttl, MINUTE, HOUR, "10m", "How long a form is valid."),
        TIME(gate, min_age, 0, MINUTE, "3s", "Forms that come back faster are not a person's."),
        FILE_(gate, secret_file, "/etc/mailcow-ha/signup.secret",
              "File with the secret all tickets are signed by, the same on all nodes."),
        TEXT(limit, per_address, 20, "5/1h",
             "Mailboxes for one address (IPv6: /64): count/duration, or off."),
        TEXT(limit, per_network, 20, "20/1h", "Mailboxes for one network (IPv4 /24, IPv6 /48)."),
        TEXT(limit, per_domain, 20, "200/1h", "Mailboxes in one domain."),
        TEXT(limit, global, 20, "300/1h", "Mailboxes in all."),
        TEXT(limit, attempts, 20, "30/10m", "Forms sent from one address."),
        TEXT(limit, pages, 20, "300/1m", "Requests from one address."),
        LIST(limit, trusted_proxies, "",
             "Addresses or networks whose X-Forwarded-For is believed. Empty: nginx's realip "
             "decides."),
        FILE_(policy, reserved_file, "",
              "File with local parts nobody may have, one a line. Empty: the one in data_dir."),
        NUMBER(policy, name_min, 1, 100, "2", "Shortest full name, in characters."),
        NUMBER(policy, name_max, 1, 200, "64", "Longest full name."),
        NUMBER(policy, local_min, 1, 64, "3", "Shortest local part of an address."),
        NUMBER(policy, local_max, 1, 64, "32", "Longest local part."),
        NUMBER(policy, password_min, 8, 64, "10",
               "Shortest password; Mailcow's own policy holds too."),
        NUMBER(policy, password_max, 64, 72, "72",
               "Longest password in bytes: Mailcow's hash looks at 72."),
        TEXT(policy, pwned_url, 300, "",
             "Breached passwords by range query: https://api.pwnedpasswords.com/range/. Empty: not "
             "asked."),
        CHOICE(policy, pwned_on_error, ON_ERRORS, "allow",
               "What happens while that service does not answer."),
        TIME(policy, pwned_timeout, 100, 10000, "1500ms", "How long it is waited for."),
        CHOICE(store, kind, STORES, "memory",
               "Where used tickets and invites are kept: memory (one node, until a restart), "
               "galera."),
        FILE_(store, socket, "", "Unix socket of the database. Empty: host and port."),
        TEXT(store, host, 63, "127.0.0.1", "Numeric address of the database."),
        NUMBER(store, port, 1, 65535, "13306", "Port of the database."),
        TEXT(store, user, 80, "hamon", "User of the database."),
        FILE_(store, password_file, "/etc/mailcow-ha/galera.pass",
              "File with the password, on its first line."),
        TEXT(store, database, 64, "hamon", "Name of the database."),
        CHOICE(log, level, LOG_LEVELS, "info", "Least important lines that are logged."),
};

const struct conf_spec CONFIG_SPEC = { OPTIONS, ARRAY_SIZE(OPTIONS), "SIGNUP" };
