/* FLAWS[], and how findings are ranked and shown. */
#include "hamon/doctor/flaw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const SEVERITIES[SEV_COUNT_] = {
        [SEV_ERROR] = "error", [SEV_WARN] = "warning", [SEV_HINT] = "hint"
};

#define ERROR(id, name, why) [id] = { name, SEV_ERROR, why }
#define WARN(id, name, why)  [id] = { name, SEV_WARN, why }
#define HINT(id, name, why)  [id] = { name, SEV_HINT, why }

const struct flaw_row FLAWS[F_COUNT_] = {
        ERROR(F_CONFIG, "config", "hamon does not start with a configuration it cannot read"),
        ERROR(F_CONFIG_MODE, "config_mode",
              "who may write hamon.conf decides what runs here as root"),
        ERROR(F_SECRET, "secret", "hamon refuses a secret that is missing or that others can read"),
        ERROR(F_DAEMON, "daemon",
              "without the daemon this node has no verdict and never takes over"),
        ERROR(F_GUARD, "guard",
              "without its guard a node that hangs goes on writing, and so it must not lead"),
        ERROR(F_HALTED, "halted", "the breaker is open: nothing fails over until somebody looked"),
        ERROR(F_FSTAB, "fstab",
              "at boot every node would mount the shared volume, and two that write destroy it"),
        ERROR(F_RESTART, "restart",
              "at boot Docker would start it here while another node serves, and without the "
              "volume"),
        ERROR(F_FENCE, "fence", "nothing keeps this node from writing when it falls silent"),
        ERROR(F_KEEPALIVED_VIP, "keepalived_vip",
              "in a split each side of keepalived puts the address up; hamon moves it with the "
              "lease"),
        ERROR(F_TOKEN, "token", "without its provider's API a node cannot take volume and address"),
        ERROR(F_TOKEN_READONLY, "token_readonly",
              "a fail-over has to attach, assign and power off; a read token may do none of it"),
        ERROR(F_VOLUME_NONE, "volume_none", "there is no data to move"),
        ERROR(F_VOLUME_STRANGER, "volume_stranger",
              "a server outside the cluster has the data, and no node takes it from there"),
        ERROR(F_VOLUME_UUID, "volume_uuid",
              "hamon mounts only the file system it was told of, and would refuse this one"),
        ERROR(F_SERVER_NONE, "server_none",
              "the provider does not know that node: it can be neither fenced nor given the "
              "volume"),
        ERROR(F_SERVER_LOCATION, "server_location",
              "a volume can be attached only to servers in its own location"),
        ERROR(F_IP_NONE, "ip_none", "there is no such service address to move"),
        ERROR(F_IP_ADDRESS, "ip_address",
              "after a fail-over mail would come to an address that this node does not have"),
        ERROR(F_INTERFACE, "interface", "the service address cannot be put on it"),
        ERROR(F_DATABASE, "database", "without its database a node is neither fit nor has a lease"),
        ERROR(F_GALERA_OFF, "galera_off",
              "a database of its own would serve old mailboxes after a fail-over"),
        ERROR(F_GALERA_STATE, "galera_state", "this member cannot be used as it is"),
        ERROR(F_GALERA_ADDRESS, "galera_address",
              "a member that restarts without all addresses may found a second cluster"),
        ERROR(F_GALERA_AUTOINC, "galera_autoinc",
              "with table locks for AUTO_INCREMENT Galera's appliers deadlock"),
        ERROR(F_GALERA_NON_PK, "galera_non_pk",
              "Mailcow has tables without primary key, and writing to them would fail"),
        ERROR(F_TABLE_ENGINE, "table_engine", "what is not InnoDB is not replicated"),
        ERROR(F_STORE, "store", "without its tables there is no lease, and nobody leads"),
        ERROR(F_PEER_DATABASE, "peer_database",
              "when its own member is down, a node renews and takes the lease through the others"),
        ERROR(F_PORT_FILTERED, "port_filtered",
              "the nodes must reach one another, or each outage looks like a lost node"),
        ERROR(F_PORT_CLOSED, "port_closed",
              "the nodes must reach one another, or each outage looks like a lost node"),
        ERROR(F_MAILCOW, "mailcow", "hamon reads Mailcow's names, ports and passwords there"),
        ERROR(F_PROJECT, "project",
              "containers of another project are never looked at: this Mailcow is not watched"),
        ERROR(F_DOCKER, "docker", "without the engine no service runs here"),
        ERROR(F_CONTAINER_MISSING, "container_missing",
              "a standby takes over by starting containers, and this one would have to be made "
              "first"),
        ERROR(F_VOLUME_BOUND, "volume_bound",
              "it is on this node's own disk: after a fail-over it would be missing"),
        ERROR(F_MOUNT_BUSY, "mount_busy",
              "a mount would hide what lies there, and so hamon refuses to mount over it"),
        ERROR(F_PORT_BOUND, "port_bound", "at the service address nobody would listen"),
        ERROR(F_HOOK, "hook", "the hooks move volume, address and services"),
        ERROR(F_NFT, "nft", "mail would leave from this node's own address and be refused as spam"),
        ERROR(F_OUTBOUND_NET, "outbound_net",
              "mail would leave from this node's own address and be refused as spam"),
        ERROR(F_BIND_ADDRESS, "bind_address",
              "after a fail-over postfix could send nothing: that address is on another node"),
        ERROR(F_KEEPALIVED_SYNTAX, "keepalived_syntax",
              "keepalived does not start with it, or leaves a part of it out"),
        ERROR(F_KEEPALIVED_TRACK, "keepalived_track",
              "keepalived would not hear that a node is unfit"),
        ERROR(F_KEEPALIVED_FIFO, "keepalived_fifo", "hamon would not hear what keepalived says"),
        ERROR(F_KEEPALIVED_UNICAST, "keepalived_unicast",
              "cloud networks carry no multicast: each node would believe it is alone"),
        ERROR(F_KEEPALIVED_SOURCE, "keepalived_source",
              "the other nodes drop what does not come from the address they know"),
        ERROR(F_KEEPALIVED_INSTANCE, "keepalived_instance",
              "hamon would take another instance's state for this node's"),
        ERROR(F_KEEPALIVED_PREEMPT, "keepalived_preempt",
              "nopreempt counts only with state BACKUP: each boot would take the lead"),
        ERROR(F_CERT, "cert", "no program would talk to this server after a fail-over"),
        ERROR(F_CERT_NAME, "cert_name", "programs refuse a certificate of another name"),
        ERROR(F_CERT_KEY, "cert_key",
              "with another certificate's key postfix, dovecot and nginx fail"),
        ERROR(F_DNS_HOST, "dns_host", "mail and people would not find the service address"),
        ERROR(F_DNS_EXTRA, "dns_extra",
              "whoever takes that address ends at one node, also when another one serves"),
        ERROR(F_DNS_PTR, "dns_ptr",
              "big providers refuse mail from an address whose name does not lead back to it"),
        ERROR(F_DNS_SPF, "dns_spf",
              "receivers refuse or junk mail from an address SPF does not allow"),
        ERROR(F_DNS_MX, "dns_mx", "mail for that domain goes elsewhere, or to one node only"),
        ERROR(F_DISK, "disk",
              "a full disk stops the database, the containers and the logs at once"),
        ERROR(F_BOOT, "boot", "after a reboot it would not run, and nobody would notice"),

        WARN(F_UNFIT, "unfit", "this node cannot carry mail as it is"),
        WARN(F_SYNC, "sync",
             "after a fail-over this node would serve with older configuration and certificates"),
        WARN(F_NODES, "nodes",
             "with fewer than three nodes one loss takes the quorum, and mail, away"),
        WARN(F_GALERA_SIZE, "galera_size", "one loss more may take the quorum away"),
        WARN(F_GALERA_SST, "galera_sst",
             "while it feeds a joining node, a donor by this method takes no writes: mail stops"),
        WARN(F_SERVER_ID, "server_id",
             "Mailcow's database events run on the server that made them, told by this number"),
        WARN(F_VERSION, "version", "nodes of different versions fail in ways nobody has tried"),
        WARN(F_DAEMON_VERSION, "daemon_version", "an upgrade counts from the restart on"),
        WARN(F_SKEW, "skew", "logs cannot be compared, and TLS and DKIM look at the clock"),
        WARN(F_CLOCK, "clock", "a clock that nobody sets drifts; TLS and DKIM look at it"),
        WARN(F_CERT_SOON, "cert_soon", "it should have been renewed by now"),
        WARN(F_TABLE_KEY, "table_key",
             "Galera may apply changes of such a table differently on each node"),
        WARN(F_OVERRIDE, "override",
             "what these containers need for a fail-over stands in the override they were made "
             "without"),
        WARN(F_WARM_RESTART, "warm_restart",
             "after a reboot nobody starts it, and this standby is unfit"),
        WARN(F_RIVAL, "rival", "it restarts containers by rules of its own, also in a fail-over"),
        WARN(F_FILE, "file", "it says what hamon.conf or this version no longer say"),
        WARN(F_MAILCOW_MODE, "mailcow_mode", "the database's passwords stand in it"),
        WARN(F_SECRET_WEAK, "secret_weak", "who guesses it can order a switchover"),
        WARN(F_KEEPALIVED_NONE, "keepalived_none",
             "it notices a lost node faster than the lease alone"),
        WARN(F_KEEPALIVED_CHECK, "keepalived_check",
             "a track file fails open: a hamon that died goes unnoticed"),
        WARN(F_KEEPALIVED_TIMEOUT, "keepalived_timeout",
             "keepalived would kill the question before the answer, and call the node unfit"),
        WARN(F_KEEPALIVED_PEERS, "keepalived_peers", "that node never hears of this one"),
        WARN(F_KEEPALIVED_SECURITY, "keepalived_security",
             "keepalived would run as root a script that others may write"),
        WARN(F_DNS_HELO, "dns_helo",
             "receivers compare what postfix calls itself with the name of the address"),
        WARN(F_DNS_SILENT, "dns_silent", "what stands in the DNS could not be looked at"),
        WARN(F_LOOK, "look", "what could not be looked at may be wrong"),

        HINT(F_SOLO, "solo", "without [cluster] nodes hamon watches, and moves nothing"),
        HINT(F_PROTECTION, "protection", "one wrong click deletes every mailbox"),
        HINT(F_GALERA_COLLISION, "galera_collision",
             "the lease loses one now and then; many: two nodes write, which Mailcow does not "
             "expect"),
        HINT(F_GALERA_TIMERS, "galera_timers",
             "so long the database stands still when a node is lost"),
        HINT(F_GALERA_FLUSH, "galera_flush",
             "if all nodes lose power at once, the last second of changes is gone"),
        HINT(F_GALERA_NOTIFY, "galera_notify", "hamon hears of a change only when it looks again"),
        HINT(F_FILE_HAND, "file_hand", "the next hamon init puts its own in its place"),
        HINT(F_DOCKER_OLD, "docker_old", "Mailcow's update.sh asks for a newer one"),
        HINT(F_DNS_DMARC, "dns_dmarc", "big providers ask senders for one"),
};

void flaw_clean(char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s > '~')
                        *s = '?';
}

struct flaw *flaws_add(struct flaws *f, enum flaw_id id)
{
        struct flaw *one = f->n < FLAWS_MAX ? &f->v[f->n++] : &f->scratch;

        f->dropped += one == &f->scratch;
        *one = (struct flaw){ .id = id };
        return one;
}

/* Insertion keeps the order of equals, and there are few. */
void flaws_rank(struct flaws *f)
{
        for (size_t i = 1; i < f->n; i++)
                for (size_t k = i; k > 0; k--) {
                        const struct flaw *a = &f->v[k - 1], *b = &f->v[k];
                        enum severity sa = FLAWS[a->id].severity, sb = FLAWS[b->id].severity;
                        if (sa < sb || (sa == sb && a->id <= b->id))
                                break;
                        f->scratch = *a;
                        f->v[k - 1] = *b;
                        f->v[k] = f->scratch;
                }
}

size_t flaws_count(const struct flaws *f, enum severity s)
{
        size_t n = 0;

        for (size_t i = 0; i < f->n; i++)
                n += FLAWS[f->v[i].id].severity == s;
        return n;
}

/* ---- for people ---- */

static void count_words(const struct flaws *f, struct buf *out)
{
        const char *comma = "";

        for (enum severity s = SEV_ERROR; s < SEV_COUNT_; s++) {
                size_t n = flaws_count(f, s);
                if (n == 0)
                        continue;
                buf_addf(out, "%s%zu %s%s", comma, n, SEVERITIES[s], n == 1 ? "" : "s");
                comma = ", ";
        }
}

static void text_one(const struct flaw *f, bool colour, struct buf *out)
{
        static const char *const COLOURS[] = {
                [SEV_ERROR] = "\033[1;31m", [SEV_WARN] = "\033[1;33m", [SEV_HINT] = "\033[1;36m"
        };
        const struct flaw_row *row = &FLAWS[f->id];

        buf_addf(out, "\n%s%s%s  %s  %s\n", colour ? COLOURS[row->severity] : "",
                 SEVERITIES[row->severity], colour ? "\033[0m" : "", row->name, f->what);
        buf_addf(out, "    where  %s\n    why    %s\n    fix    ", f->where, row->why);
        for (const char *p = f->fix; *p; p++) /* several lines stand one below the other */
                buf_adds(out, *p == '\n' ? "\n           " : (char[]){ *p, '\0' });
        buf_adds(out, "\n");
}

void flaws_text(const struct flaws *f, const char *node, size_t looks, bool colour, struct buf *out)
{
        if (f->n == 0) {
                buf_addf(out, "%s: nothing found in %zu looks\n", node, looks);
                return;
        }
        buf_addf(out, "%s: ", node);
        count_words(f, out);
        buf_adds(out, "\n");
        for (size_t i = 0; i < f->n; i++)
                text_one(&f->v[i], colour, out);
        if (f->dropped > 0)
                buf_addf(out, "\nand %zu more: mend these first\n", f->dropped);
}

/* ---- for programs ---- */

static void delete_json(cJSON **j)
{
        cJSON_Delete(*j);
}

int flaws_json(const struct flaws *f, const char *node, struct buf *out)
{
        CLEANUP(delete_json) cJSON *root = cJSON_CreateObject();
        cJSON *list;

        cJSON_AddStringToObject(root, "node", node);
        cJSON_AddStringToObject(root, "version", MHA_VERSION);
        cJSON_AddNumberToObject(root, "errors", (double)flaws_count(f, SEV_ERROR));
        cJSON_AddNumberToObject(root, "warnings", (double)flaws_count(f, SEV_WARN));
        cJSON_AddNumberToObject(root, "hints", (double)flaws_count(f, SEV_HINT));
        cJSON_AddNumberToObject(root, "dropped", (double)f->dropped);
        list = cJSON_AddArrayToObject(root, "findings");
        for (size_t i = 0; i < f->n; i++) {
                const struct flaw_row *row = &FLAWS[f->v[i].id];
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "finding", row->name);
                cJSON_AddStringToObject(o, "severity", SEVERITIES[row->severity]);
                cJSON_AddStringToObject(o, "what", f->v[i].what);
                cJSON_AddStringToObject(o, "where", f->v[i].where);
                cJSON_AddStringToObject(o, "why", row->why);
                cJSON_AddStringToObject(o, "fix", f->v[i].fix);
                cJSON_AddItemToArray(list, o);
        }
        CLEANUP(freep) char *text = cJSON_PrintUnformatted(root);
        if (!text)
                return -ENOMEM;
        int r = buf_adds(out, text);
        return r < 0 ? r : buf_adds(out, "\n");
}
