#!/usr/bin/env python3
"""The client library and the busbar shell."""

import sys

from e2e_run import main

sys.exit(main(["client", "shell", "terminal"]))
