libbusbar_la_SOURCES += \
	engine/partition/flush.c \
	engine/partition/flush.h \
	engine/partition/merge.c \
	engine/partition/merge.h \
	engine/partition/range.c \
	engine/partition/range.h \
	engine/partition/source.c \
	engine/partition/source.h \
	engine/partition/span.h \
	engine/partition/splitter.c \
	engine/partition/splitter.h \
	engine/partition/version.c \
	engine/partition/version.h

unit_tests += \
	tests/unit/test_partition_merge
