# Faults of containers, of dockerd, and of the database.
#
# Containers are found in the docker root on disk and in the cgroups, not asked
# of dockerd: it may be the one that hangs.
# shellcheck shell=bash

container_id() {
	local config
	for config in "$(node_dir "$1")"/docker/containers/*/config.v2.json; do
		[ "$(jq -r '.Config.Labels["com.docker.compose.service"]' "$config" 2>/dev/null)" != "${2%-mailcow}-mailcow" ] ||
			basename "$(dirname "$config")"
	done
}

# Outer pids of a container, its first process first.
container_pids() {
	local id
	id=$(container_id "$1" "$2")
	[ -n "$id" ] || die "n$1: no container of $2"
	sort -n "$(cgroup_of "$1" pids)/docker/$id/cgroup.procs" 2>/dev/null
}

signal_container() {
	local pids
	pids=$(container_pids "$1" "$2")
	[ -n "$pids" ] || die "n$1: $2 is not running"
	moment_now
	# shellcheck disable=SC2086
	kill "-$3" $pids
}

fault_kill() {
	local pid
	pid=$(container_pids "$1" "$2" | head -n 1)
	[ -n "$pid" ] || die "n$1: $2 is not running"
	moment_now
	kill -9 "$pid"
}
heal_kill() { service_start "$1" "$2"; }

fault_stop() { in_node "$1" docker stop -t 10 "$(container "$2")" >/dev/null; }
heal_stop() { service_start "$1" "$2"; }
fault_start() {
	in_node "$1" docker start "$(container "$2")" >/dev/null
	fault_forget stop "$1" "$2"
	fault_forget kill "$1" "$2"
}

fault_hang() { signal_container "$1" "$2" STOP; }
heal_hang() { signal_container "$1" "$2" CONT; }

# An active service belongs only where the volume is: elsewhere somebody else has taken over.
service_start() {
	if is_active_service "$2" && ! volume_mounted "$1"; then
		warn "n$1: $2 not started, n$1 is not the master"
		return
	fi
	in_node "$1" docker start "$(container "$2")" >/dev/null
}

fault_dockerd_kill() { signal_named "$1" KILL dockerd; }
heal_dockerd_kill() { docker_start "$1"; }
fault_dockerd_stop() { in_node "$1" systemctl stop docker.socket docker.service; }
heal_dockerd_stop() { docker_start "$1"; }
fault_dockerd_hang() { signal_named "$1" STOP dockerd; }
heal_dockerd_hang() { signal_named "$1" CONT dockerd; }

docker_start() {
	unit_start "$1" docker.service
	wait_for 30 "n$1: dockerd answers" "rig exec n$1 journalctl -u docker" docker_answers "$1"
}

fault_galera_kill() { fault_kill "$1" mysql; }
heal_galera_kill() { service_start "$1" mysql; }
fault_galera_stop() { in_node "$1" docker stop -t 45 "$(container mysql)" >/dev/null; }
heal_galera_stop() { service_start "$1" mysql; }
fault_galera_hang() { fault_hang "$1" mysql; }
heal_galera_hang() { heal_hang "$1" mysql; }

# Another member, not the one with the volume, starts from nothing with NODE as its donor.
fault_galera_donor() {
	local donor=$1 n victim='' conf
	for n in $(all_nodes); do
		[ "$n" = "$donor" ] || [ "$(volume_where)" = "n$n" ] || ! node_running "$n" || victim=$n
	done
	[ -n "$victim" ] || die "no node that could take the data from n$donor"
	fault_galera_stop "$victim"
	find "$(datadir "$victim")" -mindepth 1 -delete
	conf=$(node_root "$victim")$MAILCOW/data/conf/mysql/donor.cnf
	printf '[mysqld]\nwsrep_sst_donor=n%s\n' "$donor" >"$conf"
	service_start "$victim" mysql
	wait_for 30 "n$donor: Donor/Desynced" "rig exec n$victim docker logs $(container mysql)" galera_is_donor "$donor"
	rm -f "$conf"
	say "n$donor gives all its data to n$victim: $(galera_state "$donor")"
}
galera_is_donor() { [[ $(galera_state "$1") == *Donor* ]]; }

fault_galera_password() { hamon_password "$1" 'not-the-one-in-the-file'; }
heal_galera_password() { hamon_password "$1" "$HAMON_PASSWORD"; }
hamon_password() {
	sql "$1" "ALTER USER hamon@'%' IDENTIFIED BY '$2', hamon@localhost IDENTIFIED BY '$2'" ||
		die "n$1: the database refuses to change the password"
}
