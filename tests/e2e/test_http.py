"""HTTP as such: paths, methods, headers, keep-alive, pipelining, bodies."""

import json
import re
import socket
import threading
import time

import pytest

from busbar_e2e import read_reply


def test_ping(shared_server):
    for method in ("GET", "HEAD"):
        reply = shared_server.request(method, "/ping")
        assert (reply.status, reply.body) == (204, b"")
    reply = shared_server.get("/ping", verbose="true")
    assert reply.status == 200
    assert reply.json() == {"version": reply.headers["X-Influxdb-Version"]}


def test_every_reply_has_version_and_request_id(shared_server):
    seen = set()
    for method, path in (("GET", "/ping"), ("GET", "/nowhere"), ("POST", "/write"),
                         ("GET", "/query"), ("PUT", "/query"), ("GET", "/health")):
        headers = shared_server.request(method, path).headers
        assert headers["X-Influxdb-Version"].startswith("1.8.")
        assert headers["X-Influxdb-Build"] == "Busbar"
        assert headers["Request-Id"] == headers["X-Request-Id"]
        seen.add(headers["Request-Id"])
    assert len(seen) == 6


def test_request_id_of_client_is_kept_if_fit(shared_server):
    reply = shared_server.request("GET", "/ping", headers={"X-Request-Id": "meter-run-7"})
    assert reply.headers["X-Request-Id"] == reply.headers["Request-Id"] == "meter-run-7"
    reply = shared_server.request("GET", "/ping", headers={"X-Request-Id": "x" * 500})
    assert reply.headers["X-Request-Id"] != "x" * 500


def test_health(shared_server):
    reply = shared_server.get("/health")
    assert (reply.status, reply.json()["status"]) == (200, "pass")
    assert reply.headers["Content-Type"] == "application/json"


def test_metrics(shared_server):
    text = shared_server.get("/metrics").body.decode()
    values = shared_server.metrics()
    assert values["process_resident_memory_bytes"] > 1 << 20
    assert values["process_cpu_seconds_total"] > 0
    assert values["busbar_background_idle"] in (0, 1)
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_unknown_path(shared_server):
    reply = shared_server.get("/nowhere")
    assert reply.status == 404
    assert reply.error() == reply.headers["X-Influxdb-Error"] == "no such path: /nowhere"
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/query", "GET, POST"), ("DELETE", "/write", "POST"), ("GET", "/write", "POST"),
    ("POST", "/ping", "GET, HEAD"), ("GET", "/debug/flush", "POST")])
def test_wrong_method(shared_server, method, path, allow):
    reply = shared_server.request(method, path)
    assert reply.status == 405
    assert reply.headers["Allow"] == allow
    assert "method not allowed" in reply.error()


def test_keep_alive(shared_server):
    connection = shared_server.connection()
    for _ in range(5):
        assert shared_server.request("GET", "/ping", connection=connection).status == 204
        sock = connection.sock
        assert sock is not None
    assert shared_server.request("POST", "/nowhere", body=b"x" * 1000,
                                 connection=connection).status == 404
    assert connection.sock is sock, "a refused request with a short body keeps its connection"
    reply = shared_server.request("GET", "/ping", headers={"Connection": "close"},
                                  connection=connection)
    assert reply.headers["Connection"] == "close"
    connection.close()


def test_http_1_0(shared_server):
    with shared_server.raw() as sock:
        sock.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
        assert read_reply(sock)[0] == 204
        assert sock.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(shared_server):
    requests = []
    for i in range(200):
        if i % 3 == 0:
            requests.append("GET /ping HTTP/1.1\r\nX-Request-Id: r%d\r\n\r\n" % i)
        elif i % 3 == 1:
            line = "pipelined v=%d %d" % (i, i + 1)
            requests.append("POST /write?db=test HTTP/1.1\r\nX-Request-Id: r%d\r\n"
                            "Content-Length: %d\r\n\r\n%s" % (i, len(line), line))
        else:
            requests.append("GET /query?q=SHOW+DATABASES HTTP/1.1\r\nX-Request-Id: r%d\r\n\r\n" % i)
    with shared_server.raw() as sock:
        sock.sendall("".join(requests).encode())
        for i in range(200):
            status, headers, _ = read_reply(sock)
            assert headers["X-Request-Id"] == "r%d" % i
            assert status == (200 if i % 3 == 2 else 204)


@pytest.mark.parametrize("late", [False, True])
def test_empty_lines_between_requests(shared_server, late):
    """Some clients end a body by a line break that they did not announce."""
    request = (b"POST /query?db=test HTTP/1.1\r\nContent-Length: 16\r\nContent-Type: "
               b"application/x-www-form-urlencoded\r\n\r\nq=SHOW+DATABASES")
    with shared_server.raw() as sock:
        sock.sendall(request + (b"" if late else b"\r\n\r\n"))
        assert read_reply(sock)[0] == 200
        sock.sendall(b"\r\n" if late else b"")
        sock.sendall(b"\n" + request)
        assert read_reply(sock)[0] == 200
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_pipelined_and_half_closed(shared_server):
    with shared_server.raw() as sock:
        sock.sendall(b"GET /ping HTTP/1.1\r\n\r\n" * 3)
        sock.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert read_reply(sock)[0] == 204
        assert read_reply(sock) is None


def test_request_byte_by_byte(shared_server):
    line = b"slow v=1 1"
    request = (b"POST /write?db=test HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" %
               (len(line), line))
    with shared_server.raw() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(request)):
            sock.sendall(request[i:i + 1])
        assert read_reply(sock)[0] == 204


def test_chunked_body(shared_server):
    with shared_server.raw() as sock:
        sock.sendall(b"POST /write?db=test HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"chunked v=1 1\nchun", b"ked v=2 2", b"\n" * 10):
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(0.01)
        sock.sendall(b"0\r\n\r\n")
        assert read_reply(sock)[0] == 204
    assert shared_server.rows("SELECT count(v) FROM chunked")[0][1] == 2


def test_expect_100_continue(shared_server):
    head = b"POST /write?%s HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n"
    with shared_server.raw() as sock:
        sock.sendall(head % b"db=test")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"e v=1 1\n")
        assert read_reply(sock)[0] == 204
    with shared_server.raw() as sock:
        sock.sendall(head % b"db=test&precision=fortnight")
        status, headers, _ = read_reply(sock)
        assert (status, headers["Connection"]) == (400, "close")


def test_upgrade_is_not_taken(shared_server):
    with shared_server.raw() as sock:
        sock.sendall(b"GET /ping HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                     b"Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\nGET /ping HTTP/1.1\r\n\r\n")
        assert read_reply(sock)[0] == 204
        assert read_reply(sock)[0] == 204


def test_absolute_url(shared_server):
    with shared_server.raw() as sock:
        sock.sendall(b"GET http://meters.example/ping?verbose=1 HTTP/1.1\r\n\r\n")
        assert read_reply(sock)[0] == 200


def test_debug_endpoints(shared_server):
    assert shared_server.request("POST", "/debug/flush").status == 204
    assert shared_server.request("POST", "/debug/compact", full="true").status == 204
    assert shared_server.request("POST", "/debug/compact", pause="perhaps").status == 400
    assert shared_server.request("POST", "/debug/compact", pause="true").status == 204
    assert shared_server.metrics()["busbar_compaction_paused"] == 1
    assert shared_server.request("POST", "/debug/compact").status == 503
    assert shared_server.request("POST", "/debug/compact", pause="false").status == 204
    assert shared_server.request("POST", "/debug/compact").status == 204


def test_concurrent_small_writes_share_syncs(server):
    """Group commit: many small writes at one time need far fewer syncs than writes."""
    before = server.metrics()

    def write(n):
        connection = server.connection()
        for i in range(20):
            assert server.write("g,n=%d v=%d %d" % (n, i, i), connection=connection).status == 204
        connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = server.metrics()
    assert after["busbar_points_written_total"] - before["busbar_points_written_total"] == 640
    assert after["busbar_wal_syncs_total"] - before["busbar_wal_syncs_total"] < 640
    assert server.rows("SELECT count(v) FROM g") == [["1970-01-01T00:00:00Z", 640]]


def test_json_errors_are_escaped(shared_server):
    reply = shared_server.get('/a<b>&"c')
    assert reply.status in (400, 404)
    json.loads(reply.body)
    reply = shared_server.write("m v=1", db='no "such" <db>')
    assert reply.status == 404
    assert reply.error() == 'database not found: "no "such" <db>"'
