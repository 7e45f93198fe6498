"""The status contract, row by row; each test is named after its row of the table."""

import gzip
import json
import os
import resource
import socket
import time
import urllib.parse

import pytest

from busbar_e2e import wait_until

GIB = 1 << 30


def must(reply, status, error=None):
    """The status; of an error its text, in the body and in the header, and what every reply has."""
    assert reply.status == status, reply.body
    assert reply.headers["X-Influxdb-Version"].startswith("1.8.")
    assert reply.headers["X-Request-Id"] == reply.headers["Request-Id"] != ""
    if status < 400:
        return reply
    assert reply.headers["Content-Type"] == "application/json"
    assert list(reply.json()) == ["error"]
    first = reply.error().split("\n")[0]
    assert reply.headers["X-Influxdb-Error"].startswith(first[:200])
    if error is not None:
        assert error in reply.error(), reply.error()
    if status == 503:
        assert int(reply.headers["Retry-After"]) > 0
    return reply


def count(server, measurement="m"):
    rows = server.rows("SELECT count(v) FROM %s" % measurement)
    return rows[0][1] if rows else 0


def test_all_written(server):
    reply = must(server.write("m v=1 1\nm v=2 2"), 204)
    assert reply.body == b"" and count(server) == 2
    must(server.write(gzip.compress(b"m v=3 3"), headers={"Content-Encoding": "gzip"}), 204)
    server.kill()
    server.restart()
    assert count(server) == 3, "204 means on disk"


def test_write_without_db_or_to_an_unknown_db(server):
    must(server.request("POST", "/write", body="m v=1 1"), 400, "database is required")
    must(server.write("m v=1 1", db="x"), 404, 'database not found: "x"')
    reply = must(server.query_reply("SELECT v FROM m", db="x"), 200)
    assert reply.json()["results"][0]["error"] == "database not found: x"


def test_some_lines_bad(server):
    reply = must(server.write("m v=1 1\nbad\nm v=2 2\nm v=oops 3\n"), 400)
    assert reply.error() == ("partial write: unable to parse 'bad': missing fields\n"
                             "unable to parse 'm v=oops 3': invalid boolean dropped=2")
    assert count(server) == 2


def test_type_conflict(server):
    must(server.write("m v=1 1"), 204)
    reply = must(server.write('m v="x" 2\nm v=3 3\nm v=t 4'), 400)
    assert reply.error().startswith("partial write: ") and reply.error().endswith(" dropped=2")
    assert reply.error().count('input field "v" on measurement "m" is type') == 2
    assert count(server) == 2


def test_outside_retention(server):
    server.query("CREATE RETENTION POLICY short ON test DURATION 1d REPLICATION 1")
    now = int(time.time())
    reply = must(server.write("m v=1 %d\nm v=2 1000\nm v=3 2000" % now, rp="short", precision="s"),
                 400)
    assert reply.error().startswith("partial write: ") and reply.error().endswith(" dropped=2")
    assert server.rows("SELECT count(v) FROM short.m")[0][1] == 1


def test_all_lines_bad(server):
    reply = must(server.write("bad\nworse,"), 400)
    lines = reply.error().split("\n")
    assert lines[0] == "unable to parse 'bad': missing fields"
    assert lines[1].startswith("unable to parse 'worse,': ")
    assert "dropped" not in reply.error()


def test_body_over_the_limit(make_server):
    server = make_server(max_body="4KiB").create()
    text = b"m v=1 1\n" * 600
    must(server.write(text), 413, "Request Entity Too Large")
    must(server.write(gzip.compress(text), headers={"Content-Encoding": "gzip"}), 413)
    assert count(server) == 0, "nothing of it has been stored"
    fits = b"m v=1 1\n" * 512
    assert len(fits) == 4096
    must(server.write(fits), 204)
    must(server.write(gzip.compress(fits), headers={"Content-Encoding": "gzip"}), 204)


@pytest.fixture
def guarded(make_server):
    """One that asks who comes: root may do all, ann may read the database test."""
    server = make_server(auth_enabled="true")
    reply = server.query_reply("CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES; "
                               "CREATE DATABASE test; CREATE USER ann WITH PASSWORD 'a'; "
                               "GRANT READ ON test TO ann")
    assert reply.status == 200, reply.body
    return server


def test_unauthorised(guarded):
    for headers in ({}, {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="},
                    {"Authorization": "Token nobody:nothing"}):
        for path in ("/write", "/query", "/api/v2/write", "/debug/status"):
            method = "GET" if path.startswith("/debug") else "POST"
            reply = must(guarded.request(method, path, body="m v=1 1", headers=headers), 401)
            assert reply.headers["WWW-Authenticate"] == 'Basic realm="InfluxDB"'
    must(guarded.write("m v=1 1", u="root", p="a"), 401, "authorization failed")
    must(guarded.write("m v=1 1", u="root", p="r"), 204)


def test_not_allowed(guarded):
    must(guarded.write("m v=1 1", u="ann", p="a"), 403,
         '"ann" user is not authorized to write to database "test"')
    must(guarded.get("/query", q="DROP DATABASE test", u="ann", p="a"), 403,
         "error authorizing query: ann not authorized to execute statement 'DROP DATABASE test', "
         "requires admin privilege")
    must(guarded.get("/debug/rejects", u="ann", p="a"), 403, "not an administrator")
    must(guarded.get("/query", q="SELECT v FROM m", db="test", u="ann", p="a"), 200)


def own_address():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return sock.getsockname()[0]


def test_forbidden(make_server):
    """What is for operators on the machine itself."""
    address = own_address()
    server = make_server(http="0.0.0.0:0")
    must(server.request("POST", "/debug/flush"), 204)
    if address is not None and not address.startswith("127."):
        connection = server.connection()
        connection.host = address
        must(server.request("POST", "/debug/flush", connection=connection), 403, "this machine")
        connection.close()


def test_overload_of_queries(make_server):
    server = make_server(max_queries="1").create()
    must(server.write("busy v=1 1"), 204)
    q = ("SELECT count(a) FROM (SELECT mean(v) AS a FROM busy WHERE time >= 0 AND time < 1h "
         "GROUP BY time(1u) fill(0))")  # 3,600,000,000 intervals: it computes until it is canceled
    with server.raw() as hog:
        hog.sendall(b"GET /query?db=test&q=%s HTTP/1.1\r\n\r\n" %
                    urllib.parse.quote_plus(q).encode())
        assert wait_until(lambda: server.metrics()['busbar_requests_running{pool="query"}'] == 1)
        start = time.monotonic()
        must(server.query_reply("SHOW DATABASES"), 503, "overloaded")
        assert 3 < time.monotonic() - start < 5
        must(server.write("m v=1 1"), 204)
    assert wait_until(lambda: server.query_reply("SHOW DATABASES").status == 200)


def test_overload_of_writes(make_server):
    server = make_server(request_memory="3MiB").create()
    hogs = [server.raw() for _ in range(5)]
    for hog in hogs: # none has sent a piece
        hog.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 350000\r\n\r\n" +
                    b"m v=1 1\n" * 40000)
    assert wait_until(lambda: server.metrics()["busbar_request_memory_bytes"] >= 5 << 19)
    start = time.monotonic()
    must(server.write("m v=1 1\n" + "#" * 800000), 503, "overloaded")
    assert 3 < time.monotonic() - start < 5
    for hog in hogs:
        hog.close()
    assert wait_until(lambda: server.write("m v=1 1\n" * 150000).status == 204)


def free_bytes(path):
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


def test_disk_full(make_server, tmp_path):
    """A file takes what the server has to leave free, and goes again."""
    free = free_bytes(tmp_path)
    if free < 8 * GIB:
        reserve = "60TiB"
    else:
        reserve = str(free - 2 * GIB)
    server = make_server().create()
    must(server.write("m v=1 1"), 204)
    server.stop()
    server.settings["disk_reserve"] = reserve
    server.restart()
    ballast = tmp_path / "ballast"
    with open(ballast, "wb") as f:
        if reserve != "60TiB":
            os.posix_fallocate(f.fileno(), 0, 4 * GIB)
    assert wait_until(lambda: server.write("m v=2 2").status == 503)
    must(server.write("m v=3 3"), 503, "no space left on device")
    rows = server.rows("SELECT v FROM m", epoch="ns")
    assert rows[0] == [1, 1], "queries go on"
    server.query("DELETE FROM m WHERE time = 1")
    assert [1, 1] not in server.rows("SELECT v FROM m", epoch="ns"), "deletions go on"
    os.unlink(ballast)
    if reserve == "60TiB":
        server.stop()
        del server.settings["disk_reserve"]
        server.restart()
    assert wait_until(lambda: server.write("m v=4 4").status == 204), "it recovers by itself"
    assert [4, 4] in server.rows("SELECT v FROM m", epoch="ns")


def must_be_read_only(server):
    """Writes and all that changes something are refused with the reason, queries go on."""
    reply = must(server.write("m v=9 9"), 503, "read-only")
    assert "Input/output error" in reply.error()
    must(server.write("m v=9 9\n" * 500000), 503, "read-only")
    for statement in ("CREATE DATABASE other", "DELETE FROM m", "DROP MEASUREMENT m"):
        results = must(server.query_reply(statement, db="test"), 200).json()["results"]
        assert "read-only" in results[0]["error"], statement
    assert server.rows("SELECT v FROM m", epoch="ns") == [[1, 1]], "queries go on"
    assert server.metrics()["busbar_read_only"] == 1
    health = server.get("/health")
    assert (health.status, health.json()["status"]) == (503, "fail")
    lines = server.lines()
    lines.send("m v=9 9\n")
    assert not lines.sync("token"), "what is not on disk is not said to be"
    lines.close()


def test_read_only_after_a_failed_sync(make_faulty):
    """One fdatasync fails, and no retry pretends: a disk that says it is well again has lost what
    it did not write (the kernel drops dirty pages), so the log stays closed until a restart."""
    server = make_faulty().create()
    must(server.write("m v=1 1"), 204)
    server.disk("sync=EIO")
    reply = must(server.write("m v=2 2"), 503)
    assert "Input/output error" in reply.error()
    must_be_read_only(server)
    server.disk("")
    must_be_read_only(server)
    server.kill()
    server.restart()
    assert server.rows("SELECT v FROM m", epoch="ns")[0] == [1, 1]
    assert [9, 9] not in server.rows("SELECT v FROM m", epoch="ns")
    must(server.write("m v=3 3"), 204)
    assert server.rows("SELECT v FROM m", epoch="ns")[-1] == [3, 3]


def test_a_write_that_the_kernel_refuses(server):
    """What was acknowledged stays, queries go on; this one runs below sanitizers, too."""
    must(server.write("m v=1 1"), 204)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
    replies = [server.write("m v=2 %d" % i) for i in range(2, 5)]
    for reply in replies:
        must(reply, 503)
    assert server.rows("SELECT v FROM m", epoch="ns") == [[1, 1]]
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    server.kill()
    server.restart()
    must(server.write("m v=3 3"), 204)
    rows = server.rows("SELECT v FROM m", epoch="ns")
    assert rows[0] == [1, 1] and rows[-1] == [3, 3]


def test_a_statement_of_a_query_fails(server):
    server.write("m v=1 1")
    reply = must(server.query_reply("SHOW DATABASES; SELECT v FROM x.y.z; SHOW DATABASES"), 200)
    results = reply.json()["results"]
    assert "series" in results[0] and "error" in results[1]
    assert [r["statement_id"] for r in results] == [0, 1, 2]
    assert results[2]["error"] == "not executed"


def test_a_parse_error_is_400(server):
    server.write("m v=1 1")
    must(server.query_reply("DELETE FROM m; SELEC", db="test"), 400, "error parsing query: ")
    assert count(server) == 1, "nothing has run"
    must(server.query_reply(""), 400, 'missing required parameter "q"')


@pytest.mark.parametrize("precision", ["x", "sec", "N", "1"])
def test_a_bad_precision_is_400_and_nothing_runs(server, precision):
    must(server.write("m v=1 1", precision=precision), 400, "invalid precision")
    assert count(server) == 0


def test_never_429(server):
    """No case above gave it, and /metrics has not seen one."""
    assert 'status="429"' not in json.dumps(list(server.metrics()))
