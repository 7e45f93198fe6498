#!/usr/bin/env python3
"""InfluxDB's clients against busbard; those that are not installed are skipped by name."""

import sys

from e2e_run import main

sys.exit(main(["clients"]))
