/* The 18 services of Mailcow's docker-compose.yml and where each belongs. Warm services hold no
 * state that two nodes could spoil; active ones write to the shared volume, or act for the cluster
 * (certificates, cron), and so run once. Optional ones may fail without mail failing. */
#include "hamon/services.h"

const struct service_row SERVICES[] = {
        { "unbound-mailcow", SET_WARM, false,
          "resolver; its first healthcheck takes 30 s, and postfix waits for it" },
        { "netfilter-mailcow", SET_WARM, true, "each node's own firewall; mail flows without it" },
        { "mysql-mailcow", SET_WARM, false, "the Galera member" },
        { "redis-mailcow", SET_ACTIVE, false, "DKIM keys and sessions, on the shared volume" },
        { "dovecot-mailcow", SET_ACTIVE, false, "the mails, on the shared volume" },
        { "postfix-mailcow", SET_ACTIVE, false, "the queue, on the shared volume" },
        { "postfix-tlspol-mailcow", SET_WARM, true, "a cache; postfix sends without it" },
        { "rspamd-mailcow", SET_ACTIVE, false, "postfix answers 4xx without this milter" },
        { "php-fpm-mailcow", SET_ACTIVE, false, "dovecot asks it for every login" },
        { "nginx-mailcow", SET_ACTIVE, false, "the way from dovecot to php-fpm; webmail" },
        { "sogo-mailcow", SET_ACTIVE, true, "webmail and groupware; writes to the database" },
        { "memcached-mailcow", SET_WARM, true, "SOGo's cache" },
        { "clamd-mailcow", SET_WARM, true, "takes minutes to load its signatures" },
        { "olefy-mailcow", SET_WARM, true, "stateless scanner" },
        { "acme-mailcow", SET_ACTIVE, true, "only one node may renew certificates" },
        { "watchdog-mailcow", SET_IGNORED, true, "restarts containers by its own rules" },
        { "dockerapi-mailcow", SET_WARM, false, "php-fpm waits for it at start" },
        { "ofelia-mailcow", SET_ACTIVE, true, "cron jobs inside dovecot and sogo" },
};

const size_t N_SERVICES = sizeof SERVICES / sizeof SERVICES[0];
