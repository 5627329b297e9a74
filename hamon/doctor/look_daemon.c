/* The daemon, if there is one, and its guard: are they there, of this version, and content? */
#include "hamon/client.h"
#include "hamon/doctor/doctor.h"
#include "hamon/guard.h"
#include "hamon/guard_state.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
        ANSWER_MAX = 4 * 1024 * 1024,
        GUARD_MS = 1000,
        ASK_MS = 2000,
        FIRST_SYNC_MS = 3000, /* until the first word of one started just now; a look has 5 s */
        AGAIN_MS = 250,
};

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static const char *text_of(const cJSON *o, const char *name)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

        return s ? s : "";
}

static void judge(struct doctor *d, const cJSON *status)
{
        struct flaw *f;

        if (!str_eq(text_of(status, "version"), MHA_VERSION)) {
                f = found(d, F_DAEMON_VERSION, "the daemon is hamon %s, installed is %s",
                          text_of(status, "version"), MHA_VERSION);
                found_at(f, "hamon.service");
                found_fix(f, "systemctl restart hamon");
        }
        if (str_eq(text_of(status, "state"), "halted")) {
                f = found(d, F_HALTED, "%s", text_of(status, "why"));
                found_at(f, "the lease, on every node");
                found_fix(f, "hamon why; mend it; hamon ack");
        }
        if (str_eq(text_of(status, "verdict"), "unfit")) {
                f = found(d, F_UNFIT, "%s: %s", text_of(status, "reason"),
                          text_of(status, "message"));
                found_at(f, "node %s", d->config.node.name);
                found_fix(f, "hamon status shows each check, man hamon what %s means",
                          found_word(text_of(status, "reason")));
        }
}

/* NULL: the daemon knows no nodes. */
static const cJSON *own_sync(const cJSON *status)
{
        const cJSON *n;

        cJSON_ArrayForEach(n, cJSON_GetObjectItemCaseSensitive(status, "nodes"))
        {
                if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(n, "self")))
                        return cJSON_GetObjectItemCaseSensitive(n, "sync");
        }
        return NULL;
}

static bool is_mute(const cJSON *sync)
{
        return sync && !*text_of(sync, "reason");
}

static void judge_sync(struct doctor *d, const cJSON *status)
{
        const cJSON *sync = own_sync(status);
        bool late = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(sync, "late"));

        if (!late && !is_mute(sync))
                return;
        struct flaw *f =
                found(d, F_SYNC, "%s",
                      late ? text_of(sync, "message") : "hamon-sync has not run since boot");
        found_at(f, "hamon-sync.service");
        found_fix(f, late ? "hamon sync now" : "systemctl enable --now hamon-sync");
}

/* NULL: no answer, or nonsense. */
static cJSON *ask_status(const char *socket, int *ret_error)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);

        *ret_error = client_ask(socket, "status-json", ASK_MS, &answer);
        return *ret_error == 0 ? cJSON_ParseWithLength(buf_str(&answer), answer.len) : NULL;
}

static void look_status(struct doctor *d)
{
        const char *socket = d->config.control.socket;
        const msec_t end = clock_ms() + FIRST_SYNC_MS;
        int r;
        CLEANUP(delete_json) cJSON *status = ask_status(socket, &r);

        while (is_mute(own_sync(status)) && clock_ms() < end) {
                poll(NULL, 0, AGAIN_MS);
                delete_json(&status);
                status = ask_status(socket, &r);
        }
        if (cJSON_IsObject(status)) {
                judge(d, status);
                judge_sync(d, status);
                return;
        }
        struct flaw *f = found(d, F_DAEMON, "hamon %s",
                               r == -ETIMEDOUT ? "does not answer: it hangs"
                               : r < 0         ? "is not running"
                                               : "answers with nonsense");
        found_at(f, "%s", socket);
        found_fix(f, r == -ETIMEDOUT ? "journalctl -u hamon -n 50; systemctl restart hamon"
                                     : "systemctl enable --now hamon; journalctl -u hamon -n 50");
}

static void look_guard(struct doctor *d)
{
        const struct guard_message m = { .verb = GUARD_SAY_STATUS };
        struct guard_answer a;
        char path[108];

        int r = guard_path(d->config.control.socket, "guard.sock", path, sizeof path);
        if (r == 0)
                r = guard_ask(path, &m, GUARD_MS, &a);
        if (r == 0 && !a.lacks_watchdog)
                return;
        struct flaw *f = r < 0 ? found(d, F_GUARD, "the guard does not answer: %s", strerror(-r))
                               : found(d, F_GUARD, "the guard lacks the watchdog it needs (%s)",
                                       d->config.watchdog.device);
        found_at(f, "hamon-guard.service");
        found_fix(f, r < 0 ? "systemctl enable --now hamon-guard"
                           : "modprobe softdog && echo softdog >/etc/modules-load.d/softdog.conf\n"
                             "systemctl restart hamon-guard");
}

void look_daemon(struct doctor *d)
{
        look_status(d);
        if (d->config.cluster.nodes.n > 0)
                look_guard(d);
}
