libbusbar_la_SOURCES += \
	engine/memtable/internal.h \
	engine/memtable/list.c \
	engine/memtable/memtable.c \
	engine/memtable/memtable.h \
	engine/memtable/merge.c \
	engine/memtable/read.c

unit_tests += \
	tests/unit/test_memtable_memtable \
	tests/unit/test_memtable_threads

THREAD_TESTS += \
	tests/unit/test_memtable_threads

noinst_HEADERS += tests/unit/batch_gen.h

# A measurement, built with the tests and run by hand.
check_PROGRAMS += tests/bench/bench_memtable
