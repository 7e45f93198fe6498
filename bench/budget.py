#!/usr/bin/env python3
"""Where busbard's CPU time goes, per line written, from a profile.

    perf record -F 997 --call-graph fp -o perf.data busbard ...     (built with
        CFLAGS="-O2 -g -fno-omit-frame-pointer"), then send it N lines and stop it
    perf script -i perf.data -F comm,tid,period,ip,sym | bench/budget.py N

A sample belongs to the stage of its innermost known function; what none of them called is "other".
"""

import collections
import re
import sys

# First match of the innermost frame that has one. The kernel's work goes to whoever asked for it.
STAGES = [
    ("receive", r"uv__io_poll|uv__read|on_read|on_alloc|advance|feed|llhttp_|http_|^read$|"
                r"^epoll_wait$|client_|loop_|on_wake|on_tick|pool_|^recv|libc_write$"),
    ("parse", r"bbi_lp_"),
    ("resolve", r"bbi_series_cache|bbi_overlay|bbi_catalog|bbi_points|XXH3"),
    ("memtable", r"bbi_memtable"),
    ("log", r"bbi_batchrec|same_shape|bbi_wal|wal_sync|bbi_record|bbi_db_append|"
            r"^fdatasync$|pwrite"),
    ("flush", r"bbi_flush|bbi_db_flush|flusher_main|bb_flush|bbi_splitter|bbi_segment|"
              r"bbi_db_publish"),
    ("compaction", r"compactor_main|bbi_compact"),
    ("rest of write", r"bb_write_submit|^work$"),
]
PATTERNS = [(stage, re.compile(pattern)) for stage, pattern in STAGES]
# Frames of the background come last: a memtable read by a flush is the flush's.
BACKGROUND = [(stage, pattern) for stage, pattern in PATTERNS if stage in ("flush", "compaction")]


def stage_of(frames):
    for stage, pattern in BACKGROUND:
        if any(pattern.search(frame) for frame in frames):
            return stage
    for frame in frames:
        for stage, pattern in PATTERNS:
            if pattern.search(frame):
                return stage
    return "other"


def read_samples(lines):
    """(period in ns, frames from the inside out) of each sample."""
    period, frames = 0, []
    for line in lines:
        text = line.strip()
        if not text:
            if frames:
                yield period, frames
            frames = []
        elif line[0] in "\t ":
            frames.append(text.split(None, 1)[-1])
        else:
            period = int(text.rsplit(None, 1)[-1].rstrip(":"))
    if frames:
        yield period, frames


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    count = int(sys.argv[1])
    total = collections.Counter()
    for period, frames in read_samples(sys.stdin):
        total[stage_of(frames)] += period
    names = [stage for stage, _ in STAGES] + ["other"]
    for stage in names:
        print("%-14s %6.1f ns per line" % (stage, total[stage] / count))
    print("%-14s %6.1f ns per line" % ("all", sum(total.values()) / count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
