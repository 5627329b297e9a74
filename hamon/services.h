/* Mailcow's services and the set each belongs to by default (services.c says why). */
#pragma once

#include "hamon/core/judge.h"
#include <stddef.h>

/* The defaults of [stack] as lists; a test holds them against SERVICES[]. */
#define SERVICES_WARM                                                             \
        "unbound-mailcow netfilter-mailcow mysql-mailcow postfix-tlspol-mailcow " \
        "memcached-mailcow clamd-mailcow olefy-mailcow dockerapi-mailcow"
#define SERVICES_ACTIVE                                                                 \
        "redis-mailcow dovecot-mailcow postfix-mailcow rspamd-mailcow php-fpm-mailcow " \
        "nginx-mailcow sogo-mailcow acme-mailcow ofelia-mailcow"
#define SERVICES_OPTIONAL                                                                         \
        "netfilter-mailcow postfix-tlspol-mailcow memcached-mailcow clamd-mailcow olefy-mailcow " \
        "sogo-mailcow acme-mailcow ofelia-mailcow"
#define SERVICES_IGNORED "watchdog-mailcow"

enum service_part {
        SERVICE_PLAIN,
        SERVICE_MAIL,  /* taking mail needs it: started before what is for people */
        SERVICE_SLOW,  /* so too, and when it ends it waits for nothing, for a second */
        SERVICE_EARLY, /* so too, and none of its data is on the volume: it need not wait for that
                        */
        SERVICE_FIRST, /* takes mail: so too, and stopped before all others */
        SERVICE_RIVAL, /* starts and restarts containers by itself: stopped where it is ignored */
};

struct service_row {
        const char *name;
        enum set set;
        bool optional;
        enum service_part part;
        unsigned port; /* where it listens inside its container, if taking mail waits for that */
        const char *needs; /* services started before it, as in Mailcow's docker-compose.yml */
        const char *why;
};

extern const struct service_row SERVICES[];
extern const size_t N_SERVICES;

const struct service_row *service_find(const char *name); /* NULL: not one of Mailcow's */
