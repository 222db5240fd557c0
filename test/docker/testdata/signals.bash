# Says which signals it got, in a language that can have them all.
for signal in HUP INT QUIT USR1 USR2 TSTP CONT WINCH ALRM RTMIN+1 RTMIN+6 RTMAX; do
	# shellcheck disable=SC2064
	trap "echo 'got $signal'" "$signal"
done
trap 'echo got TERM; exit 9' TERM
# A read that never ends: traps run in between, and no child is there to get in the way.
exec 3<> <(:)
echo up
while :; do read -r -u 3 -t 3600 _ || :; done
