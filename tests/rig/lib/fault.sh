# Faults: the table of kinds, and the bookkeeping that lets "rig heal" undo them.
#
# A kind "a-b" is two functions: fault_a_b breaks and heal_a_b mends (absent or
# "-" in the table: it heals by itself). Every fault leaves a file KIND:ARGS in
# $RIG_RUN/faults until it is healed; "rig heal" walks through those, then
# sweeps up what it can see (frozen nodes, cut ports, stopped processes).
# shellcheck shell=bash

# kind | arguments | what breaks | what heal does
FAULTS='
kill|NODE SERVICE|kill -9 the first process of the container|start it, if it belongs there
stop|NODE SERVICE|docker stop|start it, if it belongs there
start|NODE SERVICE|(no fault) docker start|-
hang|NODE SERVICE|SIGSTOP to all processes of the container|SIGCONT
dockerd-kill|NODE|kill -9 dockerd; systemd starts it again at once|start docker
dockerd-stop|NODE|systemctl stop of docker and its socket|start docker
dockerd-hang|NODE|SIGSTOP to dockerd|SIGCONT
galera-kill|NODE|kill -9 the mysqld; docker starts it again|start it
galera-stop|NODE|docker stop of the database|start it
galera-hang|NODE|SIGSTOP to the mysqld|SIGCONT
galera-donor|NODE|another member loses its data and takes all of it from NODE|-
galera-password|NODE|the database user hamon gets another password, on all nodes|the old one
freeze|NODE|the whole node stops, as a paused virtual machine|thaw
thaw|NODE|(no fault) the same as heal freeze|-
power|NODE|power cut: unwritten data lost, every process gone|boot
boot|NODE|(no fault) the same as heal power|-
cable|NODE|link down at the switch, the node sees no carrier|link up
cut|NODE|nothing goes in or out, the link stays up|reconnect
cut-in|NODE|the node is deaf: nothing reaches it|reconnect
cut-out|NODE|the node is mute: nothing leaves it|reconnect
cut-pair|NODE NODE|these two do not hear each other|reconnect
loss|NODE PERCENT|so many percent of its frames are lost, both ways|reconnect
keepalived-kill|NODE|kill -9 both keepalived processes (systemd leaves it dead)|start it
hamon-stop|NODE|SIGSTOP to the main process of hamond|SIGCONT
hamon-kill|NODE|kill -9 the main process; systemd starts it again|start it
hamon-term|NODE|systemctl stop hamon|start it
guard-kill|NODE|kill -9 hamon-guard|start it
guard-stop|NODE|SIGSTOP to hamon-guard|SIGCONT
clock|NODE SECONDS|the wall clock of hamond jumps by +N or -N seconds (RIG_FAKETIME=1)|it is right again
disk-error||every request to the volume from where it is attached fails with EIO (RIG_NBD=1)|errors end; see README
disk-hang||requests to the volume from where it is attached hang (RIG_NBD=1)|they complete
disk-full||the mounted volume is filled to the last block|the filling is deleted
'

fault_row() {
	local kind
	while IFS='|' read -r kind args text mend; do
		[ "$kind" != "$1" ] || return 0
	done <<<"$FAULTS"
	die "no such fault: $1 (rig fault list)"
}

fault_list() {
	local kind args text mend
	while IFS='|' read -r kind args text mend; do
		[ -z "$kind" ] || printf '  %-16s %-13s %s; heal: %s\n' "$kind" "$args" "$text" "$mend"
	done <<<"$FAULTS"
}

cmd_fault() {
	local kind=${1:-list} args text mend want
	if [ "$kind" = list ]; then
		fault_list
		return
	fi
	shift
	fault_row "$kind"
	[ -e "/run/netns/$SWITCH" ] || die "the rig is not up"
	want=$(wc -w <<<"$args")
	[ $# = "$want" ] || die "usage: rig fault $kind $args"
	fault_normalise "$args" "$@"
	moment_now
	"fault_${kind//-/_}" "${ARGS[@]}"
	[ "$mend" = - ] || fault_note "$kind" "${ARGS[@]}"
	say "$(fault_name "$kind" "${ARGS[@]}"): done"
}

# When the last fault struck (epoch seconds): what detection times are counted from. A fault that
# first has to find its victim notes it again right before the blow.
moment_now() { echo "$EPOCHREALTIME" >"$RIG_RUN/moment"; }
cmd_moment() {
	cat "$RIG_RUN/moment" 2>/dev/null || die "there was no fault yet"
}

# ARGS := the arguments, nodes as numbers, services with their "-mailcow"
fault_normalise() {
	local word
	ARGS=()
	for word in $1; do
		[ $# -ge 2 ] || break # heal may leave the last ones out
		case $word in
		NODE) ARGS+=("$(node_number "$2")") || exit 1 ;;
		SERVICE) ARGS+=("${2%-mailcow}-mailcow") ;;
		*) ARGS+=("$2") ;;
		esac
		shift
	done
	set -- "${ARGS[@]}"
}

fault_name() {
	local IFS=:
	echo "$*"
}
fault_note() { touch "$RIG_RUN/faults/$(fault_name "$@")"; }
fault_forget() { rm -f "$RIG_RUN/faults/$(fault_name "$@")" "$RIG_RUN/faults/$(fault_name "$@")":*; }

cmd_heal() {
	[ -e "/run/netns/$SWITCH" ] || die "the rig is not up"
	if [ $# -eq 0 ]; then
		heal_all
		return
	fi
	local kind=$1 args text mend
	shift
	fault_row "$kind"
	fault_normalise "$args" "$@"
	[ "$mend" != - ] || die "$kind heals by itself"
	"heal_${kind//-/_}" "${ARGS[@]}"
	fault_forget "$kind" "${ARGS[@]}"
	say "heal $(fault_name "$kind" "${ARGS[@]}"): done"
}

# What others depend on comes first: network, disk and life of nodes, then daemons, then services.
heal_all() {
	local n kind file
	net_heal
	for n in $(all_nodes); do
		cgroup_thaw "$n"
	done
	for kind in disk-hang disk-error disk-full; do
		[ ! -e "$RIG_RUN/faults/$kind" ] || heal_recorded "$RIG_RUN/faults/$kind"
	done
	for n in $(all_nodes); do
		node_running "$n" || heal_power "$n"
		continue_stopped "$n"
	done
	for file in "$RIG_RUN"/faults/*; do
		[ ! -e "$file" ] || heal_recorded "$file"
	done
	rm -f "$RIG_RUN"/faults/*
	say "all healed"
}

heal_recorded() {
	local kind args
	IFS=: read -r kind args <<<"$(basename "$1")"
	# shellcheck disable=SC2086 # the rest of the name is a list
	"heal_${kind//-/_}" ${args//:/ } || warn "heal $(basename "$1") failed"
	rm -f "$1"
}
