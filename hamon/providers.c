/* From hamon.conf to a provider, and `hamon volume status`, `hamon ip status`: one question each,
 * one line per answer. Nothing here changes anything. */
#include "hamon/providers.h"

#include "hamon/provider/hetzner.h"
#include "hamon/provider/local.h"
#include "hamon/verb.h"
#include "lib/secret.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { ASK_DEADLINE = 10000, ANSWERS_MAX = 16 };

static const char *const NAMES[] = {
        [CONFIG_NONE] = "none", [CONFIG_HETZNER] = "hetzner", [CONFIG_LOCAL] = "local"
};

static int new_hetzner(struct loop *l, const struct config *c, struct provider **ret,
                       struct buf *error)
{
        CLEANUP(secret_wipe) char *token = NULL;
        int r = secret_read(c->hetzner.token_file, &token, error);

        if (r < 0)
                return r;
        const struct hetzner_config hc = { .api_url = c->hetzner.api_url,
                                           .token = token,
                                           .server = c->hetzner.server };
        r = hetzner_new(l, &hc, ret);
        if (r == -EINVAL)
                buf_addf(error,
                         "[hetzner] token_file \"%s\" holds no token, or server \"%s\" is no "
                         "name of a server",
                         c->hetzner.token_file, c->hetzner.server);
        else if (r < 0)
                buf_adds(error, strerror(-r));
        return r;
}

int providers_new(struct loop *l, const struct config *c, enum config_provider which,
                  struct provider **ret, struct buf *error)
{
        const struct local_config lc = { .server = c->node.name,
                                         .interface = c->ip.interface,
                                         .fence_command = c->local.fence_command };
        int r;

        switch (which) {
        case CONFIG_HETZNER:
                return new_hetzner(l, c, ret, error);
        case CONFIG_LOCAL:
                r = local_new(l, &lc, ret);
                if (r == -EINVAL)
                        buf_addf(error, "[node] name: \"%s\" cannot be the name of a server",
                                 c->node.name);
                else if (r < 0)
                        buf_adds(error, strerror(-r));
                return r;
        case CONFIG_NONE:
                break;
        }
        buf_adds(error, "the configuration names no provider for it");
        return -ENOENT;
}

/* ---- the verbs ---- */

struct ask {
        struct loop loop;
        struct provider *provider;
        const char *name; /* of the provider */
        bool json, volume;
        size_t left;
        int code;
        struct answer {
                struct ask *ask;
                const char *id;
        } answers[ANSWERS_MAX];
};

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

static void print_json(const struct answer *a, const struct provider_outcome *o)
{
        static const char *const RESULTS[] = { [PROVIDER_DONE] = "done",
                                               [PROVIDER_ALREADY] = "done",
                                               [PROVIDER_TEMPORARY] = "temporary",
                                               [PROVIDER_FAILED] = "failed" };
        CLEANUP(delete_json) cJSON *j = cJSON_CreateObject();
        const struct provider_volume *v = &o->seen->volume;
        const struct provider_ip *ip = &o->seen->ip;

        cJSON_AddStringToObject(j, "provider", a->ask->name);
        cJSON_AddStringToObject(j, "id", a->id);
        cJSON_AddStringToObject(j, "result", RESULTS[o->result]);
        cJSON_AddStringToObject(j, "message", o->text);
        if (o->seen->have_volume) {
                cJSON_AddStringToObject(j, "server", v->server);
                cJSON_AddStringToObject(j, "location", v->location);
                cJSON_AddStringToObject(j, "status", v->status);
                cJSON_AddStringToObject(j, "device", v->device);
                cJSON_AddStringToObject(j, "label", v->label);
        }
        if (o->seen->have_ip) {
                cJSON_AddStringToObject(j, "address", ip->address);
                cJSON_AddStringToObject(j, "server", ip->server);
        }
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(j);
        puts(text ? text : "{}");
}

static void print_text(const struct answer *a, const struct provider_outcome *o)
{
        const struct provider_volume *v = &o->seen->volume;
        const struct provider_ip *ip = &o->seen->ip;

        if (o->result == PROVIDER_TEMPORARY || o->result == PROVIDER_FAILED)
                fprintf(stderr, "hamon: %s\n", o->text);
        else if (o->seen->have_volume)
                printf("volume %s: %s%s, %s, device %s\n", a->id,
                       *v->server ? "attached to " : "attached to none", v->server, v->status,
                       *v->device ? v->device : "not known");
        else
                printf("address %s: %s%s\n", *ip->address ? ip->address : a->id,
                       *ip->server ? "at " : "not assigned", ip->server);
}

static void on_answer(void *arg, const struct provider_outcome *o)
{
        const struct answer *a = arg;
        struct ask *ask = a->ask;

        if (ask->json)
                print_json(a, o);
        else
                print_text(a, o);
        if (o->result == PROVIDER_FAILED)
                ask->code = EXIT_FAILURE;
        else if (o->result == PROVIDER_TEMPORARY && ask->code == 0)
                ask->code = EX_TEMPFAIL;
        if (--ask->left == 0)
                loop_stop(&ask->loop);
}

static int ask_all(struct ask *ask, const struct config *c, const char *const *ids, size_t n)
{
        CLEANUP(buf_done) struct buf error = BUF(16384);
        int which = ask->volume ? c->volume.provider : c->ip.provider;

        ask->name = NAMES[which];
        int r = providers_new(&ask->loop, c, (enum config_provider)which, &ask->provider, &error);
        if (r < 0) {
                fprintf(stderr, "hamon: %s\n", buf_str(&error));
                return EX_CONFIG;
        }
        const struct provider_ops *ops = ask->provider->ops;
        for (size_t i = 0; i < n && i < ANSWERS_MAX; i++) {
                ask->answers[i] = (struct answer){ .ask = ask, .id = ids[i] };
                const struct provider_request rq = { .id = ids[i],
                                                     .deadline = ASK_DEADLINE,
                                                     .arg = &ask->answers[i],
                                                     .done = on_answer };
                r = (ask->volume ? ops->volume_get : ops->ip_get)(ask->provider, &rq, NULL);
                if (r < 0) {
                        fprintf(stderr, "hamon: %s: %s\n", ids[i], strerror(-r));
                        return EX_CONFIG;
                }
                ask->left++;
        }
        if (ask->left > 0 && (r = loop_run(&ask->loop)) < 0) {
                fprintf(stderr, "hamon: %s\n", strerror(-r));
                return EX_OSERR;
        }
        return ask->code;
}

static int status(const char *file, bool volume, bool json)
{
        CLEANUP(config_free) struct config c = { .node = { .name = NULL } };
        struct ask ask = { .json = json, .volume = volume };

        if (verb_config(file, &c) < 0)
                return EX_CONFIG;
        bool local = (volume ? c.volume.provider : c.ip.provider) == CONFIG_LOCAL;
        const struct strlist *list = local ? &c.ip.address : &c.ip.id;
        const char *id = local ? c.volume.device : c.volume.id;
        int r = loop_init(&ask.loop);
        if (r < 0) {
                fprintf(stderr, "hamon: %s\n", strerror(-r));
                return EX_OSERR;
        }
        r = volume ? ask_all(&ask, &c, &id, 1)
                   : ask_all(&ask, &c, (const char *const *)list->v, list->n);
        if (ask.provider)
                ask.provider->ops->free(ask.provider);
        loop_done(&ask.loop);
        return r;
}

static int run(const char *verb, bool volume, const char *file, int argc, char **argv)
{
        bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

        if (argc < 1 || strcmp(argv[0], "status") != 0 || argc > 1 + json) {
                fprintf(stderr, "usage: hamon %s status [--json]\n", verb);
                return EX_USAGE;
        }
        return status(file, volume, json);
}

int providers_volume(const char *file, int argc, char **argv)
{
        return run("volume", true, file, argc, argv);
}

int providers_ip(const char *file, int argc, char **argv)
{
        return run("ip", false, file, argc, argv);
}
