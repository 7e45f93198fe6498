libbusbar_la_SOURCES += \
	engine/codec/bitpack.c \
	engine/codec/bitpack.h \
	engine/codec/chunk.c \
	engine/codec/chunk.h \
	engine/codec/chunk_encode.c \
	engine/codec/chunk_encode.h \
	engine/codec/chunk_layout.h \
	engine/codec/chunk_plan.c \
	engine/codec/chunk_plan.h \
	engine/codec/chunk_read.c \
	engine/codec/chunk_read.h \
	engine/codec/chunk_scale.c \
	engine/codec/chunkdir.c \
	engine/codec/intcol.c \
	engine/codec/intcol.h \
	engine/codec/kernel.h \
	engine/codec/kernel_avx2.c \
	engine/codec/kernel_avx512.c \
	engine/codec/kernel_c.c \
	engine/codec/kernel_layers.h \
	engine/codec/strings.c \
	engine/codec/strings.h

noinst_HEADERS += \
	tests/unit/codec_random.h \
	tests/unit/codec_values.h

unit_tests += \
	tests/unit/test_codec_bitpack \
	tests/unit/test_codec_chunk \
	tests/unit/test_codec_format \
	tests/unit/test_codec_intcol \
	tests/unit/test_codec_strings

fuzz_targets += tests/fuzz/fuzz_codec
tests_fuzz_fuzz_codec_LDADD = $(FUZZ_LIBS)

libbusbar_la_SOURCES += \
	engine/codec/time.c \
	engine/codec/time.h \
	engine/codec/time_blocks.h \
	engine/codec/time_encode.c \
	engine/codec/time_pack.c

unit_tests += \
	tests/unit/test_codec_time
