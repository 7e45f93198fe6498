libbusbar_la_SOURCES += \
	engine/partition/span.h \
	engine/partition/version.c \
	engine/partition/version.h

unit_tests +=
