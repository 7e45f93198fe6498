libbusbar_la_SOURCES += \
	engine/codec/bitpack.h \
	engine/codec/chunk.h \
	engine/codec/intcol.h \
	engine/codec/strings.h

unit_tests +=
