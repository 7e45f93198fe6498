#!/usr/bin/env python3
"""Prove from the source text what the compiler does not: which module may include which, who may
touch files, memory and clocks, and how long things may be.

check_style.py [--root DIR]   check a source tree; prints file:line: [rule] message; exit 1 if any
check_style.py --self-test    plant one fault for each rule and see that it is reported
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

TOPS = ("engine", "server", "client", "tools", "tests", "bench")
CODE = (".c", ".h")
TEXT = CODE + (".py", ".sh")
MAX_FILE_LINES = 1000
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100

# A module may include lower layers and itself, never a sibling.
LAYERS = (
    ("base",),
    ("fs", "codec", "lineproto", "influxql", "civil"),
    ("catalog", "wal", "memtable", "segment"),
    ("partition",),
    ("compact", "query"),
    ("rollup",),
)
LAYER_OF = {module: level for level, modules in enumerate(LAYERS) for module in modules}
TOP_LAYER = len(LAYERS)  # engine/*.c: write, db

# What each top folder may include besides itself. "public" is engine/busbar*.h and
# client/busbar_client.h; the engine has rules of its own.
MAY_INCLUDE = {
    "server": ("public",),
    "bench": ("public",),
    "client": (),
    "tools": ("public", "engine", "client"),
    "tests": ("public", "engine", "client", "server", "tools", "bench"),
}

FILE_CALLS = """
    open openat openat2 creat fopen freopen fdopen opendir fdopendir mkstemp mkostemp tmpfile
    rename renameat renameat2 unlink unlinkat remove rmdir mkdir mkdirat link linkat symlink
    symlinkat truncate ftruncate fallocate posix_fallocate copy_file_range sendfile
    read pread preadv readv write pwrite pwritev writev
    fsync fdatasync sync_file_range syncfs sync flock lockf fcntl msync
""".split()
MEMORY_CALLS = """
    malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf aligned_alloc
    posix_memalign memalign valloc open_memstream getline getdelim
""".split()
CLOCK_CALLS = "clock_gettime clock gettimeofday time ftime timespec_get".split()

# (rule, calls, where in engine/ they are allowed, what to use instead)
CALL_RULES = (
    ("file-call", FILE_CALLS, ("engine/fs/",), "the layer in engine/fs"),
    ("memory-call", MEMORY_CALLS, ("engine/base/mem.c",), "engine/base/mem.h"),
    ("clock-call", CLOCK_CALLS, ("engine/base/clock.c",), "engine/base/clock.h"),
)

INCLUDE_RE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
NO_CODE_RE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def call_re(names):
    """A call of one of these functions: not a member, not part of a longer name. Writing to
    standard error is no file operation."""
    return re.compile(r"(?<![\w.])(?<!->)(%s)\s*\((?!\s*(?:STDERR_FILENO|2)\b)" % "|".join(names))


CALL_RES = {rule: call_re(names) for rule, names, _, _ in CALL_RULES}


def blank(match):
    """Comments and literals become spaces, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match.group(0))


def is_public(path):
    return path == "client/busbar_client.h" or re.match(r"engine/busbar[^/]*\.h$", path) is not None


class Checker:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.notes = []

    def fault(self, path, line, rule, message):
        self.faults.append((path, line, rule, message))

    def sources(self, extensions):
        for top in TOPS:
            for folder, folders, files in os.walk(os.path.join(self.root, top)):
                folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
                for name in sorted(files):
                    if name.endswith(extensions):
                        yield os.path.relpath(os.path.join(folder, name), self.root)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def run(self):
        for path in self.sources(TEXT):
            text = self.read(path)
            self.check_size(path, text)
            if path.endswith(CODE):
                self.check_includes(path, text)
                self.check_calls(path, text)
        self.check_functions()
        self.faults.sort()
        return self.faults

    # Sizes

    def check_size(self, path, text):
        lines = text.splitlines()
        if len(lines) > MAX_FILE_LINES:
            self.fault(path, len(lines), "file-length",
                       "%d lines, at most %d" % (len(lines), MAX_FILE_LINES))
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                self.fault(path, number, "line-length",
                           "%d columns, at most %d" % (len(line), MAX_COLUMNS))
            if "\t" in line or line != line.rstrip():
                self.fault(path, number, "white-space", "a tab, or space at the end of the line")

    def check_functions(self):
        ctags = find_ctags()
        if ctags is None:
            self.notes.append("universal-ctags not found: lengths of functions are not checked")
            return
        paths = list(self.sources(CODE))
        if not paths:
            return
        listing = subprocess.run(
            [ctags, "--options=NONE", "-f", "-", "--sort=no", "--languages=C", "--langmap=C:.c.h",
             "--kinds-C=f", "--fields=+ne", "-L", "-"],
            input="\n".join(paths), capture_output=True, text=True, cwd=self.root, check=True)
        for tag in listing.stdout.splitlines():
            fields = tag.split("\t")
            extra = dict(f.split(":", 1) for f in fields if re.match(r"(line|end):\d+$", f))
            if "line" not in extra or "end" not in extra:
                continue
            count = int(extra["end"]) - int(extra["line"]) + 1
            if count > MAX_FUNCTION_LINES:
                self.fault(fields[1], int(extra["line"]), "function-length",
                           "%s: %d lines, at most %d" % (fields[0], count, MAX_FUNCTION_LINES))

    # Dependencies

    def check_includes(self, path, text):
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE_RE.match(line)
            if match is None:
                continue
            own, system = match.groups()
            if own is not None:
                self.check_own_include(path, number, own)
            self.check_library(path, number, own or system)

    def check_library(self, path, line, header):
        name = header.split("/")[0]
        if path.startswith("engine/") and (name in ("uv.h", "uv", "llhttp.h", "llhttp")):
            self.fault(path, line, "engine-library", "%s never enters engine/" % header)
        if header == "lmdb.h" and not path.startswith(("engine/catalog/", "tests/")):
            self.fault(path, line, "lmdb", "lmdb.h never leaves engine/catalog/")

    def check_own_include(self, path, line, header):
        top = path.split("/")[0]
        if header == "config.h":
            if is_public(path):
                self.fault(path, line, "public-header", "a public header includes no config.h")
            return
        if header.split("/")[0] not in TOPS or "/../" in header:
            self.fault(path, line, "include-path",
                       '"%s": write it from the top of the tree, or in <> if not ours' % header)
            return
        if is_public(path):
            if not is_public(header) or header.split("/")[0] != top:
                self.fault(path, line, "public-header", "a public header includes %s" % header)
            return
        if top == "engine":
            self.check_engine_include(path, line, header)
        elif not self.folder_may_include(top, header):
            self.fault(path, line, top + "-private", "%s/ may not include %s" % (top, header))

    @staticmethod
    def folder_may_include(top, header):
        allowed = MAY_INCLUDE[top]
        folder = header.split("/")[0]
        return folder == top or folder in allowed or ("public" in allowed and is_public(header))

    def check_engine_include(self, path, line, header):
        parts = path.split("/")
        to = header.split("/")
        if to[0] != "engine":
            self.fault(path, line, "engine-up", "engine/ may not include %s" % header)
            return
        if is_public(header):
            return
        own_module = parts[1] if len(parts) > 2 else None
        module = to[1] if len(to) > 2 else None
        for name in (own_module, module):
            if name is not None and name not in LAYER_OF:
                self.fault(path, line, "unknown-module", "engine/%s is in no layer" % name)
                return
        own_level = LAYER_OF.get(own_module, TOP_LAYER)
        level = LAYER_OF.get(module, TOP_LAYER)
        if module != own_module and level >= own_level:
            rule = "layer-sibling" if level == own_level else "layer-up"
            self.fault(path, line, rule, "%s may not include %s" % (own_module or "engine", header))

    # Calls

    def check_calls(self, path, text):
        if not path.startswith("engine/"):
            return
        code = NO_CODE_RE.sub(blank, text)
        for rule, _, allowed, instead in CALL_RULES:
            if path.startswith(allowed):
                continue
            for match in CALL_RES[rule].finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                self.fault(path, line, rule, "%s(): use %s" % (match.group(1), instead))


def find_ctags():
    for name in ("ctags-universal", "ctags"):
        found = shutil.which(name)
        if found is None:
            continue
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if "Universal Ctags" in version.stdout:
            return found
    return None


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.join(here, "..", ".."))
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        sys.path.insert(0, here)
        import self_test
        return self_test.run(Checker, find_ctags() is not None)
    checker = Checker(args.root)
    faults = checker.run()
    for path, line, rule, message in faults:
        print("%s:%d: [%s] %s" % (path, line, rule, message))
    for note in checker.notes:
        print("note: " + note)
    print("%d faults" % len(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
