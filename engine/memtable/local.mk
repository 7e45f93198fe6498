libbusbar_la_SOURCES += \
	engine/memtable/memtable.h

unit_tests +=
