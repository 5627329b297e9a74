# The network: a bridge in a netns of its own is switch and test client in one;
# every node's eth0 is the far end of port pN of that switch.
#
# Faults happen at the switch, so that a node sees nothing but silence: an nft
# bridge table with sets of ports that are deaf, mute, or parted from each other.
# shellcheck shell=bash

SWITCH=$RIG_NAME-sw

node_netns() { echo "$RIG_NAME-n$1"; }

# Not "ip netns exec" nor "ip -n": they need / to be a mount point, which it is not in a chroot.
in_client() { nsenter --net="/run/netns/$SWITCH" "$@"; }
# Only the network of node N; in_node (node.sh) enters all of it.
in_netns() { nsenter --net="/run/netns/$(node_netns "$1")" "${@:2}"; }

cmd_client() {
	[ -e "/run/netns/$SWITCH" ] || die "the rig is not up"
	in_client "$@"
}

switch_up() {
	ip netns add "$SWITCH"
	in_client ip link set lo up
	# A fixed address: it would else be that of its lowest port, and change with every port that comes or goes;
	# whoever knew it would talk to nobody until its neighbour entry expires (30 s were seen).
	in_client ip link add br0 address 02:6d:68:61:00:01 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
	in_client ip addr add "$RIG_CLIENT/24" dev br0
	in_client ip link set br0 up
	in_client nft -f - <<-'EOF'
		table bridge fault {
			set deaf { type ifname; }
			set mute { type ifname; }
			set parted { type ifname . ifname; }
			chain loss_rx { }
			chain loss_tx { }
			chain cfwd {
				type filter hook forward priority 0
				iifname @mute drop
				oifname @deaf drop
				iifname . oifname @parted drop
				jump loss_rx
				jump loss_tx
			}
			chain cin {
				type filter hook input priority 0
				iifname @mute drop
				jump loss_rx
			}
			chain cout {
				type filter hook output priority 0
				oifname @deaf drop
				jump loss_tx
			}
		}
	EOF
}

# In a cloud the floating address is one of the provider's router, not of the private network: no node
# reaches it, or answers for it, through another one.
net_cloud() {
	in_client sysctl -q -w net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.br0.accept_redirects=0
	in_client nft add rule bridge fault cfwd ip daddr "$RIG_FLOAT" drop
	in_client nft add rule bridge fault cfwd arp daddr ip "$RIG_FLOAT" drop
}

port_up() {
	local n=$1
	ip netns add "$(node_netns "$n")"
	in_client ip link add "p$n" type veth peer name eth0 netns "$(node_netns "$n")"
	in_client ip link set "p$n" master br0 up
	in_netns "$n" ip link set lo up
	in_netns "$n" ip addr add "$(node_addr "$n")/24" dev eth0
	in_netns "$n" ip link set eth0 up
	! trait bare || in_netns "$n" ip route add default via "$RIG_CLIENT"
}

# Deleting the switch side takes the node's end with it, even if processes still hold the netns.
port_down() {
	in_client ip link del "p$1" 2>/dev/null || :
	ip netns del "$(node_netns "$1")" 2>/dev/null || :
}

switch_down() {
	ip netns del "$SWITCH" 2>/dev/null || :
	# "ip netns add" made a mount of its directory; a chroot must be removable afterwards.
	mountpoint -q / || umount /run/netns 2>/dev/null || :
}

net_add() { in_client nft add element bridge fault "$1" "{ $2 }"; }
net_del() { in_client nft delete element bridge fault "$1" "{ $2 }" 2>/dev/null || :; }

net_loss() {
	net_loss_end
	in_client nft add rule bridge fault loss_rx iifname "p$1" numgen random mod 100 '<' "$2" drop
	in_client nft add rule bridge fault loss_tx oifname "p$1" numgen random mod 100 '<' "$2" drop
}

net_loss_end() {
	in_client nft flush chain bridge fault loss_rx
	in_client nft flush chain bridge fault loss_tx
}

net_heal() {
	local set n
	[ -e "/run/netns/$SWITCH" ] || return 0
	for set in deaf mute parted; do
		in_client nft flush set bridge fault "$set"
	done
	net_loss_end
	for n in $(all_nodes); do
		in_client ip link set "p$n" up 2>/dev/null || :
	done
}
