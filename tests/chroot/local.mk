# By hand, as root: the README's commands in a fresh Debian.
EXTRA_DIST += tests/chroot/run-fresh.sh
