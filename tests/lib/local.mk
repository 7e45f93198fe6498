# Code that several tests share: libtest.la stands in LDADD of every test.
check_LTLIBRARIES += libtest.la
libtest_la_SOURCES = \
	tests/lib/dbtest.c \
	tests/lib/dbtest.h \
	tests/lib/rng.h \
	tests/lib/simdisk.c \
	tests/lib/simdisk.h \
	tests/lib/simdisk_dir.c \
	tests/lib/simdisk_file.c \
	tests/lib/simdisk_internal.h \
	tests/lib/simdisk_name.c \
	tests/lib/simdisk_node.c \
	tests/lib/simdisk_reboot.c \
	tests/lib/torture.c \
	tests/lib/torture.h \
	tests/lib/unit.h

unit_tests += \
	tests/unit/test_lib_simdisk \
	tests/unit/test_lib_simdisk_lmdb

THREAD_TESTS += tests/unit/test_lib_simdisk

EXTRA_DIST += tests/lib/run-test
