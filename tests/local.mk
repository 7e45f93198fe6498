include tests/lib/local.mk
include tests/unit/local.mk
include tests/crash/local.mk
include tests/torture/local.mk
include tests/fuzz/local.mk
include tests/e2e/local.mk
include tests/diff/local.mk
include tests/style/local.mk
include tests/chroot/local.mk

# Every test runs through tests/lib/run-test, which gives fuzz targets their corpus and ends a
# test that hangs. Scripts find the trees in BUSBAR_SRCDIR and BUSBAR_BUILDDIR.
TEST_EXTENSIONS = .sh .py
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/lib/run-test
SH_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/lib/run-test $(SHELL)
PY_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/lib/run-test $(PYTHON)
AM_TESTS_ENVIRONMENT = \
	BUSBAR_SRCDIR='$(abs_top_srcdir)'; export BUSBAR_SRCDIR; \
	BUSBAR_BUILDDIR='$(abs_top_builddir)'; export BUSBAR_BUILDDIR; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests) $(crash_tests) $(torture_tests)
TESTS += $(unit_tests) $(crash_tests) $(torture_tests)
else
check-local: cmocka-is-missing
cmocka-is-missing:
	@echo 'make check needs cmocka (Debian: libcmocka-dev): install it, then run configure' >&2
	@exit 1
endif

# Only the tests that start threads: for a build with --enable-sanitizers=thread.
check-threads:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(THREAD_TESTS)'
.PHONY: check-threads cmocka-is-missing
