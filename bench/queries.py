#!/usr/bin/env python3
"""Time the queries of an energy dashboard on busbard and on the servers beside it.

    bench/queries.py [--work DIR] [--servers busbar,influx,victoria] [--meters N] [--days N]
                     [--runs N] [--only TEXT[;TEXT...]] [--file LINES]

Each server gets the same readings: meters x days x 30 minutes of busbar-bench's workload M with a
tag region (100 of them), or the lines of a file. Then each query runs on all servers in turn, so
that what else the machine does falls on all alike; the fastest run counts, and the server's CPU
time of that run stands beside it. influx is $INFLUXD or influxd, victoria is victoria-metrics; who
is not installed is left out. With --work the data stays there and is not loaded again.
BUSBAR_BUILDDIR is where busbard and busbar-bench were built (default: the working directory).
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

BUILD = os.environ.get("BUSBAR_BUILDDIR", os.getcwd())
START = 1709251200  # 2024-03-01
PIECE = 1 << 20
PATIENCE_S = 300

MONTH = "time >= '2024-03-01' AND time < '{end}'"
DAY = "time >= '2024-03-10' AND time < '2024-03-11'"
ONE = "device_id = 'MTR-00000777'"
VALUE = "reading_value"
# name, InfluxQL, and PromQL with its first second after START, length and step where it asks alike
QUERIES = [
    ("mean by 1h, all meters, month", "SELECT mean(value) FROM reading WHERE %s GROUP BY time(1h)"
     % MONTH, ("sum(sum_over_time({v}[1h]))/sum(count_over_time({v}[1h]))", 3600, "month", 3600)),
    ("max by 1d, all meters, month", "SELECT max(value) FROM reading WHERE %s GROUP BY time(1d)"
     % MONTH, ("max(max_over_time({v}[1d]))", 86400, "month", 86400)),
    ("mean by 1h, one meter, month", "SELECT mean(value) FROM reading WHERE %s AND %s "
     "GROUP BY time(1h)" % (ONE, MONTH),
     ("avg_over_time({v}{{device_id=\"MTR-00000777\"}}[1h])", 3600, "month", 3600)),
    ("mean by 1d, each meter, month", "SELECT mean(value) FROM reading WHERE %s "
     "GROUP BY time(1d), device_id" % MONTH, ("avg_over_time({v}[1d])", 86400, "month", 86400)),
    ("mean by 1h, each meter, day", "SELECT mean(value) FROM reading WHERE %s "
     "GROUP BY time(1h), device_id" % DAY, ("avg_over_time({v}[1h])", 9 * 86400 + 3600, 82800,
                                            3600)),
    ("sum by 1d, each region, month", "SELECT sum(value) FROM reading WHERE %s "
     "GROUP BY time(1d), region" % MONTH,
     ("sum(sum_over_time({v}[1d])) by (region)", 86400, "month", 86400)),
    ("last of each meter", "SELECT last(value) FROM reading GROUP BY device_id",
     ("last_over_time({v}[31d])", "end", 0, 3600)),
    ("last of one meter", "SELECT last(value) FROM reading WHERE %s" % ONE,
     ("last_over_time({v}{{device_id=\"MTR-00000777\"}}[31d])", "end", 0, 3600)),
    ("percentile 95 by 1d, all meters, day", "SELECT percentile(value, 95) FROM reading WHERE %s "
     "GROUP BY time(1d)" % DAY, None),
    ("percentile 95, each meter, month", "SELECT percentile(value, 95) FROM reading WHERE %s "
     "GROUP BY device_id" % MONTH, ("quantile_over_time(0.95, {v}[30d])", "end", 0, 3600)),
    ("percentile 95, all, month", "SELECT percentile(value, 95) FROM reading WHERE %s" % MONTH,
     None),
    ("percentile_approx 95, all, month", "SELECT percentile_approx(value, 95) FROM reading "
     "WHERE %s" % MONTH, None),
    ("median by 1h, each region, day", "SELECT median(value) FROM reading WHERE %s "
     "GROUP BY time(1h), region" % DAY, None),
    ("stddev by 1d, all, month", "SELECT stddev(value) FROM reading WHERE %s GROUP BY time(1d)"
     % MONTH, None),
    ("top 10, month", "SELECT top(value, 10) FROM reading WHERE %s" % MONTH, None),
    ("top 10 meters, day", "SELECT top(value, device_id, 10) FROM reading WHERE %s" % DAY, None),
    ("top 10 of sums, month", "SELECT top(sum, 10), device_id FROM (SELECT sum(value) FROM reading "
     "WHERE %s GROUP BY device_id)" % MONTH,
     ("topk(10, sum_over_time({v}[30d]))", "end", 0, 3600)),
    ("max of sums by 1d, month", "SELECT max(sum) FROM (SELECT sum(value) FROM reading WHERE %s "
     "GROUP BY time(1d), device_id) WHERE %s GROUP BY time(1d)" % (MONTH, MONTH),
     ("max(sum_over_time({v}[1d]))", 86400, "month", 86400)),
    ("difference, one meter, month", "SELECT difference(value) FROM reading WHERE %s AND %s"
     % (ONE, MONTH), None),
    ("difference, each meter, day", "SELECT difference(value) FROM reading WHERE %s "
     "GROUP BY device_id" % DAY, None),
    ("derivative of means by 1h, each region", "SELECT derivative(mean(value), 1h) FROM reading "
     "WHERE %s GROUP BY time(1h), region" % MONTH, None),
    ("moving average 24h, all, month", "SELECT moving_average(mean(value), 24) FROM reading "
     "WHERE %s GROUP BY time(1h)" % MONTH, None),
    ("moving average 48, one meter, month", "SELECT moving_average(value, 48) FROM reading "
     "WHERE %s AND %s" % (ONE, MONTH), None),
    ("moving average 4, each meter, day", "SELECT moving_average(value, 4) FROM reading "
     "WHERE %s GROUP BY device_id" % DAY, None),
    ("count by region", "SELECT count(value) FROM reading GROUP BY region",
     ("sum(count_over_time({v}[31d])) by (region)", "end", 0, 3600)),
    ("count WHERE value > 2, month", "SELECT count(value) FROM reading WHERE value > 2 AND %s"
     % MONTH, ("sum(count_gt_over_time({v}[30d], 2))", "end", 0, 3600)),
    ("rows WHERE value > 3, day", "SELECT value, device_id FROM reading WHERE value > 3 AND %s"
     % DAY, None),
    ("mean by 1d, regex on meters, month", "SELECT mean(value) FROM reading WHERE "
     "device_id =~ /^MTR-0000[0-4].*7$/ AND %s GROUP BY time(1d)" % MONTH,
     ("sum(sum_over_time({v}{{device_id=~\"MTR-0000[0-4].*7\"}}[1d]))/"
      "sum(count_over_time({v}{{device_id=~\"MTR-0000[0-4].*7\"}}[1d]))", 86400, "month", 86400)),
    ("rows, LIMIT 10", "SELECT * FROM reading LIMIT 10", None),
    ("newest row", "SELECT * FROM reading ORDER BY time DESC LIMIT 1", None),
    ("newest row of one meter", "SELECT * FROM reading WHERE %s ORDER BY time DESC LIMIT 1" % ONE,
     None),
    ("rows of one meter, month", "SELECT value FROM reading WHERE %s AND %s" % (ONE, MONTH),
     ("{v}{{device_id=\"MTR-00000777\"}}", 0, "month", 1800)),
    ("mean by 1h, LIMIT 24", "SELECT mean(value) FROM reading WHERE %s GROUP BY time(1h) LIMIT 24"
     % MONTH, None),
    ("mean, GROUP BY *, day", "SELECT mean(value) FROM reading WHERE %s GROUP BY *" % DAY,
     ("avg_over_time({v}[1d])", 10 * 86400, 0, 3600)),
    ("meters", "SHOW TAG VALUES WITH KEY = device_id", "label"),
    ("series cardinality", "SHOW SERIES EXACT CARDINALITY", None),
    ("series of a region", "SHOW SERIES WHERE region = 'r17'", None),
]


def cpu_ns(pid):
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, task), encoding="ascii") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Store:
    """A server with its data in a folder, reached by one connection."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.log_path = os.path.join(folder, "log")
        self.port = free_port()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        self.wait()

    def wait(self):
        for _ in range(600):
            try:
                self.send("GET", "/health")
                return
            except OSError:
                self.link.close()
                time.sleep(0.1)
        raise SystemExit("%s did not start, see %s" % (self.name, self.log_path))

    def send(self, method, path, body=None):
        self.link.request(method, path, body=body)
        reply = self.link.getresponse()
        body = reply.read()
        if reply.status >= 300:
            raise SystemExit("%s: %s: %d %r" % (self.name, path[:200], reply.status, body[:300]))
        return body

    def load(self, pieces):
        done = os.path.join(self.folder, "loaded")
        if os.path.exists(done):
            return
        self.prepare()
        began = time.monotonic()
        for piece in pieces():
            self.send("POST", "/write?db=bench", piece)
        self.settle()
        with open(done, "w", encoding="ascii"):
            pass
        print("%s: loaded in %.0f s, %.1f s of CPU" % (
            self.name, time.monotonic() - began, cpu_ns(self.process.pid) / 1e9), flush=True)

    def prepare(self):
        pass

    def settle(self):
        pass

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class InfluxQl(Store):
    def prepare(self):
        self.send("POST", "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE bench"}))

    def path(self, query, end):
        q = query[1].replace("{end}", time.strftime("%Y-%m-%d", time.gmtime(end)))
        return "/query?" + urllib.parse.urlencode({"db": "bench", "epoch": "s", "q": q})

    @staticmethod
    def weigh(body):
        """Series and values of an answer."""
        reply = json.loads(body)["results"][0]
        if "error" in reply:
            return reply["error"]
        series = reply.get("series", [])
        return "%d series, %d rows" % (len(series), sum(len(s["values"]) for s in series))


class Busbar(InfluxQl):
    name = "busbar"

    def command(self):
        return [os.path.join(BUILD, "busbard"), "--data", os.path.join(self.folder, "data"),
                "--http", "127.0.0.1:%d" % self.port, "--line", "127.0.0.1:0"]

    def settle(self):
        self.send("POST", "/debug/flush")
        while b"busbar_background_idle 1" not in self.send("GET", "/metrics"):
            time.sleep(0.2)


INFLUX_CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "10s"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


class Influx(InfluxQl):
    name = "influx"
    program = os.environ.get("INFLUXD") or shutil.which("influxd")

    def command(self):
        config = os.path.join(self.folder, "influxdb.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(INFLUX_CONFIG.format(dir=self.folder, port=self.port))
        return [self.program, "-config", config]

    def settle(self):
        """Until it has been idle for some seconds: snapshots and compactions are done."""
        quiet, before = 0, cpu_ns(self.process.pid)
        while quiet < 20:
            time.sleep(1)
            now = cpu_ns(self.process.pid)
            quiet = quiet + 1 if now - before < 5e7 else 0
            before = now


class Victoria(Store):
    name = "victoria"
    program = shutil.which("victoria-metrics")

    def command(self):
        return [self.program, "-storageDataPath", os.path.join(self.folder, "data"),
                "-retentionPeriod", "100y", "-httpListenAddr", "127.0.0.1:%d" % self.port,
                "-search.maxQueryDuration", "5m", "-search.maxUniqueTimeseries", "10000000",
                "-search.disableCache", "-search.maxSamplesPerQuery", "10000000000"]

    def settle(self):
        self.send("GET", "/internal/force_flush")
        self.send("GET", "/internal/force_merge")
        time.sleep(5)

    def path(self, query, end):
        if query[2] == "label":
            return "/api/v1/label/device_id/values?" + urllib.parse.urlencode(
                {"start": START, "end": end})
        text, start, length, step = query[2]
        text = text.replace("{{", "\0").replace("}}", "\1").replace("{v}", VALUE)
        text = text.replace("\0", "{").replace("\1", "}")
        start = end if start == "end" else START + start
        length = end - start if length == "month" else length
        return "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": text, "start": start, "end": start + length, "step": step, "nocache": 1})

    @staticmethod
    def weigh(body):
        data = json.loads(body)["data"]
        if isinstance(data, list):
            return "%d names" % len(data)
        return "%d series, %d rows" % (len(data["result"]),
                                       sum(len(s["values"]) for s in data["result"]))


STORES = {store.name: store for store in (Busbar, Influx, Victoria)}


def lines_of(args):
    """The readings in pieces that end with a line."""
    if args.file:
        with open(args.file, "rb") as f:
            yield from cut(f)
        return
    made = subprocess.Popen([os.path.join(BUILD, "busbar-bench"), "generate", "--meters",
                             str(args.meters), "--days", str(args.days), "--interval", "30m"],
                            stdout=subprocess.PIPE)
    for piece in cut(made.stdout):
        yield re.sub(rb"(MTR-\d{6})(\d\d)", rb"\1\2,region=r\2", piece)
    if made.wait() != 0:
        raise SystemExit("busbar-bench generate failed")


def cut(f):
    rest = b""
    while True:
        block = f.read(PIECE)
        if not block:
            break
        end = block.rfind(b"\n") + 1
        yield rest + block[:end]
        rest = block[end:]
    if rest:
        yield rest


def ask(store, query, end):
    """(wall ms, CPU ms, the answer) of one run"""
    path = store.path(query, end)
    cpu, began = cpu_ns(store.process.pid), time.monotonic()
    body = store.send("GET", path)
    return ((time.monotonic() - began) * 1e3, (cpu_ns(store.process.pid) - cpu) / 1e6,
            store.weigh(body))


def compare(stores, query, end, runs):
    best = {}
    for _ in range(runs):
        for store in stores:
            if store.name == "victoria" and query[2] is None:
                continue
            try:
                run = ask(store, query, end)
            except OSError as e:
                store.link.close()
                run = (float("inf"), float("inf"), "%s: %s" % (store.name, e))
            if store.name not in best or run[0] < best[store.name][0]:
                best[store.name] = run
    columns = ["%9.1f %9.1f" % best[s.name][:2] if s.name in best else "%9s %9s" % ("", "")
               for s in stores]
    said = dict.fromkeys(run[2] for run in best.values())
    print("%-40s %s  %s" % (query[0], "  ".join(columns), " / ".join(said)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work")
    parser.add_argument("--servers", default="busbar,influx,victoria")
    parser.add_argument("--meters", type=int, default=10000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--file")
    args = parser.parse_args()
    work = args.work or tempfile.mkdtemp(prefix="busbar-queries.")
    wanted = [STORES[name] for name in args.servers.split(",")]
    stores = []
    try:
        for kind in wanted:
            if kind is not Busbar and not kind.program:
                print("%s is not installed" % kind.name)
                continue
            stores.append(kind(os.path.join(work, kind.name)))
            stores[-1].load(lambda: lines_of(args))
        print("%-40s %s" % ("ms: wall and CPU of the fastest of %d" % args.runs,
                            "  ".join("%19s" % s.name for s in stores)))
        for query in QUERIES:
            if any(text in query[0] for text in args.only.split(";")):
                compare(stores, query, START + args.days * 86400, args.runs)
    finally:
        for store in stores:
            store.stop()
        if not args.work:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
