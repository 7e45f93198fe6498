#!/usr/bin/env python3
"""Faults in the source, one at a time: does the tester see each?

    mutate.py --source . --build ../build [--queries 3000]

Source and build tree are copied to a temporary folder beside each other; each mutation is a small
change to one file there, after which busbard is built and difftest.py must fail. Not part of
`make check`: every mutation costs a build.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# (file, what is there, what takes its place)
MUTATIONS = [
    ("engine/query/fill.c", "(double)(at - before_at)", "(double)(at - before_at + 1)"),
    ("engine/query/bucket.h", "return q - (q * b->width_ns > (int64_t)t);", "return q;"),
    ("engine/query/fn.c", "spec->buckets.width_ns : INT64_C(1000000000)",
     "spec->buckets.width_ns : INT64_C(1000000)"),
    ("engine/query/program.c", "return bbi_value_bool(a < b);", "return bbi_value_bool(a <= b);"),
    ("engine/query/plan_types.c", "*type = BBI_QL_TYPE_FLOAT;\n        return BB_OK;\n    case",
     "*type = BBI_QL_TYPE_INTEGER;\n        return BB_OK;\n    case"),
    ("engine/query/shards.c", "*tmax = bbi_bucket_last(", "*tmax = bbi_bucket_start("),
]


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--source", default=os.path.join(HERE, os.pardir, os.pardir))
    parser.add_argument("--build", required=True, help="a build tree of that source")
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--only", default="", help="mutations whose file has this in its name")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def sees(tree, build, arguments):
    """Whether the tester fails on what is built there."""
    subprocess.run(["make", "-s", "-j2", "busbard"], cwd=build, check=True,
                   stdout=subprocess.DEVNULL)
    command = [sys.executable, os.path.join(tree, "tests", "diff", "difftest.py"), "--seed",
               str(arguments.seed), "--datasets", "12", "--queries", str(arguments.queries),
               "--report", "0"]
    done = subprocess.run(command, env={**os.environ, "BUSBAR_BUILDDIR": build}, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode != 0


def main():
    arguments = options()
    source, built = os.path.abspath(arguments.source), os.path.abspath(arguments.build)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="busbar-mutate-") as folder:
        # The build tree names its source by a relative path, and may lie in it.
        top = os.path.commonpath([os.path.dirname(source), built])
        tree = os.path.join(folder, os.path.relpath(source, top))
        build = os.path.join(folder, os.path.relpath(built, top))
        shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        if not os.path.exists(build):
            shutil.copytree(built, build, symlinks=True)
        if sees(tree, build, arguments):
            print("the source as it is differs already: nothing can be told")
            return 1
        chosen = [m for m in MUTATIONS if arguments.only in m[0]]
        for name, before, after in chosen:
            path = os.path.join(tree, name)
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if before not in text:
                print("STALE  %s: %r is not there" % (name, before))
                missed += 1
                continue
            with open(path, "w", encoding="utf-8") as f:
                f.write(text.replace(before, after))
            seen = sees(tree, build, arguments)
            missed += not seen
            print("%s %s: %r" % ("seen  " if seen else "MISSED", name, after), flush=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    print("%d mutations, %d not seen" % (len(chosen), missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
