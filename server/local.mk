# Debian 12 ships llhttp as C sources. One-line files that include them are generated, so that
# they are compiled from where they are installed; our warnings do not apply to them.
if LLHTTP_FROM_SOURCE
noinst_LTLIBRARIES += libllhttp.la
nodist_libllhttp_la_SOURCES = llhttp/api.c llhttp/http.c llhttp/llhttp.c
libllhttp_la_CFLAGS = -std=gnu11 $(BB_SAN) $(LLHTTP_CFLAGS) -w
CLEANFILES += $(nodist_libllhttp_la_SOURCES)

$(nodist_libllhttp_la_SOURCES): Makefile
	$(AM_V_GEN)$(MKDIR_P) llhttp && echo '#include "$(LLHTTP_SRCDIR)/$(@F)"' >$@

SERVER_LLHTTP_LIBS = libllhttp.la
else
SERVER_LLHTTP_LIBS = $(LLHTTP_LIBS)
endif

SERVER_LIBS = libbusbar.la $(UV_LIBS) $(SERVER_LLHTTP_LIBS)
