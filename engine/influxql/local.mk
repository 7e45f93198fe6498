libbusbar_la_SOURCES += \
	engine/influxql/ast.h \
	engine/influxql/expr.h \
	engine/influxql/influxql.h

unit_tests +=
