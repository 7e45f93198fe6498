include tests/lib/local.mk
include tests/unit/local.mk
include tests/crash/local.mk
include tests/torture/local.mk
include tests/fuzz/local.mk
include tests/e2e/local.mk
include tests/style/local.mk

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
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
