libbusbar_la_SOURCES += \
	engine/wal/batchrec.h \
	engine/wal/wal.h

unit_tests +=
