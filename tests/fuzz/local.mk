# A fuzz target is one file, tests/fuzz/fuzz_<parser>.c, that defines LLVMFuzzerTestOneInput, and
# a corpus in tests/fuzz/corpus/<parser>/. The parser's module declares it:
#
#     fuzz_targets += tests/fuzz/fuzz_lineproto
#     tests_fuzz_fuzz_lineproto_LDADD = $(FUZZ_LIBS)
#
# It always builds and `make check` replays the corpus through it; with --enable-fuzzing it is
# linked with libFuzzer instead and can search on its own.
if FUZZING
FUZZ_LIBS = $(BB_FUZZ_LIBS) $(UNIT_LIBS)
else
check_LTLIBRARIES += libfuzz-replay.la
libfuzz_replay_la_SOURCES = tests/fuzz/replay.c
FUZZ_LIBS = libfuzz-replay.la $(UNIT_LIBS)
endif

EXTRA_DIST += tests/fuzz/corpus
