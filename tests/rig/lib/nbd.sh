# The backing of one attachment of the volume with RIG_NBD=1: nbdkit serves the image, nbdfuse makes
# a file of it that a loop device can lie on. Filters fail and pause its requests (that server's way to
# the storage, so a fail-over cures it) and log each one that reaches the image.
# shellcheck shell=bash

NBD=$RIG_RUN/nbd

nbd_used() { [ -d "$NBD" ]; }

# nbdfuse connects once and gives up; twice in some hundred attachments it was refused.
nbd_up() {
	local try
	for try in 1 2 3; do
		! nbd_serve "$1" || return 0
		echo "attachment $1: try $try failed" >>"$RIG_RUN/log/nbd.log"
		nbd_down "$1"
	done
	die "nbdfuse does not get attachment $1 mounted (see $RIG_RUN/log/nbd.log)"
}

nbd_serve() {
	local dir=$NBD/$1 log=$RIG_RUN/log/nbd.log
	mkdir -p "$dir" "$RIG_RUN/log/writes"
	rm -f "$dir"/*
	touch "$dir/disk"
	daemon "$log" nbdkit -f -P "$dir/nbdkit.pid" -U "$dir/socket" \
		--filter=pause --filter=error --filter=log file "$VOLUME/image" \
		pause-control="$dir/pause" error=EIO error-rate=100% error-file="$dir/error" \
		logfile="$RIG_RUN/log/writes/$1.log"
	try_for 10 test -s "$dir/nbdkit.pid" || return 1 # the socket is there before that
	daemon "$log" nbdfuse -P "$dir/nbdfuse.pid" "$dir/disk" --unix "$dir/socket"
	try_for 20 nbd_decided "$1"
	nbd_mounted "$1"
}

nbd_mounted() { grep -q " $NBD/$1/disk " /proc/mounts; }
nbd_decided() { nbd_mounted "$1" || ! pgrep -f "nbdfuse .*$NBD/$1/socket" >/dev/null; } # up, or it gave up

# kill_pidfile NAME FILE: kill -9 the process, if it still is what it was.
kill_pidfile() {
	local pid
	pid=$(cat "$2" 2>/dev/null) || return 0
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || kill -9 "$pid"
}

nbd_kill() { kill_pidfile nbdkit "$NBD/$1/nbdkit.pid"; }

nbd_down() {
	nbd_kill "$1"
	kill_pidfile nbdfuse "$NBD/$1/nbdfuse.pid"
	umount -l "$NBD/$1/disk" 2>/dev/null || :
	rm -rf "${NBD:?}/$1"
}

# 'p' pauses, 'r' resumes every request of the current attachment.
nbd_control() { printf "%s" "$1" | socat -t1 - "UNIX-CONNECT:$NBD/$(volume_current)/pause" >/dev/null; }

nbd_each() {
	local dir
	for dir in "$NBD"/*/; do
		[ ! -d "$dir" ] || "$1" "$(basename "$dir")"
	done
}

nbd_drop() {
	nbd_each nbd_down
	rm -rf "$NBD"
}
