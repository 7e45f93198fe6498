#!/usr/bin/env python3
"""The tables of docs/influxql.md against a real busbard.

A row that does not say "not yet" must run without an error of the kind "is not supported". A row
that says so and runs is told, so that the page can be mended.
"""

import os
import re
import sys
import tempfile

from compare import unsupported
from servers import Busbar

HERE = os.path.dirname(os.path.abspath(__file__))
SRCDIR = os.environ.get("BUSBAR_SRCDIR", os.path.join(HERE, os.pardir, os.pardir))
ROW = re.compile(r"^\| `(.+?)` \| ([a-z ]+) \|")
LINES = """reading,host=a,region=r value=1.5 1
reading,host=b,region=r value=2.5 2
reading,host=c,region=s value=4 3
cpu,host=a value=1 1"""


def rows():
    with open(os.path.join(SRCDIR, "docs", "influxql.md"), encoding="utf-8") as f:
        for line in f:
            found = ROW.match(line)
            if found:
                yield found.group(1).replace("\\|", "|"), found.group(2)


def statement(text):
    """The statement that shows a function."""
    if not re.match(r"[a-z_0-9]+\(", text):
        return text
    windows = " WHERE time >= 0 AND time < 1m GROUP BY time(10s)" if "holt" in text else ""
    return "SELECT %s FROM reading%s" % (text, windows)


def main():
    faults, count = 0, 0
    with tempfile.TemporaryDirectory(prefix="busbar-page-") as folder:
        server = Busbar(os.path.join(folder, "data"))
        try:
            server.must("CREATE DATABASE test")
            server.write(LINES.encode(), db="test")
            for text, says in rows():
                count += 1
                status, body = server.query(statement(text), db="test")
                refused = unsupported((status, body)) is not None
                if status != 200 or refused and says != "not yet":
                    faults += 1
                    print("FAULT: %s is said to be %s: %d %r" % (text, says, status, body[:200]))
                elif says == "not yet" and not refused:
                    print("note: %s works: %r" % (text, body[:100]))
        finally:
            server.stop()
    print("%d rows, %d faults" % (count, faults))
    return 1 if faults or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
