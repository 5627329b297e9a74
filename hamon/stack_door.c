/* One nftables table of our own, made and removed in one transaction. It hooks in before Docker's
 * address translation and before connection tracking, and looks at the SYN alone: what stands is
 * not touched. Its ports are a set with a timeout, so a door that nobody opens opens by itself. */
#include "hamon/stack_door.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 4096, SOCKETS_MAX = 8 * 1024 * 1024, PORTS_MAX = 16 };
enum { TCP_ESTABLISHED = 1, TCP_CLOSE_WAIT = 8, TCP_LISTEN = 10 }; /* of /proc/net/tcp */

static const char NFT[] = "/usr/sbin/nft";

int stack_door_script(const unsigned *ports, size_t n, msec_t hold, struct buf *out)
{
        if (n == 0 || n > PORTS_MAX)
                return -EINVAL;
        buf_adds(out, "add table inet " STACK_DOOR_TABLE "\n"
                      "delete table inet " STACK_DOOR_TABLE "\n"
                      "table inet " STACK_DOOR_TABLE " {\n"
                      "  set ports {\n"
                      "    type inet_service; flags timeout;\n");
        buf_addf(out, "    timeout %" PRId64 "s; elements = {", (hold + 999) / 1000);
        for (size_t i = 0; i < n; i++) {
                bool twice = false;
                for (size_t k = 0; k < i; k++)
                        twice = twice || ports[k] == ports[i];
                if (!twice)
                        buf_addf(out, "%s %u", i > 0 ? "," : "", ports[i]);
        }
        /* not lo: our own probes; only our addresses: containers talk to one another as before */
        buf_adds(out, " }\n  }\n"
                      "  chain early {\n"
                      "    type filter hook prerouting priority raw; policy accept;\n"
                      "    iifname != \"lo\" tcp dport @ports tcp flags & (syn | ack) == syn fib "
                      "daddr type local counter drop\n"
                      "  }\n}\n");
        return out->error;
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

static int close_door(const unsigned *ports, size_t n, msec_t hold, bool check, msec_t deadline,
                      const struct child_tick *tick, struct buf *error)
{
        CLEANUP(buf_done) struct buf script = BUF(4096);
        int r = stack_door_script(ports, n, hold, &script);

        if (r < 0) {
                buf_adds(error, "no mail port is known");
                return r;
        }
        return run_script(buf_str(&script), check, deadline, tick, error);
}

int stack_door_close(const unsigned *ports, size_t n, msec_t hold, msec_t deadline,
                     const struct child_tick *tick, struct buf *error)
{
        return close_door(ports, n, hold, false, deadline, tick, error);
}

int stack_door_check(const unsigned *ports, size_t n, msec_t hold, msec_t deadline,
                     const struct child_tick *tick, struct buf *error)
{
        return close_door(ports, n, hold, true, deadline, tick, error);
}

int stack_door_open(msec_t deadline, const struct child_tick *tick, struct buf *error)
{
        return run_script("add table inet " STACK_DOOR_TABLE "\n"
                          "delete table inet " STACK_DOOR_TABLE "\n",
                          false, deadline, tick, error);
}

static bool is_of_kind(unsigned state, enum stack_door_kind kind)
{
        if (kind == DOOR_LISTENERS)
                return state == TCP_LISTEN;
        return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

/* "  0: 0100007F:0019 00000000:0000 0A …": number, local, remote, state, all in hex. */
static bool matches(const char *line, enum stack_door_kind kind, const unsigned *ports, size_t n)
{
        unsigned port, state;

        // NOLINTNEXTLINE(cert-err34-c): the kernel's own words, four and two digits
        if (sscanf(line, " %*u: %*32[0-9A-F]:%4X %*32[0-9A-F]:%*4X %2X", &port, &state) != 2 ||
            !is_of_kind(state, kind))
                return false;
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

size_t stack_door_count(const char *text, enum stack_door_kind kind, const unsigned *ports,
                        size_t n)
{
        size_t count = 0;

        for (const char *line = text; *line;) {
                count += matches(line, kind, ports, n);
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
        return count;
}

ssize_t stack_door_look(pid_t pid, enum stack_door_kind kind, const unsigned *ports, size_t n)
{
        static const char *const FILES[] = { "tcp", "tcp6" };
        size_t count = 0;

        for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
                CLEANUP(freep) char *text = NULL;
                char path[64];
                snprintf(path, sizeof path, "/proc/%ld/net/%s", (long)pid, FILES[i]);
                int r = read_file(path, SOCKETS_MAX, &text, NULL);
                if (r == -ENOENT && i > 0)
                        break; /* no IPv6 here */
                if (r < 0)
                        return r;
                count += stack_door_count(text, kind, ports, n);
        }
        return (ssize_t)count;
}
