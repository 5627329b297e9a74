# RIG_BARE=1: three servers as an operator has them before Mailcow HA: each with a Mailcow of its own that runs, with
# its own passwords, without Galera, hamon or keepalived's configuration; an empty volume at n1, mail in n1's
# mailboxes, ssh between them. What is done in a node stays there over a power cut: its root's upper layer lies in
# a tmpfs of the machine's (nN/disk), and the staged files are copied at the first boot only.
# shellcheck shell=bash

BARE_MAILS=5 # in each mailbox of n1
BARE_METADATA=169.254.169.254

bare_up() {
	[ "$RIG_MASTER" != none ] || RIG_MASTER=1
	bare_key
	bare_services
	in_parallel bare_node $(all_nodes) || die "a node did not come up, see $RIG_RUN/log"
	note "nodes up, a Mailcow runs on each"
	in_parallel bare_serves $(all_nodes)
	bare_mail 1
	note "n1: $BARE_MAILS messages in each mailbox"
	volume_attach "$(node_number "$RIG_MASTER")"
	cloud_sync
}

# Who may log in on every server, as root.
bare_key() {
	rm -rf "$RIG_RUN/ssh"
	mkdir -p "$RIG_RUN/ssh"
	ssh-keygen -q -t ed25519 -N '' -C rig -f "$RIG_RUN/ssh/id_ed25519"
}

# bare_daemon NAME CMD...: a service for the servers, beside the test client.
bare_daemon() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	daemon "$RIG_RUN/log/$1.log" sh -c 'echo $$ >"$1" && shift && exec "$@"' - "$RIG_RUN/bare.$1.pid" \
		nsenter --net="/run/netns/$SWITCH" "${@:2}"
}

# The cloud's metadata service, by which a server knows which one it is; the DNS of the test's domain.
bare_services() {
	local ptr
	ptr=$(awk -F. '{ print $4 "." $3 "." $2 "." $1 }' <<<"$RIG_FLOAT").in-addr.arpa
	in_client ip addr add "$BARE_METADATA/32" dev br0
	bare_daemon metadata socat "TCP-LISTEN:80,bind=$BARE_METADATA,reuseaddr,fork" "EXEC:$RIG_HOME/bare/metadata"
	bare_daemon dns python3 "$RIG_HOME/../fake/fake_dns.py" "$RIG_CLIENT" mail.rig.test A "$RIG_FLOAT" \
		"$ptr" PTR mail.rig.test rig.test MX mail.rig.test rig.test TXT 'v=spf1 mx -all' \
		_dmarc.rig.test TXT 'v=DMARC1; p=none'
}

bare_services_end() {
	kill_pidfile socat "$RIG_RUN/bare.metadata.pid"
	kill_pidfile python3 "$RIG_RUN/bare.dns.pid"
}

bare_node() {
	local n=$1 log
	log=$(node_log "$n")
	docker_root_clean "$n"
	bare_disk_drop "$n"
	mkdir -p "$(node_dir "$n")/disk"
	mount -t tmpfs -o size=2g,mode=755 rig-disk "$(node_dir "$n")/disk"
	bare_stage "$n"
	node_boot "$n"
	# No index of manuals: each package would bring it up to date, for seconds.
	in_node "$n" rm -rf /usr/sbin/policy-rc.d /var/lib/mailcow-ha /var/lib/man-db/auto-update
	in_node "$n" mkdir /var/lib/mailcow-ha # of its own: what tests leave in the machine's does not shine through
	# Its clock is the machine's (the unit is masked in a node), but a server has somebody who sets it.
	in_node "$n" sh -c 'd=/etc/systemd/system/sysinit.target.wants; mkdir -p $d && ln -s /lib/systemd/system/systemd-timesyncd.service $d/'
	wait_for 30 "n$n: dockerd answers" "rig exec n$n journalctl -u docker" docker_answers "$n"
	images_load "$n" >>"$log" 2>&1
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_node "$n" sh -c 'cd "$0" && docker compose up -d' "$MAILCOW" >>"$log" 2>&1 || die "n$n: compose up failed, see $log"
	wait_for 60 "n$n: its database answers" "$log" sql "$n" 'SELECT 1 FROM mysql.user'
	sql "$n" "USE mailcow; $(<"$RIG_HOME/bare/mailcow.sql")" || die "n$n: mailcow.sql failed"
}

bare_disk_drop() {
	! mountpoint -q "$(node_dir "$1")/disk" || umount -l "$(node_dir "$1")/disk"
	rm -rf "$(node_dir "$1")/disk"
}

bare_stage() {
	local n=$1 s
	s=$(node_dir "$n")/stage
	rm -rf "$s"
	mkdir -p "$s"/etc/{docker,ssh/ssh_config.d} "$s/root" "$s/usr/libexec/docker/cli-plugins" "$s$MAILCOW"
	bare_names "$n" "$s/etc"
	stage_units "$n" docker.service containerd.service ssh.service
	install -m 755 "$RIG_HOME/bare/docker-compose-plugin" "$s/usr/libexec/docker/cli-plugins/docker-compose"
	install -d -m 700 "$s/root/.ssh"
	cp "$RIG_RUN/ssh/id_ed25519" "$s/root/.ssh/"
	cp "$RIG_RUN/ssh/id_ed25519.pub" "$s/root/.ssh/authorized_keys"
	echo 'StrictHostKeyChecking accept-new' >"$s/etc/ssh/ssh_config.d/rig.conf"
	bare_mailcow "$n" "$s$MAILCOW"
}

# Each knows the others' names: ssh n2.
bare_names() {
	local p
	echo "n$1" >"$2/hostname"
	echo '127.0.0.1 localhost' >"$2/hosts"
	for p in $(all_nodes); do
		echo "$(node_addr "$p") n$p" >>"$2/hosts"
	done
	printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$RIG_CLIENT" >"$2/resolv.conf"
}

# The names are the same on all three, the secrets are not: three times generate_config.sh.
bare_mailcow() {
	local n=$1 dir=$2
	cp -r "$RIG_HOME"/mailcow/data "$dir/"
	rm -f "$dir"/data/conf/mysql/*
	cp -r "$RIG_HOME/bare/data" "$dir/"
	mkdir -p "$dir"/data/{assets/ssl,hooks}
	openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=mail.rig.test -addext subjectAltName=DNS:mail.rig.test \
		-keyout "$dir/data/assets/ssl/key.pem" -out "$dir/data/assets/ssl/cert.pem" 2>>"$(node_log "$n")"
	"$RIG_HOME/bare/merge.py" "$RIG_HOME/mailcow/docker-compose.yml" "$RIG_HOME/bare/services.yml" \
		>"$dir/docker-compose.yml"
	render "$RIG_HOME/mailcow/mailcow.conf" NODE="n$n" ADDRESS="$(node_addr "$n")" KEY="$(image_key)" \
		HEALTH="${RIG_HEALTH:-2s}" | sed -e '/^RIG_NODE=/d' -e '/^RIG_ADDRESS=/d' -e "s/^DBPASS=.*/DBPASS=user-of-n$n/" \
		-e "s/^DBROOT=.*/DBROOT=root-of-n$n/" -e "s/^REDISPASS=.*/REDISPASS=redis-of-n$n/" \
		-e 's/^\(DOCKER_COMPOSE_VERSION\)=.*/\1=native/' >"$dir/mailcow.conf"
	chmod 600 "$dir/mailcow.conf"
	ln -s mailcow.conf "$dir/.env"
}

bare_serves() {
	wait_for 60 "n$1: IMAP answers" "$(node_log "$1")" banner "$(node_addr "$1")" 143
	wait_for 60 "n$1: SMTP answers" "$(node_log "$1")" banner "$(node_addr "$1")" 25
}

# What must still be there when all is over: mail, a key of Dovecot's, one of rspamd's in redis.
bare_mail() {
	local n=$1 user i
	sql "$n" "INSERT INTO mailcow.mailbox (username, password, maildir) VALUES
		('bob@rig.test', 'secret', 'rig.test/bob/'), ('alice@rig.test', 'secret', 'rig.test/alice/')"
	for user in bob alice; do
		for ((i = 1; i <= BARE_MAILS; i++)); do
			in_client swaks --server "$(node_addr "$n")" --to "$user@rig.test" --from "before-$i@example.test" \
				--header "Subject: before $i" --body "before the cluster, $i" >>"$(node_log "$n")" 2>&1 ||
				die "n$n: does not take mail, see $(node_log "$n")"
		done
	done
	in_node "$n" docker exec "$(container dovecot)" sh -c 'echo key-of-the-mailboxes >/mail_crypt/ecprivkey.pem'
	in_node "$n" docker exec "$(container redis)" redis-cli -a "redis-of-n$n" --no-auth-warning \
		hset DKIM_PRIV_KEYS rig.test key-of-the-signatures >>"$(node_log "$n")"
}
