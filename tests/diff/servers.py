"""The two servers under comparison: a real influxd and busbard, each with one connection kept."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "e2e"))

from busbar_e2e import Server  # noqa: E402 (the path comes first)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  query-log-enabled = false
  index-version = "inmem"
[coordinator]
  max-select-buckets = {buckets}
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:0"
  log-enabled = false
[continuous_queries]
  enabled = false
[retention]
  enabled = false
"""


# More are refused by both: a range may end now, years behind the data.
BUCKETS_MAX = 500000


def find_influxd():
    """The program, or None if it is not installed."""
    return os.environ.get("INFLUXD") or shutil.which("influxd")


class Link:
    """Requests to one server over a kept connection; each reply is (status, body).

    A server that breaks off twice replies (0, b"broke off"); so does an influxd that ends, which is
    started again. If busbard ends that is told with what was asked of it and the end of its log."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def send(self, method, path, body, headers):
        return self.exchange(method, path, body, headers)[:2]

    def exchange(self, method, path, body, headers):
        """(status, body, type of content)"""
        for _ in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                self.connection.request(method, path, body=body, headers=headers)
                reply = self.connection.getresponse()
                return reply.status, reply.read(), reply.headers["Content-Type"]
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if not self.process_alive():
                    self.ended("the server ended on %s %r\n%s" % (
                        path, urllib.parse.unquote_plus(str(body)), self.log()[-2000:]))
                    break
        return 0, b"broke off", None

    def ended(self, text):
        raise AssertionError(text)

    def query(self, q, **params):
        return self.send("POST", "/query", urllib.parse.urlencode({"q": q, **params}), FORM)

    def ask(self, method, headers, **params):
        """A query in another form: (status, body, type of content)."""
        text = urllib.parse.urlencode(params)
        if method == "GET":
            return self.exchange(method, "/query?" + text, None, headers)
        return self.exchange(method, "/query", text, {**FORM, **headers})

    def write(self, lines, **params):
        return self.send("POST", "/write?" + urllib.parse.urlencode(params), lines, {})

    def must(self, q, **params):
        status, body = self.query(q, **params)
        if status == 0:
            status, body = self.query(q, **params)  # what ran before it may have ended the server
        if status != 200 or b'"error"' in body:
            raise AssertionError("%s: %d %r" % (q, status, body))


class Influx(Link):
    """A real influxd on free ports, with all of its files in folder."""

    def __init__(self, folder):
        os.makedirs(folder)
        config = os.path.join(folder, "influxdb.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(dir=folder, buckets=BUCKETS_MAX))
        self.config = config
        self.log_path = os.path.join(folder, "log")
        self.start()
        super().__init__(self.wait_for_port())

    def start(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([find_influxd(), "-config", self.config], stdout=log,
                                            stderr=log)

    def ended(self, text):
        """Some of its panics end all of it; what was written is there again."""
        self.start()
        self.port = self.wait_for_port()

    def version(self):
        """Such as "1.8.10"; a build that does not know its own is taken for 1.8."""
        found = re.search(rb'"(1\.\d+[^"]*)"', self.query("SHOW DIAGNOSTICS")[1])
        return found.group(1).decode() if found else "1.8"

    def process_alive(self):
        return self.process.poll() is None

    def wait_for_port(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"Listening on HTTP.* addr=127\.0\.0\.1:(\d+)", self.log())
            if found:
                return int(found.group(1))
            time.sleep(0.05)
        self.stop()
        raise AssertionError("influxd did not start:\n" + self.log())

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Busbar(Link):
    """busbard with its data in folder."""

    def __init__(self, folder):
        self.server = Server(folder, line="off", cq_enabled="false",
                             max_select_buckets=BUCKETS_MAX).start()
        super().__init__(self.server.http_port)

    def process_alive(self):
        return self.server.alive()

    def log(self):
        return self.server.log()

    def flush(self):
        self.server.flush()

    def compact(self):
        self.server.compact()

    def stop(self):
        if self.server.alive():
            self.server.stop()
