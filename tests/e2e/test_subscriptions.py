"""Subscriptions: kept over restarts; what is written goes on to their destinations."""

import http.server
import socket
import ssl
import subprocess
import threading
import time

from busbar_e2e import wait_until
from busbar_tool import busbar_path


class Listener:
    """A destination over HTTP. `answer` is a status, or what is done with the handler instead."""

    def __init__(self, answer=204, context=None):
        self.answer = answer
        self.requests = []  # (path, headers, body)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                if callable(outer.answer):
                    outer.answer(self)
                    return
                self.send_response(outer.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self):
        return sorted(b"".join(body for _, _, body in self.requests).splitlines())

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    return sock, "udp://127.0.0.1:%d" % sock.getsockname()[1]


def closed_port():
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def subscribe(server, mode, *urls, name="s", policy="autogen"):
    server.query('CREATE SUBSCRIPTION "%s" ON "test"."%s" DESTINATIONS %s %s'
                 % (name, policy, mode, ", ".join("'%s'" % u for u in urls)))


def destinations(server):
    """What SHOW STATS has: (points, failures) by destination, and the counters of them all."""
    each, total = {}, None
    for series in server.query("SHOW STATS FOR 'subscriber'"):
        if "tags" in series:
            each[series["tags"]["destination"]] = tuple(series["values"][0])
        else:
            total = dict(zip(series["columns"], series["values"][0]))
    return each, total


def test_kept_over_restarts(server):
    server.create()
    subscribe(server, "ALL", "udp://127.0.0.1:9", "http://u:p@[::1]:1/x")
    subscribe(server, "ANY", "https://h:1", name="t")
    shown = [{"name": "test", "columns": ["retention_policy", "name", "mode", "destinations"],
              "values": [["autogen", "s", "ALL", ["udp://127.0.0.1:9", "http://u:p@[::1]:1/x"]],
                         ["autogen", "t", "ANY", ["https://h:1"]]]}]
    assert server.query("SHOW SUBSCRIPTIONS") == shown
    server.kill()
    server.start()
    assert server.query("SHOW SUBSCRIPTIONS") == shown
    server.query("DROP SUBSCRIPTION s ON test.autogen")
    del shown[0]["values"][0]
    server.stop()
    server.start()
    assert server.query("SHOW SUBSCRIPTIONS") == shown
    server.query("DROP DATABASE test")
    server.create()
    assert server.query("SHOW SUBSCRIPTIONS") == []


def test_formats(server):
    server.create()
    subscribe(server, "ALL", "udp://127.0.0.1:9", "http://127.0.0.1:9")
    reply = server.request("GET", "/query", q="SHOW SUBSCRIPTIONS", headers={"Accept": "text/csv"})
    # InfluxDB's, which has the name of the column in place of the list.
    assert reply.body == (b"name,tags,retention_policy,name,mode,destinations\n"
                          b"test,,autogen,s,ALL,destinations\n")
    reply = server.request("GET", "/query", q="SHOW SUBSCRIPTIONS",
                           headers={"Accept": "application/x-msgpack"})
    assert reply.body.endswith(b"\xa1s\xa3ALL\x92\xb1udp://127.0.0.1:9\xb2http://127.0.0.1:9")


def test_what_is_sent(server):
    """Tags sorted, times in ns, the rest as it came; nothing that was refused."""
    sock, udp = udp_socket()
    listener = Listener()
    server.create()
    subscribe(server, "ALL", "http://ann:p%%40@127.0.0.1:%d/a/" % listener.port, udp)
    reply = server.write("m,b=1,a=2 f=1.50,s=\"x\ny\" 1500000000\n# c\nm f=true 5\nbad\n"
                         "  m   f=2   1500000001  \nm f=3\n", precision="s")
    assert reply.status == 400
    first, last = [b'm,a=2,b=1 f=1.50,s="x\ny" 1500000000000000000',
                   b"m f=2 1500000001000000000"], b"m f=3 "
    assert wait_until(lambda: len(listener.requests) == 1)
    path, headers, body = listener.requests[0]
    assert path == "/a/write?consistency=&db=test&precision=ns&rp=autogen"
    assert headers["Authorization"] == "Basic YW5uOnBA"
    assert headers["User-Agent"] == "InfluxDBClient" and "Expect" not in headers
    assert body.startswith(b"\n".join(first) + b"\n" + last) and body.count(b"\n") == 4
    datagrams = [sock.recv(65536) for _ in range(3)]
    assert datagrams[:2] == first and datagrams[2].startswith(last)
    assert datagrams[2] == body.splitlines()[-1]
    sock.close()
    listener.close()


def test_every_way_in(make_server):
    server = make_server(udp="127.0.0.1:0", line_database="test", udp_database="test")
    listener = Listener()
    subscribe(server, "ALL", listener.url)
    server.query("CREATE RETENTION POLICY other ON test DURATION INF REPLICATION 1")
    assert server.write("m v=1 1").status == 204
    reply = server.request("POST", "/api/v2/write", bucket="test/autogen", body="m v=2 2")
    assert reply.status == 204
    assert server.write("m v=0 1", rp="other").status == 204  # not subscribed to
    lines = server.lines()
    lines.send("m v=3 3\n")
    assert lines.sync("x")
    lines.close()
    host, port = server.udp_address.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"m v=4 4", (host, int(port)))
    assert wait_until(lambda: len(listener.lines()) == 4)
    server.query("SELECT v INTO n FROM m WHERE time > 2")
    want = [b"m v=1 1", b"m v=2 2", b"m v=3 3", b"m v=4 4", b"n v=3 3", b"n v=4 4"]
    assert wait_until(lambda: listener.lines() == want), listener.lines()
    listener.close()


def test_to_another_busbard(make_server, tmp_path):
    a, b = make_server(), make_server(data=tmp_path / "b")
    a.create()
    b.create()
    subscribe(a, "ALL", "http://" + b.http_address)
    for i in range(40):
        if i == 20:
            a.stop()
            a.start()
        assert a.write("\n".join("m,h=%d v=%d,s=\"t%d\" %d" % (k, i, k, i) for k in range(50)),
                       precision="s").status == 204
    q = "SELECT * FROM m"
    assert wait_until(lambda: b.rows("SELECT count(v) FROM m") == [[0, 2000]]
                      or len(b.rows(q)) == 2000)
    assert a.rows(q) == b.rows(q)


def test_any_goes_round_and_fails_over(server):
    good, other = Listener(), Listener()
    dead = "http://127.0.0.1:%d" % closed_port()
    server.create()
    subscribe(server, "ANY", good.url, dead, other.url)
    for i in range(9):
        assert server.write("m v=1 %d" % i).status == 204
        assert wait_until(lambda n=i: len(good.lines() + other.lines()) == n + 1)
    assert len(good.requests) > 0 and len(other.requests) > 0
    want = [b"m v=1 %d" % i for i in range(9)]
    assert sorted(good.lines() + other.lines()) == want
    assert wait_until(lambda: destinations(server)[0][dead][1] >= 2)
    each, total = destinations(server)
    assert each[good.url][0] + each[other.url][0] == 9 and each[dead][0] == 0
    # As InfluxDB counts: one that failed somewhere is a failure.
    assert total["pointsWritten"] + total["writeFailures"] == 9
    good.close()
    other.close()


def test_all_goes_to_each(server):
    listeners = [Listener(), Listener(500), Listener()]
    server.create()
    subscribe(server, "ALL", *[x.url for x in listeners])
    for i in range(5):
        assert server.write("m v=1 %d" % i).status == 204
    want = [b"m v=1 %d" % i for i in range(5)]
    assert wait_until(lambda: all(x.lines() == want for x in listeners))
    assert wait_until(lambda: destinations(server)[1]["writeFailures"] == 5)
    each, total = destinations(server)
    assert [each[x.url] for x in listeners] == [(5, 0), (0, 5), (5, 0)]
    assert total["pointsWritten"] == 0
    log = server.log()
    assert log.count("subscription_failed") == 1 and "status 500" in log
    name = 'busbar_subscriber_write_failures_total'
    assert server.metrics()[name] == 5
    point = server.get("/debug/vars").json()["subscriber:test:autogen:s:" + listeners[0].url]
    assert point["tags"]["mode"] == "ALL" and point["values"]["pointsWritten"] == 5
    for x in listeners:
        x.close()


def redirect(handler):
    handler.send_response(307)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass
    handler.close_connection = True


def never(handler):
    time.sleep(20)


def test_hostile_destinations(make_server):
    server = make_server(subscriber_http_timeout="3s")
    listeners = [Listener(redirect), Listener(endless), Listener(never)]
    urls = [x.url for x in listeners] + ["http://no.such.host.invalid:1",
                                         "udp://no.such.host.invalid:1", "udp://127.0.0.1:99999"]
    server.create()
    for i, url in enumerate(urls):
        subscribe(server, "ALL", url, name="s%d" % i)
    for i in range(20):
        began = time.monotonic()
        assert server.write("m v=1 %d" % i).status == 204
        assert time.monotonic() - began < 2
    assert wait_until(lambda: sum(destinations(server)[1].values()) == 20 * len(urls), 30)
    each, _ = destinations(server)
    assert each[urls[1]] == (20, 0)  # it said 200: what else it says is not read
    assert all(each[u] == (0, 20) for u in urls if u != urls[1]), each
    assert all(path.startswith("/write?") for path, _, _ in listeners[0].requests)
    for x in listeners:
        x.close()


def test_certificates(make_server, tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = Listener(context=context)
    url = "https://127.0.0.1:%d" % listener.port
    server = make_server()
    server.create()
    subscribe(server, "ALL", url)
    assert server.write("m v=1 1").status == 204
    assert wait_until(lambda: destinations(server)[0][url] == (0, 1))
    for setting in {"subscriber_ca_certs": cert}, {"subscriber_insecure_skip_verify": "true"}:
        server.stop()
        for name in ("subscriber_ca_certs", "subscriber_insecure_skip_verify"):
            server.settings.pop(name, None)
        server.settings.update(setting)
        server.start()
        assert server.write("m v=1 1").status == 204
        assert wait_until(lambda: destinations(server)[0][url] == (1, 0))
    listener.close()


def test_dead_destination_slows_nobody(make_server):
    """It takes connections and says nothing: the queue fills, the rest is dropped and counted."""
    server = make_server(subscriber_write_buffer_size="10", subscriber_write_concurrency="2")
    server.create()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(100)
        subscribe(server, "ALL", "http://127.0.0.1:%d" % mute.getsockname()[1])
        began = time.monotonic()
        for i in range(100):
            assert server.write("m v=1 %d" % i).status == 204
        assert time.monotonic() - began < 10
        assert wait_until(lambda: destinations(server)[1]["writeFailures"] == 88)
        dropped = server.metrics()['busbar_subscriber_dropped_total{reason="queue"}']
        assert dropped == 88
        began = time.monotonic()
        server.query("DROP SUBSCRIPTION s ON test.autogen")
        assert time.monotonic() - began < 2
        subscribe(server, "ALL", "http://127.0.0.1:%d" % mute.getsockname()[1])
        assert server.write("m v=1 1").status == 204
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 6  # drain-timeout and a little
    assert "recovered" in server.log()


def test_memory_is_bounded(make_server):
    server = make_server(subscriber_memory="64KiB")
    listener = Listener()
    server.create()
    subscribe(server, "ALL", listener.url)
    lines = "\n".join("m v=%d %d" % (i, i) for i in range(20000))
    assert server.write(lines).status == 204
    assert server.write("m v=1 1").status == 204
    assert wait_until(lambda: listener.lines() == [b"m v=1 1"])
    assert server.metrics()['busbar_subscriber_dropped_total{reason="memory"}'] == 1
    assert server.query("SHOW STATS FOR 'write'")[0]["columns"].count("subWriteDrop") == 1
    listener.close()


def test_what_waits_is_sent_at_the_end(make_server):
    def slow(handler):
        time.sleep(0.05)
        handler.send_response(204)
        handler.end_headers()

    server = make_server(subscriber_write_concurrency="2")
    listener = Listener(slow)
    server.create()
    subscribe(server, "ALL", listener.url)
    for i in range(30):
        assert server.write("m v=1 %d" % i).status == 204
    server.stop()
    assert len(listener.lines()) == 30
    listener.close()


def test_turned_off(make_server):
    server = make_server(subscriber_enabled="false")
    listener = Listener()
    server.create()
    subscribe(server, "ALL", listener.url)
    assert server.write("m v=1 1").status == 204
    assert server.query("SHOW SUBSCRIPTIONS")[0]["values"][0][1] == "s"
    server.stop()
    assert listener.requests == []
    server.settings.pop("subscriber_enabled")
    server.start()
    assert server.write("m v=2 2").status == 204
    assert wait_until(lambda: listener.lines() == [b"m v=2 2"])
    listener.close()


def test_shell(server):
    server.create()
    subscribe(server, "ALL", "udp://127.0.0.1:9", "http://127.0.0.1:9")
    run = lambda *args: subprocess.run(
        [busbar_path(), "--url", "http://" + server.http_address, *args,
         "-e", "SHOW SUBSCRIPTIONS"], capture_output=True, text=True, timeout=30,
        check=True).stdout
    assert "[udp://127.0.0.1:9 http://127.0.0.1:9]" in run()
    assert '["udp://127.0.0.1:9","http://127.0.0.1:9"]' in run("--format", "json")
