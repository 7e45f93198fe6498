# Pages are distributed as they are; man pages are appended to dist_man_MANS.

EXTRA_DIST += \
	docs/format/catalog.md \
	docs/LOCKS.md \
	docs/ARCHITECTURE.md \
	docs/format/codec.md \
	docs/format/segment.md \
	docs/format/sum.md \
	docs/format/wal.md \
	docs/bench.md \
	docs/http.md \
	docs/lineproto.md
