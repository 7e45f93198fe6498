"""busbar import that is interrupted, by whatever, and taken up again: every row is there once."""

import glob
import gzip
import os
import re
import signal
import time

import pytest

from busbar_e2e import wait_until
from busbar_tool import Tool

ROWS = 100000


def readings(count=ROWS, bad=()):
    """A meter's readings; each value tells its row."""
    lines = ["device_id,time,value"]
    lines += ["M%d,%d,%s" % (i % 10, 1710504000 + i, "x" if i in bad else i + 0.5)
              for i in range(count)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def tool(tmp_path, server):
    return Tool(tmp_path, server)


def begin(tool, *args):
    """Start an import of small batches and wait until a part of it is acknowledged."""
    process = tool.start("import", "-d", "test", "--batch", 10, *args)
    state = os.path.join(tool.folder, "state/busbar/import/*")

    def part_is_done():
        found = [f for f in glob.glob(state) if not f.endswith(".new")]
        return process.poll() is not None or (
            found and int(re.search(r"rows (\d+)", open(found[0]).read()).group(1)) > 5000)

    assert wait_until(part_is_done, 60)
    assert process.poll() is None, "the import was too fast to be interrupted"
    return process


def check_all_there(server, count=ROWS, missing=()):
    got = server.rows("SELECT count(value), sum(value) FROM reading")[0][1:]
    present = [i for i in range(count) if i not in missing]
    assert got == [len(present), sum(present) + 0.5 * len(present)]


@pytest.mark.parametrize("kind", ["plain", "gzip", "zone"])
def test_killed(tool, server, kind):
    text = readings(bad={100, ROWS - 100})
    options = ["-m", "value=field::float"]
    options += ["--tz", "Europe/Berlin"] if kind == "zone" else []
    path = tool.path("a.csv", gzip.compress(text.encode(), 1) if kind == "gzip" else text)
    process = begin(tool, path, *options)
    process.kill()
    process.communicate()
    _, err = tool.run("import", "-d", "test", "--batch", 10000, path, *options, code=1)
    match = re.search(r"going on behind row (\d+)", err)
    assert match is not None and 5000 < int(match.group(1)) < ROWS, err
    assert re.search(r"%s rows, [\d,]+ lines stored, 2 rows rejected" % format(ROWS, ","), err)
    check_all_there(server, missing={100, ROWS - 100})
    assert re.findall(r"# line (\d+)", tool.read("a.csv.rejects")) == ["102", str(ROWS - 98)]
    assert glob.glob(tool.path("state/busbar/import/*")) == []


def test_interrupted_by_the_user(tool, server):
    path = tool.path("a.csv", readings())
    process = begin(tool, path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in err and b"run the same command again" in err
    _, err = tool.run("import", "-d", "test", path)
    assert "going on behind row" in err
    check_all_there(server)


def test_interrupted_while_the_server_hangs(tool, server):
    path = tool.path("a.csv", readings())
    process = begin(tool, path)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - start < 5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert process.returncode == 130, err
    tool.run("import", "-d", "test", path)
    check_all_there(server)


def test_lines_killed(tool, server):
    path = tool.path("a.lp", "# CONTEXT-DATABASE: test\n" + "".join(
        "reading,device_id=M%d value=%s %d\n" % (i % 10, i + 0.5, 1710504000 + i)
        for i in range(ROWS)))
    process = begin(tool, "--precision", "s", path)
    process.kill()
    process.communicate()
    _, err = tool.run("import", "-d", "test", "--precision", "s", path)
    assert "going on behind row" in err
    check_all_there(server)


def test_server_killed(make_server, tmp_path):
    """The import waits for the server to come back and loses nothing."""
    server = make_server().create()
    tool = Tool(tmp_path, server)
    process = begin(tool, tool.path("a.csv", readings()))
    server.kill()
    server.settings["http"] = "127.0.0.1:%d" % server.http_port
    time.sleep(0.5)
    server.restart()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    check_all_there(server)


def test_file_has_changed(tool, server):
    """Another file of the same name is no continuation; nor are other options."""
    path = tool.path("a.csv", readings())
    process = begin(tool, path)
    process.kill()
    process.communicate()
    tool.path("a.csv", readings(2000))
    _, err = tool.run("import", "-d", "test", path)
    assert "beginning anew" in err and "2,000 rows, 2,000 lines stored" in err
    path = tool.path("a.csv", readings())
    process = begin(tool, path)
    process.kill()
    process.communicate()
    _, err = tool.run("import", "-d", "test", "--tag", "x=y", path)
    assert "beginning anew" in err
    assert format(ROWS, ",") + " lines stored" in err


def test_restart(tool, server):
    path = tool.path("a.csv", readings())
    process = begin(tool, path)
    process.kill()
    process.communicate()
    _, err = tool.run("import", "-d", "test", "--restart", path)
    assert "going on" not in err
    check_all_there(server)
