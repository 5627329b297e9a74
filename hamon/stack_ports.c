/* The tables of listeners, and whose socket has that inode. */
#include "hamon/stack_ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_LISTEN = 10, SOCKETS_MAX = 8 * 1024 * 1024 };

struct address {
        bool six;
        unsigned char bytes[16];
};

static const unsigned char MAPPED[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:a.b.c.d */

static bool is_any(const struct address *a)
{
        static const unsigned char ZERO[16];

        return memcmp(a->bytes, ZERO, a->six ? 16 : 4) == 0;
}

static bool same(const struct address *a, const struct address *b)
{
        return a->six == b->six && memcmp(a->bytes, b->bytes, a->six ? 16 : 4) == 0;
}

/* The kernel's words of 32 bits, in the order of this machine. */
static bool parse_hex(const char *hex, bool six, struct address *ret)
{
        char word[9] = "";

        *ret = (struct address){ .six = six };
        for (size_t i = 0; i < (six ? 4U : 1U); i++) {
                if (strlen(hex) < 8 * (i + 1))
                        return false;
                memcpy(word, hex + 8 * i, 8);
                uint32_t value = (uint32_t)strtoul(word, NULL, 16);
                memcpy(ret->bytes + 4 * i, &value, 4);
        }
        if (six && memcmp(ret->bytes, MAPPED, sizeof MAPPED) == 0) {
                memmove(ret->bytes, ret->bytes + 12, 4);
                ret->six = false;
        }
        return true;
}

/* Linux lets nobody listen beside a listener of the same port, but on another address. "" is both
 * families; who listens on :: may have both, too. */
static bool is_in_the_way(const struct address *listener, const char *wanted)
{
        struct address w = { .six = strchr(wanted, ':') != NULL };

        if (!*wanted)
                return true;
        if (inet_pton(w.six ? AF_INET6 : AF_INET, wanted, w.bytes) != 1)
                return false;
        if (listener->six != w.six)
                return listener->six && is_any(listener);
        return is_any(listener) || is_any(&w) || same(listener, &w);
}

/* "  0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 …" */
static unsigned long match(const char *line, bool six, const struct stack_port *p)
{
        struct address a;
        unsigned long inode;
        unsigned port, state;
        char hex[33];

        // NOLINTNEXTLINE(cert-err34-c): the kernel's own words, in widths it promises
        if (sscanf(line, " %*u: %32[0-9A-F]:%4X %*32[0-9A-F]:%*4X %2X %*s %*s %*s %*u %*u %19lu",
                   hex, &port, &state, &inode) != 4 ||
            state != TCP_LISTEN || port != p->port || !parse_hex(hex, six, &a))
                return 0;
        return is_in_the_way(&a, p->address) ? inode : 0;
}

unsigned long stack_ports_find(const char *text, bool six, const struct stack_port *p)
{
        unsigned long inode = 0;

        for (const char *line = text; *line && inode == 0;) {
                inode = match(line, six, p);
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
        return inode;
}

/* ---- whose it is ---- */

static void closedirp(DIR **d)
{
        if (*d)
                closedir(*d);
}

static bool has_socket(const char *pid, const char *link)
{
        char path[300], target[64];

        snprintf(path, sizeof path, "/proc/%s/fd", pid);
        CLEANUP(closedirp) DIR *fds = opendir(path);
        if (!fds)
                return false;
        for (const struct dirent *e = readdir(fds); e; e = readdir(fds)) {
                ssize_t n = readlinkat(dirfd(fds), e->d_name, target, sizeof target - 1);
                target[n > 0 ? n : 0] = '\0';
                if (strcmp(target, link) == 0)
                        return true;
        }
        return false;
}

static void name_owner(unsigned long inode, char *who, size_t size)
{
        CLEANUP(closedirp) DIR *proc = opendir("/proc");
        char link[64], path[300];

        str_copy(who, size, "somebody");
        snprintf(link, sizeof link, "socket:[%lu]", inode);
        for (const struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
                CLEANUP(freep) char *name = NULL;
                if (e->d_name[0] < '1' || e->d_name[0] > '9' || !has_socket(e->d_name, link))
                        continue;
                snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
                if (read_file(path, 64, &name, NULL) < 0)
                        continue;
                name[strcspn(name, "\n")] = '\0';
                snprintf(who, size, "%s (%s)", name, e->d_name);
                return;
        }
}

int stack_ports_taken(const struct stack_port *p, char *who, size_t size)
{
        static const char *const FILES[] = { "/proc/net/tcp", "/proc/net/tcp6" };

        for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
                CLEANUP(freep) char *text = NULL;
                int r = read_file(FILES[i], SOCKETS_MAX, &text, NULL);
                if (r == -ENOENT && i > 0)
                        return 0; /* no IPv6 here */
                if (r < 0)
                        return r;
                unsigned long inode = stack_ports_find(text, i > 0, p);
                if (inode > 0) {
                        name_owner(inode, who, size);
                        return 1;
                }
        }
        return 0;
}
