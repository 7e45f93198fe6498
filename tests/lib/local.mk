# Code that several tests share.
check_LTLIBRARIES += libtest.la
libtest_la_SOURCES =
