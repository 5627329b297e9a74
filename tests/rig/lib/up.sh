# Bring the whole rig up, and take all of it away.
#
# "up" always starts from the same state: fresh volume, database from the seed,
# containers created anew; only the images stay in the nodes' docker roots.
# "down" finds what is there by name (cgroups, netns, loops), not by what it
# remembers, so it also clears up after a rig that was killed half way.
# shellcheck shell=bash

# In a cluster hamon itself makes a master.
RIG_MASTER=${RIG_MASTER:-$([ -n "${RIG_CLUSTER:-}" ] && echo none || echo 1)}

rig_up_done() { [ -e "$RIG_RUN/up" ]; }

cmd_up() {
	local fresh=''
	case "${1:-}" in
	'') ;;
	--fresh) fresh=1 ;;
	*) die "usage: rig up [--fresh]" ;;
	esac
	if [ -z "$fresh" ] && rig_up_done && node_running 1; then
		say "the rig is already up ($(all_nodes | wc -l) nodes)"
		return
	fi
	preflight
	sweep
	if [ -n "$fresh" ]; then
		rm -rf "$RIG_RUN"/n[1-9] "$RIG_CACHE"/seed-*
	fi
	rm -rf "$RIG_RUN"/{log,faults}
	mkdir -p "$RIG_RUN"/{log,faults}
	echo "$RIG_NODES" >"$RIG_RUN/size"
	up
}

up() {
	local n
	images_build
	hamon_take "$RIG_HAMON"
	traits_take
	volume_make
	cgroup_init
	switch_up
	if [ -n "${RIG_CLOUD:-}${RIG_CLUSTER:-}${RIG_BARE:-}" ]; then
		cloud_up
	fi
	if trait bare; then
		bare_up
		up_end
		return
	fi
	in_parallel up_node $(all_nodes) || die "a node did not come up, see $RIG_RUN/log"
	note "nodes up, images there, stacks created"
	[ -d "$(seed_dir)" ] || galera_seed
	in_parallel up_warm $(all_nodes) || die "the warm services did not start, see $RIG_RUN/log"
	note "warm services started"
	galera_wait_all 60
	note "database: $(galera_state 1)"
	# The master's services first: a node that keepalived proposes before they run has until the end
	# of its grace to start them, and a slow machine may need longer.
	if [ "$RIG_MASTER" != none ]; then
		n=$(node_number "$RIG_MASTER")
		master_start "$n"
		hamon_present || track_write "$n" 100
		cloud_sync
	fi
	if trait cluster && hamon_present; then
		store_init 1
	fi
	in_parallel up_watchers $(all_nodes) || die "keepalived or hamon did not start, see 'rig exec n1 journalctl'"
	note "keepalived$(! hamon_present || echo ' and hamon') running"
	up_end
}

up_end() {
	touch "$RIG_RUN/up"
	say "up in $(elapsed) s; client netns $SWITCH, nodes $(node_addr 1)..$(rig_nodes), floating address $RIG_FLOAT"
}

up_node() {
	local n=$1 log
	log=$(node_log "$n")
	docker_root_clean "$n"
	rm -rf "$(node_dir "$n")/state"
	stage_node "$n"
	node_boot "$n"
	wait_for 30 "n$n: dockerd answers" "rig exec n$n journalctl -u docker" docker_answers "$n"
	images_load "$n" >>"$log" 2>&1
	stack_create "$n"
}

up_warm() {
	galera_restore "$1"
	stack_warm "$1"
}

# Root over the socket makes database, tables and the rights of the user.
store_init() {
	in_node "$1" hamon store init >>"$(node_log "$1")" 2>&1 || die "n$1: hamon store init failed, see $(node_log "$1")"
	note "hamon's tables are there"
}

up_watchers() {
	local n=$1 unit
	# From now on they also start at boot.
	stage_units "$n" $(node_units)
	for unit in $(node_units); do
		in_node "$n" ln -sf "/lib/systemd/system/$unit" /etc/systemd/system/multi-user.target.wants/
	done
	in_node "$n" systemctl daemon-reload
	in_node "$n" systemctl start $(node_units)
}

preflight() {
	local tool missing=''
	for tool in ip nft nsenter unshare losetup debootstrap dockerd docker docker-compose keepalived \
		mariadb curl jq socat arping python3 setsid flock /lib/systemd/systemd /bin/busybox; do
		command -v "$tool" >/dev/null || missing+=" $tool"
	done
	[ -z "${RIG_FAKETIME:-}" ] || [ -e "$FAKETIME_LIB" ] || missing+=" libfaketime"
	[ -z "${RIG_NBD:-}" ] || command -v nbdfuse >/dev/null || missing+=" nbdkit nbdfuse"
	[ -z "$missing" ] || die "not installed:$missing (see README.md for the packages)"
	[[ $RIG_NODES =~ ^[1-9]$ ]] || die "RIG_NODES must be 1 to 9"
}

cmd_down() {
	sweep
	# The kernel ends the last mounts of a dead namespace, and their loop devices, a moment later.
	try_for 10 eval '[ -z "$(leftovers)" ]' || die "still there: $(leftovers)"
	say "down in $(elapsed) s"
}

# Everything of this rig, whatever state it is in.
sweep() {
	local n
	rm -f "$RIG_RUN/up"
	cloud_down
	nbd_each nbd_kill # first: a hung disk would keep processes in D state
	for n in {1..9}; do
		cgroup_thaw "$n"
		kill_pidfile python3 "$(node_dir "$n")/watchdog.pid"
		! node_running "$n" || kill -9 "$(node_pid "$n")"
	done
	for n in {1..9}; do
		[ ! -e "$(cgroup_of "$n" pids)" ] || try_for 10 sweep_processes "$n" ||
			die "n$n: processes that cannot be killed: $(cgroup_pids "$n" | xargs)"
		port_down "$n"
		rm -f "$(node_dir "$n")/init.pid"
		bare_disk_drop "$n"
	done
	switch_down
	volume_drop
	for n in {1..9}; do
		cgroup_remove "$n"
	done
	cgroup_done
	rm -f "$RIG_RUN/size"
}

sweep_processes() {
	local pids
	pids=$(cgroup_pids "$1")
	[ -n "$pids" ] || return 0
	# shellcheck disable=SC2086
	kill -9 $pids 2>/dev/null || :
	return 1
}

# What a rig of this name has on the machine; nothing after "down".
leftovers() {
	local dir
	for dir in /run/netns/"$SWITCH" /run/netns/"$RIG_NAME"-n[1-9] "$(cgroup_root)"/*/"$RIG_NAME"-n[1-9]; do
		[ ! -e "$dir" ] || echo "$dir"
	done
	volume_loops
	awk -v d="$RIG_RUN/" 'index($2, d) == 1 { print $2 }' /proc/mounts
}
