#!/usr/bin/env python3
"""One planted fault for each rule of check_style.py, and legal twins that must pass."""

import os
import sys
import tempfile

# (path, text, rule it must break)
FAULTS = [
    ("engine/base/a.c", '#include "engine/fs/fs.h"\n', "layer-up"),
    ("engine/fs/a.c", '#include "engine/codec/codec.h"\n', "layer-sibling"),
    ("engine/lineproto/a.c", '#include "engine/wal/wal.h"\n', "layer-up"),
    ("engine/wal/a.h", '#include "engine/memtable/memtable.h"\n', "layer-sibling"),
    ("engine/segment/a.c", '#include "engine/partition/partition.h"\n', "layer-up"),
    ("engine/partition/a.c", '#include "engine/query/plan.h"\n', "layer-up"),
    ("engine/compact/a.c", '#include "engine/query/plan.h"\n', "layer-sibling"),
    ("engine/query/a.c", '#include "engine/rollup/rollup.h"\n', "layer-up"),
    ("engine/rollup/a.c", '#include "engine/db.h"\n', "layer-up"),
    ("engine/newcomer/a.c", '#include "engine/base/buf.h"\n', "unknown-module"),
    ("engine/wal/a.c", '#include "server/loop.h"\n', "engine-up"),
    ("engine/wal/a.c", '#include "client/busbar_client.h"\n', "engine-up"),
    ("engine/wal/a.c", '#include "wal.h"\n', "include-path"),
    ("engine/wal/a.c", '#include "engine/wal/../fs/fs.h"\n', "include-path"),
    ("engine/busbar.h", '#include "engine/base/buf.h"\n', "public-header"),
    ("engine/busbar.h", '#include "config.h"\n', "public-header"),
    ("client/busbar_client.h", '#include "client/private.h"\n', "public-header"),
    ("server/a.c", '#include "engine/base/buf.h"\n', "server-private"),
    ("server/a.c", '#include "tools/csv.h"\n', "server-private"),
    ("bench/a.c", '#include "engine/codec/codec.h"\n', "bench-private"),
    ("bench/a.c", '#include "server/loop.h"\n', "bench-private"),
    ("client/a.c", '#include "engine/busbar.h"\n', "client-private"),
    ("tools/a.c", '#include "server/loop.h"\n', "tools-private"),
    ("engine/fs/a.c", "#include <uv.h>\n", "engine-library"),
    ("engine/query/a.c", "#include <llhttp.h>\n", "engine-library"),
    ("engine/wal/a.c", "#include <lmdb.h>\n", "lmdb"),
    ("server/a.c", "#include <lmdb.h>\n", "lmdb"),
    ("engine/wal/a.c", "int f(void)\n{\n    return open(p, 0);\n}\n", "file-call"),
    ("engine/wal/a.c", "int f(void)\n{\n    return fdatasync (fd);\n}\n", "file-call"),
    ("engine/base/mem.c", "int f(void)\n{\n    return rename(a, b);\n}\n", "file-call"),
    ("engine/base/buf.c", "void f(void)\n{\n    free(p);\n}\n", "memory-call"),
    ("engine/fs/a.c", "char *f(void)\n{\n    return strdup(p);\n}\n", "memory-call"),
    ("engine/query/a.c", "void f(void)\n{\n    clock_gettime(0, p);\n}\n", "clock-call"),
    ("engine/db.c", "long f(void)\n{\n    return time(NULL);\n}\n", "clock-call"),
    ("engine/wal/a.c", "/* line */\n" * 1001, "file-length"),
    ("tools/a.c", "/* %s */\n" % ("x" * 100), "line-length"),
    ("tests/e2e/a.py", "# %s\n" % ("x" * 100), "line-length"),
    ("bench/a.c", "\tint a;\n", "white-space"),
    ("bench/a.c", "int a; \n", "white-space"),
]

FUNCTION_FAULT = (
    "server/a.c",
    "int f(int a)\n{\n" + "    a++;\n" * 67 + "    return a;\n}\n",
    "function-length",
)

LEGAL = [
    ("engine/busbar.h", '#include <stdint.h>\n#include "engine/busbar_types.h"\n'),
    ("engine/base/mem.c", "void f(void)\n{\n    free(malloc(1));\n}\n"),
    ("engine/base/log.c", "void f(void)\n{\n    write(STDERR_FILENO, p, n);\n}\n"),
    ("engine/base/clock.c", "void f(void)\n{\n    clock_gettime(0, p);\n}\n"),
    ("engine/fs/posix.c", '#include "engine/base/buf.h"\nint f(void)\n{\n    return open(p);\n}\n'),
    ("engine/codec/a.c", '#include "engine/codec/b.h"\n#include <zstd.h>\n'),
    ("engine/catalog/a.c", '#include <lmdb.h>\n#include "engine/fs/fs.h"\n'),
    ("engine/wal/a.c",
     '/* open(p) */\n// free(p)\nconst char *s = "time(0)";\n'
     "int f(struct x *x)\n{\n    return x->ops->open(x) + x->ops.free(x) + bbi_fs_open(x);\n}\n"),
    ("engine/rollup/a.c", '#include "config.h"\n#include "engine/query/plan.h"\n'),
    ("engine/db.c", '#include "engine/busbar.h"\n#include "engine/rollup/a.h"\n'
                    '#include "engine/write.h"\n'),
    ("server/a.c", '#include "engine/busbar.h"\n#include "server/loop.h"\n#include <uv.h>\n'),
    ("client/a.c", '#include "client/busbar_client.h"\n#include "client/json.h"\n'),
    ("bench/a.c", '#include "client/busbar_client.h"\n#include "engine/busbar.h"\n'),
    ("tools/a.c", '#include "engine/segment/segment.h"\nvoid f(void)\n{\n    free(p);\n}\n'),
    ("tests/unit/a.c",
     '#include "server/loop.h"\n#include "engine/wal/wal.h"\n#include <lmdb.h>\n'),
    ("tests/unit/b.c", "int f(int a)\n{\n" + "    a++;\n" * 66 + "    return a;\n}\n"),
    ("tests/unit/c.c", "/* line */\n" * 999 + "/* %s */\n" % ("x" * 94)),
]


def plant(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def faults_of(checker_class, files):
    with tempfile.TemporaryDirectory(prefix="busbar-style-") as root:
        for path, text in files:
            plant(root, path, text)
        return checker_class(root).run()


def run(checker_class, have_ctags):
    wrong = []
    planted = FAULTS + ([FUNCTION_FAULT] if have_ctags else [])
    for path, text, rule in planted:
        found = faults_of(checker_class, [(path, text)])
        if [(f[0], f[2]) for f in found] != [(path, rule)]:
            wrong.append("%s: expected one [%s], found %s" % (path, rule, found))
    found = faults_of(checker_class, LEGAL)
    if found:
        wrong.append("legal code was reported: %s" % found)
    for text in wrong:
        print(text)
    if not have_ctags:
        print("note: universal-ctags not found: the function-length rule was not tried")
    print("%d planted faults, %d rules, %d wrong"
          % (len(planted), len({rule for _, _, rule in planted}), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    import check_style
    sys.exit(run(check_style.Checker, check_style.find_ctags() is not None))
