"""Run end-to-end tests for `make check`: skipped without pytest.

BUSBAR_E2E=fast leaves out the tests that take a minute or more; so does a build with sanitizers,
unless BUSBAR_E2E=all.
"""

import importlib.util
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def has_sanitizers(builddir):
    try:
        with open(os.path.join(builddir, "Makefile"), encoding="utf-8") as f:
            return re.search(r"^BB_SAN = \S", f.read(), re.M) is not None
    except FileNotFoundError:
        return False


def main(names):
    """Run tests/e2e/test_NAME.py for each name; command-line arguments go to pytest."""
    if importlib.util.find_spec("pytest") is None:
        print("skipped: pytest is not installed (Debian: python3-pytest)")
        return SKIPPED
    import pytest
    builddir = os.environ.get("BUSBAR_BUILDDIR", ".")
    which = os.environ.get("BUSBAR_E2E", "fast" if has_sanitizers(builddir) else "all")
    args = [os.path.join(HERE, "test_%s.py" % name) for name in names]
    args += ["-q", "-p", "no:cacheprovider", "-rs", "--durations=10"]
    if which == "fast":
        args += ["-m", "not slow"]
    return int(pytest.main(args + sys.argv[1:]))

