# Tools may open private headers of the engine: they link libbusbar-internal.la.
TOOLS_LIBS = libbusbar-internal.la $(ENGINE_LIBS)

EXTRA_DIST += tools/setup.sh tools/quickstart tools/check tools/data

# Sizes and speeds of the value codec on real series.
noinst_PROGRAMS += tools/bench_codec
tools_bench_codec_SOURCES = tools/bench_codec.c
tools_bench_codec_CPPFLAGS = $(AM_CPPFLAGS) -DBUSBAR_DATA_DIR='"$(top_srcdir)/../shared/data"'
tools_bench_codec_LDADD = $(TOOLS_LIBS)
