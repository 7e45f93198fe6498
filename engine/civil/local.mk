libbusbar_la_SOURCES += \
	engine/civil/rule.c \
	engine/civil/rule.h \
	engine/civil/zone.c \
	engine/civil/zone.h

unit_tests += \
	tests/unit/test_civil_zone
