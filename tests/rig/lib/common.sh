# Names, messages, waiting, locking: what every other part of the rig uses.
#
# Two roots: $RIG_DIR/cache is shared by all rigs of the machine (images, the
# database seed); $RIG_RUN belongs to this rig alone. Nothing outside of them is
# written, except network namespaces and cgroups, both named $RIG_NAME-...
# shellcheck shell=bash

RIG_DIR=${RIG_DIR:-/var/tmp/mailcow-ha-rig}
RIG_NAME=${RIG_NAME:-mha}
RIG_NODES=${RIG_NODES:-3}
RIG_RUN=$RIG_DIR/$RIG_NAME
RIG_CACHE=$RIG_DIR/cache

RIG_NET=10.77.0
RIG_CLIENT=$RIG_NET.1
RIG_FLOAT=$RIG_NET.100
MAILCOW=/opt/mailcow-dockerized
PROJECT=mailcowdockerized
VOLUME_DIR=/mnt/mailcow-ha

say() { printf '%s\n' "$*"; }
note() { printf '%7.2fs  %s\n' "$(elapsed)" "$*"; }
warn() { printf 'rig: %s\n' "$*" >&2; }
die() {
	warn "$*"
	exit 1
}

RIG_T0=$EPOCHREALTIME
elapsed() { awk -v a="$RIG_T0" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'; }

need_root() { [ "$(id -u)" = 0 ] || die "must be run as root"; }

# One command that changes the rig at a time. Daemons must not inherit fd 9.
lock_rig() {
	mkdir -p "$RIG_RUN" "$RIG_CACHE"
	exec 9>"$RIG_RUN/lock"
	flock -w 300 9 || die "another rig command has held $RIG_RUN/lock for 5 minutes"
}

# wait_for SECONDS WHAT LOG CMD...: poll CMD until it succeeds, die otherwise.
wait_for() {
	try_for "$1" "${@:4}" || die "waited $1 s in vain: $2 (see $3)"
}

# try_for SECONDS CMD...: poll CMD until it succeeds; the status says whether it did.
try_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < end)) || return 1
		sleep 0.05
	done
}

# in_parallel FUNCTION ARG...: FUNCTION once per ARG, all at once; fails if one fails.
in_parallel() {
	local fn=$1 arg pid failed=0
	local -a pids=()
	shift
	for arg; do
		"$fn" "$arg" </dev/null &
		pids+=("$!")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	return "$failed"
}

# Start a daemon that outlives us: own session, no inherited descriptors, own log.
daemon() {
	local log=$1
	shift
	setsid -f "$@" >>"$log" 2>&1 </dev/null 7>&- 8>&- 9>&-
}

# "n2" or "2" -> 2
node_number() {
	local n=${1#n}
	[[ $n =~ ^[1-9]$ && $n -le $(rig_nodes) ]] || die "no such node: ${1:-(none given)}"
	echo "$n"
}

# A running rig keeps the size it was started with.
rig_nodes() { cat "$RIG_RUN/size" 2>/dev/null || echo "$RIG_NODES"; }
all_nodes() { seq 1 "$(rig_nodes)"; }
node_addr() { echo "$RIG_NET.1$1"; }
node_dir() { echo "$RIG_RUN/n$1"; }
node_log() { echo "$RIG_RUN/log/n$1.log"; }

# hash_of FILE/DIR...: a short key over names, modes and contents, all below $RIG_HOME.
hash_of() (
	cd "$RIG_HOME" || exit
	find "$@" -type f -printf '%p\0' | LC_ALL=C sort -z | xargs -0 sh -c 'stat -c "%a %n" "$@" && cat "$@"' - |
		sha256sum | cut -c1-12
)

# render TEMPLATE NAME=VALUE...: replace @NAME@ by VALUE.
render() {
	local text pair
	text=$(<"$1")
	shift
	for pair; do
		text=${text//"@${pair%%=*}@"/"${pair#*=}"}
	done
	printf '%s\n' "$text"
}
