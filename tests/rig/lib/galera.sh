# The database cluster: start it in two seconds from a seed.
#
# The seed is a snapshot of the datadirs of a whole cluster that crashed: its
# gvwstate.dat files let the members find each other and become Primary again by
# themselves. It is made once per image and configuration, by a real bootstrap
# and real state transfers (SST), and kept in the cache.
# shellcheck shell=bash

GALERA_VOLUME=volumes/${PROJECT}_mysql-vol-1/_data
GALERA_SOCKET=/var/lib/docker/volumes/${PROJECT}_mysql-socket-vol-1/_data/mysqld.sock

datadir() { echo "$(node_dir "$1")/docker/$GALERA_VOLUME"; }
seed_dir() { echo "$RIG_CACHE/seed-$(image_key)-$(hash_of mailcow/data mailcow/seed.sql)-$(rig_nodes)"; }

# sql N STATEMENT: as root, over the socket the host sees; needs no dockerd. A bare server's root has a password.
sql() {
	MYSQL_PWD=$(sed -n 's/^DBROOT=//p' "$(node_root "$1")$MAILCOW/mailcow.conf" 2>/dev/null) timeout 5 mariadb -N -B --connect-timeout=2 -uroot --socket="$(node_root "$1")$GALERA_SOCKET" -e "$2"
}

# "Primary 3 Synced", or nothing
galera_state() {
	sql "$1" "SELECT GROUP_CONCAT(variable_value ORDER BY FIELD(variable_name, 'WSREP_CLUSTER_STATUS',
		'WSREP_CLUSTER_SIZE', 'WSREP_LOCAL_STATE_COMMENT') SEPARATOR ' ') FROM information_schema.global_status
		WHERE variable_name IN ('WSREP_CLUSTER_STATUS', 'WSREP_CLUSTER_SIZE', 'WSREP_LOCAL_STATE_COMMENT')" 2>/dev/null || :
}

galera_is() { [ "$(galera_state "$1")" = "$2" ]; }

galera_wait() { wait_for "$3" "n$1: database is 'Primary $2 Synced'" "$(node_log "$1") and 'rig exec n$1 docker logs $(container mysql)'" galera_is "$1" "Primary $2 Synced"; }

galera_wait_all() {
	local n
	for n in $(all_nodes); do
		galera_wait "$n" "$(rig_nodes)" "$1"
	done
}

galera_restore() {
	local data
	data=$(datadir "$1")
	mkdir -p "$data"
	find "$data" -mindepth 1 -delete
	cp -a --sparse=always "$(seed_dir)/n$1/." "$data/"
}

# Node N's database is to be the first member at its next start, as `hamon galera` would order it.
galera_order() {
	local share state position
	share=$(node_root "$1")/run/mailcow-ha/galera
	state=$(datadir "$1")/grastate.dat
	position='uuid=00000000-0000-0000-0000-000000000000 seqno=-1'
	[ ! -e "$state" ] || position=$(sed -n 's/^\(uuid\|seqno\): */\1=/p' "$state")
	mkdir -p "$share"
	# shellcheck disable=SC2086 # two words, a line each
	printf '%s\n' order=bootstrap "boot=$(</proc/sys/kernel/random/boot_id)" \
		"until=$(($(cut -d. -f1 /proc/uptime) + 120))" $position >"$share/order"
}

# Needs created stacks with nothing running; leaves them so.
galera_seed() {
	local n seed
	seed=$(seed_dir)
	note "making the database seed: bootstrap of n1, full state transfer to the others"
	galera_order 1
	in_parallel galera_seed_start $(all_nodes) || die "the database containers did not start, see $RIG_RUN/log"
	galera_wait_all 120
	sql 1 "$(<"$RIG_HOME/mailcow/seed.sql")" || die "seed.sql failed"
	sleep 1
	in_parallel galera_seed_crash $(all_nodes)
	rm -rf "$seed" "$seed.new"
	for n in $(all_nodes); do
		mkdir -p "$seed.new/n$n"
		cp -a --sparse=always "$(datadir "$n")/." "$seed.new/n$n/"
		[ -e "$seed.new/n$n/gvwstate.dat" ] || die "n$n left no gvwstate.dat: the seed would not start by itself"
	done
	mv "$seed.new" "$seed"
	note "database seed kept in $seed"
}

galera_seed_start() {
	[ "$1" = 1 ] || try_for 65 galera_serves 1
	start_services "$1" mysql
}
galera_serves() { [[ $(galera_state "$1") == Primary*\ Synced ]]; } # alone, or with whoever was quicker
galera_seed_crash() { in_node "$1" docker kill -s KILL "$(container mysql)" >>"$(node_log "$1")" 2>&1; }

# After a graceful stop of every member nobody may start by himself: somebody must say who.
cmd_galera_bootstrap() {
	local n
	n=$(node_number "${1:-}")
	in_node "$n" docker stop "$(container mysql)" >/dev/null
	galera_order "$n"
	start_services "$n" mysql
	wait_for 60 "n$n: database Primary" "$(node_log "$n")" eval "[[ \$(galera_state $n) == Primary* ]]"
	say "n$n: $(galera_state "$n")"
}
