/* One message to one target, over HTTP or as a mail; one answer, within the target's timeout. */
#pragma once

#include "hamon/web/alert_format.h"
#include "lib/http.h"

struct alert_sending;

/* From the loop, once, unless it was cancelled; the error is scrubbed of secrets. */
typedef void (*alert_sent_fn)(void *arg, const struct alert_outcome *o);

/* `http` is the caller's; target and arg must live until fn was called. On failure fn is not. */
int alert_send(struct loop *l, struct http *http, const struct alert_target *t,
               const struct alert_message *m, alert_sent_fn fn, void *arg,
               struct alert_sending **ret);
/* uptime_kuma's sign of life. */
int alert_send_beat(struct loop *l, struct http *http, const struct alert_target *t, bool up,
                    const char *text, msec_t ping, alert_sent_fn fn, void *arg,
                    struct alert_sending **ret);
void alert_send_cancel(struct alert_sending *s); /* NULL is fine */
