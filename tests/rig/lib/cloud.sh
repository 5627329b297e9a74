# The cloud: a double of the Hetzner API (tests/fake/fake_hetzner.py) that listens
# where the test client lives, so a node that is cut off cannot reach it, and that
# really moves things, through "mover": the volume's device from node to node, the
# floating address as a route of the client, the power of a node.
# Servers 41, 42... are n1, n2...; volume 1001; floating IP 2001.
# shellcheck shell=bash

CLOUD=$RIG_RUN/cloud
CLOUD_PORT=8080
CLOUD_TOKEN=rw-token
CLOUD_VOLUME=1001
CLOUD_IP=2001

cmd_cloud() {
	local verb=${1:-}
	shift || :
	case $verb in
	up) cloud_up ;;
	down) cloud_down ;;
	url) cloud_url ;;
	say) cloud_do "$*" ;;
	*) die "usage: rig cloud up | down | url | say COMMAND..." ;;
	esac
}

cloud_url() { echo "http://$RIG_CLIENT:$CLOUD_PORT/v1"; }
cloud_is_up() { [ -S "$CLOUD/control" ]; }

# say COMMAND: one command of the double's control socket (its --help lists them); prints the answer.
cloud_say() (
	answer=$(socat -t5 - "UNIX-CONNECT:$CLOUD/control" <<<"$1") || die "the cloud does not answer"
	case $answer in
	ok*) [ "$answer" = ok ] || say "${answer#ok }" ;;
	*) die "cloud: $1: $answer" ;;
	esac
)

cloud_do() { cloud_say "$1" || exit 1; }

cloud_up() {
	local n
	! cloud_is_up || cloud_down
	mkdir -p "$CLOUD"
	# shellcheck disable=SC2016 # expanded by the inner shell
	daemon "$RIG_RUN/log/cloud.log" sh -c 'echo $$ >"$1/pid" && shift && exec "$@"' - "$CLOUD" \
		env RIG_DIR="$RIG_DIR" RIG_NAME="$RIG_NAME" nsenter --net="/run/netns/$SWITCH" \
		python3 "$RIG_HOME/../fake/fake_hetzner.py" --listen "$RIG_CLIENT:$CLOUD_PORT" \
		--mover "$RIG_HOME/lib/mover" "$CLOUD/control"
	wait_for 10 "the cloud answers" "$RIG_RUN/log/cloud.log" cloud_say url
	for n in 41 42 43 44; do
		cloud_do "remove server $n"
	done
	for n in $(all_nodes); do
		cloud_do "add server $((40 + n)) n$n fsn1"
	done
	cloud_do "remove volume 7"
	cloud_do "remove ip 9"
	cloud_do "remove ip 10"
	cloud_do "add volume $CLOUD_VOLUME mail fsn1"
	cloud_do "add ip $CLOUD_IP mail4 $RIG_FLOAT"
	cloud_do "action-ms ${RIG_ATTACH_MS:-300} attach"
	cloud_do "action-ms ${RIG_DETACH_MS:-200} detach"
	cloud_do "action-ms 100"
	if ! trait shared; then
		net_cloud
		cloud_unroute
	fi
	cloud_sync
}

cloud_down() {
	kill_pidfile python3 "$CLOUD/pid"
	bare_services_end
	rm -rf "$CLOUD"
}

server_of() { if [ "$1" = none ]; then echo null; else echo $((40 + ${1#n})); fi; }

# What was moved by hand the cloud knows as well; what the mover moves it notes itself.
cloud_sync() {
	cloud_is_up && ! trait shared && [ -z "${RIG_MOVER:-}" ] || return 0
	cloud_do "put volume $CLOUD_VOLUME server $(server_of "$(volume_where)")"
	cloud_do "put ip $CLOUD_IP server $(server_of "$(cloud_route_where)")"
}

cloud_power() {
	! cloud_is_up || [ -n "${RIG_MOVER:-}" ] || cloud_do "put server $((40 + $1)) status '\"$2\"'"
}

# The provider's router: the client reaches the floating address through the server it is assigned to.
cloud_route() {
	in_client ip route replace unicast "$RIG_FLOAT/32" via "$(node_addr "$1")" dev br0
	echo "$EPOCHREALTIME n$1" >>"$RIG_RUN/log/address"
}
cloud_unroute() { in_client ip route replace unreachable "$RIG_FLOAT/32"; }
cloud_route_where() {
	local n
	n=$(in_client ip route show "$RIG_FLOAT/32" | sed -n "s/.* via $RIG_NET\.1\([1-9]\) .*/n\1/p")
	echo "${n:-none}"
}

# mover VERB ID SERVER, called by the double.
cmd_mover() {
	local n
	n=$(node_number "$((${3:-0} - 40))")
	export RIG_MOVER=1
	case $1 in
	attach) volume_attach "$n" ;;
	detach) volume_detach --cloud ;;
	assign) cloud_route "$n" ;;
	unassign) cloud_unroute ;;
	poweroff) cmd_power_off "$n" ;;
	poweron) node_running "$n" || { node_boot "$n" && fault_forget power "$n"; } ;;
	*) die "mover: cannot $1" ;;
	esac
}
