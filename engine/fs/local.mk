libbusbar_la_SOURCES += \
	engine/fs/fs.h

unit_tests +=
