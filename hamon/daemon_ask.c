/* What is asked on the control socket: answered here, or by the part that leads. */
#include "hamon/daemon_impl.h"

#include "hamon/status.h"

static void why(const struct daemon *d, msec_t now, struct buf *out)
{
        char msg[320];

        events_why(d->events, EVENT_MEMORY, now, out);
        if (d->lead) {
                lead_now(d->lead, out);
                return;
        }
        events_now(d->events,
                   &(struct happening){ .kind = EVENT_NOW,
                                        .to = ROLES[d->node.role],
                                        .reason = reason_name(d->node.verdict.reason),
                                        .detail = node_message(&d->node, msg, sizeof msg),
                                        .took = -1 },
                   out);
}

static const struct status_cluster *cluster(const struct daemon *d, struct status_cluster *view)
{
        if (!d->lead)
                return NULL;
        lead_status(d->lead, view);
        return view;
}

void daemon_request(void *arg, enum request req, const char *words, struct buf *out)
{
        struct daemon *d = arg;
        msec_t now = loop_now(&d->loop);
        struct status_cluster view;
        char line[768];
        enum vrrp_state s;

        if (daemon_slept(d, now) > 0)
                daemon_judge(d, FOLD_CHANGES); /* the question woke us before the timer did */
        switch (req) {
        case REQ_CHECK:
                buf_addf(out, "%s\n", node_check_line(&d->node, now, line, sizeof line));
                break;
        case REQ_STATUS:
                status_text(&d->node, cluster(d, &view), now, out);
                break;
        case REQ_STATUS_JSON:
                status_json(&d->node, cluster(d, &view), now, out);
                break;
        case REQ_NOTIFY:
                if (keepalived_parse(words, &s) < 0) {
                        buf_adds(out, "error: want MASTER, BACKUP, FAULT or STOP\n");
                        break;
                }
                if (!keepalived_concerns(words, d->config.keepalived.instance)) {
                        buf_adds(out, "ok\n"); /* of another instance: not our role */
                        break;
                }
                keepalived_set_state(d->keepalived, s);
                daemon_vrrp(d, s);
                buf_adds(out, "ok\n");
                break;
        case REQ_GALERA:
                galera_poll(d->galera);
                buf_adds(out, "ok\n");
                break;
        case REQ_WHY:
                why(d, now, out);
                break;
        default:
                lead_request(d->lead, req, words, out);
                break;
        }
}
