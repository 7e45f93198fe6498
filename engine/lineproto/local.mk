libbusbar_la_SOURCES += \
	engine/lineproto/key.c \
	engine/lineproto/lineproto.h \
	engine/lineproto/parse.c \
	engine/lineproto/strict.c \
	engine/lineproto/strict.h

noinst_HEADERS += \
	tests/lib/lineproto.h

unit_tests += \
	tests/unit/test_lineproto_key \
	tests/unit/test_lineproto_parse \
	tests/unit/test_lineproto_stream

fuzz_targets += tests/fuzz/fuzz_lineproto
tests_fuzz_fuzz_lineproto_LDADD = $(FUZZ_LIBS)

# Nanoseconds per line, built with the tests and run by hand.
check_PROGRAMS += tests/bench/bench_lineproto
