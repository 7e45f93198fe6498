# Code that several tests share: libtest.la stands in LDADD of every test.
check_LTLIBRARIES += libtest.la
libtest_la_SOURCES =

EXTRA_DIST += tests/lib/run-test
