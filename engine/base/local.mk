libbusbar_la_SOURCES += \
	engine/base/batch.h \
	engine/base/buf.c \
	engine/base/buf.h \
	engine/base/bytes.h \
	engine/base/clock.c \
	engine/base/clock.h \
	engine/base/cursor.h \
	engine/base/error.c \
	engine/base/error.h \
	engine/base/mem.c \
	engine/base/mem.h \
	engine/base/meta.h \
	engine/base/version.c

unit_tests += \
	tests/unit/test_base_version
