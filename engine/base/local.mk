libbusbar_la_SOURCES += \
	engine/base/arena.c \
	engine/base/arena.h \
	engine/base/batch.h \
	engine/base/bitmap.c \
	engine/base/bitmap.h \
	engine/base/buf.c \
	engine/base/buf.h \
	engine/base/bytes.h \
	engine/base/calendar.c \
	engine/base/calendar.h \
	engine/base/clock.c \
	engine/base/clock.h \
	engine/base/cursor.h \
	engine/base/decimal.c \
	engine/base/decimal.h \
	engine/base/error.c \
	engine/base/error.h \
	engine/base/hash.h \
	engine/base/latency.c \
	engine/base/log.c \
	engine/base/log.h \
	engine/base/mem.c \
	engine/base/mem.h \
	engine/base/meta.h \
	engine/base/password.c \
	engine/base/password.h \
	engine/base/pool.c \
	engine/base/pool.h \
	engine/base/re2.c \
	engine/base/re2.h \
	engine/base/record.c \
	engine/base/record.h \
	engine/base/sum.c \
	engine/base/sum.h \
	engine/base/version.c

unit_tests += \
	tests/unit/test_base_arena \
	tests/unit/test_base_bitmap \
	tests/unit/test_base_buf \
	tests/unit/test_base_clock \
	tests/unit/test_base_cursor \
	tests/unit/test_base_decimal \
	tests/unit/test_base_error \
	tests/unit/test_base_hash \
	tests/unit/test_base_latency \
	tests/unit/test_base_log \
	tests/unit/test_base_mem \
	tests/unit/test_base_password \
	tests/unit/test_base_pool \
	tests/unit/test_base_re2 \
	tests/unit/test_base_record \
	tests/unit/test_base_sum \
	tests/unit/test_base_version

THREAD_TESTS += \
	tests/unit/test_base_mem \
	tests/unit/test_base_pool
