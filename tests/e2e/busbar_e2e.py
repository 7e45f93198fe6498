"""A real busbard for the tests: start it on free ports, talk to it, stop it, kill it."""

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SRCDIR = os.environ.get("BUSBAR_SRCDIR", os.path.abspath(os.path.join(HERE, "..", "..")))
BUILDDIR = os.environ.get("BUSBAR_BUILDDIR", SRCDIR)
START_SECONDS = 60


def busbard_path():
    return os.environ.get("BUSBARD", os.path.join(BUILDDIR, "busbard"))


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]


class Server:
    """One busbard. Arguments are settings: max_body="1MiB" is --max-body=1MiB."""

    def __init__(self, data, **settings):
        self.data = str(data)
        self.settings = {"http": "127.0.0.1:0", "line": "127.0.0.1:0", **settings}
        self.process = None
        self.log_path = self.data.rstrip("/") + ".log"

    def command(self):
        flags = ["--%s=%s" % (k.replace("_", "-"), v) for k, v in self.settings.items()]
        return [busbard_path(), "--data=" + self.data] + flags

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log,
                                            text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        match = re.match(r"listening http=(\S+) line=(\S+)(?: udp=(\S+))? data=(.*)$", line)
        if match is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError("busbard did not start: %r\n%s" % (line, self.log()))
        self.http_address, self.line_address = match.group(1), match.group(2)
        self.udp_address = match.group(3)
        self.http_port = int(self.http_address.rsplit(":", 1)[1])
        self.line_port = None
        if self.line_address != "off":
            self.line_port = int(self.line_address.rsplit(":", 1)[1])
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=30):
        """SIGTERM; returns (exit code, seconds that it took)."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process.stdout.close()
        return code, time.monotonic() - start

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self):
        return self.start()

    # HTTP

    def connection(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, connection=None, **params):
        if params:
            path += "?" + urllib.parse.urlencode(params)
        own = connection is None
        if own:
            connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **params):
        return self.request("GET", path, **params)

    def write(self, lines, db="test", connection=None, headers=None, **params):
        if isinstance(lines, str):
            lines = lines.encode()
        return self.request("POST", "/write", body=lines, db=db, connection=connection,
                            headers=headers, **params)

    def query_reply(self, q, **params):
        body = urllib.parse.urlencode({"q": q, **params})
        return self.request("POST", "/query", body=body,
                            headers={"Content-Type": "application/x-www-form-urlencoded"})

    def query(self, q, db="test", **params):
        """The series of the only statement, which must not fail."""
        reply = self.query_reply(q, db=db, **params)
        assert reply.status == 200, reply.body
        result = reply.json()["results"][0]
        assert "error" not in result, result["error"]
        return result.get("series", [])

    def rows(self, q, **params):
        """The rows of the only series; [] if there is none."""
        series = self.query(q, **params)
        assert len(series) <= 1, series
        return series[0]["values"] if series else []

    def create(self, db="test"):
        self.query('CREATE DATABASE "%s"' % db)
        return self

    def metrics(self):
        values = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def flush(self):
        reply = self.request("POST", "/debug/flush")
        assert reply.status == 204, reply.body

    def compact(self, full=True):
        reply = self.request("POST", "/debug/compact", full="true" if full else "false")
        assert reply.status == 204, reply.body

    # sockets

    def raw(self, timeout=60):
        return socket.create_connection(("127.0.0.1", self.http_port), timeout=timeout)

    def lines(self, timeout=60):
        return LineClient(self.line_port, timeout)

    def disk_bytes(self):
        """What the data directory takes, the unused part of sparse files not counted."""
        total = 0
        for folder, _, files in os.walk(self.data):
            for name in files:
                try:
                    stat = os.stat(os.path.join(folder, name))
                except FileNotFoundError:
                    continue
                total += min(stat.st_size, stat.st_blocks * 512)
        return total


class LineClient:
    """A producer on the line-protocol port."""

    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.replies = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def sync(self, token):
        self.send("# sync %s\n" % token)
        return self.replies.readline().decode() == "synced %s\n" % token

    def close(self):
        self.replies.close()
        self.socket.close()


def read_reply(sock):
    """One reply of known length from a socket on which raw bytes were sent: (status, headers,
    body), or None at the end of the connection."""
    f = sock.makefile("rb", buffering=0)
    status_line = f.readline()
    if not status_line:
        return None
    status = int(status_line.split()[1])
    headers = http.client.parse_headers(f)
    body = b""
    left = int(headers.get("Content-Length", 0))
    while left > 0:
        piece = f.read(left)
        if not piece:
            break
        body += piece
        left -= len(piece)
    return status, headers, body


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
