# Pages are distributed as they are; man pages are appended to dist_man_MANS.

EXTRA_DIST += \
	docs/format/catalog.md \
	docs/LOCKS.md \
	docs/busbar.conf \
	docs/ARCHITECTURE.md \
	docs/format/codec.md \
	docs/format/segment.md \
	docs/format/sum.md \
	docs/format/wal.md \
	docs/bench.md \
	docs/client.md \
	docs/http.md \
	docs/import.md \
	docs/metrics.md \
	docs/influxql.md \
	docs/operations.md \
	docs/lineproto.md

dist_man_MANS += docs/man/busbar.1 docs/man/busbard.8 docs/man/busbar.conf.5
dist_man_MANS += docs/man/busbar-lineproto.7
dist_man_MANS += docs/man/busbar-import.1 docs/man/busbar-export.1 docs/man/busbar-status.1
