# With RIG_SHARED=1 the volume is a disk that all nodes see at all times, as a SAN's: each has a way to it of its
# own (a loop device on the same image), and nothing but the nodes themselves keeps two from mounting it. Nobody
# detaches it; what ends a node's writing is its power switch, which the cloud's double has. The floating
# address moves by ARP.
# State: $VOLUME/way-nN, the number of node N's attachment.
# shellcheck shell=bash

shared_where() {
	local n
	for n in $(all_nodes); do
		! node_running "$n" || ! volume_mounted "$n" || { echo "n$n" && return; }
	done
	echo none
}

shared_plug() {
	local way=$VOLUME/way-n$1
	[ -e "$way" ] || volume_connect "$1" >"$way" || return 1
	volume_plug "$1" "$(cat "$way")"
}

# The node's power goes: nothing that it has not sent reaches the disk.
shared_cut() {
	local way=$VOLUME/way-n$1 number
	[ -e "$way" ] || return 0
	number=$(cat "$way")
	volume_crash "$1"
	losetup -d "$(loop_of "$number")" 2>/dev/null || :
	rm -f "$VOLUME/live/$number" "$way"
	volume_log "$number" "n$1" power
}

# [local] fence_command of a node: NODE's power switch. 0: it is off. 75: nobody knows yet.
stage_fence() {
	mkdir -p "$1/usr/local/sbin"
	render "$RIG_HOME/templates/fence" API="$(cloud_url)" TOKEN="$CLOUD_TOKEN" >"$1/usr/local/sbin/fence"
	chmod 755 "$1/usr/local/sbin/fence"
}
