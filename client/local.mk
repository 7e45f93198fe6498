# libbusbar-client: HTTP by libcurl, JSON by yajl, nothing of the engine. It exports ^bb_ alone.
lib_LTLIBRARIES += libbusbar-client.la
include_HEADERS += client/busbar_client.h
pkgconfig_DATA += busbar-client.pc

libbusbar_client_la_SOURCES = \
	client/busbar_client.h \
	client/client.c \
	client/clock.h \
	client/http.c \
	client/impl.h \
	client/query.c \
	client/results.c \
	client/results.h \
	client/text.c \
	client/text.h \
	client/write.c \
	client/writer.c
libbusbar_client_la_LIBADD = $(CURL_LIBS) $(YAJL_LIBS) $(ZLIB_LIBS)
libbusbar_client_la_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info 0:0:0 \
	-export-symbols-regex '^bb_'

# The page that docs/client.md shows; tests/e2e runs it.
check_PROGRAMS += client-example
client_example_SOURCES = client/example.c
client_example_LDADD = libbusbar-client.la

# The shell, as a library for its tests.
noinst_LTLIBRARIES += libshell.la
libshell_la_SOURCES = \
	client/clock.h \
	client/password.c \
	client/password.h \
	client/rejects.c \
	client/rejects.h \
	client/shell.c \
	client/shell.h \
	client/shell_canvas.c \
	client/shell_canvas.h \
	client/shell_commands.c \
	client/shell_complete.c \
	client/shell_complete.h \
	client/shell_edit.c \
	client/shell_format.c \
	client/shell_influx.c \
	client/shell_influx.h \
	client/shell_input.c \
	client/shell_input.h \
	client/shell_main.c \
	client/shell_plot.c \
	client/shell_schema.c \
	client/shell_schema.h \
	client/shell_table.c \
	client/shell_term.c \
	client/shell_term.h \
	client/shell_text.c \
	client/shell_text.h \
	client/text.c \
	client/text.h

bin_PROGRAMS += busbar
busbar_SOURCES = client/main.c
busbar_LDADD = libshell.la libimport.la libbusbar-client.la $(EDIT_LIBS) $(YAJL_LIBS) $(ZLIB_LIBS)

# As with the engine: the library's private symbols, for its tests.
noinst_LTLIBRARIES += libbusbar-client-internal.la
libbusbar_client_internal_la_SOURCES = $(libbusbar_client_la_SOURCES)

unit_tests += \
	tests/unit/test_client_query \
	tests/unit/test_client_shell \
	tests/unit/test_client_write
THREAD_TESTS += tests/unit/test_client_write
tests_unit_test_client_query_SOURCES = \
	tests/unit/fake_server.c tests/unit/fake_server.h tests/unit/test_client_query.c
tests_unit_test_client_query_LDADD = \
	libbusbar-client-internal.la $(CURL_LIBS) $(YAJL_LIBS) $(ZLIB_LIBS) $(CMOCKA_LIBS)
tests_unit_test_client_shell_LDADD = \
	libshell.la libbusbar-client.la $(EDIT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_client_write_SOURCES = \
	tests/unit/fake_server.c tests/unit/fake_server.h tests/unit/test_client_write.c
tests_unit_test_client_write_LDADD = libbusbar-client.la $(ZLIB_LIBS) $(CMOCKA_LIBS)

# busbar import, export and status: a library of their own for the tests' sake.
noinst_LTLIBRARIES += libimport.la
libimport_la_SOURCES = \
	client/clock.h \
	client/csv.c \
	client/csv.h \
	client/export.c \
	client/export.h \
	client/export_out.c \
	client/export_out.h \
	client/export_rows.c \
	client/export_rows.h \
	client/export_schema.c \
	client/export_schema.h \
	client/import.c \
	client/import.h \
	client/import_buf.c \
	client/import_buf.h \
	client/import_conn.c \
	client/import_conn.h \
	client/import_csv.c \
	client/import_escape.c \
	client/import_escape.h \
	client/import_exit.h \
	client/import_guess.c \
	client/import_job.c \
	client/import_job.h \
	client/import_line.c \
	client/import_lines.c \
	client/import_lines.h \
	client/import_map.c \
	client/import_map.h \
	client/import_map_internal.h \
	client/import_options.c \
	client/import_options.h \
	client/import_order.c \
	client/import_order.h \
	client/import_progress.c \
	client/import_progress.h \
	client/import_rejects.c \
	client/import_rejects.h \
	client/import_row.c \
	client/import_row.h \
	client/import_send.c \
	client/import_send.h \
	client/import_source.c \
	client/import_source.h \
	client/import_state.c \
	client/import_state.h \
	client/import_time.c \
	client/import_time.h \
	client/import_zone.c \
	client/import_zone.h \
	client/status.c \
	client/status.h \
	client/status_print.c \
	client/status_print.h

import_unit_libs = libimport.la libbusbar-client.la $(UNIT_LIBS) $(ZLIB_LIBS) $(YAJL_LIBS)
unit_tests += \
	tests/unit/test_client_csv \
	tests/unit/test_client_import_files \
	tests/unit/test_client_import_row \
	tests/unit/test_client_import_time
tests_unit_test_client_csv_LDADD = $(import_unit_libs)
tests_unit_test_client_import_files_LDADD = $(import_unit_libs)
tests_unit_test_client_import_row_LDADD = $(import_unit_libs)
tests_unit_test_client_import_time_LDADD = $(import_unit_libs)

fuzz_targets += tests/fuzz/fuzz_import
tests_fuzz_fuzz_import_LDADD = libimport.la libbusbar-client.la $(FUZZ_LIBS) $(YAJL_LIBS) $(ZLIB_LIBS)
