# Tests that drive the real busbard by pytest, as programs for make check.
E2E_TESTS = tests/e2e/check_server.py tests/e2e/check_contract.py tests/e2e/check_data.py \
	tests/e2e/check_shell.py tests/e2e/check_import.py tests/e2e/check_clients.py
TESTS += $(E2E_TESTS)
EXTRA_DIST += \
	$(E2E_TESTS) \
	tests/e2e/busbar_e2e.py \
	tests/e2e/busbar_tool.py \
	tests/e2e/conftest.py \
	tests/e2e/e2e_run.py \
	tests/e2e/lsan.supp \
	tests/e2e/pytest.ini \
	tests/e2e/test_api.py \
	tests/e2e/test_averages.py \
	tests/e2e/clients/node_influx.js \
	tests/e2e/clients/node_influxdb_client.js \
	tests/e2e/clients/python_influxdb.py \
	tests/e2e/test_client.py \
	tests/e2e/test_clients.py \
	tests/e2e/test_admin.py \
	tests/e2e/test_auth.py \
	tests/e2e/test_continuous.py \
	tests/e2e/test_contract.py \
	tests/e2e/test_data.py \
	tests/e2e/test_debug.py \
	tests/e2e/test_docs.py \
	tests/e2e/test_export.py \
	tests/e2e/test_formats.py \
	tests/e2e/test_hostile.py \
	tests/e2e/test_http.py \
	tests/e2e/test_import.py \
	tests/e2e/test_import_resume.py \
	tests/e2e/test_lifecycle.py \
	tests/e2e/test_limits.py \
	tests/e2e/test_lines.py \
	tests/e2e/test_query.py \
	tests/e2e/test_rejects.py \
	tests/e2e/test_shell.py \
	tests/e2e/test_status.py \
	tests/e2e/test_subscriptions.py \
	tests/e2e/test_terminal.py \
	tests/e2e/test_udp.py \
	tests/e2e/test_write.py \
	tests/e2e/test_write_pieces.py

# A disk that is slow, full or broken, for test_status.py; loaded into busbard.
check_LTLIBRARIES += libfaults.la
libfaults_la_SOURCES = tests/e2e/faults.c
libfaults_la_LDFLAGS = -module -avoid-version -rpath $(abs_top_builddir)
