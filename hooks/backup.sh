#!/bin/sh
# Makes this node a standby: nothing writes here any more, and the volume is free for another one.
# Every step looks first and is done at once if it is so already, so running this again is harmless.
# Exit status: 0 done, 75 try again, else failed. hooks/README.md has the whole contract.
set -eu

step() { hamon -c "$HAMON_CONFIG" "$@"; }

if [ "$HAMON_MODE" = fence ]; then # the lease is lost: nobody is asked, nobody is waited for
	step fence                        # kill, unmount, prove it
	step ip release || echo "the address could not be taken from this node" >&2
	exit 0
fi

step volume status >/dev/null # no port closes before the provider has answered
if [ "$HAMON_MODE" = switchover ]; then
	step stack stop --part rest || : # mail is still taken meanwhile
	step stack drain
fi
step stack stop --set active # postfix first

# The address goes once nothing sends from it any more, while the volume is written out.
step ip release &
address=$!
step volume umount
wait "$address"
step volume detach # not beside it: the provider does one thing at a time with a server

# Local additions, in order, ten seconds each. What goes wrong in them is told, no more.
for file in "${HAMON_CONFIG%/*}"/backup.d/*; do
	case ${file##*/} in *[!a-zA-Z0-9_-]*) continue ;; esac
	if [ -f "$file" ] && [ -x "$file" ]; then
		timeout -k 2 10 "$file" || echo "$file: exit status $?" >&2
	fi
done
