/* nft(8) as a child: libnftables is the same code in our own process, without the deadline. */
#include "hamon/outbound.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Before srcnat (100), where Docker masquerades: the first chain that maps a connection has it. */
enum { PRIORITY = 90, SCRIPT_MAX = 16 * 1024, ANSWER_MAX = 64 * 1024 };

static const char NFT[] = "/usr/sbin/nft";

static const char *family_name(int family)
{
        return family == AF_INET ? "ip" : "ip6";
}

/* The family of an address or a network, 0 = it is none. Everything that goes into a script passes
 * here or is_interface(): nft has no quoting for addresses. */
static int family_of(const char *s, bool network)
{
        unsigned char bytes[16];
        char address[64];
        uint64_t prefix;

        if (!str_copy(address, sizeof address, s))
                return 0;
        char *slash = strchr(address, '/');
        if (network != (slash != NULL))
                return 0;
        if (slash)
                *slash = '\0';
        int family = strchr(address, ':') ? AF_INET6 : AF_INET;
        if (inet_pton(family, address, bytes) != 1)
                return 0;
        if (slash && parse_uint(slash + 1, 0, family == AF_INET ? 32 : 128, &prefix) < 0)
                return 0;
        return family;
}

static bool is_interface(const char *s)
{
        return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "._-@")] == '\0';
}

/* "{ a, b }" of those of our family; returns how many. */
static int add_set(struct buf *out, const char *before, const char *const *words, size_t n,
                   int family, bool network)
{
        int count = 0;

        for (size_t i = 0; i < n; i++) {
                int f = family_of(words[i], network);
                if (f == 0)
                        return -EINVAL;
                if (f != family)
                        continue;
                buf_addf(out, "%s%s", count == 0 ? before : ", ", words[i]);
                count++;
        }
        if (count > 0)
                buf_adds(out, " } ");
        return count;
}

static int add_rule(const struct outbound *o, struct buf *out)
{
        const char *name = family_name(o->family);
        char before[32];

        if (family_of(o->address, false) != o->family || !is_interface(o->interface))
                return -EINVAL;
        snprintf(before, sizeof before, "%s saddr { ", name);
        int r = add_set(out, before, o->networks, o->n_networks, o->family, true);
        if (r <= 0)
                return r < 0 ? r : -ENODATA;
        snprintf(before, sizeof before, "%s daddr != { ", name);
        r = add_set(out, before, o->direct, o->n_direct, o->family, false);
        if (r < 0)
                return r;
        buf_addf(out, "oifname \"%s\" snat to %s", o->interface, o->address);
        return out->error;
}

/* By it a rule is known again: nft prints it in words of its own. */
static void fingerprint(const char *rule, char *dst, size_t size)
{
        uint64_t h = 14695981039346656037U;

        for (; *rule; rule++)
                h = (h ^ (unsigned char)*rule) * 1099511628211U;
        snprintf(dst, size, "hamon %016" PRIx64, h);
}

int outbound_script(const struct outbound *o, struct buf *out)
{
        CLEANUP(buf_done) struct buf rule = BUF(SCRIPT_MAX);
        const char *family = family_name(o->family);
        char mark[32];
        int r = add_rule(o, &rule);

        if (r < 0)
                return r;
        fingerprint(buf_str(&rule), mark, sizeof mark);
        return buf_addf(out,
                        "add table %s " OUTBOUND_TABLE "\n"
                        "delete table %s " OUTBOUND_TABLE "\n"
                        "table %s " OUTBOUND_TABLE " {\n"
                        "  chain postrouting {\n"
                        "    type nat hook postrouting priority %d; policy accept;\n"
                        "    %s comment \"%s\"\n"
                        "  }\n}\n",
                        family, family, family, PRIORITY, buf_str(&rule), mark);
}

static int list(int family, msec_t deadline, const struct child_tick *tick, struct buf *out)
{
        const char *const argv[] = {
                NFT, "list", "table", family_name(family), OUTBOUND_TABLE, NULL
        };
        int code = 0, r = child_program(argv, NULL, deadline, tick, out, &code);

        return r < 0 ? r : code == 0;
}

int outbound_is_there(int family, msec_t deadline, const struct child_tick *tick)
{
        return list(family, deadline, tick, NULL);
}

int outbound_look(const struct outbound *o, msec_t deadline, const struct child_tick *tick)
{
        CLEANUP(buf_done) struct buf rule = BUF(SCRIPT_MAX), have = BUF(ANSWER_MAX);
        char mark[32];
        int r = add_rule(o, &rule);

        if (r < 0)
                return r;
        fingerprint(buf_str(&rule), mark, sizeof mark);
        r = list(o->family, deadline, tick, &have);
        return r == 1 ? strstr(buf_str(&have), mark) != NULL : r;
}

/* `check`: the kernel is asked whether it would take it, and nothing is changed. */
static int run_script(const char *script, bool check, msec_t deadline,
                      const struct child_tick *tick, struct buf *error)
{
        const char *const argv[] = { NFT, check ? "-cf" : "-f", "-", NULL };
        CLEANUP(buf_done) struct buf said = BUF(ANSWER_MAX);
        int code = 0, r = child_program(argv, script, deadline, tick, &said, &code);

        if (r == -ENOENT)
                buf_addf(error, "%s is not there (Debian: nftables)", NFT);
        else if (r == -ETIMEDOUT)
                buf_adds(error, "nft did not end in time");
        else if (r < 0)
                buf_addf(error, "nft: %s", strerror(-r));
        if (r < 0 || code == 0)
                return r;
        buf_addf(error, "nft: %.*s", (int)strcspn(buf_str(&said), "\n"), buf_str(&said));
        return -EIO;
}

static int make(const struct outbound *o, bool check, msec_t deadline,
                const struct child_tick *tick, struct buf *error)
{
        CLEANUP(buf_done) struct buf script = BUF(SCRIPT_MAX);
        int r = outbound_script(o, &script);

        if (r < 0) {
                buf_addf(error, "no rule can be made for %s on %s", o->address, o->interface);
                return r;
        }
        return run_script(buf_str(&script), check, deadline, tick, error);
}

int outbound_set(const struct outbound *o, msec_t deadline, const struct child_tick *tick,
                 struct buf *error)
{
        return make(o, false, deadline, tick, error);
}

int outbound_check(const struct outbound *o, msec_t deadline, const struct child_tick *tick,
                   struct buf *error)
{
        return make(o, true, deadline, tick, error);
}

int outbound_clear(int family, msec_t deadline, const struct child_tick *tick, struct buf *error)
{
        char script[128];

        snprintf(script, sizeof script,
                 "add table %s " OUTBOUND_TABLE "\ndelete table %s " OUTBOUND_TABLE "\n",
                 family_name(family), family_name(family));
        return run_script(script, false, deadline, tick, error);
}
