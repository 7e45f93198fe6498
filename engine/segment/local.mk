libbusbar_la_SOURCES += \
	engine/segment/field_builder.c \
	engine/segment/field_builder.h \
	engine/segment/fieldpage.c \
	engine/segment/format.c \
	engine/segment/format.h \
	engine/segment/grow.h \
	engine/segment/index.c \
	engine/segment/index.h \
	engine/segment/order.h \
	engine/segment/page.h \
	engine/segment/page_load.h \
	engine/segment/presence.c \
	engine/segment/presence.h \
	engine/segment/segment.c \
	engine/segment/segment.h \
	engine/segment/timepage.c \
	engine/segment/verify.c \
	engine/segment/writer.c \
	engine/segment/writer.h

noinst_HEADERS += \
	tests/unit/segment_model.h

unit_tests += \
	tests/unit/test_segment_file

tests_unit_test_segment_file_SOURCES = \
	tests/unit/segment_model.c \
	tests/unit/test_segment_file.c

unit_tests += \
	tests/unit/test_segment_damage \
	tests/unit/test_segment_size \
	tests/unit/test_segment_threads
torture_tests += \
	tests/torture/torture_segment
THREAD_TESTS += \
	tests/unit/test_segment_threads

tests_unit_test_segment_damage_SOURCES = \
	tests/unit/segment_model.c \
	tests/unit/test_segment_damage.c
tests_unit_test_segment_threads_SOURCES = \
	tests/unit/segment_model.c \
	tests/unit/test_segment_threads.c
tests_torture_torture_segment_SOURCES = \
	tests/torture/torture_segment.c \
	tests/unit/segment_model.c

fuzz_targets += tests/fuzz/fuzz_segment
tests_fuzz_fuzz_segment_LDADD = $(FUZZ_LIBS)
