#!/usr/bin/env python3
"""Real readings through the server: answers and bytes on disk; what the averages mean."""

import sys

from e2e_run import main

sys.exit(main(["data", "averages"]))
