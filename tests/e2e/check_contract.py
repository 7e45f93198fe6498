#!/usr/bin/env python3
"""The status contract: every row of the table in docs/http.md, by real requests."""

import sys

from e2e_run import main

sys.exit(main(["contract"]))
