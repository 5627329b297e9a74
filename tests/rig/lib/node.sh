# One node: boot it, run commands in it, take its power away.
#
# A node is net + mount + pid + uts + ipc + cgroup namespaces and an overlay root
# on tmpfs (the machine's own packages, seen through it). Its pid 1 is systemd, so
# kill -9 of that one process is a power cut. What survives a power cut: the
# docker root and the files staged under nN/stage; /etc and /var start fresh.
# shellcheck shell=bash

node_pid() { cat "$(node_dir "$1")/init.pid" 2>/dev/null; }

# The pid file may be from a rig that was killed: believe it only if that process
# is in the netns of this node.
node_running() {
	local pid
	pid=$(node_pid "$1") && [ "/proc/$pid/ns/net" -ef "/run/netns/$(node_netns "$1")" ]
}

# Root of node N as seen from outside.
node_root() { echo "/proc/$(node_pid "$1")/root"; }

in_node() (
	n=$1
	shift
	! cgroup_frozen "$n" || die "n$n is frozen"
	cgroup_enter "$n" 2>/dev/null
	exec nsenter -t "$(node_pid "$n")" -m -n -p -u -i -C -r -w -- \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" "$@"
)

cmd_exec() {
	local n input=/dev/null
	[ "${1:-}" != -i ] || { input=/dev/fd/$RIG_STDIN && shift; }
	[ $# -ge 2 ] || die "usage: rig exec [-i] NODE CMD..."
	n=$(node_number "$1")
	shift
	node_running "$n" || die "n$n is not running"
	in_node "$n" "$@" <"$input"
}

# One boot or power cut of a node at a time: the cloud may switch it off while it boots.
node_locked() {
	(
		exec 7>"$RIG_RUN/n$1.lock"
		flock -w 120 7 || die "n$1: its lock was held for two minutes"
		"${@:2}" "$1"
	) || exit 1
}

node_boot() { node_locked "$1" node_boot_now; }
node_boot_now() {
	local n=$1 dir log
	dir=$(node_dir "$n")
	log=$(node_log "$n")
	mkdir -p "$dir"/{docker,root,stage,state}
	rm -f "$dir"/{init.pid,ready}
	cgroup_make "$n"
	port_up "$n"
	daemon "$log" "$RIG_HOME/lib/node-start" "$n" "$dir" "$(cgroup_root)" "$RIG_NAME"
	wait_for 20 "n$n: root assembled" "$log" test -e "$dir/ready"
	! trait watchdog || watchdog_up "$n"
	wait_for 20 "n$n: systemd up" "$log" test -S "$(node_root "$n")/run/systemd/private"
	volume_locked volume_replug "$n"
	cloud_power "$n" running
}

WATCHDOG_S=10

watchdog_up() {
	local dir
	dir=$(node_dir "$1")
	# shellcheck disable=SC2016 # expanded by the inner shell
	daemon "$(node_log "$1")" sh -c 'echo $$ >"$1/watchdog.pid" && shift && exec "$@"' - "$dir" \
		env RIG_DIR="$RIG_DIR" RIG_NAME="$RIG_NAME" python3 "$RIG_HOME/../fake/fake_watchdog.py" \
		"$(node_root "$1")/dev/watchdog" "$WATCHDOG_S" setsid -f "$RIG_HOME/rig" power-off "n$1"
}

# Power cut: nothing is stopped, nothing is written back, the carrier goes.
# The way to the storage goes first: whoever waits for it could not die.
node_kill() { node_locked "$1" node_kill_now; }
node_kill_now() {
	local pid
	kill_pidfile python3 "$(node_dir "$1")/watchdog.pid"
	volume_locked volume_power_cut "$1"
	! pid=$(node_pid "$1") || ! node_running "$1" || kill -9 "$pid"
	if cgroup_frozen "$1"; then # nobody may wake up before it dies
		kill -9 $(cgroup_pids "$1") 2>/dev/null || :
		cgroup_thaw "$1"
	fi
	port_down "$1"
	rm -f "$(node_dir "$1")/init.pid"
	try_for 20 cgroup_empty "$1" || die "n$1: processes survive a kill -9 of pid 1: $(cgroup_pids "$1" | xargs)"
}

# A unit of node N is active?
unit_active() { [ "$(in_node "$1" systemctl is-active "$2" 2>/dev/null)" = active ]; }
