libbusbar_la_SOURCES += \
	engine/codec/bitpack.c \
	engine/codec/bitpack.h \
	engine/codec/chunk.h \
	engine/codec/intcol.c \
	engine/codec/intcol.h \
	engine/codec/kernel.h \
	engine/codec/kernel_avx2.c \
	engine/codec/kernel_avx512.c \
	engine/codec/kernel_c.c \
	engine/codec/strings.h

noinst_HEADERS += \
	tests/unit/codec_random.h

unit_tests += \
	tests/unit/test_codec_bitpack \
	tests/unit/test_codec_intcol

libbusbar_la_SOURCES += \
	engine/codec/time.c \
	engine/codec/time.h \
	engine/codec/time_blocks.h \
	engine/codec/time_encode.c \
	engine/codec/time_pack.c

unit_tests += \
	tests/unit/test_codec_time
