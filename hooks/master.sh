#!/bin/sh
# Makes this node the master: the volume first, then what writes on it, the address beside it.
# Every step looks first and is done at once if it is so already, so running this again is harmless.
# Exit status: 0 done, 75 try again, else failed. hooks/README.md has the whole contract.
set -eu

step() { hamon -c "$HAMON_CONFIG" "$@"; }

# all PID...: wait for every one; "failed" outweighs "try again" (75), which outweighs 0
all() {
	worst=0
	for pid; do
		code=0
		wait "$pid" || code=$?
		case $code,$worst in 0,* | 75,[!0]*) ;; *) worst=$code ;; esac
	done
	return "$worst"
}

# A service that hangs is restarted first: for that nobody outside need answer.
[ -z "${HAMON_REPAIR:-}" ] || step stack restart --only "$HAMON_REPAIR" || :

# What takes mail and needs no volume (rspamd, slow to start) starts while that is on its way.
step stack start --part early &
early=$!
step volume attach
step volume mount
wait "$early" || : # with the others, then

# The address moves while containers start: ports are closed until they do, and senders try again.
# Not earlier: the provider does one thing at a time with a server.
step stack start --set active &
stack=$!
step ip assign &
address=$!
all "$stack" "$address"

# For people who look at the provider's console; nothing waits for it but the end of the hook.
step volume label --timeout 5s &
label=$!
patience=60
[ "$HAMON_MODE" = promote ] || patience=3 # something may have ended again: the next run sees to it
step probe --wait "$patience"

# Local additions, in order, ten seconds each. What goes wrong in them is told, no more.
for file in "${HAMON_CONFIG%/*}"/master.d/*; do
	case ${file##*/} in *[!a-zA-Z0-9_-]*) continue ;; esac
	if [ -f "$file" ] && [ -x "$file" ]; then
		timeout -k 2 10 "$file" || echo "$file: exit status $?" >&2
	fi
done
wait "$label" || : # it has said why

# Does nothing unless [canary] promote is on: does mail work, from end to end?
[ "$HAMON_MODE" != promote ] || step canary --promote --wait 60
