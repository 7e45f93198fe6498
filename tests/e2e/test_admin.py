"""What operators ask: /debug/status, /metrics, the log."""

import re
import time

from busbar_e2e import wait_until

WEEK_S = 7 * 86400


def test_status_of_an_empty_server(make_server):
    status = make_server(line="off").get("/debug/status").json()
    assert status["databases"] == []
    assert status["read_only"] is False
    assert status["storage"]["segments"] == 0
    assert status["storage"]["bytes_per_value"] is None
    assert status["memory"]["resident_bytes"] > 1 << 20


def test_status_counts_what_is_there(server):
    lines = ["reading,device_id=%d value=%d.5,quality=1i %d" % (d, i, week * WEEK_S + i * 900)
             for d in range(3) for week in range(4) for i in range(10)]
    assert server.write("\n".join(lines), precision="s").status == 204
    server.query('CREATE DATABASE "another \\"one\\""')
    before = server.get("/debug/status").json()
    assert before["storage"]["memtable_values"] == 240
    server.flush()
    status = server.get("/debug/status").json()
    assert [d["name"] for d in status["databases"]] == ['another "one"', "energy", "test"]
    test = status["databases"][2]
    assert (test["series"], test["measurements"], test["fields"]) == (3, 1, 2)
    assert test["segment_values"] == 240
    assert test["segments"] >= 1 and test["partitions"] >= 1
    assert test["first_time"] == "1970-01-01T00:00:00Z"
    assert test["last_time"] == "1970-01-22T02:15:00Z"
    assert test["bytes_per_value"] == test["segment_bytes"] / 240
    assert status["storage"]["segment_bytes"] == test["segment_bytes"]
    assert status["ingest"]["points_written"] == 120
    assert status["wal"]["syncs"] >= 1


def test_status_knows_rates(server):
    server.get("/debug/status")
    assert wait_until(lambda: server.get("/debug/status").json()["rates"]["seconds"] > 0)
    end = time.monotonic() + 2
    count = 0
    while time.monotonic() < end:
        assert server.write("m v=%d %d" % (count, count)).status == 204
        count += 1
    rates = server.get("/debug/status").json()["rates"]
    assert 0.5 * count < rates["points_per_second"] * rates["seconds"] <= count


class Exposition:
    """Prometheus text, checked as its format demands while it is read."""

    NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    SAMPLE = re.compile(r'(%s)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$' % NAME)

    def __init__(self, text):
        assert text.endswith("\n")
        self.types, self.helps, self.values = {}, {}, {}
        family = None
        for line in text.splitlines():
            if line.startswith("# "):
                family = self.read_comment(line)
            else:
                self.read_sample(line, family)
        assert set(self.types) == set(self.helps)

    def read_comment(self, line):
        word, name, rest = re.match(r"# (HELP|TYPE) (%s) (.+)$" % self.NAME, line).groups()
        table = self.helps if word == "HELP" else self.types
        assert name not in table, "%s twice" % line
        table[name] = rest
        if word == "TYPE":
            assert rest in ("counter", "gauge", "histogram")
            assert rest != "counter" or name.endswith("_total")
        return name

    def read_sample(self, line, family):
        match = self.SAMPLE.match(line)
        assert match, line
        name, labels, value = match.group(1), match.group(2) or "", float(match.group(3))
        base = re.sub("_(bucket|sum|count)$", "", name) if self.types[family] == "histogram" \
            else name
        assert base == family, "%s stands below %s" % (line, family)
        assert (name, labels) not in self.values, line
        self.values[name, labels] = value

    def histograms(self):
        """(family, labels but le) -> [count up to each bound]"""
        found = {}
        for (name, labels), value in self.values.items():
            if name.endswith("_bucket"):
                rest, bound = re.match(r'(.*?),?le="([^"]+)"$', labels).groups()
                found.setdefault((name[:-7], rest), []).append((float(bound), value))
        return found


def test_metrics_are_valid_prometheus_text(server):
    lines = server.lines()
    lines.send("m v=1 1\nbad\n")
    assert lines.sync("x")
    lines.close()
    server.write("m v=1 1\nworse\n")
    server.query_reply("SELECT nonsense(")
    server.query_reply("SELECT v FROM m", db="nowhere")
    server.query("SELECT v FROM m")
    first = Exposition(server.get("/metrics").body.decode())
    server.write("m v=1 1")
    server.query("SELECT v FROM m")
    second = Exposition(server.get("/metrics").body.decode())
    for (name, labels), value in first.values.items():
        counts = first.types.get(name) == "counter" or name.endswith(("_bucket", "_count", "_sum"))
        assert not counts or second.values[name, labels] >= value, name
    for (name, labels), buckets in second.histograms().items():
        assert [b for b, _ in buckets] == sorted(b for b, _ in buckets)
        assert [n for _, n in buckets] == sorted(n for _, n in buckets)
        assert buckets[-1] == (float("inf"), second.values[name + "_count", labels])
    assert second.values["busbar_wal_sync_seconds_count", ""] == \
        second.values["busbar_wal_syncs_total", ""] > 0
    assert second.values["busbar_lines_rejected_total", 'reason="unable to parse"'] == 2
    assert second.values["busbar_statement_errors_total", 'reason="unable to parse"'] == 1
    assert second.values["busbar_statement_errors_total", 'reason="not found"'] == 1
    assert second.values["busbar_http_errors_total", 'status="400"'] == 2
    key = ("busbar_statement_seconds_count", 'statement="select"')
    assert second.values[key] == first.values[key] + 1
    key = ("busbar_http_request_seconds_count", 'path="/write"')
    assert second.values[key] == first.values[key] + 1 == 2
    assert second.values["busbar_rejects_kept", ""] == 1
    assert second.values["process_open_fds", ""] > 5
    assert abs(second.values["process_start_time_seconds", ""] - time.time()) < 60


def test_start_and_stop_are_logged(make_server):
    server = make_server(max_queries="7")
    assert server.stop()[0] == 0
    log = server.log()
    start = next(line for line in log.splitlines() if " info start " in line)
    pairs = dict(pair.split("=", 1) for pair in start.split(" info start ", 1)[1].split(" "))
    assert pairs["http"] == server.http_address and pairs["data"] == server.data
    assert pairs["max_queries"] == "7" and pairs["config"] == "none"
    assert " info stop connections=0" in log and " info stopped flushed=yes ms=" in log
    for line in log.splitlines():
        assert re.match(r"[-\d]{10}T[:\d]{8}\.\d{3}Z (debug|info|warning|error) \w+", line)
