libbusbar_la_SOURCES += \
	engine/base/version.c

unit_tests += \
	tests/unit/test_base_version
