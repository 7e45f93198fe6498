#!/bin/sh
# Install the Debian packages that Busbar needs: setup.sh build|test|ci.
#   build  compile and run it
#   test   and pass make check
#   ci     and what continuous integration adds: clang, its sanitizers, clang-format, and InfluxDB,
#          with which answers are compared
# Nothing is asked of the system where all of them are there already.
set -eu

build='
    gcc libc6-dev make autoconf automake libtool pkg-config
    liblmdb-dev libzstd-dev libroaring-dev libuv1-dev libxxhash-dev libpcre2-dev zlib1g-dev
    libssl-dev libcurl4-openssl-dev libyajl-dev libedit-dev libjansson-dev node-llhttp
    curl gzip tzdata ca-certificates
'
test='libcmocka-dev openssl python3 python3-pytest universal-ctags'
ci='clang libclang-rt-14-dev clang-format tmux mandoc influxdb influxdb-client
    python3-influxdb'

case ${1-} in
build) wanted=$build ;;
test) wanted="$build $test" ;;
ci) wanted="$build $test $ci" ;;
*)
    echo "usage: tools/setup.sh build|test|ci" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "setup: this is no Debian; install what these packages bring, by hand:" $wanted >&2
    exit 1
fi

missing=
for package in $wanted; do
    # shellcheck disable=SC2016 # the format is dpkg-query's
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true) in
    ?i*) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    echo "setup: all packages are installed"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: run as root, or install sudo, to install:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "setup: installing$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # lists of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    $missing </dev/null
