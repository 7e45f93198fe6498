libbusbar_la_SOURCES += \
	engine/lineproto/lineproto.h

unit_tests +=
