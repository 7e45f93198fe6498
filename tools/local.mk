# Tools may open private headers of the engine: they link libbusbar-internal.la.
TOOLS_LIBS = libbusbar-internal.la $(ENGINE_LIBS)

noinst_PROGRAMS += tools/csv2lp
tools_csv2lp_SOURCES = tools/csv2lp.c
tools_csv2lp_LDADD =

EXTRA_DIST += tools/setup.sh tools/quickstart tools/check tools/data
