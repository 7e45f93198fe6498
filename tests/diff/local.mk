# The same random data and queries to busbard and to a real influxd.
TESTS += tests/diff/check_diff.py tests/diff/check_page.py
EXTRA_DIST += \
	tests/diff/bound.py \
	tests/diff/check_diff.py \
	tests/diff/check_page.py \
	tests/diff/compare.py \
	tests/diff/dataset.py \
	tests/diff/difftest.py \
	tests/diff/evidence.py \
	tests/diff/forms.py \
	tests/diff/generate.py \
	tests/diff/known.py \
	tests/diff/mutate.py \
	tests/diff/plants.py \
	tests/diff/reader.py \
	tests/diff/servers.py \
	tests/diff/shrink.py \
	tests/diff/statements.py \
	tests/diff/tree.py \
	tests/diff/wider.py
