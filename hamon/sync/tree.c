/* openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS for each name: no race with who renames
 * directories meanwhile. */
#include "hamon/sync/tree.h"

#include "hamon/mailcow_merge.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MODE_MASK = 01777, CHUNK = 64 * 1024, TRIES = 32 };

/* ---- opening ---- */

int tree_open(int root, const char *path, int flags)
{
        struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                           RESOLVE_NO_MAGICLINKS };
        long fd = -1;

        for (unsigned i = 0; i < TRIES; i++) { /* EAGAIN: somebody renames above it */
                fd = syscall(SYS_openat2, root, path, &how, sizeof how);
                if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
                        break;
        }
        return fd < 0 ? -errno : (int)fd;
}

int tree_open_parent(int root, const char *path, const char **ret_name)
{
        char dir[ITEM_PATH];
        const char *slash = strrchr(path, '/');

        *ret_name = slash ? slash + 1 : path;
        if (!str_copy(dir, sizeof dir, path))
                return -ENAMETOOLONG;
        dir[slash ? slash - path : 0] = '\0';
        return tree_open(root, slash ? dir : ".", O_RDONLY | O_DIRECTORY);
}

/* ---- one ---- */

int tree_hash(int fd, uint64_t size, unsigned char ret[ITEM_SHA])
{
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        char chunk[CHUNK];
        bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
        int r = ok ? 0 : -ENOMEM;
        ssize_t n = 1;

        while (r == 0 && n > 0) {
                n = read(fd, chunk, sizeof chunk);
                if (n < 0)
                        r = -errno;
                else if ((uint64_t)n > size)
                        r = -EAGAIN; /* it grows */
                else if (n > 0 && EVP_DigestUpdate(md, chunk, (size_t)n) != 1)
                        r = -ENOMEM;
                else
                        size -= (uint64_t)n;
        }
        if (r == 0 && size > 0)
                r = -EAGAIN; /* it shrank */
        if (r == 0 && EVP_DigestFinal_ex(md, ret, NULL) != 1)
                r = -ENOMEM;
        explicit_bzero(chunk, sizeof chunk);
        EVP_MD_CTX_free(md);
        return r;
}

static int look_file(int root, const char *path, struct item *it)
{
        struct stat st;
        CLEANUP(closep) int fd = tree_open(root, path, O_RDONLY | O_NONBLOCK);

        if (fd < 0 || fstat(fd, &st) < 0)
                return fd < 0 ? fd : -errno;
        if (!S_ISREG(st.st_mode))
                return -EAGAIN; /* it was one */
        if (st.st_size < 0 || (uint64_t)st.st_size > ITEM_SIZE_MAX)
                return -EFBIG;
        it->size = (uint64_t)st.st_size;
        return tree_hash(fd, it->size, it->sha);
}

static int look_link(int dir, const char *name, struct item *it)
{
        char target[ITEM_PATH];
        ssize_t n = readlinkat(dir, name, target, sizeof target);

        if (n < 0 || (size_t)n >= sizeof target)
                return n < 0 ? -errno : -ENAMETOOLONG;
        target[n] = '\0';
        freep(&it->target);
        it->target = strdup(target);
        return it->target ? 0 : -ENOMEM;
}

static int fill(int root, int dir, const char *name, struct item *it)
{
        struct stat st;

        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        it->mode = st.st_mode & MODE_MASK;
        it->uid = st.st_uid;
        it->gid = st.st_gid;
        it->kind = S_ISDIR(st.st_mode) ? ITEM_DIR : S_ISLNK(st.st_mode) ? ITEM_LINK : ITEM_FILE;
        if (it->kind == ITEM_LINK) {
                it->mode = 0777;
                return look_link(dir, name, it);
        }
        if (it->kind == ITEM_DIR)
                return 0;
        return S_ISREG(st.st_mode) ? look_file(root, it->path, it) : -EMEDIUMTYPE;
}

int tree_look(int root, const char *path, struct item *ret)
{
        const char *name;
        CLEANUP(closep) int dir = tree_open_parent(root, path, &name);
        struct item it = { .path = strdup(path), .target = strdup("") };

        int r = !it.path || !it.target ? -ENOMEM : dir < 0 ? dir : fill(root, dir, name, &it);
        if (r < 0) {
                item_done(&it);
                return r == -ENOTDIR ? -ENOENT : r;
        }
        *ret = it;
        return 0;
}

int tree_text(int root, const char *path, size_t cap, struct buf *out)
{
        char chunk[4096];
        struct stat st;
        ssize_t n;
        CLEANUP(closep) int fd = tree_open(root, path, O_RDONLY | O_NONBLOCK);

        if (fd < 0 || fstat(fd, &st) < 0)
                return fd < 0 ? fd : -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > cap)
                return -EINVAL;
        while ((n = read(fd, chunk, sizeof chunk)) > 0)
                if (buf_add(out, chunk, (size_t)n) < 0)
                        return out->error;
        explicit_bzero(chunk, sizeof chunk);
        if (n < 0)
                return -errno;
        return out->len > 0 && memchr(out->data, '\0', out->len) ? -EBADMSG : 0;
}

/* ---- all ---- */

struct walk {
        const struct tree_wish *wish;
        struct tree *tree;
        struct buf *error;
};

static int failed(struct walk *w, const char *path, int r)
{
        if (w->error->len == 0)
                buf_addf(w->error, "%s: %s", path,
                         r == -EFBIG ? "too large, or too much in all ([sync] exclude leaves out)"
                         : r == -EAGAIN  ? "it changes while it is read"
                         : r == -EBADMSG ? "a control character is in it"
                                         : strerror(-r));
        return r;
}

static void leave_out(struct walk *w, const char *path)
{
        if (w->tree->left_out++ == 0)
                str_copy(w->tree->example, sizeof w->tree->example, path);
}

static int walk_dir(struct walk *w, const char *path);

static bool is_sane(const struct item *it)
{
        return item_path_valid(it->path) &&
               (it->kind != ITEM_LINK || item_target_valid(it->path, it->target));
}

static int walk_item(struct walk *w, const char *path)
{
        struct item it;

        if (strcmp(path, ITEM_CONF_PATH) == 0 || item_excluded(w->wish->exclude, path))
                return 0;
        if (!item_path_valid(path)) {
                leave_out(w, path);
                return 0;
        }
        int r = tree_look(w->wish->root, path, &it);
        if (r == -ENOENT || r == -EMEDIUMTYPE || r == -ELOOP) { /* gone, a socket, a link above */
                if (r != -ENOENT)
                        leave_out(w, path);
                return 0;
        }
        if (r < 0)
                return failed(w, path, r);
        bool dir = it.kind == ITEM_DIR;
        if (!is_sane(&it)) {
                leave_out(w, path);
                item_done(&it);
                return 0;
        }
        r = items_add(&w->tree->items, &it);
        if (r < 0)
                return failed(w, path, r);
        return dir ? walk_dir(w, path) : 0;
}

static int walk_dir(struct walk *w, const char *path)
{
        CLEANUP(closep) int fd = tree_open(w->wish->root, path, O_RDONLY | O_DIRECTORY);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        char child[2 * ITEM_PATH];
        struct dirent *e;
        int r = 0;

        if (!d)
                return fd == -ENOENT ? 0 : failed(w, path, fd < 0 ? fd : -errno);
        take_fd(&fd);
        while (r == 0 && (e = readdir(d)) != NULL) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                snprintf(child, sizeof child, "%s/%s", path, e->d_name);
                r = walk_item(w, child);
        }
        closedir(d);
        return r;
}

static int sha256(const struct buf *b, unsigned char ret[ITEM_SHA])
{
        return EVP_Digest(buf_str(b), b->len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

/* mailcow.conf: what is shared of it, as a content of its own. */
static int add_conf(struct walk *w)
{
        CLEANUP(buf_wipe) struct buf text = BUF(MAILCOW_CONF_MAX);
        struct item it = { .kind = ITEM_CONF,
                           .path = strdup(ITEM_CONF_PATH),
                           .target = strdup("") };

        int r = it.path && it.target ? 0 : -ENOMEM;
        if (r == 0)
                r = tree_text(w->wish->root, ITEM_CONF_PATH, MAILCOW_CONF_MAX, &text);
        if (r == 0)
                r = mailcow_shared(buf_str(&text), w->wish->own_keys, &w->tree->conf);
        if (r == 0)
                r = sha256(&w->tree->conf, it.sha);
        if (r < 0) {
                item_done(&it);
                return failed(w, ITEM_CONF_PATH, r);
        }
        it.size = w->tree->conf.len;
        return items_add(&w->tree->items, &it);
}

int tree_read(const struct tree_wish *wish, struct tree *ret, struct buf *error)
{
        struct tree t = { .conf = BUF(MAILCOW_CONF_MAX) };
        struct walk w = { wish, &t, error };
        int r = 0;

        for (size_t i = 0; r == 0 && i < wish->paths->n; i++)
                r = strcmp(wish->paths->v[i], ITEM_CONF_PATH) == 0
                            ? add_conf(&w)
                            : walk_item(&w, wish->paths->v[i]);
        if (r < 0) {
                tree_done(&t);
                return r;
        }
        items_sort(&t.items);
        *ret = t;
        return 0;
}

void tree_done(struct tree *t)
{
        items_done(&t->items);
        buf_wipe(&t->conf);
}
