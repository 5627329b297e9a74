# The mini Mailcow of a node: which services run where, and how they are created,
# started, stopped and moved. Containers are started through docker directly, in
# dependency order: docker-compose costs a second of Python each time.
# shellcheck shell=bash

# On every node, whoever is master; first what the others need.
WARM='unbound netfilter mysql postfix-tlspol memcached clamd olefy dockerapi'
# On the master only. The watchdog is in neither set: created, never started.
ACTIVE='redis sogo php-fpm dovecot postfix rspamd nginx acme ofelia'

container() { echo "${PROJECT}_${1%-mailcow}-mailcow_1"; }
containers() {
	local service
	for service; do
		container "$service"
	done
}

is_active_service() { [[ " $ACTIVE " == *" ${1%-mailcow} "* ]]; }

compose() {
	local n=$1
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_node "$n" sh -c 'cd "$1" && shift && exec docker-compose "$@"' - "$MAILCOW" "$@"
}

docker_answers() { curl -sf -m 2 --unix-socket "$(node_root "$1")/run/docker.sock" http://docker/_ping >/dev/null 2>&1; }

# Forget containers, volumes and networks of the last run, keep the images. Node N must be down.
docker_root_clean() {
	local root mount id key
	root=$(node_dir "$1")/docker
	key=$(image_key)
	if [ "$(cat "$root/.rig-key" 2>/dev/null)" != "$key" ]; then
		mkdir -p "$root"
		find "$root" -mindepth 1 -delete
		echo "$key" >"$root/.rig-key"
		return
	fi
	for mount in "$root"/image/overlay2/layerdb/mounts/*/mount-id; do
		[ -e "$mount" ] || continue
		id=$(<"$mount")
		for id in "$id" "$id-init"; do
			rm -rf "$root/overlay2/l/$(cat "$root/overlay2/$id/link" 2>/dev/null || echo none)" "${root:?}/overlay2/$id"
		done
	done
	rm -rf "$root"/image/overlay2/layerdb/mounts/* "$root"/{containers,volumes,network,tmp}
}

stack_create() { compose "$1" up --no-start >>"$(node_log "$1")" 2>&1; }

start_services() {
	local n=$1
	shift
	containers "$@" | in_node "$n" xargs -P 3 -n 1 docker start >>"$(node_log "$n")" 2>&1
}

stack_warm() {
	# shellcheck disable=SC2086 # a list of words
	start_services "$1" $WARM
}

stack_active() {
	# shellcheck disable=SC2086
	start_services "$1" $ACTIVE
}

stack_stop_active() {
	# shellcheck disable=SC2086
	in_node "$1" docker stop -t 10 $(containers $ACTIVE) >>"$(node_log "$1")" 2>&1
}

# Does ADDRESS answer with a banner on PORT?
banner() {
	in_client timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && read -r -t 2 line <&3 && [ -n "$line" ]' "$1" "$2" 2>/dev/null
}

float_where() {
	local n
	for n in $(all_nodes); do
		! in_netns "$n" ip -o addr show dev eth0 2>/dev/null | grep "inet $RIG_FLOAT/" >/dev/null || echo "n$n"
	done
}

float_add() {
	in_netns "$1" ip addr replace "$RIG_FLOAT/24" dev eth0
	! cloud_is_up || cloud_route "$1"
	# Debian's arping would announce the wrong sender without -S.
	in_node "$1" arping -q -U -i eth0 -c 2 -S "$RIG_FLOAT" "$RIG_FLOAT" </dev/null >/dev/null 2>&1 || :
}

float_del() { in_netns "$1" ip addr del "$RIG_FLOAT/24" dev eth0 2>/dev/null || :; }

track_write() {
	hamon_present || echo "$2" >"$(node_root "$1")/run/mailcow-ha/track"
}

# Everything a master has, onto node N; the volume must be free.
master_start() {
	local n=$1 log
	log=$(node_log "$n")
	volume_attach "$n"
	volume_mount "$n"
	# A master that lost its power leaves Dovecot's lock files; on another host nobody
	# can tell that their owner is dead, and each would hold up its mailbox for two minutes.
	in_node "$n" find "$VOLUME_DIR/vmail" -name '*.lock' -delete
	note "n$n: volume attached and mounted"
	stack_active "$n" || die "n$n: the active services did not start, see $log"
	float_add "$n"
	note "n$n: active services started, $RIG_FLOAT added"
	wait_for 40 "n$n: IMAP answers" "$log" banner "$(node_addr "$n")" 143
	wait_for 40 "n$n: SMTP answers" "$log" banner "$(node_addr "$n")" 25
	note "n$n: SMTP and IMAP answer"
}

master_stop() {
	stack_stop_active "$1"
	float_del "$1"
	volume_umount "$1"
	volume_detach
	note "n$1: active services stopped, volume detached"
}

# The naive operator: no lease, no fencing but the force of the cloud.
cmd_master() {
	local n old p
	n=$(node_number "${1:-}")
	node_running "$n" || die "n$n is not running"
	old=$(volume_where)
	if [ "$old" = "n$n" ] && [ "$(float_where)" = "n$n" ]; then
		say "n$n is already the master"
		return
	fi
	if [ "$old" != none ] && node_running "${old#n}" && ! cgroup_frozen "${old#n}"; then
		master_stop "${old#n}"
	else
		volume_detach --force
	fi
	for p in $(all_nodes); do
		[ "$p" = "$n" ] || ! node_running "$p" || cgroup_frozen "$p" || { float_del "$p" && track_write "$p" 0; }
	done
	track_write "$n" 100
	master_start "$n"
}
