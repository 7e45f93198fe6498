libbusbar_la_SOURCES += \
	engine/compact/job.c \
	engine/compact/job.h \
	engine/compact/pick.c \
	engine/compact/pick.h

unit_tests += \
	tests/unit/test_compact_pick
