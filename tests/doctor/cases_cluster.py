"""Mistakes in what nodes share: the database, one another, keepalived, the provider, the DNS."""
import os
import socket
import subprocess
import time

from case import case
from world import FLOAT, HOST, run, wait_for


# ---- the database ----


@case("database", says="denied", fix="hamon store init")
def wrong_password(w):
    w.put(w.path("galera.pass"), "other\n", 0o600)
    return lambda: w.put(w.path("galera.pass"), "word\n", 0o600)


def setting(w, variable, value, back):
    w.members[0].sql(f"SET GLOBAL {variable}={value}")
    return lambda: w.members[0].sql(f"SET GLOBAL {variable}={back}")


@case("galera_non_pk", fix="wsrep_certify_nonPK = ON")
def no_keys_no_writes(w):
    return setting(w, "wsrep_certify_nonPK", "OFF", "ON")


@case("galera_flush", says="innodb_flush_log_at_trx_commit is 2")
def lazy_flush(w):
    return setting(w, "innodb_flush_log_at_trx_commit", "2", "1")


@case("galera_sst", says="rsync")
def slow_donor(w):
    return setting(w, "wsrep_sst_method", "'rsync'", "'mariabackup'")


@case("galera_timers", says="PT5S", fix="evs.suspect_timeout=PT1.5S")
def slow_suspicion(w):
    option = "'evs.suspect_timeout=%s'"
    return setting(w, "wsrep_provider_options", option % "PT5S", option % "PT3S")


@case("server_id", "server_id", says="server_id is 2")
def twins(w):
    w.members[0].sql("SET GLOBAL server_id=2")
    w.members[2].sql("SET GLOBAL server_id=2")

    def back():
        w.members[0].sql("SET GLOBAL server_id=1")
        w.members[2].sql("SET GLOBAL server_id=3")
    return back


@case("galera_state", says="Donor/Desynced")
def desynced(w):
    w.strange = True
    w.members[0].sql("SET GLOBAL wsrep_desync=ON")

    def back():
        w.members[0].sql("SET GLOBAL wsrep_desync=OFF")
        w.strange = False
    return back


@case("store", says="hamon2", fix="hamon store init")
def no_tables(w):
    w.conf(galera__database="hamon2")


@case("peer_database", says="n3 refuses hamon", fix="hamon store init")
def locked_out_there(w):
    w.members[2].sql("SET SESSION wsrep_on=0", "ALTER USER hamon@'%' ACCOUNT LOCK")
    return lambda: w.members[2].sql("SET SESSION wsrep_on=0", "ALTER USER hamon@'%' ACCOUNT UNLOCK")


@case("table_key", says="notes")
def table_without_key(w):
    w.members[0].sql("CREATE TABLE mailcow.notes (a INT)")
    return lambda: w.members[0].sql("DROP TABLE mailcow.notes")


@case("table_engine", says="cache", fix="ENGINE=InnoDB")
def other_engine(w):
    w.members[0].sql("CREATE TABLE mailcow.cache (a INT PRIMARY KEY) ENGINE=MyISAM")
    return lambda: w.members[0].sql("DROP TABLE mailcow.cache")


@case("galera_address", "galera_autoinc", "galera_notify", says="without 127.0.0.3")
def a_careless_member(w):
    w.members[0].stop()
    w.members[0].start(innodb_autoinc_lock_mode="1", wsrep_notify_cmd="",
                       wsrep_cluster_address="gcomm://127.0.0.1,127.0.0.2")

    def back():
        w.members[0].stop()
        w.members[0].start()
    return back


@case("version", says="10.11.1-other on n3", fix="the standbys first")
def an_old_member(w):
    w.members[2].stop()
    w.members[2].start(version="10.11.1-other")

    def back():
        w.members[2].stop()
        w.members[2].start()
    return back


@case("port_closed", "galera_size", says="2 of 3", fix="docker compose up -d mysql-mailcow")
def a_lost_member(w):
    w.strange = True
    w.members[2].stop()

    def back():
        w.members[2].start()
        w.strange = False
    return back


@case("galera_off", says="wsrep_on = 0", fix="wsrep_on = ON")
def a_database_of_its_own(w):
    w.strange = True
    w.members[0].stop()
    w.members[0].start(wait=False, wsrep_on="OFF")

    def back():
        w.members[0].stop()
        w.members[0].start()
        w.strange = False
    return back


# ---- the other nodes ----


@case("port_filtered", says="9447", fix="ufw allow proto tcp from 127.0.0.1")
def firewall(w):
    run("nft", "add table inet doctor; add chain inet doctor c { type filter hook output priority 0; };"
        "add rule inet doctor c ip daddr 127.0.0.3 tcp dport 9447 drop")
    return lambda: run("nft", "delete table inet doctor")


@case("port_closed", says="n2 at port 9447")
def nobody_there(w):
    w.listeners[0].shutdown(socket.SHUT_RDWR)  # close() alone waits for who accepts
    w.listeners[0].close()

    def back():
        w.listeners[0] = w.listen("127.0.0.2", 9447)
    return back


# ---- keepalived ----


def replaced(w, old, new):
    def edit(text):
        assert old in text
        return text.replace(old, new)
    w.keepalived_conf(edit)


@case("keepalived_none")
def no_keepalived(w):
    os.unlink("/etc/keepalived/keepalived.conf")


@case("keepalived_syntax", fix="keepalived -t")
def syntax(w):
    replaced(w, "    fall 2", "    fal 2")


@case("keepalived_track", says="MAIL", fix="track_file { hamon }")
def other_track_file(w):
    replaced(w, "/run/mailcow-ha/track\n", "/run/mailcow-ha/trakc\n")


@case("keepalived_track", says="does not track")
def not_tracked(w):
    replaced(w, "    track_file { hamon }\n", "")


@case("keepalived_check", fix="hamon check")
def no_check(w):
    replaced(w, "    track_script { hamon }\n", "")


@case("keepalived_timeout", says="1000 ms", fix="timeout 2")
def hasty(w):
    replaced(w, "timeout 2", "timeout 1")


@case("keepalived_fifo", says="other.fifo")
def other_fifo(w):
    replaced(w, "keepalived.fifo", "other.fifo")


@case("keepalived_security", fix="enable_script_security")
def insecure(w):
    replaced(w, "    enable_script_security\n", "")


@case("keepalived_unicast", fix="unicast_src_ip 127.0.0.1")
def multicast(w):
    replaced(w, "    unicast_peer {\n        127.0.0.2\n        127.0.0.3\n    }\n", "")


@case("keepalived_peers", says="127.0.0.3 (n3)")
def lost_peer(w):
    replaced(w, "        127.0.0.3\n", "")


@case("keepalived_source", says="10.77.0.1", fix="unicast_src_ip 127.0.0.1")
def other_source(w):
    replaced(w, "unicast_src_ip 127.0.0.1", "unicast_src_ip 10.77.0.1")


@case("keepalived_preempt", fix="state BACKUP")
def preempt(w):
    replaced(w, "state BACKUP", "state MASTER\n    nopreempt")


@case("keepalived_vip", says=FLOAT)
def address_of_keepalived(w):
    replaced(w, "192.0.2.51/32 dev lo scope host", f"192.0.2.51/32 dev lo scope host\n        {FLOAT}/32 dev eth0")


@case("keepalived_instance", says="no vrrp_instance WEB", fix="instance = MAIL")
def other_instance(w):
    w.conf(keepalived__instance="WEB")


# ---- the provider ----


@case("token", says="does not answer")
def no_api(w):
    w.conf(hetzner__api_url="http://127.0.0.1:9/v1")


@case("token", says="does not know this token", fix="Read & Write")
def unknown_token(w):
    w.put(w.path("hetzner.token"), "what-token\n", 0o600)
    return lambda: w.put(w.path("hetzner.token"), "rw-token\n", 0o600)


@case("token_readonly", says="may only read", fix="Read & Write")
def read_token(w):
    w.put(w.path("hetzner.token"), "ro-token\n", 0o600)
    return lambda: w.put(w.path("hetzner.token"), "rw-token\n", 0o600)


@case("volume_none", says="no volume 8", fix="hcloud volume list")
def no_volume(w):
    w.conf(volume__id="8")


@case("volume_stranger", says="server 44")
def volume_elsewhere(w):
    w.hetzner.say("put volume 7 server 44")


@case("server_none", says="no server named n3")
def no_server(w):
    w.hetzner.say("remove server 43")


@case("server_location", says="server n2 is in nbg1")
def elsewhere(w):
    w.hetzner.say("""put server 42 location '{"name": "nbg1"}'""")


@case("ip_none", says="floating IP 12")
def no_address(w):
    w.conf(ip__id="9 10 12")


@case("ip_address", says="198.51.100.77", fix="address = 198.51.100.77/32")
def other_address(w):
    w.hetzner.say("""put ip 9 ip '"198.51.100.77"'""")


@case("protection", says="volume 7", fix="hcloud volume enable-protection 7 delete")
def unprotected(w):
    w.hetzner.say("""put volume 7 protection '{"delete": false}'""")


@case("skew", says="s from the provider's", fix="timedatectl")
def clock_behind(w):
    w.hetzner.say("date 30")


# ---- the DNS ----


@case("dns_silent", fix="dig " + HOST)
def resolver_is_deaf(w):
    w.dns.deaf = True


@case("dns_host", says=FLOAT, fix=f"{HOST}. 300 IN A {FLOAT}")
def no_name(w):
    del w.dns.records[HOST, "A"]
    # a mail exchanger without an address of this family breaks SPF as well
    w.dns.records["example.org", "TXT"] = [f"v=spf1 ip4:{FLOAT} mx -all"]


@case("dns_extra", says="203.0.113.5")
def a_node_by_name(w):
    w.dns.records[HOST, "A"].append("203.0.113.5")


@case("dns_ptr", says="static.9.example.net", fix="hcloud floating-ip set-rdns")
def other_reverse(w):
    w.dns.records["9.100.51.198.in-addr.arpa", "PTR"] = ["static.9.example.net"]


@case("dns_mx", says="goes to mx.elsewhere.example", fix="IN MX 10 " + HOST)
def mail_elsewhere(w):
    w.dns.records["example.org", "MX"] = ["mx.elsewhere.example"]
    w.dns.records["example.org", "TXT"] = ["v=spf1 a:" + HOST + " -all"]


@case("dns_spf", says="has no SPF record", fix="v=spf1")
def no_spf(w):
    w.dns.records["example.org", "TXT"] = ["other=1"]


@case("dns_spf", says="does not allow " + FLOAT)
def spf_of_the_node(w):
    w.dns.records["example.org", "TXT"] = ["v=spf1 ip4:203.0.113.0/24 ip6:2001:db8:9::/48 -all"]


@case("dns_spf", says="broken")
def two_spf(w):
    w.dns.records["example.org", "TXT"] = ["v=spf1 mx -all", "v=spf1 a -all"]


@case("dns_dmarc", fix="v=DMARC1")
def no_dmarc(w):
    del w.dns.records["_dmarc.example.org", "TXT"]


# ---- last, because it cannot be taken back: counters of the server ----


@case("galera_collision", says="1 writes here lost")
def two_writers(w):
    mine = subprocess.Popen(["mariadb", "--no-defaults", "-uroot", f"-S{w.members[0].dir}/sock"],
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    mine.stdin.write("BEGIN; UPDATE mailcow.domain SET active=2 WHERE domain='off.example';\n")
    mine.stdin.flush()

    def changed():
        time.sleep(0.2)  # InnoDB shows a list that is as old as the last pause of 0.1 s between two questions
        return w.members[0].ask("SELECT trx_rows_modified FROM information_schema.INNODB_TRX") == "1"
    wait_for("its transaction", changed)
    w.members[1].sql("UPDATE mailcow.domain SET active=3 WHERE domain='off.example'")
    wait_for("the collision", lambda: w.members[0].ask("SHOW STATUS LIKE 'wsrep_local_bf_aborts'").endswith("1"))
    mine.kill()
    mine.wait()
