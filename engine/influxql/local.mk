libbusbar_la_SOURCES += \
	engine/influxql/ast.h \
	engine/influxql/condition.c \
	engine/influxql/duration.c \
	engine/influxql/expr.h \
	engine/influxql/format.c \
	engine/influxql/format.h \
	engine/influxql/format_statement.c \
	engine/influxql/influxql.h \
	engine/influxql/lexer.c \
	engine/influxql/lexer.h \
	engine/influxql/parse_admin.c \
	engine/influxql/parse_expr.c \
	engine/influxql/parse_schema.c \
	engine/influxql/parse_select.c \
	engine/influxql/parse_show.c \
	engine/influxql/parse_statement.c \
	engine/influxql/parser.c \
	engine/influxql/parser.h \
	engine/influxql/reduce.c \
	engine/influxql/reduce.h \
	engine/influxql/time.c \
	engine/influxql/time.h \
	engine/influxql/token.c \
	engine/influxql/token.h

unit_tests += \
	tests/unit/test_influxql_errors \
	tests/unit/test_influxql_expr \
	tests/unit/test_influxql_format \
	tests/unit/test_influxql_parse \
	tests/unit/test_influxql_time

fuzz_targets += tests/fuzz/fuzz_influxql
tests_fuzz_fuzz_influxql_LDADD = $(FUZZ_LIBS)
