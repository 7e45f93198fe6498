libbusbar_la_SOURCES += \
	engine/wal/batchrec.c \
	engine/wal/batchrec.h \
	engine/wal/wal.h

unit_tests += \
	tests/unit/test_wal_batchrec

fuzz_targets += tests/fuzz/fuzz_batchrec
tests_fuzz_fuzz_batchrec_LDADD = $(FUZZ_LIBS)
