/* libevent's evdns, one base per question: resolv.conf may change, and a question that is no longer
 * wanted takes its base along when its own callback has come. */
#include "lib/lookup.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
        struct loop *loop;
        lookup_fn fn; /* NULL = nobody asks any more */
        void *arg;
        struct timer kick; /* answers never come from inside lookup_start() */
        struct evdns_base *dns;
        struct evdns_getaddrinfo_request *request;
        unsigned port;
        char host[];
};

static void lookup_free(struct lookup *l)
{
        timer_done(&l->kick);
        if (l->dns)
                evdns_base_free(l->dns, 0);
        free(l);
}

static void answer(struct lookup *l, int error, const char *why, const struct sockaddr_storage *all,
                   size_t n)
{
        lookup_fn fn = l->fn;
        void *arg = l->arg;

        lookup_free(l);
        if (fn)
                fn(arg, error, why, all, n);
}

static void on_addresses(int code, struct evutil_addrinfo *list, void *arg)
{
        struct lookup *l = arg;
        struct sockaddr_storage all[LOOKUP_MAX];
        size_t n = 0;

        l->request = NULL;
        for (const struct evutil_addrinfo *a = list; a && n < LOOKUP_MAX; a = a->ai_next)
                if (a->ai_addrlen <= sizeof all[n]) {
                        memset(&all[n], 0, sizeof all[n]);
                        memcpy(&all[n++], a->ai_addr, a->ai_addrlen);
                }
        if (list)
                evutil_freeaddrinfo(list);
        if (n > 0)
                answer(l, 0, "", all, n);
        else
                answer(l, -EHOSTUNREACH, code ? evutil_gai_strerror(code) : "it has no address",
                       NULL, 0);
}

static void on_kick(void *arg)
{
        struct lookup *l = arg;
        const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
                                               .ai_socktype = SOCK_STREAM,
                                               .ai_protocol = IPPROTO_TCP };
        char port[8];

        l->dns = evdns_base_new(l->loop->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (!l->dns) {
                answer(l, -EHOSTUNREACH, "/etc/resolv.conf cannot be used", NULL, 0);
                return;
        }
        snprintf(port, sizeof port, "%u", l->port);
        /* it may have answered, and l be gone, when it returns NULL */
        struct evdns_getaddrinfo_request *request =
                evdns_getaddrinfo(l->dns, l->host, port, &hints, on_addresses, l);
        if (request)
                l->request = request;
}

int lookup_start(struct loop *loop, const char *host, unsigned port, lookup_fn fn, void *arg,
                 struct lookup **ret)
{
        size_t len = strlen(host) + 1;
        struct lookup *l = calloc(1, sizeof *l + len);

        if (!l)
                return -ENOMEM;
        *l = (struct lookup){ .loop = loop, .fn = fn, .arg = arg, .port = port };
        memcpy(l->host, host, len);
        int r = timer_init(&l->kick, loop, on_kick, l);
        if (r < 0) {
                free(l);
                return r;
        }
        timer_set(&l->kick, 0);
        *ret = l;
        return 0;
}

void lookup_cancel(struct lookup *l)
{
        if (!l)
                return;
        l->fn = NULL;
        if (l->request)
                evdns_getaddrinfo_cancel(l->request);
        else
                lookup_free(l);
}
