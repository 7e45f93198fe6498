libbusbar_la_SOURCES += \
	engine/segment/page.h \
	engine/segment/segment.h \
	engine/segment/writer.h

unit_tests +=
