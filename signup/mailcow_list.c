/* For administrators: the mailboxes that wait for approval. Mailcow keeps them, inactive and
 * tagged, so they survive whatever the rest of Mailcow survives. */
#include "signup/mailcow_impl.h"

#include <errno.h>
#include <string.h>

enum { LIST_CAP = 4 * 1024 * 1024 };

int mailcow_pending(struct mailcow *m, struct caller *c, struct buf *out, struct buf *error)
{
        CLEANUP(buf_done) struct buf body = BUF(LIST_CAP * 2);
        CLEANUP(buf_done) struct buf path = BUF(2048);
        const char *tag = m->config->mailbox.pending_tag;

        buf_adds(&path, "get/mailbox/all?tags=");
        buf_add_percent(&path, tag);
        int r = mc_get(m, c, buf_str(&path), &body);
        if (r == 0)
                r = mc_parse_pending(buf_str(&body), body.len, tag, out);
        if (r < 0)
                buf_addf(error, "Mailcow did not give its list of mailboxes");
        return r;
}

static int post(struct mailcow *m, struct caller *c, const char *path, cJSON *body,
                const char *want, struct buf *error)
{
        struct mc_reply r;

        mc_post(m, c, path, body, want, &r);
        if (r.error == 0 && r.action.shape == MC_DONE)
                return 0;
        buf_addf(error, "Mailcow refused %s: %s", path,
                 r.error < 0     ? r.why
                 : *r.action.key ? r.action.key
                                 : "an empty answer");
        return -EIO;
}

/* Only what waits may be decided on: an active mailbox is nobody's request. */
static int waiting(struct mailcow *m, struct caller *c, const char *address, struct buf *error)
{
        CLEANUP(buf_done) struct buf lines = BUF(LIST_CAP);
        CLEANUP(buf_done) struct buf want = BUF(1024);

        int r = mailcow_pending(m, c, &lines, error);
        if (r < 0)
                return r;
        buf_addf(&want, "%s\t", address);
        for (const char *p = buf_str(&lines); *p; p += strcspn(p, "\n") + 1)
                if (strncmp(p, buf_str(&want), want.len) == 0)
                        return 0;
        buf_addf(error, "%s is not waiting for approval", address);
        return -ENOENT;
}

int mailcow_decide(struct mailcow *m, struct caller *c, const char *address, bool approve,
                   struct buf *error)
{
        CLEANUP(buf_done) struct buf path = BUF(2048);
        const char *tag = m->config->mailbox.pending_tag;

        int r = waiting(m, c, address, error);
        if (r < 0)
                return r;
        if (!approve)
                return post(m, c, "delete/mailbox", cJSON_CreateStringArray(&address, 1),
                            "mailbox_removed", error);
        r = post(m, c, "edit/mailbox", mc_edit(address, "active", "1"), "mailbox_modified", error);
        if (r < 0)
                return r;
        buf_adds(&path, "delete/mailbox/tag/");
        buf_add_percent(&path, address);
        return post(m, c, buf_str(&path), cJSON_CreateStringArray(&tag, 1), "mailbox_modified",
                    error);
}
