/* A session's number stays taken while it has members. A member is ours if it is the keeper itself
 * (number and start time), or if it is not older than the keeper and in the same cgroup: a number
 * that went round and now leads a stranger's session fits neither. /proc/PID/stat and cgroup are
 * read and nothing else: they never wait for the memory of a process that hangs. */
#include "hamon/hook_left.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PROC = 4096, FIELD_SESSION = 6, FIELD_START = 22 };

struct process {
        char state;
        uint64_t session, started;
};

/* "pid (any thing) S ppid pgrp session … starttime …": what is in brackets may hold anything. */
static int read_process(uint64_t pid, struct process *ret)
{
        CLEANUP(freep) char *text = NULL;
        char path[64], *rest = NULL, *word;
        int field = 3;

        snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
        int r = read_file(path, MAX_PROC, &text, NULL);
        if (r < 0)
                return r;
        char *at = strrchr(text, ')');
        if (!at || at[1] != ' ')
                return -EBADMSG;
        *ret = (struct process){ .state = at[2] };
        for (word = strtok_r(at + 1, " \n", &rest); word && field <= FIELD_START;
             word = strtok_r(NULL, " \n", &rest), field++) {
                uint64_t *dst = field == FIELD_SESSION ? &ret->session
                                : field == FIELD_START ? &ret->started
                                                       : NULL;
                if (dst && parse_uint(word, 0, UINT64_MAX, dst) < 0)
                        return -EBADMSG;
        }
        return field > FIELD_START ? 0 : -EBADMSG;
}

static int read_cgroup(uint64_t pid, char *dst, size_t size)
{
        CLEANUP(freep) char *text = NULL;
        char path[64];

        snprintf(path, sizeof path, "/proc/%llu/cgroup", (unsigned long long)pid);
        int r = read_file(path, MAX_PROC, &text, NULL);
        if (r < 0)
                return r;
        for (char *p = text; *p; p++) /* one word of one line */
                if (isspace((unsigned char)*p))
                        *p = ';';
        str_copy(dst, size, text);
        return 0;
}

int hook_mark_of(pid_t keeper, struct hook_mark *ret)
{
        struct hook_mark m = { .keeper = keeper };
        struct process p;

        int r = read_process((uint64_t)keeper, &p);
        if (r == 0)
                r = read_cgroup((uint64_t)keeper, m.cgroup, sizeof m.cgroup);
        if (r < 0)
                return r;
        m.started = p.started;
        *ret = m;
        return 0;
}

int hook_mark_write(const char *path, const struct hook_mark *m)
{
        char line[640];

        int n = snprintf(line, sizeof line, "%lld %llu %s\n", (long long)m->keeper,
                         (unsigned long long)m->started, m->cgroup);
        return write_file_atomic(path, 0600, line, (size_t)n);
}

int hook_mark_read(const char *path, struct hook_mark *ret)
{
        CLEANUP(freep) char *text = NULL;
        char *rest = NULL;
        uint64_t pid, started;

        int r = read_file(path, MAX_PROC, &text, NULL);
        if (r < 0)
                return r;
        const char *a = strtok_r(text, " ", &rest), *b = strtok_r(NULL, " ", &rest),
                   *c = strtok_r(NULL, "\n", &rest);
        if (!a || !b || !c || parse_uint(a, 2, INT32_MAX, &pid) < 0 ||
            parse_uint(b, 1, UINT64_MAX, &started) < 0)
                return -EBADMSG;
        *ret = (struct hook_mark){ .keeper = (pid_t)pid, .started = started };
        return str_copy(ret->cgroup, sizeof ret->cgroup, c) ? 0 : -EBADMSG;
}

static bool is_left(const struct hook_mark *m, uint64_t pid, const struct process *p)
{
        char cgroup[sizeof m->cgroup];

        if (p->state == 'Z' || p->state == 'X' || p->session != (uint64_t)m->keeper)
                return false;
        if (pid == (uint64_t)m->keeper)
                return p->started == m->started;
        return p->started >= m->started && read_cgroup(pid, cgroup, sizeof cgroup) == 0 &&
               strcmp(cgroup, m->cgroup) == 0;
}

unsigned hook_left_kill(const struct hook_mark *m, bool force)
{
        DIR *proc = opendir("/proc");
        const struct dirent *e;
        unsigned n = 0;

        while (proc && (e = readdir(proc))) {
                struct process p;
                uint64_t pid;
                if (parse_uint(e->d_name, 2, INT32_MAX, &pid) < 0 || read_process(pid, &p) < 0 ||
                    !is_left(m, pid, &p))
                        continue;
                n++;
                if (force || pid != (uint64_t)m->keeper)
                        kill((pid_t)pid, SIGKILL);
        }
        if (proc)
                closedir(proc);
        return n;
}
