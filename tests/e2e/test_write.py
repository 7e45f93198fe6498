"""POST /write: the status contract, partial writes, precision."""

import pytest


def test_all_written_is_204(server):
    reply = server.write("w v=1 1\nw v=2 2")
    assert (reply.status, reply.body) == (204, b"")
    assert "Content-Length" not in reply.headers
    assert server.rows("SELECT v FROM w", epoch="ns") == [[1, 1], [2, 2]]


def test_line_endings_blank_lines_and_comments(server):
    assert server.write("\n# a comment\nw v=1 1\r\n\r\n  w v=2 2\n\n").status == 204
    assert server.rows("SELECT v FROM w", epoch="ns") == [[1, 1], [2, 2]]


def test_empty_body(server):
    assert server.write("").status == 204


def test_without_database(server):
    reply = server.request("POST", "/write", body="w v=1")
    assert (reply.status, reply.error()) == (400, "database is required")
    assert reply.headers["X-Influxdb-Error"] == "database is required"


def test_unknown_database(server):
    reply = server.write("w v=1", db="nope")
    assert (reply.status, reply.error()) == (404, 'database not found: "nope"')


def test_unknown_retention_policy(server):
    reply = server.write("w v=1", rp="nope")
    assert (reply.status, reply.error()) == (500, "retention policy not found: nope")


@pytest.mark.parametrize("precision", ["x", "S", "1s", "sec", "us", "ns ", "0"])
def test_bad_precision_runs_nothing(server, precision):
    reply = server.write("w v=1 1", precision=precision)
    assert reply.status == 400
    assert reply.error() == 'invalid precision "%s" (use n, u, ms, s, m or h)' % precision
    assert server.rows("SELECT v FROM w") == []


@pytest.mark.parametrize("precision, unit", [
    ("n", 1), ("ns", 1), ("u", 10**3), ("ms", 10**6), ("s", 10**9),
    ("m", 60 * 10**9), ("h", 3600 * 10**9)])
def test_precision(server, precision, unit):
    assert server.write("w v=1 17", precision=precision).status == 204
    assert server.rows("SELECT v FROM w", epoch="ns") == [[17 * unit, 1]]


def test_partial_write(server):
    reply = server.write("w v=1 1\nw\nw v=2 2\nw v= 3\nw v=3 3")
    assert reply.status == 400
    message = reply.error()
    assert message.startswith("partial write: unable to parse 'w': ")
    assert "unable to parse 'w v= 3': " in message
    assert message.endswith(" dropped=2")
    assert "\n" not in reply.headers["X-Influxdb-Error"]
    assert server.rows("SELECT v FROM w", epoch="ns") == [[1, 1], [2, 2], [3, 3]]


def test_beyond_retention(server):
    server.query('CREATE RETENTION POLICY day ON "test" DURATION 1d REPLICATION 1')
    old = "\n".join("w v=%d %d" % (i, i) for i in range(30))
    reply = server.write(old + "\nw v=1", rp="day")
    assert (reply.status, reply.error()) == (
        400, "partial write: points beyond retention policy dropped=30")
    server.query('DROP RETENTION POLICY day ON "test"')


def test_type_conflict(server):
    assert server.write("w v=1 1").status == 204
    reply = server.write('w v="text" 2\nw v=3 3')
    assert reply.status == 400
    assert reply.error().startswith("partial write: field type conflict: ")
    assert reply.error().endswith(" dropped=1")
    reply = server.write('w v="text" 2')
    assert reply.status == 400
    assert reply.error().startswith("partial write: field type conflict: ")
    assert reply.error().endswith(" dropped=1")
    assert server.rows("SELECT v FROM w", epoch="ns") == [[1, 1], [3, 3]]


def test_time_is_no_name(server):
    reply = server.write("w time=1 1")
    assert reply.status == 400
    assert reply.error() == ('partial write: invalid field name: input field "time" on measurement '
                             '"w" is invalid dropped=1')
    reply = server.write("w,time=x v=1 1")
    assert reply.status == 400
    assert reply.error() == ('partial write: invalid tag key: input tag "time" on measurement "w" '
                             "is invalid dropped=1")
    assert server.write("w time=1,v=5 1").status == 204


def test_all_lines_bad(server):
    reply = server.write("w\nx y z")
    assert reply.status == 400
    first, second = reply.error().split("\n")
    assert first.startswith("unable to parse 'w': ")
    assert second.startswith("unable to parse 'x y z': ")
    assert server.query("SHOW MEASUREMENTS") == []


def test_a_line_with_nul(server):
    reply = server.write(b"w v=1\x00 1")
    assert (reply.status, reply.error()) == (400, "unable to parse 'w v=1\x00 1': invalid number")
    assert b"\x00" not in reply.headers["X-Influxdb-Error"].encode()


def test_reasons_are_bounded_and_the_count_is_true(server):
    reply = server.write("w v=1 1\n" + "bad%d\n" * 50000 % tuple(range(50000)))
    assert reply.status == 400
    message = reply.error()
    assert message.endswith(" dropped=50000")
    assert message.count("unable to parse") == 20
    assert "and 49980 more lines" in message
    assert len(message) < 10000
    assert server.metrics()["busbar_points_rejected_total"] == 50000
    rejected = [v for k, v in server.metrics().items() if k.startswith("busbar_lines_rejected")]
    assert sum(rejected) == 50000


def test_long_bad_line_is_cut(server):
    reply = server.write("w " + "x" * 100000)
    assert reply.status == 400
    assert len(reply.body) < 5000


def test_times_at_the_ends(server):
    low, high = -9223372036854775806, 9223372036854775806
    reply = server.write("w v=1 %d\nw v=2 %d" % (low, high))
    assert reply.status == 204, reply.body
    assert server.rows("SELECT v FROM w", epoch="ns") == [[low, 1], [high, 2]]
    for time in (low - 1, low - 2, high + 1, 10**19, -10**19):
        reply = server.write("w v=1 %d" % time)
        assert reply.status == 400, time
    for precision in ("u", "s", "h"):
        assert server.write("w v=1 %d" % high, precision=precision).status == 400
    assert len(server.rows("SELECT v FROM w")) == 2


def test_same_point_again_replaces(server):
    for value in (1, 2, 3):
        assert server.write("w v=%d 5" % value).status == 204
    assert server.write("w v=4 5\nw v=5 5").status == 204
    assert server.rows("SELECT v FROM w", epoch="ns") == [[5, 5]]


def test_types(server):
    lines = 't f=0.1,i=-9223372036854775808i,b=true,s="a \\"quoted\\" \\\\ text" 1'
    assert server.write(lines).status == 204
    row = server.rows("SELECT f, i, b, s FROM t", epoch="ns")[0]
    assert row == [1, 0.1, -9223372036854775808, True, 'a "quoted" \\ text']


def test_tags_of_any_bytes(server):
    assert server.write('t,k\\ 1=a\\,b\\=c\\ d,ü=<&> v=1 1').status == 204
    series = server.query("SELECT v FROM t GROUP BY *")
    assert series[0]["tags"] == {"k 1": "a,b=c d", "ü": "<&>"}
    assert server.write(b"t,k=\xff\xfe v=1 1").status in (204, 400)
    assert server.get("/ping").status == 204


def test_gzip(server):
    import gzip
    reply = server.write(gzip.compress(b"z v=1 1\nz v=2 2"), headers={"Content-Encoding": "gzip"})
    assert reply.status == 204, reply.body
    assert server.rows("SELECT count(v) FROM z")[0][1] == 2


def test_gzip_damaged_or_too_large(make_server):
    import gzip
    server = make_server(max_body="1MiB").create()
    headers = {"Content-Encoding": "gzip"}
    packed = gzip.compress(b"z v=1 1\n" * 1000)
    for body in (packed[:-9], packed[:20] + b"\0\0\0" + packed[23:], b"z v=1 1", b""):
        reply = server.write(body, headers=headers)
        assert reply.status == 400, body
    bomb = gzip.compress(b"z v=1 1\n" * 10000000)
    assert len(bomb) < 1 << 20
    reply = server.write(bomb, headers=headers)
    assert reply.status == 413
    assert server.rows("SELECT v FROM z") == []
    reply = server.write("z v=1 1", headers={"Content-Encoding": "br"})
    assert reply.status == 415
