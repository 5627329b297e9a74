# The files a node gets at every boot: staged under nN/stage, copied over the
# node's fresh root before systemd starts. So a node that lost its power comes
# back configured, as a real server does from its disk.
# shellcheck shell=bash

RIG_HAMON=${RIG_HAMON:-}
HAMON_PASSWORD=hamon-rig
CLUSTER_SECRET=the-secret-of-this-rig-and-of-no-other
FAKETIME_FILE=/run/mailcow-ha/faketime
FAKETIME_LIB=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1

# A rig keeps the hamon it was started with (or was given by hamon-install).
hamon_tree() { echo "$RIG_RUN/hamon"; }
hamon_present() { [ -d "$(hamon_tree)" ] || trait bare; } # a bare node gets it as a package

# What a rig is remembered to be until the next "up": cluster, shared, faketime, watchdog, extra configuration.
trait() { [ -e "$RIG_RUN/traits/$1" ]; }
traits_take() {
	rm -rf "$RIG_RUN/traits"
	mkdir -p "$RIG_RUN/traits"
	[ -z "${RIG_CLUSTER:-}" ] || touch "$RIG_RUN/traits/cluster"
	[ -z "${RIG_SHARED:-}" ] || touch "$RIG_RUN/traits/shared"
	[ -z "${RIG_BARE:-}" ] || touch "$RIG_RUN/traits/bare"
	[ -z "${RIG_FAKETIME:-}" ] || touch "$RIG_RUN/traits/faketime"
	[ -z "${RIG_WATCHDOG:-}" ] || touch "$RIG_RUN/traits/watchdog"
	[ -z "${RIG_HAMON_CONF_EXTRA:-}" ] || cp "$RIG_HAMON_CONF_EXTRA" "$RIG_RUN/traits/conf"
	rm -rf "$RIG_RUN/overlay"
	[ -z "${RIG_OVERLAY:-}" ] || cp -a "$RIG_OVERLAY" "$RIG_RUN/overlay"
}

hamon_take() {
	rm -rf "$(hamon_tree)"
	[ -n "$1" ] || return 0
	[ -x "$1/usr/sbin/hamon" ] || die "no usr/sbin/hamon in $1"
	mkdir -p "$(hamon_tree)"
	cp -a "$1/." "$(hamon_tree)/"
}

peers_of() {
	local p
	for p in $(all_nodes); do
		[ "$p" = "$1" ] || node_addr "$p"
	done
}

# stage_node N: write everything but the list of units.
stage_node() {
	local n=$1 s run
	s=$(node_dir "$n")/stage
	run=$s/run/mailcow-ha
	rm -rf "$s"
	mkdir -p "$s"/etc/{keepalived,mailcow-ha,docker} "$run/galera" "$s$VOLUME_DIR" "$s/usr/lib/mailcow-ha"
	cp "$RIG_HOME/../../templates/container/galera-start" "$s/usr/lib/mailcow-ha/"
	echo "n$n" >"$s/etc/hostname"
	printf '127.0.0.1 localhost\n%s n%s\n' "$(node_addr "$n")" "$n" >"$s/etc/hosts"
	# Nothing listens there: a refusal at once is better than a resolver that waits.
	printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$RIG_CLIENT" >"$s/etc/resolv.conf"
	stage_mailcow "$n" "$s$MAILCOW"
	stage_keepalived "$n" >"$s/etc/keepalived/keepalived.conf"
	chmod 644 "$s/etc/keepalived/keepalived.conf"
	stage_units "$n" docker.service containerd.service
	if hamon_present; then
		stage_hamon "$n"
	else
		# Made before keepalived starts: a fifo it makes itself goes deaf after a reload.
		mkfifo "$run/keepalived.fifo"
		echo 0 >"$run/track"
	fi
	[ ! -d "$RIG_RUN/overlay" ] || cp -a "$RIG_RUN/overlay/." "$s/"
}

stage_units() { printf '%s\n' "${@:2}" >"$(node_dir "$1")/stage/etc/rig-units"; }

# The units of a node in service, hamon before keepalived.
node_units() {
	echo docker.service containerd.service keepalived.service
	! hamon_present || echo hamon.service
	! trait cluster || ! unit_present hamon-guard || echo hamon-guard.service
	! unit_present hamon-web || echo hamon-web.service
	! trait cluster || ! unit_present hamon-sync || echo hamon-sync.service
}

unit_present() { find "$(hamon_tree)" -name "$1.service" 2>/dev/null | grep . >/dev/null; }

stage_mailcow() {
	local n=$1 dir=$2 hamon='' key
	mkdir -p "$dir"
	cp -r "$RIG_HOME"/mailcow/{docker-compose.yml,data} "$dir/"
	key=$(image_key)
	render "$RIG_HOME/mailcow/mailcow.conf" NODE="n$n" ADDRESS="$(node_addr "$n")" KEY="$key" \
		HEALTH="${RIG_HEALTH:-2s}" >"$dir/mailcow.conf"
	ln -s mailcow.conf "$dir/.env"
	render "$RIG_HOME/mailcow/data/conf/mysql/galera.cnf" NODE="n$n" ADDRESS="$(node_addr "$n")" \
		PEERS="$(all_nodes | sed "s/^/$RIG_NET.1/" | paste -sd,)" >"$dir/data/conf/mysql/galera.cnf"
	if hamon_present; then
		hamon='  - /usr/sbin/hamon:/usr/local/bin/hamon:ro'
		printf '[mysqld]\nwsrep_notify_cmd="/usr/local/bin/hamon notify-galera"\n' >"$dir/data/conf/mysql/hamon.cnf"
	fi
	render "$RIG_HOME/mailcow/docker-compose.override.yml" HAMON="$hamon" >"$dir/docker-compose.override.yml"
}

stage_keepalived() {
	local n=$1 check='' track=''
	if hamon_present; then
		check='vrrp_script hamon {
    script "/usr/sbin/hamon check"
    interval 1
    timeout 2
    fall 2
    rise 1
}'
		track='track_script { hamon }'
	elif [ -e "$RIG_RUN/overlay/etc/keepalived/notify" ]; then
		check='vrrp_script naive {
    script "/etc/keepalived/check"
    interval 1
    timeout 2
    fall 2
    rise 2
}'
		track='track_script { naive }
    nopreempt
    notify "/etc/keepalived/notify"'
	fi
	render "$RIG_HOME/templates/keepalived.conf" NODE="n$n" ADDRESS="$(node_addr "$n")" \
		PRIORITY=$((60 - 10 * n)) PEERS="$(peers_of "$n" | paste -sd' ' | sed 's/ /\n        /g')" \
		CHECK="$check" TRACK="$track"
}

stage_hamon() {
	local s
	s=$(node_dir "$1")/stage
	cp -a "$(hamon_tree)/." "$s/"
	render "$RIG_HOME/templates/hamon.conf" NODE="n$1" ADDRESS="$(node_addr "$1")" >"$s/etc/mailcow-ha/hamon.conf"
	! trait cluster || stage_cluster "$1" "$s"
	! trait conf || cat "$RIG_RUN/traits/conf" >>"$s/etc/mailcow-ha/hamon.conf"
	(umask 077 && echo "$HAMON_PASSWORD" >"$s/etc/mailcow-ha/galera.pass")
	mkdir -p "$s/etc/systemd/system/keepalived.service.d"
	printf '[Unit]\nAfter=hamon.service\n' >"$s/etc/systemd/system/keepalived.service.d/rig.conf"
}

# A cluster that fails over by itself, with the rig's cloud as its provider, or none.
stage_cluster() {
	local n=$1 s=$2 nodes='' p provider=cloud
	for p in $(all_nodes); do
		nodes+="n$p=$(node_addr "$p") "
	done
	! trait shared || provider=shared
	render "$RIG_HOME/templates/cluster.conf" ADDRESS="$(node_addr "$n")" NODES="${nodes% }" \
		WATCHDOG="$(trait watchdog && echo required || echo off)" >>"$s/etc/mailcow-ha/hamon.conf"
	render "$RIG_HOME/templates/cluster-$provider.conf" NODE="n$n" UUID="$(volume_uuid)" MOUNT="$VOLUME_DIR" \
		DEVICE="$VOLUME_ID" VOLUME="$CLOUD_VOLUME" IP="$CLOUD_IP" FLOAT="$RIG_FLOAT" API="$(cloud_url)" \
		>>"$s/etc/mailcow-ha/hamon.conf"
	! trait shared || stage_fence "$s"
	(umask 077 && echo "$CLUSTER_SECRET" >"$s/etc/mailcow-ha/cluster.secret" &&
		echo "$CLOUD_TOKEN" >"$s/etc/mailcow-ha/hetzner.token")
	! trait faketime || stage_faketime "$s"
	! trait watchdog || touch "$s/etc/rig-watchdog"
}

# The clock of hamond and of what it starts can be moved ("fault clock"). It is loaded from the
# first moment on, with an offset of nothing: a daemon cannot be given another clock while it runs.
stage_faketime() {
	[ -e "$FAKETIME_LIB" ] || die "RIG_FAKETIME needs $FAKETIME_LIB (package libfaketime)"
	echo +0 >"$1$FAKETIME_FILE"
	mkdir -p "$1/etc/systemd/system/hamon.service.d"
	printf '[Service]\nEnvironment=%s %s %s %s\n' "LD_PRELOAD=$FAKETIME_LIB" "FAKETIME_TIMESTAMP_FILE=$FAKETIME_FILE" \
		FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 >"$1/etc/systemd/system/hamon.service.d/faketime.conf"
}
