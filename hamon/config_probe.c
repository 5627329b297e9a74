/* Where a probe is asked: Mailcow writes its ports as "25" or "127.0.0.1:25". */
#include "hamon/config.h"

#include "hamon/core/probes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

char *const *config_probe_field(const struct config *c, size_t probe)
{
        char *const *const fields[PROBE_COUNT_] = {
                [PROBE_SMTP] = &c->probe.smtp,     [PROBE_SUBMISSION] = &c->probe.submission,
                [PROBE_SMTPS] = &c->probe.smtps,   [PROBE_IMAP] = &c->probe.imap,
                [PROBE_POP3] = &c->probe.pop3,     [PROBE_POP3S] = &c->probe.pop3s,
                [PROBE_IMAPS] = &c->probe.imaps,   [PROBE_SIEVE] = &c->probe.sieve,
                [PROBE_HTTPS] = &c->probe.https,   [PROBE_REDIS] = &c->probe.redis,
                [PROBE_RSPAMD] = &c->probe.rspamd,
        };

        return probe < PROBE_COUNT_ ? fields[probe] : NULL;
}

const char *config_probe_value(const struct config *c, size_t probe)
{
        char *const *field = config_probe_field(c, probe);

        return field && *field ? *field : "";
}

bool config_probe_on(const struct config *c, size_t probe)
{
        const struct probe_row *row = &PROBES[probe];

        if (row->kind == KIND_VOLUME && !*c->volume.mount)
                return false;
        if (row->kind != KIND_VOLUME && !*config_probe_value(c, probe))
                return false; /* published nowhere */
        return !strlist_has(&c->probe.disabled, row->name) &&
               !strlist_has(&c->stack.ignore, row->service);
}

bool config_probe_vital(const struct config *c, size_t probe)
{
        return PROBES[probe].vital && !strlist_has(&c->stack.optional, PROBES[probe].service);
}

/* The address a service is bound to, as one to connect to: "any" is none. */
static const char *reachable(const char *address, const char *host)
{
        static const char *const ANY[] = { "", "0.0.0.0", "::" };

        for (size_t i = 0; i < ARRAY_SIZE(ANY); i++)
                if (strcmp(address, ANY[i]) == 0)
                        return host;
        return address;
}

static bool is_address(const char *s)
{
        unsigned char bytes[sizeof(struct in6_addr)];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

int config_probe_where(const char *value, const char *host, char *address, size_t size,
                       unsigned *ret_port)
{
        const char *colon = strrchr(value, ':'), *digits = colon ? colon + 1 : value;
        char text[64] = "";
        uint64_t port;

        if (colon && *value == '[' && colon[-1] == ']')
                snprintf(text, sizeof text, "%.*s", (int)(colon - value - 2), value + 1);
        else if (colon)
                snprintf(text, sizeof text, "%.*s", (int)(colon - value), value);
        const char *to = reachable(text, host);
        if (parse_uint(digits, 1, 65535, &port) < 0 || !is_address(to) ||
            !str_copy(address, size, to))
                return -EINVAL;
        *ret_port = (unsigned)port;
        return 0;
}
