libbusbar_la_SOURCES += \
	engine/fs/fs.c \
	engine/fs/fs.h \
	engine/fs/posix.c

unit_tests += \
	tests/unit/test_fs_posix
