#!/bin/sh
# Measure busbard as the project's promises are worded: bench/run.sh m|series [busbard setting...].
#   m       28.8 million readings of 10,000 meters: server CPU per million readings
#   series  a million series: memory while writing and querying, restart to first answer
# BUSBAR_BUILDDIR is where busbard and busbar-bench were built (default: the working directory);
# BUSBAR_BENCH_DIR is for the data (default: a temporary directory, removed at the end).
set -eu

build=${BUSBAR_BUILDDIR:-$PWD}
which=${1-}
[ $# -eq 0 ] || shift
case $which in
m | series) ;;
*)
    echo "usage: bench/run.sh m|series [busbard setting...]" >&2
    exit 2
    ;;
esac
for program in busbard busbar-bench; do
    [ -x "$build/$program" ] || {
        echo "bench/run.sh: no $program in $build: run make, or set BUSBAR_BUILDDIR" >&2
        exit 1
    }
done

work=${BUSBAR_BENCH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/busbar-bench.XXXXXX")}
mkdir -p "$work"
server=

finish() {
    status=$?
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    [ -n "${BUSBAR_BENCH_DIR-}" ] || rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

start() {
    : >"$work/ready"
    "$build/busbard" --data "$work/data" --http 127.0.0.1:0 --line 127.0.0.1:0 "$@" \
        >"$work/ready" 2>>"$work/log" &
    server=$!
    until grep -q '^listening ' "$work/ready"; do
        kill -0 "$server" 2>/dev/null || {
            tail -n 5 "$work/log" >&2
            exit 1
        }
        sleep 0.01
    done
    http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/ready")
}

stop() {
    kill "$1"
    wait "$server" || {
        echo "busbard ended with status $?" >&2
        exit 1
    }
    server=
}

peak_mib() {
    awk '/^VmHWM:/ { printf "%d", $2 / 1024 }' "/proc/$server/status"
}

# ask QUERY: prints the time that it took and the start of the answer
ask() {
    began=$(now_ms)
    curl -sS --fail-with-body --max-time 120 -G "http://$http/query" --data-urlencode db=bench \
        --data-urlencode "q=$1" >"$work/reply"
    took=$(($(now_ms) - began))
    printf '%6d ms  %s\n           %.110s\n' "$took" "$1" "$(head -c 110 "$work/reply")"
    if grep -q '"error"' "$work/reply"; then
        echo "bench/run.sh: that query failed" >&2
        exit 1
    fi
}

start "$@"
if [ "$which" = m ]; then
    "$build/busbar-bench" write --url "http://$http" --pid "$server" --data "$work/data" \
        --workload M --connections 2 --lines 5000
    exit 0
fi

"$build/busbar-bench" write --url "http://$http" --pid "$server" --data "$work/data" \
    --workload series --connections 2 --lines 5000 --no-flush
one="SELECT value FROM reading WHERE device_id = 'MTR-00777777'"
all="SELECT count(value), sum(value), max(value) FROM reading"

# first WHAT [setting...]: start, ask, and say how long both took
first() {
    what=$1
    shift
    began=$(now_ms)
    start "$@"
    ask "$one"
    echo "$what, restart to first answer: $(($(now_ms) - began)) ms"
}

kill -9 "$server"
wait "$server" 2>/dev/null || true
first "killed with an unflushed memtable" "$@"
ask "$all"
grep -q ',10000000,' "$work/reply" || {
    echo "bench/run.sh: not ten million readings" >&2
    exit 1
}
curl -sS --fail-with-body -X POST "http://$http/debug/flush"
ask "$all"
ask "SELECT mean(value) FROM reading WHERE time >= '2024-03-01' AND time < '2024-03-02' \
GROUP BY time(1h)"
ask "$one"
ask "SELECT max(value) FROM reading GROUP BY device_id LIMIT 1"
echo "server peak memory, queries included: $(peak_mib) MiB"
stop "$server"
first "stopped" "$@"
