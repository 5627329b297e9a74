# Faults of whole nodes, of the network, and of the daemons that guard a node.
# shellcheck shell=bash

fault_freeze() {
	cgroup_freeze "$1"
	wait_for 5 "n$1: frozen" "$(cgroup_of "$1" freezer)/freezer.state" grep -q '^FROZEN' "$(cgroup_of "$1" freezer)/freezer.state"
}
heal_freeze() { cgroup_thaw "$1"; }
fault_thaw() {
	heal_freeze "$1"
	fault_forget freeze "$1"
}

fault_power() {
	node_running "$1" || die "n$1 is off already"
	node_kill "$1"
}
heal_power() {
	! node_running "$1" || return 0
	node_boot "$1"
}
fault_boot() {
	heal_power "$1"
	fault_forget power "$1"
}

fault_cable() { in_client ip link set "p$1" down; }
heal_cable() { in_client ip link set "p$1" up; }

fault_cut() {
	net_add mute "p$1"
	net_add deaf "p$1"
}
heal_cut() {
	net_del mute "p$1"
	net_del deaf "p$1"
}
fault_cut_in() { net_add deaf "p$1"; }
heal_cut_in() { net_del deaf "p$1"; }
fault_cut_out() { net_add mute "p$1"; }
heal_cut_out() { net_del mute "p$1"; }
fault_cut_pair() { net_add parted "p$1 . p$2, p$2 . p$1"; }
heal_cut_pair() { net_del parted "p$1 . p$2, p$2 . p$1"; }
fault_loss() { net_loss "$1" "$2"; }
heal_loss() { net_loss_end; }

# The cloud pulls the plug; "heal" boots the node again.
cmd_power_off() {
	local n
	n=$(node_number "${1:-}")
	! node_running "$n" || { node_kill "$n" && fault_note power "$n"; }
}

# Outer pids of the processes of node N with this command name.
pids_named() {
	local pid
	for pid in $(cgroup_pids "$1"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
	done
}

signal_named() {
	local pids
	pids=$(pids_named "$1" "$3")
	[ -n "$pids" ] || die "n$1: no process $3"
	moment_now
	# shellcheck disable=SC2086
	kill "-$2" $pids
}

fault_keepalived_kill() { signal_named "$1" KILL keepalived; }
heal_keepalived_kill() { unit_start "$1" keepalived; }

unit_start() {
	in_node "$1" systemctl reset-failed "$2" 2>/dev/null || :
	in_node "$1" systemctl start "$2"
}

hamon_signal() {
	hamon_present || die "hamon is not installed in this rig"
	in_node "$1" systemctl kill --kill-who=main -s "$2" hamon
}
fault_hamon_stop() { hamon_signal "$1" STOP; }
heal_hamon_stop() { hamon_signal "$1" CONT; }
fault_hamon_kill() { hamon_signal "$1" KILL; }
heal_hamon_kill() { unit_start "$1" hamon; }
fault_hamon_term() { in_node "$1" systemctl stop hamon; }
heal_hamon_term() { unit_start "$1" hamon; }
guard_signal() {
	unit_active "$1" hamon-guard || die "n$1: hamon-guard does not run"
	in_node "$1" systemctl kill --kill-who=main -s "$2" hamon-guard
}
fault_guard_kill() { guard_signal "$1" KILL; }
heal_guard_kill() { unit_start "$1" hamon-guard; }
fault_guard_stop() { guard_signal "$1" STOP; }
heal_guard_stop() { ! node_running "$1" || guard_signal "$1" CONT; }

# The wall clock of hamond alone, by libfaketime; CLOCK_MONOTONIC and CLOCK_BOOTTIME stay true.
fault_clock() { clock_offset "$1" "$2"; }
heal_clock() { clock_offset "$1" +0; }
clock_offset() {
	local file
	[[ $2 =~ ^[-+][0-9]+$ ]] || die "the clock is moved by +SECONDS or -SECONDS"
	file=$(node_root "$1")$FAKETIME_FILE
	[ -e "$file" ] || die "this fault needs a rig started with RIG_FAKETIME=1"
	echo "$2" >"$file.new"
	mv "$file.new" "$file"
}

# SIGCONT to whatever is stopped in node N, found by its state.
continue_stopped() {
	local pid
	for pid in $(cgroup_pids "$1"); do
		! grep -qs '^State:.T' "/proc/$pid/status" || kill -CONT "$pid" 2>/dev/null || :
	done
}

# A new build of hamon into the running nodes; later boots have it too.
cmd_hamon_install() {
	local dir=${1:-} n first=''
	[ -d "$dir" ] || die "usage: rig hamon-install DIR (an installed DESTDIR tree)"
	! trait bare || die "a bare rig gets hamon as a package: rig exec n1 apt-get install ..."
	hamon_present || first=1
	hamon_take "$dir"
	for n in $(all_nodes); do
		stage_node "$n"
		stage_units "$n" $(node_units)
		node_running "$n" || continue
		# Stopped first: a running binary must not be there twice.
		in_node "$n" systemctl stop hamon 2>/dev/null || :
		tar -C "$(node_dir "$n")/stage" -c . | in_node "$n" tar -C / -x --keep-directory-symlink
		in_node "$n" ln -sf /lib/systemd/system/hamon.service /etc/systemd/system/multi-user.target.wants/
		in_node "$n" systemctl daemon-reload
		in_node "$n" systemctl start hamon
		[ -z "$first" ] || hamon_first "$n"
		say "n$n: hamon installed and started"
	done
}

# The first time keepalived learns the check, and the database its notify command.
hamon_first() {
	in_node "$1" systemctl reload keepalived
	compose "$1" up -d --no-deps mysql-mailcow >>"$(node_log "$1")" 2>&1
	galera_wait "$1" "$(rig_nodes)" 60
}
