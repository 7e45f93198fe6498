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

SERVER_LIBS = libbusbar.la $(CURL_LIBS) $(UV_LIBS) $(ZLIB_LIBS) $(JANSSON_LIBS) $(SERVER_LLHTTP_LIBS)

# The parts of busbard, for its tests too.
noinst_LTLIBRARIES += libserver.la
libserver_la_SOURCES = \
	server/accept.c \
	server/accept.h \
	server/auth.c \
	server/auth.h \
	server/buf.c \
	server/buf.h \
	server/debug_vars.c \
	server/debug_vars.h \
	server/destination.c \
	server/destination.h \
	server/form.c \
	server/form.h \
	server/forwarder.c \
	server/forwarder.h \
	server/gunzip.c \
	server/gunzip.h \
	server/gzip.c \
	server/gzip.h \
	server/http.c \
	server/http.h \
	server/http_admin.c \
	server/http_admin.h \
	server/http_auth.c \
	server/http_auth.h \
	server/http_error.c \
	server/http_handlers.h \
	server/http_job.c \
	server/http_parse.c \
	server/http_query.c \
	server/http_query_async.c \
	server/http_query_read.c \
	server/http_query_run.h \
	server/http_query_stream.c \
	server/http_query_work.c \
	server/http_rejects.c \
	server/http_reply.c \
	server/http_requests.c \
	server/http_route.c \
	server/http_write.c \
	server/json.c \
	server/json.h \
	server/json_check.c \
	server/json_check.h \
	server/json_repair.c \
	server/json_repair.h \
	server/line_batch.c \
	server/line_batch.h \
	server/line_conn.h \
	server/line_directive.c \
	server/line_directive.h \
	server/line_fill.c \
	server/lines.c \
	server/lines.h \
	server/listen.c \
	server/listen.h \
	server/log.c \
	server/log.h \
	server/loop.c \
	server/loop.h \
	server/metrics.c \
	server/metrics.h \
	server/msgpack.c \
	server/msgpack.h \
	server/multipart.c \
	server/multipart.h \
	server/number.c \
	server/number.h \
	server/params.c \
	server/params.h \
	server/pool.c \
	server/pool.h \
	server/process.c \
	server/process.h \
	server/rates.c \
	server/rates.h \
	server/redact.c \
	server/redact.h \
	server/reject.c \
	server/reject.h \
	server/reject_log.c \
	server/reject_log.h \
	server/request_profile.c \
	server/request_profile.h \
	server/result.c \
	server/result.h \
	server/result_csv.c \
	server/result_csv.h \
	server/result_msgpack.c \
	server/result_msgpack.h \
	server/result_writer.c \
	server/result_writer.h \
	server/row_limit.c \
	server/row_limit.h \
	server/server.h \
	server/settings.c \
	server/settings.h \
	server/settings_load.c \
	server/settings_table.h \
	server/stats.c \
	server/stats.h \
	server/status.c \
	server/status.h \
	server/subscriber.c \
	server/subscriber.h \
	server/udp.c \
	server/udp.h \
	server/units.c \
	server/units.h \
	server/version.h \
	server/write_text.c \
	server/write_text.h

server_unit_libs = libserver.la $(SERVER_LLHTTP_LIBS) $(UNIT_LIBS) $(CURL_LIBS) $(UV_LIBS) $(ZLIB_LIBS) $(JANSSON_LIBS)
unit_tests += \
	tests/unit/test_server_auth \
	tests/unit/test_server_destination \
	tests/unit/test_server_formats \
	tests/unit/test_server_number \
	tests/unit/test_server_parts \
	tests/unit/test_server_pool \
	tests/unit/test_server_result
THREAD_TESTS += tests/unit/test_server_pool
tests_unit_test_server_auth_LDADD = $(server_unit_libs)
tests_unit_test_server_destination_LDADD = $(server_unit_libs)
tests_unit_test_server_formats_LDADD = $(server_unit_libs)
tests_unit_test_server_number_LDADD = $(server_unit_libs)
tests_unit_test_server_parts_LDADD = $(server_unit_libs)
tests_unit_test_server_pool_LDADD = $(server_unit_libs)
tests_unit_test_server_result_LDADD = $(server_unit_libs)

fuzz_targets += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_LDADD = $(FUZZ_LIBS) $(server_unit_libs)

# Its own pool, engine and network stand before those of the libraries.
fuzz_targets += tests/fuzz/fuzz_http_conn
tests_fuzz_fuzz_http_conn_SOURCES = tests/fuzz/fuzz_http_conn.c tests/fuzz/fake_uv.c tests/fuzz/fake_uv.h
tests_fuzz_fuzz_http_conn_LDADD = $(FUZZ_LIBS) $(server_unit_libs)

bin_PROGRAMS += busbard
busbard_SOURCES = server/main.c
busbard_LDADD = libserver.la $(SERVER_LIBS)
