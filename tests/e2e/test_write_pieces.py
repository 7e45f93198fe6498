"""POST /write of bodies that are longer than one piece: the same answers as of one that is not, and
memory that does not depend on how long they are."""

import gzip
import os
import random
import socket
import struct
import threading
import time

import pytest

from busbar_e2e import read_reply, wait_until

PIECE = 4096


def make_text(size, seed=1):
    """Lines of all kinds, some of them bad: (text, good lines, bad lines). Each string holds
    newlines, so that a piece may not end at just any of them."""
    rng = random.Random(seed)
    lines, good, bad, at = [], 0, 0, 0
    while at < size:
        kind = rng.randrange(10)
        time_ns = 1000 + len(lines)
        if kind == 0:
            line = "p,d=%d bad" % rng.randrange(9)
            bad += 1
        elif kind == 1:
            line = "p v=\"conflict\\\"\n\n\" %d" % time_ns
            bad += 1
        elif kind == 2:
            line = "# a comment, \" unbalanced"
        else:
            line = 'p,d=%d v=%d,s="%s\n q v=1 1\n\\"%s" %d\r' % (
                rng.randrange(9), len(lines), "x" * rng.randrange(60), "y" * rng.randrange(99),
                time_ns)
            good += 1
        lines.append(line)
        at += len(line) + 1
    return ("p,d=0 v=1 1\n" + "\n".join(lines)).encode(), good + 1, bad


def head(length, extra=""):
    how = "Transfer-Encoding: chunked" if length is None else "Content-Length: %d" % length
    return ("POST /write?db=test HTTP/1.1\r\n%s%s\r\n\r\n" % (how, extra)).encode()


def post(server, pieces, extra="", chunked=False):
    """Send a body in these pieces, each by a write of its own; (status, headers, body)."""
    with server.raw() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(head(None if chunked else sum(map(len, pieces)), extra))
        for piece in pieces:
            if chunked:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            sock.sendall(piece)
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        return read_reply(sock)


def everything(server):
    return server.query("SELECT * FROM /.*/ GROUP BY *", epoch="ns")


@pytest.fixture
def small(make_server):
    return make_server(write_piece=str(PIECE)).create()


def what_a_whole_one_gives(make_server, text):
    """Reply and rows of a server that takes the text as one."""
    server = make_server(write_piece="16MiB").create()
    reply = server.write(text)
    frames = server.metrics()["busbar_batches_written_total"]
    assert frames == 1
    return (reply.status, reply.body), everything(server)


def test_a_long_body_is_answered_as_a_short_one(make_server, small):
    text, good, bad = make_text(60 * PIECE)
    (status, body), rows = what_a_whole_one_gives(make_server, text)
    assert status == 400 and b"partial write: " in body
    assert b"dropped=%d" % bad in body

    def check(reply):
        assert (reply[0], reply[2]) == (status, body)
        assert everything(small) == rows
        small.query("DROP MEASUREMENT p")

    check(post(small, [text]))
    assert small.metrics()["busbar_batches_written_total"] > 30
    assert small.metrics()["busbar_points_rejected_total"] == bad
    rejected = [v for k, v in small.metrics().items() if k.startswith("busbar_lines_rejected")]
    assert sum(rejected) == bad
    check(post(small, [text[i:i + 1000] for i in range(0, len(text), 1000)], chunked=True))
    packed = gzip.compress(text)
    check(post(small, [packed], "\r\nContent-Encoding: gzip"))
    members = b"".join(gzip.compress(text[i:i + 7777]) for i in range(0, len(text), 7777))
    check(post(small, [members[i:i + 501] for i in range(0, len(members), 501)],
               "\r\nContent-Encoding: gzip", chunked=True))


def test_any_cut_of_the_stream_gives_the_same(make_server, small):
    text, good, bad = make_text(3 * PIECE, seed=2)
    whole, rows = what_a_whole_one_gives(make_server, text)
    packed = gzip.compress(text[:5000]) + gzip.compress(text[5000:])
    rng = random.Random(3)
    for n in range(120):
        body, extra = (packed, "\r\nContent-Encoding: gzip") if n % 2 else (text, "")
        cuts = sorted({0, len(body), *(rng.randrange(len(body)) for _ in range(1 + n % 3))})
        pieces = [body[a:b] for a, b in zip(cuts, cuts[1:])]
        reply = post(small, pieces, extra, chunked=n % 4 >= 2)
        assert (reply[0], reply[2]) == whole, cuts
        if n % 10 == 0:
            assert everything(small) == rows, cuts
            small.query("DROP MEASUREMENT p")
    assert everything(small) == rows


def test_up_to_one_piece_it_is_all_or_nothing(small):
    line = b"m v=1 1\n"
    fits = line * (PIECE // len(line))
    assert len(fits) == PIECE
    for body in ([fits], [fits[:9], fits[9:]]):
        for chunked in (False, True):
            before = small.metrics()["busbar_batches_written_total"]
            assert post(small, body, chunked=chunked)[0] == 204
            assert small.metrics()["busbar_batches_written_total"] == before + 1
    packed = gzip.compress(fits)
    before = small.metrics()["busbar_batches_written_total"]
    assert post(small, [packed], "\r\nContent-Encoding: gzip")[0] == 204
    assert small.metrics()["busbar_batches_written_total"] == before + 1


def test_all_lines_bad(small):
    reply = post(small, [b"worse\n" * 5000])
    assert reply[0] == 400 and b"partial write" not in reply[2]
    assert reply[2].count(b"unable to parse 'worse'") == 20
    assert b"and 4980 more lines" in reply[2]


def test_precision_database_and_policy_hold_for_all_pieces(small):
    small.query("CREATE RETENTION POLICY other ON test DURATION INF REPLICATION 1")
    text = "".join("m v=%d %d\n" % (i, i) for i in range(2000))
    assert small.write(text, rp="other", precision="s").status == 204
    assert small.rows("SELECT count(v), last(v) FROM other.m", epoch="s") == [[0, 2000, 1999]]
    assert small.rows("SELECT last(v) FROM other.m", epoch="s") == [[1999, 1999]]
    for reply in (small.write(text, db="nope"), small.write(text, precision="x"),
                  small.request("POST", "/write", body=text)):
        assert reply.status in (400, 404) and "stored" not in reply.error()
    before = small.metrics()["busbar_points_written_total"]
    assert small.write(text, rp="nope").status == 500
    assert small.metrics()["busbar_points_written_total"] == before


def test_faults_of_the_text_and_of_the_request(small):
    """The first line that parses may stand in a piece far behind those that do not."""
    bad = "bad\n" * 5000
    for text, status in ((bad, 400), (bad + "m v=1 1\n", 500), ("#\n" * 5000, 500)):
        reply = small.write(text, rp="nope")
        assert reply.status == status, reply.error()
        assert ("retention policy not found: nope" == reply.error()) == (status == 500)
    reply = small.write(bad + "m v=1 1\n", consistency="most")
    assert (reply.status, reply.error()) == (400, "invalid consistency level")
    assert small.query("SHOW SERIES") == []


def test_lines_without_a_time_share_one(small):
    assert small.write("".join("m,d=%d v=1\n" % i for i in range(2000))).status == 204
    rows = small.rows("SELECT count(v) FROM m", epoch="ns")
    times = {row[0] for row in small.rows("SELECT v FROM m", epoch="ns")}
    assert rows[0][1] == 2000 and len(times) == 1


def test_a_line_of_many_pieces(small):
    long = b'm s="' + b"x\n" * 30000 + b'" 5\n'
    reply = post(small, [b"m v=1 1\n", long, b"m v=2 2\n"])
    assert reply[0] == 204, reply
    assert small.rows("SELECT s FROM m", epoch="ns") == [[5, "x\n" * 30000]]
    reply = post(small, [b"m v=1 1\nm s=\"", b"x" * 1200000, b"\nm v=3 3\n"])
    assert reply[0] == 400
    assert b"max line length exceeded: more than 1048576 bytes dropped=1" in reply[2]
    assert small.rows("SELECT count(v) FROM m")[0][1] == 3
    assert small.metrics()["process_resident_memory_peak_bytes"] < 400e6


def test_larger_than_max_body(make_server):
    """What is announced is refused before anything is stored; what is not says how much was."""
    server = make_server(write_piece=str(PIECE), max_body="64KiB").create()
    text = b"".join(b"m v=1 %d\n" % (1000000 + i) for i in range(10000))
    reply = post(server, [text])
    assert reply[0] == 413 and b"stored" not in reply[2]
    assert server.rows("SELECT count(v) FROM m") == []
    for body, extra in ((text, ""), (gzip.compress(text), "\r\nContent-Encoding: gzip")):
        status, headers, error = post(server, [body], extra, chunked=True)
        assert status == 413
        stored = int(error.split(b"Large; ")[1].split(b" points before that are stored")[0])
        assert 3000 < stored < (64 << 10) // 14
        assert server.rows("SELECT count(v) FROM m", epoch="ns") == [[0, stored]]
        server.query("DROP MEASUREMENT m")
    fits = text[:65536 - 65536 % 14]
    assert post(server, [fits], chunked=True)[0] == 204
    assert post(server, [gzip.compress(fits)], "\r\nContent-Encoding: gzip")[0] == 204


def test_gzip_damaged_in_the_middle(small):
    text = b"".join(b"m v=%d %d\n" % (i, i) for i in range(30000))
    packed = gzip.compress(os.urandom(0) + text)
    broken = packed[:len(packed) // 2] + b"\xff" * 300 + packed[len(packed) // 2 + 300:]
    reply = post(small, [broken], "\r\nContent-Encoding: gzip")
    assert reply[0] == 400 and b"flate: corrupt input before offset " in reply[2]
    stored = int(reply[2].split(b"; ")[-1].split(b" points before that are stored")[0])
    assert small.rows("SELECT count(v) FROM m")[0][1] == stored > 0
    reply = post(small, [packed[:-4]], "\r\nContent-Encoding: gzip")
    assert reply[0] == 400 and b"unexpected EOF" in reply[2]


def wait_for_rows(server, least):
    def there():
        rows = server.rows("SELECT count(v) FROM m")
        return rows and rows[0][1] >= least
    assert wait_until(there)


LINES = [b"m v=%d %d\n" % (i, i) for i in range(5000)]


def stored_prefix(server):
    """What is stored of LINES: it must be a beginning of them."""
    rows = server.rows("SELECT v FROM m", epoch="ns")
    assert rows == [[i, i] for i in range(len(rows))]
    return len(rows)


@pytest.mark.parametrize("how", ["close", "reset", "half-close", "bad-chunk"])
def test_client_that_goes_in_the_middle(small, how):
    text = b"".join(LINES)
    with small.raw() as sock:
        sock.sendall(head(None) + b"%x\r\n" % len(text) + text[:40000])
        wait_for_rows(small, 2500)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half-close":
            sock.shutdown(socket.SHUT_WR)
            status, _, body = read_reply(sock)
            assert status == 400 and b"the request ended in the middle; " in body
            assert b"; %d points before that are stored" % stored_prefix(small) in body
        elif how == "bad-chunk":
            sock.sendall(text[40000:] + b"\r\nxyz\r\n")
            status, _, body = read_reply(sock)
            assert status == 400 and b"malformed request" in body
            assert b"; %d points before that are stored" % stored_prefix(small) in body
    assert wait_until(lambda: small.metrics()['busbar_connections{listener="http"}'] == 1)
    assert 2500 <= stored_prefix(small) < 5000
    memory = small.metrics()["busbar_request_memory_bytes"]
    assert memory < 4 << 20
    assert post(small, [text])[0] == 204
    assert stored_prefix(small) == 5000, "sending it again is harmless"


def test_client_that_stops_in_the_middle(make_server):
    server = make_server(write_piece=str(PIECE), read_timeout="700ms").create()
    text = b"".join(LINES)
    with server.raw() as sock:
        sock.sendall(head(len(text)) + text[:40000])
        status, headers, body = read_reply(sock)
        assert (status, headers["Connection"]) == (408, "close")
        assert b"did not arrive in time; %d points before" % stored_prefix(server) in body


def test_killed_in_the_middle(small):
    text = b"".join(LINES)
    with small.raw() as sock:
        sock.sendall(head(len(text)) + text[:40000])
        wait_for_rows(small, 2500)
        seen = stored_prefix(small)
        small.kill()
    small.restart()
    assert seen <= stored_prefix(small) < 5000
    assert post(small, [text])[0] == 204
    small.kill()
    small.restart()
    assert stored_prefix(small) == 5000, "204 means that all pieces are on disk"


def test_stop_lets_a_body_come_to_its_end(make_server):
    server = make_server(write_piece=str(PIECE), drain_timeout="20s").create()
    text = b"".join(LINES)
    with server.raw() as sock:
        sock.sendall(head(len(text)) + text[:40000])
        wait_for_rows(server, 2500)
        server.process.terminate()
        time.sleep(0.2)
        sock.sendall(text[40000:])
        assert read_reply(sock)[0] == 204
    assert server.process.wait(30) == 0
    server.restart()
    assert stored_prefix(server) == 5000


def test_pipelined_behind_a_long_body(small):
    text = b"".join(LINES)
    request = head(len(text)) + text
    with small.raw() as sock:
        sender = threading.Thread(target=sock.sendall, args=(
            request * 3 + b"GET /ping HTTP/1.1\r\n\r\n",))
        sender.start()
        for _ in range(4):
            status, _, _ = read_reply(sock)
            assert status == 204
        sender.join()
    assert stored_prefix(small) == 5000


def test_memory_does_not_depend_on_the_length(make_server):
    """Eight bodies of 60 MB at once, as gzip and plain, in 24 MiB for requests."""
    server = make_server(max_body="1GiB", request_memory="24MiB", write_piece="1MiB",
                         memory="600MiB", queue_timeout="60s").create()
    block = b"".join(b"big,d=%d v=%d.5 %d\n" % (i % 100, i % 1000, 10**18 + i)
                     for i in range(60000))
    packed = gzip.compress(block, 1)
    count = 60000000 // len(block)
    replies = []

    def client(n):
        if n % 2:
            replies.append(post(server, [packed] * count, "\r\nContent-Encoding: gzip",
                                chunked=True)[0])
        else:
            replies.append(post(server, [block] * (count // 4))[0])

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, server.metrics()["busbar_request_memory_bytes"])
        time.sleep(0.05)
    assert replies == [204] * 8
    assert peak <= 24 << 20
    assert server.rows("SELECT count(v) FROM big")[0][1] == 60000


@pytest.mark.parametrize("memory", ["1MiB", "3MiB"])
def test_little_memory_makes_pieces_smaller(make_server, memory):
    """A body is longer than all memory for requests, and a piece as it is by default too."""
    server = make_server(request_memory=memory).create()
    text = b"".join(b"little,d=%d v=%d.5 %d\n" % (i % 100, i, 10**18 + i) for i in range(150000))
    assert len(text) > 5 << 20
    for chunked in (False, True):
        assert post(server, [text], chunked=chunked)[0] == 204
    assert post(server, [gzip.compress(text, 1)], "\r\nContent-Encoding: gzip")[0] == 204
    assert server.rows("SELECT count(v) FROM little")[0][1] == 150000
