/* The 18 services of Mailcow's docker-compose.yml and where each belongs. Warm services hold no
 * state that two nodes could spoil; active ones write to the shared volume, or act for the cluster
 * (certificates, cron), and so run once. Optional ones may fail without mail failing. */
#include "hamon/services.h"

#include <string.h>

const struct service_row SERVICES[] = {
        { "unbound-mailcow", SET_WARM, false, SERVICE_PLAIN, 0, "",
          "resolver; its first healthcheck takes 30 s, and postfix waits for it" },
        { "netfilter-mailcow", SET_WARM, true, SERVICE_PLAIN, 0, "",
          "each node's own firewall; mail flows without it" },
        { "mysql-mailcow", SET_WARM, false, SERVICE_PLAIN, 0, "unbound-mailcow netfilter-mailcow",
          "the Galera member" },
        { "redis-mailcow", SET_ACTIVE, false, SERVICE_MAIL, 0, "netfilter-mailcow",
          "DKIM keys and sessions, on the shared volume" },
        { "dovecot-mailcow", SET_ACTIVE, false, SERVICE_SLOW, 24,
          "mysql-mailcow netfilter-mailcow redis-mailcow", "the mails, on the shared volume" },
        { "postfix-mailcow", SET_ACTIVE, false, SERVICE_FIRST, 25,
          "mysql-mailcow unbound-mailcow postfix-tlspol-mailcow",
          "the queue, on the shared volume" },
        { "postfix-tlspol-mailcow", SET_WARM, true, SERVICE_PLAIN, 0, "unbound-mailcow",
          "a cache; postfix sends without it" },
        { "rspamd-mailcow", SET_ACTIVE, false, SERVICE_EARLY, 9900, "dovecot-mailcow clamd-mailcow",
          "postfix answers 4xx without this milter; compiled maps, each node's own" },
        { "php-fpm-mailcow", SET_ACTIVE, false, SERVICE_PLAIN, 0, "redis-mailcow",
          "dovecot asks it for every login" },
        { "nginx-mailcow", SET_ACTIVE, false, SERVICE_PLAIN, 0,
          "redis-mailcow php-fpm-mailcow sogo-mailcow rspamd-mailcow",
          "the way from dovecot to php-fpm; webmail" },
        { "sogo-mailcow", SET_ACTIVE, true, SERVICE_PLAIN, 0, "",
          "webmail and groupware; writes to the database" },
        { "memcached-mailcow", SET_WARM, true, SERVICE_PLAIN, 0, "", "SOGo's cache" },
        { "clamd-mailcow", SET_WARM, true, SERVICE_PLAIN, 0, "unbound-mailcow",
          "takes minutes to load its signatures" },
        { "olefy-mailcow", SET_WARM, true, SERVICE_PLAIN, 0, "", "stateless scanner" },
        { "acme-mailcow", SET_ACTIVE, true, SERVICE_PLAIN, 0, "nginx-mailcow unbound-mailcow",
          "only one node may renew certificates" },
        { "watchdog-mailcow", SET_IGNORED, true, SERVICE_RIVAL, 0,
          "postfix-mailcow dovecot-mailcow mysql-mailcow acme-mailcow redis-mailcow",
          "restarts containers by its own rules" },
        { "dockerapi-mailcow", SET_WARM, false, SERVICE_PLAIN, 0, "",
          "php-fpm waits for it at start" },
        { "ofelia-mailcow", SET_ACTIVE, true, SERVICE_PLAIN, 0, "sogo-mailcow dovecot-mailcow",
          "cron jobs inside dovecot and sogo" },
};

const size_t N_SERVICES = sizeof SERVICES / sizeof SERVICES[0];

const struct service_row *service_find(const char *name)
{
        for (size_t i = 0; i < N_SERVICES; i++)
                if (strcmp(SERVICES[i].name, name) == 0)
                        return &SERVICES[i];
        return NULL;
}
