"""A day of an operator's questions (docs/operations.md), each answered by busbar status and
/metrics from a state that is brought about on purpose."""

import json
import os
import re
import select
import threading
import time

import pytest

from busbar_e2e import wait_until
from busbar_tool import Tool


class Operated:
    """A server and the tool beside it."""

    def __init__(self, server, folder):
        self.server = server
        self.tool = Tool(folder, server)

    def status(self, code=0):
        return self.tool.run("status", code=code)[0]

    def json(self):
        return json.loads(self.tool.run("status", "--json")[0])


@pytest.fixture
def operated(server, tmp_path):
    return Operated(server, tmp_path)


@pytest.fixture
def broken_disk(make_faulty, tmp_path):
    """An operated server whose disk obeys server.disk()."""
    return lambda **settings: Operated(make_faulty(**settings).create(), tmp_path)


def test_is_it_well(operated):
    shown = operated.status()
    assert re.search(r"^state +healthy$", shown, re.M)
    assert re.match(r"busbar \S+ at http://127.0.0.1:\d+, up \d+ s, data in /", shown)
    assert operated.server.metrics()["busbar_read_only"] == 0


def test_is_nobody_there(tmp_path):
    tool = Tool(tmp_path)
    tool.env["BUSBAR_URL"] = "http://127.0.0.1:1"
    assert "no connection" in tool.run("status", code=3)[1]
    assert "--watch" in tool.run("status", "--watch", "x", code=2)[1]


def test_do_readings_come_in(operated):
    before = operated.server.metrics()["busbar_points_written_total"]
    assert "0 points stored" in operated.status()
    end = time.monotonic() + 2.5
    n = 0
    while time.monotonic() < end:
        assert operated.server.write("r,d=1 v=1 %d" % n).status == 204
        n += 1
    shown = operated.status()
    match = re.search(r"^ingest +([\d,]+) points stored, 0 rejected; now ([\d,]+) points/s", shown,
                      re.M)
    assert int(match.group(1).replace(",", "")) == n
    assert int(match.group(2).replace(",", "")) > 0
    assert operated.server.metrics()["busbar_points_written_total"] == before + n


def test_what_is_refused_and_why(operated):
    operated.server.write("r v=1 1")
    operated.server.write('r v="text" 2\nnonsense\nr v=3 3')
    shown = operated.status()
    assert "2 rejected" in shown
    assert re.search(r"^rejected +.*unable to parse 1", shown, re.M)
    assert re.search(r"^rejected +.*field type conflict 1", shown, re.M)
    metrics = operated.server.metrics()
    assert metrics['busbar_lines_rejected_total{reason="field type conflict"}'] == 1


def test_what_is_there_and_what_it_takes(operated):
    server = operated.server
    server.query('CREATE DATABASE "second"')
    server.write("".join("r,d=%d v=%d.5 %d\n" % (d, i, i * 900 * 10**9)
                         for d in range(7) for i in range(200)))
    server.flush()
    shown = operated.status()
    row = re.search(r"^  test +(\d+) +(\d+) +(\d+) +(\d+) +(\S+ k?B) +(\S+)  (\S+) \.\. (\S+)$",
                    shown, re.M)
    assert row.group(1, 2, 4) == ("7", "1", "1400")
    assert 0 < float(row.group(6)) < 8
    assert row.group(7, 8) == ("1970-01-01T00:00", "1970-01-03T01:45")
    assert re.search(r"^  second +0 +0 +0 +0 +0 B +-", shown, re.M)
    assert re.search(r"^storage +7 series, 1 partitions, 1 segments, .* bytes a value", shown, re.M)
    metrics = server.metrics()
    assert metrics["busbar_series"] == 7 and metrics["busbar_segments"] == 1
    assert metrics["busbar_segment_bytes"] == operated.json()["storage"]["segment_bytes"]


def test_does_flushing_keep_up(operated):
    operated.server.write("".join("r v=%d %d\n" % (i, i) for i in range(1000)))
    assert re.search(r"^memtable +1,000 values", operated.status(), re.M)
    operated.server.flush()
    assert wait_until(lambda: operated.server.metrics()["busbar_background_idle"] == 1)
    shown = operated.status()
    assert re.search(r"^memtable +0 values, .*; 1 flushes", shown, re.M)
    assert "background idle" in shown


def test_does_memory_stay_in_its_budget(make_server, tmp_path):
    operated = Operated(make_server(memory="256MiB").create(), tmp_path)
    assert re.search(r"^memory +\S+ MB resident \(at most .*\), engine .* of 268 MB$",
                     operated.status(), re.M)
    assert operated.server.metrics()["process_resident_memory_bytes"] > 1 << 20


def test_who_is_connected(make_server, tmp_path):
    server = make_server(max_connections=10).create()
    operated = Operated(server, tmp_path)
    held = [server.raw() for _ in range(3)] + [server.lines().socket]
    assert wait_until(lambda: operated.json()["connections"]["http"] == 4)
    assert re.search(r"^connections +4 HTTP, 1 line protocol, of 10$", operated.status(), re.M)
    more = [server.raw() for _ in range(12)]
    assert select.select(more, [], [], 10)[0]  # some have been told that there are too many
    for sock in held + more:
        sock.close()
    assert wait_until(lambda: server.get("/ping").status == 204)  # they are all seen to
    assert wait_until(lambda: server.metrics()["busbar_connections_refused_total"] > 0)


def test_do_queries_fail(operated):
    operated.server.query_reply("SELECT v FROM absent_database..r", db="test")
    operated.server.query_reply('SHOW TAG KEYS ON "absent"', db="test")
    shown = operated.status()
    assert re.search(r"^queries +\d+, [1-9]\d* failed; now", shown, re.M)
    assert operated.server.metrics()["busbar_query_errors_total"] >= 1


def test_is_something_damaged(operated):
    server = operated.server
    server.write("".join("r v=%d.25 %d\n" % (i, i * 10**9) for i in range(5000)))
    server.flush()
    server.stop()
    segment = max((os.path.join(folder, f) for folder, _, files in os.walk(server.data)
                   for f in files if f.endswith(".bbs")), key=os.path.getsize)
    with open(segment, "r+b") as f:
        f.seek(-20, os.SEEK_END)
        f.write(b"\xff" * 20)
    server.restart()
    operated.tool = Tool(operated.tool.folder, server)
    server.query_reply("SELECT count(v) FROM r", db="test")
    shown = operated.status(code=1)
    assert re.search(r"^state +UNHEALTHY; 1 segments are damaged and set aside", shown, re.M)
    assert server.metrics()["busbar_segments_quarantined"] == 1


def test_is_the_disk_slow(broken_disk):
    operated = broken_disk()
    operated.server.write("r v=1 1")
    operated.server.disk("sync_ms=300")
    for i in range(3):
        operated.server.write("r v=1 %d" % i)
    match = re.search(r"^log .* (\d+) syncs of (\S+) ms on average$", operated.status(), re.M)
    assert float(match.group(2)) > 30
    assert operated.json()["wal"]["sync_mean_ms"] * operated.json()["wal"]["syncs"] > 900


def test_is_it_overloaded(broken_disk):
    """Requests wait for memory longer than they may: counted, refused with 503, still healthy."""
    operated = broken_disk(request_memory="1MiB", queue_timeout="200ms")
    operated.server.disk("sync_ms=1500")
    body = "".join("r,d=%d v=1 %d\n" % (i, i) for i in range(12000))
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(operated.server.write(body).status))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    operated.server.disk("")
    assert 503 in replies and 204 in replies, replies
    metrics = operated.server.metrics()
    assert metrics["busbar_overloads_total"] == replies.count(503)
    assert metrics['busbar_http_replies_total{class="5xx"}'] == replies.count(503)
    assert "healthy" in operated.status()


def test_is_it_read_only(broken_disk):
    operated = broken_disk()
    operated.server.write("r v=1 1")
    operated.server.disk("sync=EIO")
    assert operated.server.write("r v=2 2").status == 503
    shown = operated.status(code=1)
    assert re.search(r"^state +UNHEALTHY; read-only: the log met an I/O error", shown, re.M)
    assert operated.server.metrics()["busbar_read_only"] == 1
    assert operated.server.get("/health").status == 503
    operated.server.disk("")
    operated.server.kill()
    operated.server.restart()
    operated.tool = Tool(operated.tool.folder, operated.server)
    assert "healthy" in operated.status()


def test_again_and_again(operated):
    process = operated.tool.start("status", "--watch", "1")
    time.sleep(2.5)
    process.terminate()
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out.decode().count("state        healthy") >= 2
