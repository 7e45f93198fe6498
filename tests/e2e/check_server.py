#!/usr/bin/env python3
"""The server from end to end: HTTP, line protocol, hostile clients, start, stop and kill."""

import sys

from e2e_run import main

sys.exit(main(["http", "write", "query", "lines", "hostile", "lifecycle", "admin",
               "rejects", "docs", "api", "formats", "udp", "debug", "auth", "write_pieces",
               "limits", "continuous", "subscriptions"]))
