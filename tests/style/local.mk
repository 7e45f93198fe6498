# Checks of the source text. self_test.py plants one fault for each rule of check_style.py.
STYLE_TESTS = tests/style/check_style.py tests/style/self_test.py
TESTS += $(STYLE_TESTS)
EXTRA_DIST += $(STYLE_TESTS) tests/style/format.sh

style-check:
	$(PYTHON) $(top_srcdir)/tests/style/check_style.py --self-test
	$(PYTHON) $(top_srcdir)/tests/style/check_style.py

# Layout according to .clang-format: report, or rewrite in place.
format-check:
	@$(SHELL) $(top_srcdir)/tests/style/format.sh check $(top_srcdir)
format:
	@$(SHELL) $(top_srcdir)/tests/style/format.sh fix $(top_srcdir)
.PHONY: style-check format-check format
