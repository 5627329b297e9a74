# What every node looks like from outside, as a table or as JSON.
#
# Nothing here may hang on a broken node: sockets are reached through
# /proc/PID/root with a timeout, and a frozen node is not entered at all.
# shellcheck shell=bash

cmd_status() {
	local json='' n
	[ "${1:-}" != --json ] || json=1
	if [ ! -e "/run/netns/$SWITCH" ]; then
		if [ -n "$json" ]; then echo '{"up":false,"nodes":[]}'; else say "the rig is down"; fi
		return
	fi
	mkdir -p "$RIG_RUN/status"
	in_parallel status_node $(all_nodes)
	status_json >"$RIG_RUN/status/all"
	if [ -n "$json" ]; then
		cat "$RIG_RUN/status/all"
	else
		jq -r '["NODE", "STATE", "DOCKER", "GALERA", "VRRP", "RUNNING", "VOLUME", "FLOAT", "HAMON"],
			(.nodes[] | [.name, .state, .docker, .galera, .vrrp, "\(.running | length)",
				.volume, (if .float then "yes" else "-" end), .hamon]) | @tsv' "$RIG_RUN/status/all" |
			column -t -s "$(printf '\t')"
		for n in "$RIG_RUN"/faults/*; do
			[ ! -e "$n" ] || say "fault: $(basename "$n" | tr ':' ' ')"
		done
	fi
}

status_json() {
	local n
	for n in $(all_nodes); do
		cat "$RIG_RUN/status/n$n"
	done | jq -s --argjson up "$(rig_up_done && echo true || echo false)" '{up: $up, nodes: .}'
}

status_node() {
	local n=$1 state=up docker=- galera=- vrrp=- running='' volume=- float=false hamon=-
	if ! node_running "$n"; then
		state=off
	elif cgroup_frozen "$n"; then
		state=frozen
	else
		docker=no
		! docker_answers "$n" || docker=yes
		running=$(running_services "$n")
		galera=$(galera_state "$n")
		vrrp=$(vrrp_state "$n")
		! hamon_present || hamon=$(hamon_verdict "$n")
	fi
	[ "$(volume_where)" != "n$n" ] || volume=attached
	[ "$state" = off ] || ! volume_mounted "$n" || volume=mounted
	[[ $(float_where) != *n$n* ]] || float=true
	jq -n --arg name "n$n" --arg address "$(node_addr "$n")" --arg state "$state" --arg docker "$docker" \
		--arg galera "${galera:--}" --arg vrrp "$vrrp" --arg running "$running" --arg volume "$volume" \
		--argjson float "$float" --arg hamon "$hamon" \
		'{$name, $address, $state, $docker, $galera, $vrrp, running: ($running | split(" ") | map(select(. != ""))),
			$volume, $float, $hamon}' >"$RIG_RUN/status/n$n"
}

running_services() {
	curl -sf -m 2 --unix-socket "$(node_root "$1")/run/docker.sock" http://docker/containers/json 2>/dev/null |
		jq -r 'map(.Labels["com.docker.compose.service"]) | sort | join(" ")' || :
}

# The address on lo is the mark of a VRRP master; otherwise the journal knows.
vrrp_state() {
	local state
	if in_netns "$1" ip -o addr show dev lo | grep 192.0.2.51 >/dev/null; then
		echo MASTER
	elif ! unit_active "$1" keepalived; then
		echo stopped
	else
		state=$(in_node "$1" journalctl -q -u keepalived -o cat 2>/dev/null | grep -oE 'Entering [A-Z]+ STATE' | tail -n 1 | cut -d' ' -f2)
		echo "${state:--}"
	fi
}

hamon_verdict() {
	local text code=0
	text=$(in_node "$1" timeout 3 /usr/sbin/hamon check 2>/dev/null </dev/null) || code=$?
	text=${text%%$'\n'*}
	echo "$code${text:+ $text}"
}
