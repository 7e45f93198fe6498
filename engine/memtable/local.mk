libbusbar_la_SOURCES +=

unit_tests +=
