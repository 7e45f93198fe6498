"""The UDP listener."""

import os
import signal
import socket

import pytest

from busbar_e2e import Server, wait_until


class Sender:
    def __init__(self, server):
        host, port = server.udp_address.rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)

    def send(self, data):
        self.socket.sendto(data.encode() if isinstance(data, str) else data, self.address)


@pytest.fixture
def listen(make_server):
    senders = []

    def start(**settings):
        server = make_server(udp="127.0.0.1:0", **settings)
        senders.append(Sender(server))
        return server, senders[-1]

    yield start
    for sender in senders:
        sender.socket.close()


def count(server, measurement="m", db="udp"):
    rows = server.rows("SELECT count(v) FROM %s" % measurement, db=db)
    return rows[0][1] if rows else 0


def test_off_by_default(make_server):
    server = make_server()
    assert server.udp_address is None
    assert ["udp"] not in server.rows("SHOW DATABASES")
    assert server.metrics()["busbar_udp_datagrams_total"] == 0


def test_datagrams_are_stored(listen):
    server, sender = listen()
    sender.send("m v=1 1")
    sender.send("m v=2 2\n# a comment\n\nm v=3 3\n")
    sender.send(b"")
    assert wait_until(lambda: count(server) == 3, 10)
    assert server.rows("SELECT v FROM m", db="udp", epoch="ns") == [[1, 1], [2, 2], [3, 3]]
    metrics = server.metrics()
    assert metrics["busbar_udp_datagrams_total"] == 3
    assert metrics["busbar_udp_bytes_total"] == len("m v=1 1m v=2 2\n# a comment\n\nm v=3 3\n")
    assert metrics["busbar_udp_batches_total"] >= 1


def test_database_and_precision(listen):
    server, sender = listen(udp_database='a "b"', udp_precision="s")
    sender.send("m v=1 7\nm v=2")
    assert wait_until(lambda: count(server, db='a "b"') == 2, 10)
    assert server.rows("SELECT v FROM m LIMIT 1", db='a "b"', epoch="ns") == [[7000000000, 1]]


def test_many_datagrams_fill_batches(listen):
    server, sender = listen(line_batch_lines=1000, udp_read_buffer="16MiB")
    for i in range(0, 20000, 20):
        sender.send("\n".join("m v=%d %d" % (t, t) for t in range(i, i + 20)))
    dropped = server.metrics()["busbar_udp_dropped_total"]
    assert wait_until(lambda: count(server) >= 20000 - 20 * dropped, 20)
    assert dropped > 0 or count(server) == 20000


def test_the_longest_datagram(listen):
    server, sender = listen()
    text = "m s=\"%s\",v=1 1" % ("x" * (65507 - len("m s=\"\",v=1 1")))
    sender.send(text)
    assert wait_until(lambda: count(server) == 1, 10)


def test_bad_lines_are_counted_and_kept(listen):
    server, sender = listen()
    sender.send("m v=1 1\nm v=oops 2\nm")
    sender.send('m s="no end 3')
    sender.send("m v=4 4")
    assert wait_until(lambda: count(server) == 2, 10)
    reasons = server.metrics()
    assert reasons['busbar_lines_rejected_total{reason="unable to parse"}'] == 3
    assert wait_until(lambda: len(server.get("/debug/rejects").json()["rejects"]) == 3, 10)
    kept = server.get("/debug/rejects").json()["rejects"]
    assert [(k["db"], k["line"]) for k in kept] == [
        ("udp", "m v=oops 2"), ("udp", "m"), ("udp", 'm s="no end 3')]
    assert "udp rejected=" in server.log()


def test_a_dropped_database(listen):
    server, sender = listen()
    server.query("DROP DATABASE udp")
    sender.send("m v=1 1")
    name = 'busbar_lines_rejected_total{reason="not found"}'
    assert wait_until(lambda: server.metrics().get(name) == 1, 10)
    server.query("CREATE DATABASE udp")
    reply = server.request("POST", "/debug/rejects", resubmit="true")
    assert reply.json()["stored"] == 1
    assert count(server) == 1


def test_stop_stores_what_has_come(listen):
    server, sender = listen(line_batch_delay="10s")
    for i in range(100):
        sender.send("m v=%d %d" % (i, i))
    code, _ = server.stop()
    assert code == 0
    server.restart()
    assert count(server) == 100


def test_what_the_system_drops_is_counted(listen):
    server, sender = listen(udp_read_buffer="4KiB")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for i in range(2000):
            sender.send("m v=%d %d" % (i, i))
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert wait_until(lambda: count(server) > 0, 10)
    sender.send("m v=1 5000")
    assert wait_until(lambda: server.rows("SELECT v FROM m WHERE time = 5000", db="udp"), 10)
    metrics = server.metrics()
    dropped = metrics["busbar_udp_dropped_total"]
    assert dropped > 0
    assert metrics["busbar_udp_datagrams_total"] + dropped == 2001
    assert count(server) == 2001 - dropped


def test_the_port_is_not_shared(listen, tmp_path):
    server, _ = listen()
    other = Server(tmp_path / "other", udp=server.udp_address)
    with pytest.raises(AssertionError, match="cannot start: listen on"):
        other.start()


def test_ipv6(make_server):
    server = make_server(udp="[::1]:0")
    sender = Sender(server)
    sender.send("m v=1 1")
    assert wait_until(lambda: count(server) == 1, 10)
    sender.socket.close()
