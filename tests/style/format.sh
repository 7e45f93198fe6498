#!/bin/sh
# Compare the layout of all C files with .clang-format: format.sh check|fix DIR. Layouts differ
# between releases of clang-format; Debian 12's 14 decides, others are not asked.
set -eu

mode=$1
cd "$2"

tool=
for name in clang-format-14 clang-format; do
    if command -v "$name" >/dev/null && "$name" --version | grep -q 'version 14\.'; then
        tool=$name
        break
    fi
done
if [ -z "$tool" ]; then
    echo "format-$mode: skipped, clang-format 14 not found (Debian: clang-format)"
    exit 0
fi

case $mode in
check) set -- "$tool" --dry-run -Werror ;;
fix) set -- "$tool" -i ;;
*)
    echo "usage: format.sh check|fix DIR" >&2
    exit 2
    ;;
esac
find engine server client tools tests bench -name '*.[ch]' -type f -print0 |
    LC_ALL=C sort -z | xargs -0 -r -n 64 "$@"
echo "format-$mode: done"
