libbusbar_la_SOURCES += \
	engine/catalog/catalog.h \
	engine/catalog/key.h

unit_tests +=
