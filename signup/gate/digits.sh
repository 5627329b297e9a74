#!/bin/sh
# Runs while the portal is built: digits.sh DIR LANGUAGE... has espeak-ng say the ten digits in three
# voices of each language, into DIR/LANGUAGE-VOICE-DIGIT.wav, and prints the names in that order.
set -eu
dir=$1
shift
command -v espeak-ng >/dev/null || {
	echo "digits.sh: no espeak-ng; make deps" >&2
	exit 1
}
mkdir -p "$dir"
for language; do
	for voice in m1 f2 m3; do
		for digit in 0 1 2 3 4 5 6 7 8 9; do
			espeak-ng -v "$language+$voice" -s 145 -w "$dir/$language-$voice-$digit.wav" "$digit"
			echo "$dir/$language-$voice-$digit.wav"
		done
	done
done
