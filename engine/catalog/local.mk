libbusbar_la_SOURCES += \
	engine/catalog/apply.c \
	engine/catalog/apply.h \
	engine/catalog/catalog.h \
	engine/catalog/catlog.c \
	engine/catalog/catlog.h \
	engine/catalog/commit.c \
	engine/catalog/ddl.c \
	engine/catalog/drop.c \
	engine/catalog/index.c \
	engine/catalog/index.h \
	engine/catalog/internal.h \
	engine/catalog/key.c \
	engine/catalog/key.h \
	engine/catalog/limits.c \
	engine/catalog/list.c \
	engine/catalog/names.c \
	engine/catalog/names.h \
	engine/catalog/open.c \
	engine/catalog/overlay.c \
	engine/catalog/overlay.h \
	engine/catalog/posting.c \
	engine/catalog/posting.h \
	engine/catalog/publish.c \
	engine/catalog/purge.c \
	engine/catalog/purge.h \
	engine/catalog/reconcile.c \
	engine/catalog/reconcile.h \
	engine/catalog/recover.c \
	engine/catalog/recover.h \
	engine/catalog/resolve.c \
	engine/catalog/rewrite.c \
	engine/catalog/scan.c \
	engine/catalog/scan.h \
	engine/catalog/schema.c \
	engine/catalog/schema.h \
	engine/catalog/schema_tasks.c \
	engine/catalog/schema_tasks.h \
	engine/catalog/schema_users.c \
	engine/catalog/schema_users.h \
	engine/catalog/select.c \
	engine/catalog/series.c \
	engine/catalog/state.c \
	engine/catalog/strsort.c \
	engine/catalog/strsort.h \
	engine/catalog/tagregex.c \
	engine/catalog/tagregex.h \
	engine/catalog/tags.c \
	engine/catalog/tasks.c \
	engine/catalog/tasks.h \
	engine/catalog/users.c \
	engine/catalog/users.h \
	engine/catalog/valueset.c \
	engine/catalog/valueset.h \
	engine/catalog/verify.c \
	engine/catalog/verify.h \
	engine/catalog/view.c

noinst_HEADERS += \
	tests/unit/catalog_util.h

unit_tests += \
	tests/unit/test_catalog_catalog \
	tests/unit/test_catalog_catlog \
	tests/unit/test_catalog_damage \
	tests/unit/test_catalog_index \
	tests/unit/test_catalog_key \
	tests/unit/test_catalog_measurements \
	tests/unit/test_catalog_model \
	tests/unit/test_catalog_reconcile \
	tests/unit/test_catalog_scale \
	tests/unit/test_catalog_select \
	tests/unit/test_catalog_strsort \
	tests/unit/test_catalog_tagregex \
	tests/unit/test_catalog_tasks \
	tests/unit/test_catalog_threads \
	tests/unit/test_catalog_users

THREAD_TESTS += \
	tests/unit/test_catalog_threads

tests_unit_test_catalog_catalog_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_catalog.c
tests_unit_test_catalog_select_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_select.c
tests_unit_test_catalog_damage_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_damage.c
tests_unit_test_catalog_measurements_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_measurements.c
tests_unit_test_catalog_model_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_model.c
tests_unit_test_catalog_tasks_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_tasks.c
tests_unit_test_catalog_users_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_users.c
torture_tests += \
	tests/torture/torture_catalog
tests_torture_torture_catalog_SOURCES = \
	tests/torture/torture_catalog.c \
	tests/unit/catalog_util.h
tests_unit_test_catalog_threads_SOURCES = \
	tests/unit/catalog_util.c \
	tests/unit/test_catalog_threads.c

fuzz_targets += tests/fuzz/fuzz_catalog
tests_fuzz_fuzz_catalog_LDADD = $(FUZZ_LIBS)
