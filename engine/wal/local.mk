libbusbar_la_SOURCES += \
	engine/wal/batchrec.c \
	engine/wal/batchrec.h \
	engine/wal/files.c \
	engine/wal/format.c \
	engine/wal/format.h \
	engine/wal/internal.h \
	engine/wal/reader.c \
	engine/wal/reader.h \
	engine/wal/replay.c \
	engine/wal/sync.c \
	engine/wal/wal.c \
	engine/wal/wal.h

unit_tests += \
	tests/unit/test_wal_batchrec \
	tests/unit/test_wal_replay \
	tests/unit/test_wal_threads \
	tests/unit/test_wal_wal

crash_tests += \
	tests/crash/crash_wal

THREAD_TESTS += \
	tests/crash/crash_wal \
	tests/unit/test_wal_threads \
	tests/unit/test_wal_wal

noinst_HEADERS += tests/unit/wal_util.h

fuzz_targets += \
	tests/fuzz/fuzz_batchrec \
	tests/fuzz/fuzz_wal
tests_fuzz_fuzz_batchrec_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_wal_LDADD = $(FUZZ_LIBS)

# A measurement, built with the tests and run by hand.
check_PROGRAMS += tests/bench/bench_wal
