# Programs that are killed and must recover.
crash_tests += \
	tests/crash/test_powercut
