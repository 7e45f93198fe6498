"""The line-protocol listener on TCP."""

import socket
import time

from busbar_e2e import wait_until


def count(server, measurement, db="energy"):
    rows = server.rows("SELECT count(v) FROM %s" % measurement, db=db)
    return rows[0][1] if rows else 0


def test_default_database_is_made(server):
    assert ["energy"] in server.rows("SHOW DATABASES")


def test_lines_and_sync(server):
    client = server.lines()
    client.send("".join("t v=%d %d\n" % (i, i) for i in range(12345)))
    assert client.sync("after 12345 lines")
    assert count(server, "t") == 12345
    client.close()


def test_sync_alone_and_many(server):
    client = server.lines()
    assert client.sync("first")
    client.send("".join("t v=%d %d\n# sync s%d\n" % (i, i, i) for i in range(500)))
    for i in range(500):
        assert client.replies.readline() == b"synced s%d\n" % i
    assert count(server, "t") == 500
    client.close()


def test_synced_lines_survive_kill(make_server):
    server = make_server()
    client = server.lines()
    client.send("".join("t v=%d %d\n" % (i, i) for i in range(20000)))
    assert client.sync("x")
    server.kill()
    client.close()
    server.restart()
    assert count(server, "t") == 20000


def test_lines_arrive_without_sync(server):
    client = server.lines()
    client.send("t v=1 1\n")
    assert wait_until(lambda: count(server, "t") == 1, 5)
    client.close()


def test_lines_before_the_end_of_the_connection(server):
    client = server.lines()
    client.send("".join("t v=%d %d\n" % (i, i) for i in range(30000)))
    client.close()
    assert wait_until(lambda: count(server, "t") == 30000)


def test_unfinished_last_line_is_refused(server):
    """A cut line might be a wrong number: it is counted, not stored."""
    client = server.lines()
    client.send("t v=1 1\nt v=2 22222")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.replies.read() == b""
    client.close()
    assert count(server, "t") == 1
    assert "ended within a line" in server.log()


def test_an_open_quote_takes_no_other_line_with_it(server):
    client = server.lines()
    client.send('t v=1 1\nt s="no end 2\nt v=3 3\n')
    assert client.sync("x")
    assert count(server, "t") == 2
    kept = server.get("/debug/rejects").json()["rejects"]
    assert [k["line"] for k in kept] == ['t s="no end 2']
    client.close()


def test_bytes_one_by_one(server):
    client = server.lines()
    for c in "t v=1 1\nt v=2 2\n# sync a b\n":
        client.send(c)
    assert client.replies.readline() == b"synced a b\n"
    assert count(server, "t") == 2
    client.close()


def test_later_lines_replace_earlier_ones(server):
    """Batches of one connection reach the log in order."""
    client = server.lines()
    client.send("".join("t v=%d 1\n" % i for i in range(100000)))
    assert client.sync("x")
    assert server.rows("SELECT v FROM t", db="energy")[0][1] == 99999
    client.close()


def test_rejected_lines_are_counted_and_logged(server):
    client = server.lines()
    client.send("t v=1 1\nnonsense\nt v=\"x\" 2\n" + "bad\n" * 1000 + "t v=3 3\n")
    assert client.sync("x"), "a rejected line does not hold up the others"
    assert count(server, "t") == 2
    values = server.metrics()
    assert values['busbar_lines_rejected_total{reason="unable to parse"}'] == 1001
    assert values['busbar_lines_rejected_total{reason="field type conflict"}'] == 1
    assert "unable to parse 'nonsense'" in server.log()
    assert len(server.log()) < 20000
    client.close()


def test_directives(server):
    server.create("other")
    client = server.lines()
    client.send("t v=1 1\n# db other\n# precision s\nt v=2 2\n# a comment\n# db energy\nt v=3 3\n")
    assert client.sync("x")
    assert server.rows("SELECT v FROM t", db="energy", epoch="ns") == [[1, 1], [3 * 10**9, 3]]
    assert server.rows("SELECT v FROM t", db="other", epoch="ns") == [[2 * 10**9, 2]]
    client.send("# db gone\nt v=4 4\nt v=5 5\n")
    assert client.sync("y")
    assert server.metrics()['busbar_lines_rejected_total{reason="not found"}'] == 2
    client.send("# precision fortnight\n")
    assert client.replies.read() == b"", "what follows would get wrong times"
    client.close()


def test_settings(make_server):
    server = make_server(line_database="feed", line_precision="s")
    client = server.lines()
    client.send("t v=1 7\n")
    assert client.sync("x")
    assert server.rows("SELECT v FROM t", db="feed", epoch="s") == [[7, 1]]
    client.close()


def test_line_over_the_limit(make_server):
    server = make_server(max_line="1KiB")
    client = server.lines()
    client.send("t v=1 1\n" + "x" * 1000000 + "\nt v=2 2\n")
    assert client.sync("x")
    assert count(server, "t") == 2
    assert server.metrics()['busbar_lines_rejected_total{reason="limit exceeded"}'] == 1
    client.close()


def test_endless_line(server):
    client = server.lines()
    for _ in range(100):
        client.send("x" * 100000)
    client.send("\nt v=1 1\n")
    assert client.sync("x")
    assert count(server, "t") == 1
    assert server.metrics()["process_resident_memory_bytes"] < 1 << 30
    client.close()


def test_producer_that_reads_no_replies_is_held_back(server):
    client = server.lines(timeout=1)
    sent = 0
    try:
        for _ in range(200):
            client.send("# sync %s\n" % ("x" * 200) * 1000)
            sent += 1
    except socket.timeout:
        pass
    assert sent < 200
    other = server.lines()
    other.send("t v=1 1\n")
    assert other.sync("x")
    other.close()
    client.close()


def test_idle_connection_is_closed(make_server):
    server = make_server(line_idle_timeout="500ms")
    client = server.lines()
    start = time.monotonic()
    assert client.replies.read() == b""
    assert 0.3 < time.monotonic() - start < 5
    client.close()


def test_many_producers(server):
    clients = [server.lines() for _ in range(50)]
    for n, client in enumerate(clients):
        client.send("".join("t,n=%d v=%d %d\n" % (n, i, i) for i in range(200)))
    for client in clients:
        assert client.sync("x")
        client.close()
    assert count(server, "t") == 10000
