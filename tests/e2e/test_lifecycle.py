"""Start, stop, kill, and what is there afterwards."""

import os
import signal
import socket
import subprocess
import threading
import time

from busbar_e2e import Server, busbard_path, read_reply


def run(*args, env=None):
    return subprocess.run([busbard_path(), *args], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})}, check=False)


def test_help_version_and_config():
    result = run("--help")
    assert result.returncode == 0 and "--max-body" in result.stdout
    assert run("--version").stdout.startswith("busbard ")
    result = run("--print-config", "--max-body", "2MiB", env={"BUSBAR_LINE_DATABASE": "grid",
                                                              "BUSBAR_MAX_BODY": "9KiB"})
    assert "\nmax-body = 2MiB\n" in result.stdout
    assert "\nline-database = grid\n" in result.stdout
    assert "\nqueue-timeout = 4s\n" in result.stdout


def test_bad_settings():
    for args, word in ((("--nope", "1"), "--nope"), (("--max-body", "much"), "--max-body"),
                       (("--max-body",), "needs a value"), (("--loops", "9999"), "out of range"),
                       (("--line-precision", "y"), "--line-precision"), (("data",), "not a flag")):
        result = run(*args)
        assert result.returncode == 1
        assert word in result.stderr and result.stderr.count("\n") == 1
    result = run(env={"BUSBAR_MAX_BODY": "x"})
    assert result.returncode == 1 and "BUSBAR_MAX_BODY" in result.stderr


def start_fails(server, *words, before=()):
    result = subprocess.run([*before, *server.command()], capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.returncode == 1, result.stderr
    last = result.stderr.rstrip("\n").split("\n")[-1]
    assert last.startswith("busbard: cannot start: ")
    for word in words:
        assert word in last, last
    return last


def test_port_in_use(make_server, tmp_path):
    server = make_server()
    start_fails(Server(tmp_path / "other", http=server.http_address), server.http_address,
                "in use")
    start_fails(Server(tmp_path / "other", line=server.line_address), server.line_address,
                "in use")


def test_too_few_open_files(tmp_path):
    start_fails(Server(tmp_path / "data"), "512 open files are too few",
                before=("prlimit", "--nofile=512:512", "--"))


def test_data_in_use(make_server):
    server = make_server()
    start_fails(Server(server.data), "LOCK", "another process")
    assert server.get("/ping").status == 204


def test_newer_format(make_server):
    server = make_server()
    server.stop()
    path = os.path.join(server.data, "FORMAT")
    with open(path, encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace("1", "99"))
    start_fails(server, "99")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    server.restart()


def test_data_directory_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    start_fails(Server(tmp_path / "file" / "data"), "file")


def test_stop_and_restart(make_server):
    server = make_server().create()
    lines = "\n".join("m,n=%d v=%d %d" % (i % 100, i, i) for i in range(50000))
    assert server.write(lines).status == 204
    code, seconds = server.stop()
    assert code == 0, server.log()
    assert seconds < 10
    server.restart()
    assert server.rows("SELECT count(v) FROM m")[0][1] == 50000


def test_sigint_stops_too(make_server):
    server = make_server()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0


def test_stop_under_load(make_server):
    """Requests in flight are answered; what was acknowledged is there after the restart."""
    server = make_server().create()
    load = Load(server, writers=4)
    load.run(stop=server.stop)
    server.restart()
    load.check()


def test_stop_with_open_connections(make_server):
    server = make_server().create()
    idle = [server.raw() for _ in range(20)]
    half = server.raw()
    half.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 100\r\n\r\nm v=1")
    producer = server.lines()
    producer.send("t v=1 1\nt v=2 2\n# sync x\n")
    assert producer.replies.readline() == b"synced x\n"
    producer.send("t v=3 3\n")
    time.sleep(0.05)
    code, seconds = server.stop()
    assert code == 0 and seconds < 10
    for sock in idle:
        assert sock.recv(1) == b""
        sock.close()
    half.close()
    producer.close()
    server.restart()
    assert server.rows("SELECT count(v) FROM t", db="energy")[0][1] == 3


def test_new_connections_are_refused_while_stopping(make_server):
    server = make_server(drain_timeout="2s").create()
    half = server.raw()
    half.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 9\r\n\r\nm v=1")
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    try:
        socket.create_connection(("127.0.0.1", server.http_port), timeout=5).close()
        connected = True
    except ConnectionRefusedError:
        connected = False
    assert not connected
    half.sendall(b" 12\n")
    status, headers, _ = read_reply(half)
    assert (status, headers["Connection"]) == (204, "close")
    half.close()
    assert server.process.wait(10) == 0


def test_second_signal_ends_at_once(make_server):
    server = make_server(drain_timeout="30s", stop_timeout="60s").create()
    half = server.raw()
    half.sendall(b"POST /write?db=test HTTP/1.1\r\nContent-Length: 100\r\n\r\nm v=1")
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 1
    assert time.monotonic() - start < 2
    server.process.stdout.close()
    server.process = None
    half.close()


class Load:
    """Writers that post batches; each remembers the last batch that was acknowledged."""

    BATCH = 200

    def __init__(self, server, writers, name="a"):
        self.server = server
        self.name = name
        self.acknowledged = [0] * writers

    def body(self, writer, batch):
        first = batch * self.BATCH
        return "".join("load,writer=%s%d v=%d %d\n" % (self.name, writer, i, i)
                       for i in range(first, first + self.BATCH))

    def write(self, writer):
        try:
            connection = self.server.connection()
            batch = 0
            while self.server.write(self.body(writer, batch), connection=connection).status == 204:
                batch += 1
                self.acknowledged[writer] = batch
        except Exception:  # the server is gone, at whatever point
            return

    def run(self, stop, seconds=1.5):
        threads = [threading.Thread(target=self.write, args=(n,))
                   for n in range(len(self.acknowledged))]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        stop()
        for thread in threads:
            thread.join()
        assert sum(self.acknowledged) > 0

    def check(self):
        """Every acknowledged batch is there; none in part; nothing twice."""
        for writer, batches in enumerate(self.acknowledged):
            rows = self.server.rows("SELECT v FROM load WHERE writer='%s%d'" % (self.name, writer),
                                    epoch="ns")
            assert len(rows) % self.BATCH == 0
            assert batches <= len(rows) // self.BATCH <= batches + 1
            assert rows == [[i, i] for i in range(len(rows))]


def test_kill_under_load(make_server):
    server = make_server(memtable_memory="1MiB").create()
    loads = []
    for name in "abc":
        loads.append(Load(server, writers=4, name=name))
        loads[-1].run(stop=server.kill)
        server.restart()
        for load in loads:
            load.check()


def test_kill_during_flush_and_compaction(make_server):
    server = make_server(memtable_memory="1MiB").create()
    lines = "\n".join("m,n=%d v=%d.%d %d" % (i % 1000, i, i % 7, i) for i in range(200000))
    assert server.write(lines).status == 204

    def flush_and_compact():
        try:
            server.flush()
            server.compact()
        except Exception:
            return

    for delay in (0.005, 0.05, 0.2):
        thread = threading.Thread(target=flush_and_compact)
        thread.start()
        time.sleep(delay)
        server.kill()
        thread.join()
        server.restart()
        assert server.rows("SELECT count(v) FROM m")[0][1] == 200000
