# The objects serve twice: libbusbar exports ^bb_ alone; libbusbar-internal is for tests and
# tools, which may open private headers. Neither may have CFLAGS of its own, or every file would
# be compiled twice.
lib_LTLIBRARIES += libbusbar.la
noinst_LTLIBRARIES += libbusbar-internal.la
unit_tests += tests/unit/test_db_continuous tests/unit/test_db_subscriptions tests/unit/test_db_engine tests/unit/test_db_full tests/unit/test_db_limits tests/unit/test_db_pieces \
	tests/unit/test_db_stats tests/unit/test_db_write
THREAD_TESTS += tests/unit/test_db_continuous tests/unit/test_db_subscriptions tests/unit/test_db_write
include_HEADERS += engine/busbar.h

libbusbar_la_SOURCES = \
	engine/background.c \
	engine/compaction.c \
	engine/continuous.c \
	engine/continuous.h \
	engine/db.c \
	engine/deletion.c \
	engine/forget.c engine/forget.h \
	engine/db_impl.h \
	engine/disk_watch.c \
	engine/disk_watch.h \
	engine/forward.c \
	engine/forward.h \
	engine/hook.h \
	engine/logins.c \
	engine/logins.h \
	engine/points.c \
	engine/points.h \
	engine/replay.c \
	engine/series_cache.c \
	engine/series_cache.h \
	engine/stage.c \
	engine/stage.h \
	engine/stats.c \
	engine/write.c
libbusbar_la_LIBADD = $(ENGINE_LIBS)
libbusbar_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0 \
	-export-symbols-regex '^bb_'

libbusbar_internal_la_SOURCES = $(libbusbar_la_SOURCES)

include engine/base/local.mk
include engine/fs/local.mk
include engine/codec/local.mk
include engine/lineproto/local.mk
include engine/influxql/local.mk
include engine/civil/local.mk
include engine/catalog/local.mk
include engine/wal/local.mk
include engine/memtable/local.mk
include engine/segment/local.mk
include engine/partition/local.mk
include engine/compact/local.mk
include engine/query/local.mk
