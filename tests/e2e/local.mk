# Tests that drive the real binaries.
e2e_tests = tests/e2e/csv2lp.sh
TESTS += $(e2e_tests)
EXTRA_DIST += $(e2e_tests)
