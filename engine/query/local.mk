libbusbar_la_SOURCES += \
	engine/query/agg.c \
	engine/query/agg.h \
	engine/query/agg_rows.c \
	engine/query/agg_value.c \
	engine/query/agg_worker.c \
	engine/query/agg_worker.h \
	engine/query/bind.c \
	engine/query/bind.h \
	engine/query/bucket.h \
	engine/query/context.c \
	engine/query/context.h \
	engine/query/cursor.c \
	engine/query/cursor.h \
	engine/query/delete.c \
	engine/query/emit.c \
	engine/query/emit.h \
	engine/query/explain.c \
	engine/query/fill.c \
	engine/query/fill.h \
	engine/query/filter.c \
	engine/query/filter.h \
	engine/query/fn.c \
	engine/query/fn.h \
	engine/query/groups.c \
	engine/query/groups.h \
	engine/query/keytext.c \
	engine/query/keytext.h \
	engine/query/lookup.c \
	engine/query/lookup.h \
	engine/query/parse.c \
	engine/query/parse.h \
	engine/query/plan.c \
	engine/query/plan.h \
	engine/query/plan_check.c \
	engine/query/plan_expand.c \
	engine/query/plan_internal.h \
	engine/query/plan_sub.c \
	engine/query/program.c \
	engine/query/program.h \
	engine/query/query.h \
	engine/query/raw_cursor.c \
	engine/query/raw_cursor.h \
	engine/query/raw_merge.c \
	engine/query/raw_merge.h \
	engine/query/raw_store.c \
	engine/query/raw_store.h \
	engine/query/regex.c \
	engine/query/regex.h \
	engine/query/rows.c \
	engine/query/rows.h \
	engine/query/run.c \
	engine/query/scan.c \
	engine/query/scan.h \
	engine/query/schema.c \
	engine/query/select.c \
	engine/query/select.h \
	engine/query/select_agg.c \
	engine/query/select_agg.h \
	engine/query/select_raw.c \
	engine/query/show.c \
	engine/query/show.h \
	engine/query/show_filter.c \
	engine/query/sources.c \
	engine/query/sources.h \
	engine/query/state.c \
	engine/query/state.h \
	engine/query/statement.h \
	engine/query/tagcond.c \
	engine/query/tagcond.h \
	engine/query/walk.c \
	engine/query/walk.h

unit_tests += \
	tests/unit/test_query_answers \
	tests/unit/test_query_drop \
	tests/unit/test_query_limits \
	tests/unit/test_query_model \
	tests/unit/test_query_parse \
	tests/unit/test_query_state \
	tests/unit/test_query_states

THREAD_TESTS += \
	tests/unit/test_query_drop \
	tests/unit/test_query_limits \
	tests/unit/test_query_model
