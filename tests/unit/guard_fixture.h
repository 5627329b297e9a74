/* Processes in cgroups that look like containers, a volume on a loop device, and the real guard. */
#pragma once

#include "disk.h"
#include "hamon/core/target.h"

/* A hierarchy of this machine in which a test can make groups. */
static inline const char *hierarchy(void)
{
        static const char *const TRY[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified",
                                           "/sys/fs/cgroup" };

        for (size_t i = 0; i < ARRAY_SIZE(TRY); i++) {
                char path[64];
                snprintf(path, sizeof path, "%s/cgroup.procs", TRY[i]);
                if (access(path, W_OK) == 0)
                        return TRY[i];
        }
        fail_msg("no cgroup hierarchy to write in");
        return NULL;
}

/* 64 hex digits that nobody else has. */
static inline void make_id(char id[TARGET_ID_SIZE])
{
        static unsigned turn;

        snprintf(id, TARGET_ID_SIZE, "%016llx%08x%08x%032x", (unsigned long long)clock_ms(),
                 (unsigned)getpid(), ++turn, 0xfaceU);
}

struct container {
        char id[TARGET_ID_SIZE];
        char parent[128], dir[256]; /* its cgroup */
        pid_t pid;
};

/* A process (deaf to SIGTERM, with a child) in <hierarchy>/mha-test-ID/<pattern with the id>.
 * A test that was killed leaves one, and pids come again: so its time is in the name.
 * `hold`: it has a mount namespace of its own, with a copy of every mount. */
static inline void container_run(struct container *c, const char *where, const char *pattern,
                                 bool hold)
{
        char name[128], procs[300];
        int up[2];
        char byte;

        make_id(c->id);
        snprintf(c->parent, sizeof c->parent, "%s/mha-test-%.32s", where, c->id);
        assert_int_equal(mkdir(c->parent, 0755), 0);
        snprintf(name, sizeof name, pattern, c->id); /* NOLINT */
        snprintf(c->dir, sizeof c->dir, "%s/%s", c->parent, name);
        assert_int_equal(mkdir(c->dir, 0755), 0);
        snprintf(procs, sizeof procs, "%s/cgroup.procs", c->dir);

        assert_int_equal(pipe(up), 0);
        pid_t parent = getpid();
        c->pid = fork();
        assert_true(c->pid >= 0);
        if (c->pid == 0) {
                int fd = open(procs, O_WRONLY);
                signal(SIGTERM, SIG_IGN);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent || fd < 0 || write(fd, "0", 1) != 1 ||
                    (hold && unshare(CLONE_NEWNS) < 0))
                        _exit(1);
                if (fork() == 0)
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                else if (write(up[1], "u", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        close(up[1]);
        assert_int_equal(read(up[0], &byte, 1), 1);
        close(up[0]);
}

/* True once, when its first process was killed. */
static inline bool container_dead(struct container *c)
{
        return c->pid == 0 || ended(&c->pid) >= 1000;
}

static inline void container_end(struct container *c)
{
        char path[300];

        snprintf(path, sizeof path, "%s/freezer.state", c->dir);
        if (*c->dir && access(path, W_OK) == 0)
                put_file(path, "THAWED"); /* after a failure: frozen it could not be ended */
        end_child(&c->pid);
        if (*c->dir) {
                msec_t end = clock_ms() + PATIENCE_MS;
                while (rmdir(c->dir) < 0 && errno == EBUSY && clock_ms() < end)
                        nap();
                rmdir(c->parent);
        }
        *c->dir = '\0';
}

/* ---- the volume ---- */

struct volume {
        struct disk disk;
        char mount[64];
};

static inline void volume_mount(const struct volume *v)
{
        assert_int_equal(mount(v->disk.device, v->mount, "ext4", 0, NULL), 0);
}

/* An ext4 in `image`, mounted on `where`, both in the test's directory. */
static inline void volume_make(struct volume *v, const struct tmp *t, const char *image,
                               const char *where)
{
        disk_make(t, &v->disk, image, DISK_UUID, 8);
        str_copy(v->mount, sizeof v->mount, at(t, where));
        mkdir(v->mount, 0755);
        volume_mount(v);
}

static inline void volume_end(struct volume *v)
{
        if (*v->mount)
                umount2(v->mount, MNT_DETACH);
        disk_detach(&v->disk);
}

/* A mount namespace of our own for the whole test program. */
static inline int own_mounts(void **state)
{
        (void)state;
        return disk_able() ? 0 : -1;
}
