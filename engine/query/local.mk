libbusbar_la_SOURCES += \
	engine/query/query.h

unit_tests +=
