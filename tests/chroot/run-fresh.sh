#!/usr/bin/env bash
# Run the README's two commands in a Debian that has nothing yet, as root:
#     tests/chroot/run-fresh.sh [check] [quickstart]      both, if none is named
# Needs debootstrap. The checkout is copied as git has it, without uncommitted work. The system's
# own package sources and proxies are used; BUSBAR_SUITE names another release than bookworm,
# BUSBAR_CHROOT_TMP another place than /tmp, BUSBAR_CHROOT_KEEP=1 keeps the folder.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${BUSBAR_SUITE:-bookworm}
http=${BUSBAR_HTTP:-127.0.0.1:8086}
root=

say() {
    printf '\n--- %s\n' "$*"
}

fail() {
    echo "run-fresh: $*" >&2
    exit 1
}

clean_up() {
    local status=$?
    [ -n "$root" ] || exit "$status"
    if [ -x "$root/busbar/tools/quickstart" ] && mountpoint -q "$root/proc"; then
        in_chroot tools/quickstart stop >/dev/null 2>&1 || true
    fi
    for place in dev/shm dev/pts dev proc; do
        if mountpoint -q "$root/$place"; then
            umount "$root/$place"
        fi
    done
    if [ "${BUSBAR_CHROOT_KEEP-}" = 1 ]; then
        echo "kept: $root"
    else
        rm -rf --one-file-system "$root"
    fi
    exit "$status"
}

# The first address of this system's own Debian packages.
mirror() {
    local site
    # shellcheck disable=SC2016 # the format is apt's
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Suite: $suite" |
        head -n 1)
    echo "${site:-http://deb.debian.org/debian}"
}

in_chroot() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        BUSBAR_HTTP="$http" BUSBAR_LINE="${BUSBAR_LINE:-127.0.0.1:8094}" \
        /bin/sh -c 'cd /busbar && exec "$@"' sh "$@"
}

make_chroot() {
    root=$(mktemp -d "${BUSBAR_CHROOT_TMP:-/tmp}/busbar-fresh.XXXXXX")
    chmod 755 "$root"
    debootstrap --variant=minbase "$suite" "$root" "$(mirror)" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        fail "debootstrap failed"
    }
    rm -f "$root.log"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        rm -f "$root/etc/apt/sources.list"
        cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
    elif [ -f /etc/apt/sources.list ]; then
        cp /etc/apt/sources.list "$root/etc/apt/"
    fi
    apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' \
        >"$root/etc/apt/apt.conf.d/50acquire" || true
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount --bind /dev/pts "$root/dev/pts"
    mountpoint -q /dev/shm && mount --bind /dev/shm "$root/dev/shm"
    mkdir "$root/busbar"
    git -C "$top" archive HEAD | tar -x -C "$root/busbar"
}

run_check() {
    say "tools/check"
    in_chroot tools/check </dev/null | tee "$root/check.out"
    if ! grep -qx '# FAIL:  0' "$root/check.out" || ! grep -qx '# ERROR: 0' "$root/check.out"; then
        fail "tools/check printed no clean summary"
    fi
}

# "METER DAY kWh" as the CSV has it, for the days that the quick start shows.
expected() {
    gzip -dc "$top/tools/data/uk_meters_hourly.csv.gz" | awk -F '[,T]' '
        ($2 >= "2013-12-02" && $2 < "2013-12-09") || ($2 >= "2022-11-28" && $2 < "2022-12-05") {
            sum[$1 " " $2] += $4
        }
        END {
            for (key in sum) {
                printf "%s %.3f\n", key, sum[key]
            }
        }' | LC_ALL=C sort
}

run_quickstart() {
    say "tools/quickstart"
    in_chroot tools/quickstart </dev/null | tee "$root/quickstart.out"
    # meter, time, kWh
    awk '$1 ~ /^UK-/ && $3 + 0 > 0 { printf "%s %s %.3f\n", $1, substr($2, 1, 10), $3 }' \
        "$root/quickstart.out" | LC_ALL=C sort >"$root/shown"
    expected >"$root/expected"
    diff -u "$root/expected" "$root/shown" || fail "the quick start shows other sums than the data"
    in_chroot curl -sS -f --max-time 5 "http://$http/ping" || fail "the server was not left running"
    ! in_chroot env BUSBAR_BUILD=/busbar/second tools/quickstart </dev/null ||
        fail "a second quick start took a busy address"
    [ ! -e "$root/busbar/second/Makefile" ] || fail "a busy address was noticed after the build"
    in_chroot tools/quickstart stop
    ! in_chroot curl -s --max-time 5 "http://$http/ping" || fail "the server still answers"
}

[ "$(id -u)" -eq 0 ] || fail "needs root"
command -v debootstrap >/dev/null || fail "needs debootstrap (Debian: debootstrap)"
[ $# -gt 0 ] || set -- check quickstart
trap clean_up EXIT

say "a fresh $suite"
make_chroot
for what in "$@"; do
    case $what in
    check) run_check ;;
    quickstart) run_quickstart ;;
    *) fail "unknown: $what" ;;
    esac
done
say "passed: $*"
