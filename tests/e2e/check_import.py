#!/usr/bin/env python3
"""busbar import, export and status against a real server."""

import sys

from e2e_run import main

sys.exit(main(["import", "import_resume", "export", "status"]))
