#!/usr/bin/env python3
"""A bounded run of difftest.py for make check, and proof that it sees a planted fault.

The seed is fixed, so that a failure can be repeated; BUSBAR_SEED takes another. Skipped without a
real influxd (Debian: influxdb).
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = [
    ["--datasets", "2", "--queries", "100", "--report", "0", "--plant"],
    ["--datasets", "24", "--queries", "2040", "--seconds", "60"],
]


def main():
    seed = os.environ.get("BUSBAR_SEED", "1")
    for arguments in RUNS:
        command = [sys.executable, os.path.join(HERE, "difftest.py"), "--seed", seed] + arguments
        print(" ".join(command[1:]), flush=True)
        status = subprocess.run(command, check=False).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
