# What the cluster test, the demo and the soak share: a rig of their own with this build's hamon in
# it, waiting for a verdict, and reading times out of the nodes' journals.
# shellcheck shell=bash

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$top/tests/rig/rig
# shellcheck disable=SC2034 # the scripts that read this file use it
here=$top/tests/cluster
work=$(mktemp -d "${TMPDIR:-/tmp}/mha-cluster.XXXXXX")

say() { printf '%s\n' "$*"; }
die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# cluster_up NAME: install this build, write the extra configuration (standard input), bring a rig
# of that name up. On exit everything is taken down again unless KEEP is set. NO_HAMON: without it.
cluster_up() {
	export RIG_NAME=$1 RIG_HAMON=$work/hamon RIG_HAMON_CONF_EXTRA=$work/extra.conf
	cat >"$work/extra.conf"
	trap cluster_down EXIT
	trap 'exit 130' INT TERM
	if [ -n "${NO_HAMON:-}" ]; then
		unset RIG_HAMON
	else
		DESTDIR=$RIG_HAMON cmake --install "$top/build/release" >/dev/null
	fi
	"$rig" down >/dev/null 2>&1 </dev/null || :
	"$rig" up </dev/null
}

cluster_down() {
	local code=${1:-$?}
	if [ -n "${KEEP:-}" ]; then
		say "The rig stays up. Look around:"
		say "  export RIG_NAME=$RIG_NAME"
		say "  tests/rig/rig status"
		say "  tests/rig/rig exec n1 hamon status --watch"
		say "  tests/rig/rig fault list; tests/rig/rig down"
	else
		"$rig" down </dev/null || code=1
	fi
	rm -rf "$work"
	exit "$code"
}

on() { "$rig" exec "$@"; }

# check NODE: sets $line (what hamon check printed) and $code (its exit code).
check() {
	code=0
	line=$(on "$1" hamon check 2>&1 </dev/null) || code=$?
}

# http NODE PATH: the status its hamon web answers with, 000 if it does not.
http() { on "$1" curl -s -o /dev/null -m 5 -w '%{http_code}' "http://127.0.0.1:9448$2" </dev/null || :; }
http_is() { [ "$(http "$1" "$2")" = "$3" ]; }

word() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" <<<"$line"; }
verdict() { echo "${line%% *}"; }

# until_check NODE SECONDS VERDICT REASON: VERDICT and REASON are patterns; true once both hold.
until_check() {
	local end=$((SECONDS + $2))
	while :; do
		check "$1"
		# shellcheck disable=SC2053 # patterns are meant
		[[ $(verdict) == $3 && $(word reason) == $4 ]] && return 0
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

all_fit() {
	local n
	for n in n1 n2 n3; do
		until_check "$n" "${1:-60}" fit '*' || return 1
	done
}

# Everybody is fit, n1 leads, and keepalived has had the time to agree on it.
settled() {
	all_fit "${1:-90}" && until_true 30 on n1 sh -c 'hamon check | grep -q "^fit role=master"' &&
		until_true 30 on n2 grep -q BACKUP /run/mailcow-ha/vrrp &&
		until_true 30 on n3 grep -q BACKUP /run/mailcow-ha/vrrp && sleep 2
}

vrrp() { on "$1" cat /run/mailcow-ha/vrrp 2>/dev/null; }
track() { on "$1" cat /run/mailcow-ha/track 2>/dev/null; }

until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# journal NODE T0: hamon's and keepalived's lines since T0 (epoch seconds) as JSON.
journal() {
	on "$1" journalctl -q -o json --output-fields=MESSAGE,_SYSTEMD_UNIT -u hamon -u keepalived \
		--since "@$2" --no-pager </dev/null
}

ALARM='event=verdict.* to=un|Entering .* STATE|event=clock_gap'

# alarms T0: what went wrong since then, per node; sets bad=1 if anything did.
alarms() {
	local n alarms noise
	for n in n1 n2 n3; do
		journal "$n" "$1" | jq -r .MESSAGE >"$work/lines"
		alarms=$(grep -cE "$ALARM" "$work/lines") || :
		noise=$(grep -cE 'event=check .* to=suspect' "$work/lines") || :
		say "  $n: $alarms alarms, $noise checks suspect for a while"
		[ "$alarms" = 0 ] || {
			# shellcheck disable=SC2034 # the caller reads it
			bad=1
			grep -E "event=|$ALARM" "$work/lines" | sed 's/^/    /' | tail -n 20
		}
	done
}
