"""Each limit over HTTP, in InfluxDB 1.8's words, and KILL QUERY of what runs."""

import http.client
import threading
import time

import pytest

from busbar_e2e import wait_until

# Twelve series of m: h has three values, k four.
LINES = "".join("m,h=%s,k=x%d v=%d %d\n" % ("abc"[i % 3], i % 4, i, i * 10**9) for i in range(60))

# Many groups of a nanosecond each: goes on for as long as it may, and sends nothing.
ENDLESS = ("SELECT count(p) FROM (SELECT percentile(v, 50) AS p FROM m WHERE time >= 0 AND "
           "time < 1h GROUP BY h, time(1ns) fill(0))")


@pytest.fixture
def limited(make_server):
    def make(**settings):
        server = make_server(**settings).create()
        reply = server.write(LINES)
        assert reply.status == 204, reply.body
        return server

    return make


def result(server, q, **params):
    reply = server.query_reply(q, db="test", epoch="s", **params)
    assert reply.status == 200, reply.body
    return reply.json()["results"]


def error(server, q):
    results = result(server, q)
    assert [list(r) for r in results] == [["statement_id", "error"]], results
    return results[0]["error"]


def mean(server, q):
    return result(server, q)[0]["series"][0]["values"]


# ---- what a query may read ----

def test_max_select_series(limited):
    server = limited(max_select_series=5)
    told = "max-select-series limit exceeded: (6/5)"
    assert error(server, "SELECT v FROM m") == told
    assert error(server, "SELECT mean(v) FROM m GROUP BY h") == told
    assert error(server, "SELECT mean(x) FROM (SELECT v AS x FROM m)") == told
    assert mean(server, "SELECT mean(v) FROM m WHERE h = 'a'") == [[0, 28.5]]


def test_max_select_point(limited):
    server = limited(max_select_point=50)
    for q in ("SELECT v FROM m", "SELECT mean(v) FROM m", "SELECT mean(v) FROM m GROUP BY h",
              "SELECT mean(x) FROM (SELECT v AS x FROM m)"):
        assert error(server, q).startswith("max-select-point limit exceeed: (5"), q
    assert mean(server, "SELECT mean(v) FROM m WHERE time < 10s") == [[0, 4.5]]
    server.flush()
    assert error(server, "SELECT v FROM m").startswith("max-select-point limit exceeed: (")


def test_max_select_buckets(limited):
    server = limited(max_select_buckets=5)
    times = "time >= 0 AND time < 60s"
    assert error(server, "SELECT mean(v) FROM m WHERE %s GROUP BY time(1s)" % times) == \
        "max-select-buckets limit exceeded: (60/5)"
    assert mean(server, "SELECT mean(v) FROM m WHERE %s GROUP BY time(20s)" % times) == \
        [[0, 9.5], [20, 29.5], [40, 49.5]]
    assert mean(server, "SELECT mean(v) FROM m WHERE time < 10s GROUP BY time(1s)") == \
        [[5, 5], [6, 6], [7, 7], [8, 8], [9, 9]]


def test_query_timeout(limited):
    server = limited(query_timeout="300ms")
    start = time.monotonic()
    assert error(server, ENDLESS) == "query-timeout limit exceeded"
    assert time.monotonic() - start < 5
    assert mean(server, "SELECT mean(v) FROM m") == [[0, 29.5]]


# ---- what a database may hold ----

def test_max_series_per_database(limited):
    server = limited(max_series_per_database=12)
    reply = server.write("m,h=z v=1 1")
    assert (reply.status, reply.error()) == (
        400, "partial write: max-series-per-database limit exceeded: (12) dropped=1")
    reply = server.write("m,h=y v=1 1\nm,h=a,k=x0 v=7 7")
    assert "dropped=1" in reply.error()
    assert server.rows("SHOW SERIES CARDINALITY") == [[12]]
    assert server.rows("SELECT v FROM m WHERE time = 7", epoch="ns") == [[7, 7]]
    server.create("other")
    assert server.write("m,h=z v=1 1", db="other").status == 204


def test_max_values_per_tag(limited):
    server = limited(max_values_per_tag=4)
    reply = server.write("m,k=new v=1 1")
    assert (reply.status, reply.error()) == (
        400, 'partial write: max-values-per-tag limit exceeded (4/4): measurement="m" tag="k" '
             'value="new" dropped=1')
    assert server.write("m,h=d v=1 1\nn,h=zz v=1 1").status == 204
    reply = server.write("m,h=e v=1 1\nm,h=d v=2 2")
    assert 'tag="h" value="e" dropped=1' in reply.error()
    assert server.rows("SELECT v FROM m WHERE time = 2", epoch="ns") == [[2, 2]]


def test_max_body_size(make_server):
    server = make_server(max_body_size="2000").create()
    assert server.write("m v=1 1\n" * 10).status == 204
    reply = server.write("m v=1 1\n" * 1000)
    assert (reply.status, reply.error()) == (413, "Request Entity Too Large")


# ---- KILL QUERY ----

def running(server, begin):
    """Numbers of the queries whose text begins so."""
    series = server.query("SHOW QUERIES")[0]
    assert series["columns"] == ["qid", "query", "database", "duration", "status"]
    return [row[0] for row in series["values"] if row[1].startswith(begin)]


class Asker(threading.Thread):
    """Sends a query on a connection of its own; reply is there when it has ended."""

    def __init__(self, server, q):
        super().__init__()
        self.server, self.q, self.reply = server, q, None
        self.start()

    def run(self):
        self.reply = self.server.query_reply(self.q, db="test")

    def kill(self, begin, after=lambda: True):
        assert wait_until(lambda: running(self.server, begin) and after())
        qid = running(self.server, begin)[0]
        start = time.monotonic()
        self.server.query("KILL QUERY %d" % qid)
        self.join(30)
        assert not self.is_alive() and time.monotonic() - start < 20
        assert wait_until(lambda: not running(self.server, begin))
        return self.reply


def test_kill_a_select(limited):
    server = limited(query_timeout="10m")
    reply = Asker(server, ENDLESS + "; SHOW DATABASES").kill("SELECT count(p)")
    assert reply.status == 200
    assert reply.json()["results"][0] == {"statement_id": 0, "error": "query interrupted"}
    assert mean(server, "SELECT mean(v) FROM m") == [[0, 29.5]]
    assert error(server, "KILL QUERY 999999") == "no such query id: 999999"


def test_kill_a_select_whose_client_reads_nothing(limited):
    """It waits for its client, not for data, and ends all the same."""
    server = limited(query_timeout="10m")
    connection = server.connection()
    q = "SELECT percentile(v, 50) FROM m WHERE time >= 0 AND time < 1h GROUP BY time(1ns) fill(0)"
    connection.request("POST", "/query?db=test&chunked=true", body="q=" + q.replace(" ", "+"),
                       headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert wait_until(lambda: running(server, "SELECT percentile"))
    response = connection.getresponse()
    assert response.status == 200
    time.sleep(0.3) # for what the sockets take
    server.query("KILL QUERY %d" % running(server, "SELECT percentile")[0])
    assert wait_until(lambda: not running(server, "SELECT percentile"))
    assert response.read().endswith(b'"error":"query interrupted"}]}\n')
    connection.close()


def test_kill_a_delete(make_faulty):
    """What it had deleted by then is deleted, for good; the rest is all there."""
    server = make_faulty(query_timeout="10m").create()
    measurements = 2000
    assert server.write("".join("d%04d v=1 1\n" % i for i in range(measurements))).status == 204
    server.disk("sync_ms=20")
    reply = Asker(server, "DELETE WHERE time < 10").kill(
        "DELETE", after=lambda: not server.query("SELECT v FROM d0000"))
    server.disk("")
    assert reply.json()["results"][0]["error"] == "query interrupted"
    left = len(server.query("SELECT v FROM /.*/"))
    assert 0 < left < measurements
    server.kill()
    server.restart()
    assert len(server.query("SELECT v FROM /.*/")) == left
    server.query("DELETE WHERE time < 10")
    assert server.query("SELECT v FROM /.*/") == []


# ---- the connection after an error ----

ERRORS = [
    ("POST", "/write", b"m v=1 1", {}, 400),
    ("POST", "/write?db=none", b"m v=1 1", {}, 404),
    ("POST", "/write?db=test&precision=x", b"m v=1 1", {}, 400),
    ("POST", "/write?db=test", b"bad", {}, 400),
    ("POST", "/write?db=test", b"m v=1 1", {"Content-Encoding": "gzip"}, 400),
    ("POST", "/write?db=test", b"m v=1 1", {"Content-Encoding": "br"}, 415),
    ("POST", "/write?db=test", b"m v=1 1\n" * 500, {}, 413),
    ("GET", "/query?q=SELEC", None, {}, 400),
    ("GET", "/query", None, {}, 400),
    ("GET", "/query?q=%zz", None, {}, 400),
    ("GET", "/query?q=SHOW+DATABASES&params=%7B", None, {}, 400),
    ("GET", "/query?q=SELECT+v+FROM+none..m", None, {}, 200),
    ("GET", "/nowhere", None, {}, 404),
    ("DELETE", "/write", None, {}, 405),
    ("POST", "/ping", b"x", {}, 405),
    ("POST", "/query?q=SHOW+DATABASES", b"x", {"Expect": "200-maybe"}, 417),
]


def test_keep_alive_after_errors(make_server):
    """One connection for all: none of these ends it but the expectation that is not understood."""
    server = make_server(max_body="2KiB").create()
    connection = server.connection()
    for method, path, body, headers, status in ERRORS[:-1]:
        reply = server.request(method, path, body=body, headers=headers, connection=connection)
        assert reply.status == status, (path, reply.status, reply.body)
        assert reply.headers.get("Connection") is None, path
        sock = connection.sock
        assert server.request("GET", "/ping", connection=connection).status == 204
        assert connection.sock is sock is not None, path
    method, path, body, headers, status = ERRORS[-1]
    reply = server.request(method, path, body=body, headers=headers, connection=connection)
    assert (reply.status, reply.headers["Connection"]) == (status, "close")
    connection.close()


def request_text(method, path, body, headers):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: x"]
    lines += ["%s: %s" % header for header in headers.items()]
    if body is not None:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def test_pipelined_errors(make_server):
    """Each gets its own reply, in order, whatever stands before it."""
    server = make_server(max_body="2KiB").create()
    wanted, sent = [], b""
    for method, path, body, headers, status in ERRORS[:-1]:
        sent += request_text(method, path, body, headers)
        sent += request_text("GET", "/query?q=SHOW+DATABASES", None, {})
        sent += request_text("HEAD", "/ping", None, {})
        wanted += [(status, method), (200, "GET"), (204, "HEAD")]
    with server.raw() as sock:
        sock.sendall(sent)
        got = []
        f = sock.makefile("rb")
        for _, method in wanted:
            got.append(int(f.readline().split()[1]))
            headers = http.client.parse_headers(f)
            f.read(int(headers.get("Content-Length", 0)) if method != "HEAD" else 0)
    assert got == [status for status, _ in wanted]


@pytest.mark.parametrize("path", ["/ping", "/health", "/metrics", "/debug/vars", "/status"])
def test_head_is_get_without_a_body(server, path):
    connection = server.connection()
    get = server.request("GET", path, connection=connection)
    head = server.request("HEAD", path, connection=connection)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers.get("Content-Type") == get.headers.get("Content-Type")
    connection.close()


@pytest.mark.parametrize("path", ["/write", "/query", "/api/v2/write?bucket=x"])
def test_options(server, path):
    reply = server.request("OPTIONS", path, headers={
        "Origin": "http://page.example", "Access-Control-Request-Method": "POST"})
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
