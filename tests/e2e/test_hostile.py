"""Clients that do not keep to the rules: bounded, answered or closed with a reason, and others are
served meanwhile."""

import os
import resource
import socket
import struct
import threading
import time

import pytest

from busbar_e2e import read_reply, wait_until

QUICK = {"idle_timeout": "600ms", "read_timeout": "600ms", "request_timeout": "1500ms",
         "send_timeout": "1s"}


def slow_reader(server, query):
    """A client that asks and does not read; what the kernel buffers for it is small."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", server.http_port))
    sock.sendall(b"GET /query?db=test&q=" + query.replace(b" ", b"+") + b" HTTP/1.1\r\n\r\n")
    return sock


def drain(sock):
    data = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def test_half_a_request_then_silence(make_server):
    server = make_server(**QUICK).create()
    for text in (b"POST /wri", b"GET /ping HTTP/1.1\r\nHost: a\r\n",
                 b"POST /write?db=test HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf v=1"):
        with server.raw() as sock:
            sock.sendall(text)
            start = time.monotonic()
            status, headers, body = read_reply(sock)
            assert (status, headers["Connection"]) == (408, "close")
            assert b"did not arrive in time" in body
            assert time.monotonic() - start < 5
    assert server.rows("SELECT count(v) FROM half") == []
    assert server.metrics()['busbar_connections_closed_total{reason="slow"}'] == 3


def test_dripping_client_is_ended(make_server):
    server = make_server(**QUICK).create()
    with server.raw() as sock:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        start = time.monotonic()
        reply = None
        sock.settimeout(0.1)
        while reply is None and time.monotonic() - start < 10:
            try:
                sock.sendall(b"x")
                sock.settimeout(0.1)
                reply = sock.recv(100)
            except socket.timeout:
                pass
        assert reply is not None and reply.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - start < 5


def test_request_cut_in_the_middle(server):
    with server.raw() as sock:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 100\r\n\r\ncut v=1 1\n")
        sock.shutdown(socket.SHUT_WR)
        assert read_reply(sock)[0] == 400
    assert server.rows("SELECT count(v) FROM cut") == []


def test_idle_connections_are_closed(make_server):
    server = make_server(**QUICK)
    with server.raw() as sock:
        start = time.monotonic()
        assert sock.recv(1) == b""
        assert 0.4 < time.monotonic() - start < 5


def test_endless_headers(make_server):
    server = make_server(max_head="64KiB")
    for text in (b"GET /ping HTTP/1.1\r\nX-Long: " + b"a" * 200000,
                 b"GET /ping HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 30000,
                 b"GET /query?q=" + b"a" * 200000):
        with server.raw() as sock:
            sock.sendall(text)
            status, headers, body = read_reply(sock)
            assert (status, headers["Connection"]) == (431, "close"), body
    assert server.get("/ping").status == 204


@pytest.mark.parametrize("text", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"NONSENSE / HTTP/1.1\r\n\r\n",
    b"GET /ping HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /write?db=test HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /write?db=test HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
    b"POST /write?db=test HTTP/1.1\r\nContent-Encoding : gzip\r\nContent-Length: 7\r\n\r\nm v=1 1",
    b"GET / HTTP/7.3\r\n\r\n"])
def test_not_http(shared_server, text):
    with shared_server.raw() as sock:
        sock.sendall(text)
        status, headers, body = read_reply(sock)
        assert status in (400, 505), body
        assert headers["Connection"] == "close"
        assert drain(sock) == b""
    assert shared_server.get("/ping").status == 204


def test_body_longer_than_announced(shared_server):
    """What follows the announced length is the next request, and no good one."""
    with shared_server.raw() as sock:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
                     b"long v=1\nlong v=2 22\nlong v=3 33\n")
        assert read_reply(sock)[0] == 204
        assert read_reply(sock)[0] == 400
    assert shared_server.rows("SELECT count(v) FROM long")[0][1] == 1


def test_body_over_the_limit(make_server):
    server = make_server(max_body="100KiB").create()
    line = b"big v=1 1\n"
    exact = line * (100 * 1024 // len(line))
    assert server.write(exact).status == 204
    reply = server.write(line * 20000)
    assert reply.status == 413
    assert "Request Entity Too Large" in reply.error()


def test_chunked_body_over_the_limit_is_refused_while_it_comes(make_server):
    server = make_server(max_body="100KiB").create()
    with server.raw() as sock:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"1000\r\n" + b"big v=1 1\n" * 409 + b"\n" * 6 + b"\r\n"
        sent = 0
        try:
            for _ in range(100000):
                sock.sendall(piece)
                sent += 1
                if sent == 100:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert read_reply(sock)[0] == 413
    assert server.rows("SELECT count(v) FROM big") == []


def test_thousand_silent_connections(make_server):
    server = make_server().create()
    silent = [server.raw() for _ in range(1000)]
    half = [server.raw() for _ in range(100)]
    for sock in half:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 20000000\r\n\r\nm v=1")
    start = time.monotonic()
    for i in range(50):
        assert server.write("others v=%d %d" % (i, i)).status == 204
    assert time.monotonic() - start < 10
    values = server.metrics()
    assert values['busbar_connections{listener="http"}'] >= 1100
    assert values["busbar_request_memory_bytes"] < 64 << 20
    for sock in silent + half:
        sock.close()
    assert wait_until(lambda: server.metrics()['busbar_connections{listener="http"}'] < 10)


def test_max_connections(make_server):
    server = make_server(max_connections="10")
    socks = [server.raw() for _ in range(10)]
    for sock in socks:
        sock.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
        assert read_reply(sock)[0] == 204
    with server.raw() as sock:
        status, headers, body = read_reply(sock)
        assert (status, body.strip()) == (503, b'{"error":"too many connections"}')
        assert headers["Retry-After"] == "5"
    for sock in socks:
        sock.close()
    assert wait_until(lambda: server.get("/ping").status == 204)


def test_no_descriptor_left(make_server):
    """Connections beyond what the process may open wait; those that are there are served, and the
    log is not filled."""
    server = make_server(loops=1).create()
    connection = server.connection()
    assert server.get("/ping", connection=connection).status == 204
    open_files = len(os.listdir("/proc/%d/fd" % server.pid))
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (open_files + 3, limits[1]))
    socks = [server.raw() for _ in range(20)]
    for sock in socks:
        sock.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
    assert [read_reply(sock)[0] for sock in socks[:3]] == [204] * 3
    for i in range(20):
        assert server.get("/ping", connection=connection).status == 204
        time.sleep(0.05)
    assert 1 <= server.log().count("accept error") <= 4  # one in ten seconds
    for sock in socks[:10]:
        sock.close()
    assert [read_reply(sock)[0] for sock in socks[10:13]] == [204] * 3
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
    assert [read_reply(sock)[0] for sock in socks[13:]] == [204] * 7
    for sock in socks[10:]:
        sock.close()
    assert server.stop()[0] == 0


def test_request_memory_is_bounded(make_server):
    """More half-sent bodies than memory: late ones are told so, and others are served later."""
    server = make_server(request_memory="4MiB", queue_timeout="1s", read_timeout="3s").create()
    socks = []
    for _ in range(12):
        sock = server.raw()
        sock.setblocking(False)
        socks.append(sock)
    head = b"POST /write?db=test HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n"
    left = {sock: head + b"m v=1 1\n" * 150000 for sock in socks}
    statuses = {}
    end = time.monotonic() + 10
    while len(statuses) < len(socks) and time.monotonic() < end:
        for sock in socks:
            if sock in statuses:
                continue
            try:
                if left[sock]:
                    left[sock] = left[sock][sock.send(left[sock][:65536]):]
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            try:
                reply = sock.recv(4096)
                statuses[sock] = int(reply.split()[1]) if reply else 0
            except BlockingIOError:
                pass
            except ConnectionResetError:
                statuses[sock] = 0
        time.sleep(0.01)
    assert 503 in statuses.values()
    assert server.metrics()["busbar_request_memory_bytes"] <= 4 << 20
    for sock in socks:
        sock.close()
    assert wait_until(lambda: server.write("after v=1 1").status == 204)


def test_reset_connections(server):
    """Clients that vanish with a reset at any point."""
    for cut in range(0, 120, 7):
        sock = server.raw()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall((b"POST /write?db=test HTTP/1.1\r\nContent-Length: 9\r\n\r\nr v=1 100" +
                      b"GET /query?q=SHOW+DATABASES HTTP/1.1\r\n\r\n")[:cut + 1])
        sock.close()
    assert server.get("/ping").status == 204
    assert wait_until(lambda: server.metrics()['busbar_connections{listener="http"}'] == 1)


def test_client_that_reads_nothing(make_server):
    """A large result for a client that stops reading costs a bounded buffer and an end in time."""
    server = make_server(send_timeout="4s", max_queries="2").create()
    lines = "".join("wide v=%d %d\n" % (i, i) for i in range(200000))
    for i in range(5):
        assert server.write(lines.replace("wide", "wide,n=%d" % i)).status == 204
    before = server.metrics()["process_resident_memory_bytes"]
    socks = [slow_reader(server, b"SELECT v FROM wide GROUP BY n") for _ in range(2)]
    time.sleep(0.5)
    after = server.metrics()["process_resident_memory_bytes"]
    assert after - before < 64 << 20
    # Both places are lent to others while these clients are waited for.
    for _ in range(20):
        assert server.query_reply("SELECT count(v) FROM wide").status == 200
    assert server.metrics()['busbar_connections_closed_total{reason="slow"}'] == 0
    assert wait_until(
        lambda: server.metrics()['busbar_connections_closed_total{reason="slow"}'] == 2)
    for sock in socks:
        assert 0 < len(drain(sock)) < 20 << 20
        sock.close()


def test_overload_is_answered_503(make_server):
    """Queries beyond max-queries wait under 5 s, then are told to come again; writes go on."""
    server = make_server(max_queries="1", queue_timeout="1s").create()
    assert server.write("busy v=1 1").status == 204
    hog = slow_reader(server, b"SELECT count(p) FROM (SELECT percentile(v, 50) AS p FROM busy "
                              b"WHERE time < 1h GROUP BY time(1ns) fill(0))")
    time.sleep(0.3)
    start = time.monotonic()
    reply = server.query_reply("SHOW DATABASES")
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "5"
    assert "overloaded" in reply.error()
    assert 0.5 < time.monotonic() - start < 5
    assert server.write("busy v=1 1").status == 204
    hog.close()
    assert wait_until(lambda: server.query_reply("SHOW DATABASES").status == 200)


def test_many_clients_at_once(server):
    """Good clients among bad ones lose nothing."""
    stop = threading.Event()
    failures = []

    def bad():
        while not stop.is_set():
            try:
                with server.raw() as sock:
                    sock.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 500\r\n\r\nx")
            except OSError:
                pass

    def good(n):
        connection = server.connection()
        for i in range(50):
            if server.write("good,n=%d v=1 %d" % (n, i), connection=connection).status != 204:
                failures.append((n, i))
        connection.close()

    bads = [threading.Thread(target=bad) for _ in range(4)]
    goods = [threading.Thread(target=good, args=(n,)) for n in range(8)]
    for thread in bads + goods:
        thread.start()
    for thread in goods:
        thread.join()
    stop.set()
    for thread in bads:
        thread.join()
    assert failures == []
    assert server.rows("SELECT count(v) FROM good")[0][1] == 400


def rss_bytes(server):
    with open("/proc/%d/status" % server.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS:"))


class Probe:
    """A good client beside the bad ones: how long its worst answer took."""

    def __init__(self, server):
        self.server, self.worst, self.failures, self.count = server, 0, 0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = self.server.connection()
        while not self.stop.is_set():
            start = time.monotonic()
            reply = self.server.request("GET", "/ping", connection=connection)
            self.worst = max(self.worst, time.monotonic() - start)
            self.failures += reply.status != 204
            self.count += 1
            time.sleep(0.005)
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def check(self):
        assert self.count > 5 and self.failures == 0
        assert self.worst < 0.5, "worst answer to the others %.3f s" % self.worst


def test_a_hundred_million_rows_for_a_client_that_stops_reading(server):
    """An empty bucket is a row too: they are made from a few readings, and memory stays."""
    for part in range(10):
        ids = range(part * 10, part * 10 + 10)
        server.write("\n".join("wide,id=%d v=1 %d" % (i, i) for i in ids))
    server.write("wide,id=0 v=2 86400000000000")
    server.query("SELECT sum(v) FROM wide")
    before = rss_bytes(server)
    query = ("SELECT count(v) FROM wide WHERE time >= 0 AND time < 1000000s "
             "GROUP BY time(1s), id fill(0)")
    with Probe(server) as probe:
        sock = slow_reader(server, query.replace(" ", "+").replace(">", "%3E")
                           .replace("=", "%3D").replace("<", "%3C").encode())
        time.sleep(3)
        most = rss_bytes(server)
        sock.close()
        assert wait_until(
            lambda: server.metrics()['busbar_requests_running{pool="query"}'] == 0, 5)
    probe.check()
    assert most - before < 512 << 20, "%d MiB more" % ((most - before) >> 20)


def test_a_query_of_ten_megabytes(server):
    server.write("m,id=a v=1 1")
    many = " OR ".join("id = 'meter-%07d'" % i for i in range(400000))
    assert len(many) > 8 << 20
    with Probe(server) as probe:
        for text in ("SELECT v FROM m WHERE " + many, "SELECT " + "(" * (10 << 20),
                     "SELECT v FROM m WHERE v = " + "9" * (10 << 20), "x" * (10 << 20)):
            reply = server.query_reply(text, db="test")
            assert reply.status in (200, 400, 413), (reply.status, reply.body[:200])
            assert len(reply.body) < 1 << 20
    probe.check()
    assert server.rows("SELECT v FROM m", epoch="ns") == [[1, 1]]


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_form_of_many_parameters_holds_up_nobody(make_server):
    """Looking through 24 MB for a parameter that is not there is not done on the loop."""
    server = make_server(loops=1).create()
    body = b"a&" * 12000000
    replies = []
    thread = threading.Thread(target=lambda: replies.append(
        server.request("POST", "/query", body=body, headers=FORM)))
    thread.start()
    slowest = 0
    while thread.is_alive():
        start = time.monotonic()
        assert server.get("/ping").status == 204
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.01)
    assert (replies[0].status, replies[0].error()) == (400, 'missing required parameter "q"')
    assert slowest < 1


def test_great_params_are_refused(server):
    """As values in memory they would take much more than as text."""
    before = server.metrics()["process_resident_memory_bytes"]
    for params in (b'{"a":[' + b"1," * 5000000 + b"1]}",
                   b"{" + b",".join(b'"k%d":1' % i for i in range(600000)) + b"}"):
        reply = server.request("POST", "/query", body=b"q=SHOW+DATABASES&params=" + params,
                               headers=FORM)
        assert (reply.status, reply.error()) == (400, "parameter params: too long")
    assert server.metrics()["process_resident_memory_bytes"] - before < 64 << 20


def test_other_transfer_codings(server):
    """Taken for chunks alone, such a body would be another than the one that was sent."""
    for coding in (b"gzip, chunked", b"gzip"):
        with server.raw() as sock:
            sock.sendall(b"POST /write?db=test HTTP/1.1\r\nTransfer-Encoding: " + coding +
                         b"\r\n\r\n5\r\nm v=1\r\n0\r\n\r\n")
            assert read_reply(sock)[0] in (400, 501)
    assert server.query("SHOW MEASUREMENTS") == []


def test_invalid_utf8_in_tags_and_paths(server):
    """Bytes are kept as they are; JSON cannot show them and says so with U+FFFD."""
    assert server.write(b"m,id=\xff\xfe v=1 1\nm,id=\xc3\xa9 v=2 2").status == 204
    series = server.query("SELECT v FROM m GROUP BY id", epoch="ns")
    assert sorted(s["tags"]["id"] for s in series) == sorted(["\ufffd\ufffd", "\u00e9"])
    assert server.rows("SELECT v FROM m WHERE id = '\u00e9'", epoch="ns") == [[2, 2]]
    with server.raw() as sock:
        sock.sendall(b"GET /\xff\xfe HTTP/1.1\r\n\r\n")
        assert read_reply(sock)[0] in (400, 404)
    assert server.get("/query", q=b"SELECT \xff").status == 400
