# Sourced by local-cluster.sh and addons.sh: where programs and state of the cluster are, and how programs are started.
# shellcheck disable=SC2034
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="${TOOLS:-${SEMLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/semlink}/tools/cluster}"
state="${STATE:-/var/tmp/semlink-cluster}"

stop() {
  echo "$(basename "$0" .sh): $1" >&2
  exit 1
}

# Starts a program in the background: NAME COMMAND...
start() {
  local name=$1
  shift
  nohup "$@" >"$state/$name.log" 2>&1 &
  echo $! >"$state/$name.pid"
}

# Whether a program started so still runs; another that was given its number since writes elsewhere.
runs() {
  local pid
  pid="$(cat "$state/$1.pid" 2>/dev/null)" && [[ "$(readlink "/proc/$pid/fd/1")" == "$state/$1.log" ]]
}
