"""The busbar shell: formats, settings, errors and exit codes, against a real server and false
ones."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from busbar_e2e import BUILDDIR, Server
from e2e_run import has_sanitizers

BUSBAR = os.path.join(BUILDDIR, "busbar")
SANITIZED = has_sanitizers(BUILDDIR)
LINES = ('m,dev=a f=1.5,n=1i,s="x,\\"y\\"",ok=true 1710460800000000000\n'
         'm,dev=b\\ c f=18446744073709551615,n=-2i,s="\x1b[31m",ok=false 1711846800000000001\n')


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("shell") / "data").start().create("db one")
    assert s.write(LINES, db="db one").status == 204
    yield s
    s.kill()


def busbar(*args, url=None, stdin="", env=None, timeout=60):
    full = {k: v for k, v in os.environ.items() if not k.startswith("BUSBAR_")}
    full.update({"LC_ALL": "C.UTF-8", **(env or {})})
    if url is not None:
        full["BUSBAR_URL"] = url
    return subprocess.run([BUSBAR] + list(args), input=stdin, capture_output=True, text=True,
                          timeout=timeout, check=False, env=full)


@pytest.fixture
def shell(server):
    def run(*args, **kwargs):
        return busbar("-d", "db one", *args, url="http://" + server.http_address, **kwargs)
    return run


def test_table(shell):
    out = shell("-e", "SELECT dev, f, n, s, ok FROM m")
    assert out.returncode == 0
    assert out.stdout == (
        "m\n"
        "time                            dev                     f   n  s         ok\n"
        "──────────────────────────────  ───  ────────────────────  ──  ────────  ─────\n"
        "2024-03-15T00:00:00Z            a                     1.5   1  x,\"y\"     true\n"
        "2024-03-31T01:00:00.000000001Z  b c  18446744073709552000  -2  \\x1b[31m  false\n")


def test_table_fits(shell):
    out = shell("--width", "30", "-e", "SELECT dev, f, s FROM m")
    lines = out.stdout.splitlines()
    assert all(len(line) <= 30 for line in lines), out.stdout
    assert any("…" in line for line in lines)


def test_tags_as_columns(shell):
    query = "SELECT n, f FROM m GROUP BY dev"
    assert shell("-e", query).stdout == (
        "m  dev=a\ntime                  n    f\n────────────────────  ─  ───\n"
        "2024-03-15T00:00:00Z  1  1.5\n\n"
        "m  dev=b c\ntime                             n                     f\n"
        "──────────────────────────────  ──  ────────────────────\n"
        "2024-03-31T01:00:00.000000001Z  -2  18446744073709552000\n")
    wanted = ("m\ndev  time                             n                     f\n"
              "───  ──────────────────────────────  ──  ────────────────────\n"
              "a    2024-03-15T00:00:00Z             1                   1.5\n"
              "b c  2024-03-31T01:00:00.000000001Z  -2  18446744073709552000\n")
    assert shell("--group", "columns", "-e", query).stdout == wanted
    assert shell("-e", "\\group columns", "-e", query).stdout == wanted
    assert shell("--group", "rows").returncode == 2


def test_zone(shell):
    out = shell("--tz", "Europe/London", "--format", "csv", "-e", "SELECT n FROM m")
    assert out.stdout.splitlines()[1:] == ["m,2024-03-15T00:00:00+00:00,1",
                                           "m,2024-03-31T02:00:00.000000001+01:00,-2"]
    assert shell("--tz", "Mars/Base").returncode == 2
    in_zone = "SELECT n FROM m tz('Asia/Tokyo')"
    out = shell("--format", "csv", "-e", in_zone, "-e", "SELECT n FROM m LIMIT 1")
    times = [line.split(",")[1] for line in out.stdout.splitlines()]
    assert times == ["time", "2024-03-15T09:00:00+09:00", "2024-03-31T10:00:00.000000001+09:00",
                     "time", "2024-03-15T00:00:00Z"]
    out = shell("--tz", "UTC", "--format", "csv", "-e", in_zone)
    assert out.stdout.splitlines()[1] == "m,2024-03-15T00:00:00Z,1"
    out = shell("--epoch", "s", "--format", "csv", "-e", "SELECT n FROM m LIMIT 1")
    assert out.stdout.splitlines()[1] == "m,1710460800,1"


def test_csv(shell):
    out = shell("--format", "csv", "-e", "SELECT s, n FROM m GROUP BY dev LIMIT 1")
    assert out.stdout == ('name,dev,time,s,n\n'
                          'm,a,2024-03-15T00:00:00Z,"x,""y""",1\n'
                          'm,b c,2024-03-31T01:00:00.000000001Z,\x1b[31m,-2\n')


def test_json(shell, server):
    for query in ("SELECT * FROM m GROUP BY dev", "SHOW MEASUREMENTS", "SELECT x FROM nothing",
                  "SHOW TAG KEYS ON nowhere"):
        out = shell("--format", "json", "-e", query)
        assert json.loads(out.stdout) == server.query_reply(query, db="db one").json(), query


def test_line_protocol_comes_back(shell, server):
    out = shell("--format", "line", "-e", "SELECT * FROM m")
    assert out.returncode == 0, out.stderr
    server.create("copy")
    assert server.write(out.stdout, db="copy").status == 204
    for query in ("SELECT * FROM m", "SHOW FIELD KEYS", "SHOW TAG KEYS", "SHOW SERIES"):
        assert server.query(query, db="copy") == server.query(query, db="db one")
    out = shell("--format", "line", "-e", "SHOW MEASUREMENTS")
    assert out.returncode == 1 and "time" in out.stderr


def test_files_and_standard_input(shell, tmp_path):
    script = tmp_path / "script"
    script.write_text("-- a comment; with a semicolon\nSELECT n FROM m\nWHERE s = ';'; "
                      "\\format csv\nSHOW\n  MEASUREMENTS;")
    for out in (shell("-f", str(script)), shell(stdin=script.read_text()),
                shell("-f", "-", stdin=script.read_text())):
        assert (out.returncode, out.stdout) == (0, "name,name\nmeasurements,m\n")
    assert shell("-f", str(tmp_path / "none")).returncode == 4
    script.write_bytes(b"\0\1\2")
    out = shell("-f", str(script))
    assert out.returncode == 4 and "no text" in out.stderr


def test_commands(shell):
    assert "InfluxQL" in shell("-e", "\\?").stdout
    out = shell("-e", "\\d", "-e", "\\d m", "-e", "\\use other", "-e", "SELECT x FROM m")
    assert out.returncode == 1 and "database not found: other" in out.stderr
    assert "unsigned" not in out.stdout and "fieldKey" in out.stdout and "dev" in out.stdout
    out = shell("-e", "\\nothing")
    assert out.returncode == 2 and "\\nothing" in out.stderr
    out = shell("-e", "INSERT m2 x=1i 5", "-e", "SELECT x FROM m2", "--format", "csv", "--timing")
    assert out.stdout.splitlines()[1] == "m2,1970-01-01T00:00:00.000000005Z,1"
    assert " ms" in out.stderr


def test_words_of_the_influx_shell(shell, server):
    server.query('CREATE RETENTION POLICY "r p" ON "db one" DURATION INF REPLICATION 1')
    server.query('CREATE DATABASE two')
    out = shell("-e", 'INSERT INTO "r p" i1 x=1i 5', "-e", "insert into two.autogen i1 x=2i 6",
                "-e", "insert i1 x=3i 7", "-e", "format csv; precision ns",
                "-e", 'SELECT x FROM "r p".i1; SELECT x FROM two..i1; SELECT x FROM i1')
    assert [line for line in out.stdout.splitlines() if line[:3] == "i1,"] == [
        "i1,5,1", "i1,6,2", "i1,7,3"], (out.stdout, out.stderr)
    out = shell("-e", "precision s; format csv; precision rfc3339; SELECT x FROM i1; format column",
                "-e", "HELP")
    assert "i1,1970-01-01T00:00:00.000000007Z,3" in out.stdout and "InfluxQL" in out.stdout
    assert shell("-e", "precision bad").returncode == 2
    assert shell("-e", "format bad").returncode == 2
    assert shell("-e", "insert into nope i1 x=1").returncode == 1


def test_settings_of_the_influx_shell(shell, server):
    out = shell("-e", "precision ms; format csv; settings")
    lines = dict(line.split(None, 1) for line in out.stdout.splitlines() if " " in line.strip())
    assert lines["url"].endswith(":%d" % server.http_port)
    assert (lines["database"], lines["format"], lines["precision"]) == ("db one", "csv", "ms")
    out = shell("-e", "use other.pol; clear rp; settings",
                "-e", "clear database; settings; SHOW MEASUREMENTS")
    databases = [line[18:] for line in out.stdout.splitlines() if line.startswith("database")]
    policies = [line[18:] for line in out.stdout.splitlines() if line.startswith("retention")]
    assert (databases, policies) == (["other", ""], ["", ""])
    assert "database name required" in out.stderr
    assert shell("-e", "clear everything").returncode == 2
    out = shell("-e", "pretty; chunked; chunk size 5; consistency any; SHOW DATABASES")
    assert "db one" in out.stdout and out.stderr.count("of no effect here") == 4
    out = shell("-e", "settings FROM m")
    assert out.returncode == 1 and "found settings" in out.stderr


def test_connect_and_auth(shell, server, make_server):
    other = make_server()
    other.query("CREATE DATABASE elsewhere")
    out = shell("-e", "connect 127.0.0.1:%d; SHOW DATABASES; settings" % other.http_port)
    assert "elsewhere" in out.stdout and "127.0.0.1:%d" % other.http_port in out.stdout
    out = shell("-e", "connect ftp://x; SHOW DATABASES")
    assert out.returncode == 2 and "db one" in out.stdout
    out = shell("-e", "auth somebody; settings; auth; settings", "--user", "first",
                "--password", "x")
    assert [line[18:] for line in out.stdout.splitlines() if line.startswith("user")] == [
        "somebody", ""]


def test_plots(shell, server):
    server.write("\n".join("p v=%d %d" % (i * i, 1710460800 + 3600 * i) for i in range(50)),
                 db="db one", precision="s")
    out = shell("--width", "60", "-e", "\\plot SELECT v FROM p")
    lines = out.stdout.splitlines()
    assert lines[0].split()[0] == "3000" and lines[-3].split()[0] == "0"
    # A parabola: the right end is at the top, the left end at the bottom.
    top = next(line for line in lines if any(c > "\u2800" for c in line)).rstrip()
    assert len(top) == max(len(line.rstrip()) for line in lines[:-2])
    assert lines[-3].split("│")[1][0] > "\u2800"
    assert "15 Mar 00:00" in lines[-2] and "17 Mar 01:00" in lines[-2] and "p v" in lines[-1]
    out = shell("-e", "SELECT v FROM p LIMIT 3", "-e", "\\plot bar", "--width", "60")
    bars = out.stdout.splitlines()[-3:]
    assert [b.count("█") for b in bars] == [0, 7, 28], bars
    out = shell("-e", "\\heat SELECT v FROM p", "--tz", "Europe/London")
    days = {line[:3]: line[4:] for line in out.stdout.splitlines()}
    assert days["Sun"].startswith("██") and days["Mon"] == " ." * 24
    assert "lowest 0, highest 2401" in out.stdout
    out = shell("-e", "\\plot SHOW MEASUREMENTS")
    assert out.returncode == 1 and "no times" in out.stderr
    assert "\033" in shell("--color", "always", "-e", "\\plot SELECT v FROM p").stdout
    assert "\033" not in shell("-e", "\\plot SELECT v FROM p").stdout


def test_exit_codes(shell, server):
    assert shell("-e", "SELECT").returncode == 1
    assert shell("-e", "SELECT x FROM", "-e", "SHOW DATABASES").stdout != ""
    for bad in (["--format", "xml"], ["--nothing"], ["extra"], ["--url", "ftp://x"],
                ["--color", "no"], ["--timeout", "-1"]):
        out = shell(*bad)
        assert out.returncode == 2 and out.stderr, bad
    assert shell("--help").returncode == 0 and shell("--version").stdout.startswith("busbar ")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    out = busbar("-e", "SHOW DATABASES", url="http://127.0.0.1:%d" % port)
    assert out.returncode == 3 and "no connection to http://127.0.0.1:%d" % port in out.stderr


class FalseServer:
    """Answers each connection with bytes, then closes it or keeps still."""

    def __init__(self, reply, hold=False):
        self.reply, self.hold = reply, hold
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.asked, self.gone = threading.Event(), threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn:
                conn.recv(65536)
                conn.sendall(self.reply)
                self.asked.set()
                if self.hold:
                    while conn.recv(65536):
                        pass
                    self.gone.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Influxdb-Version: 1.8\r\n"
START = b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":['


def whole(body, status=b"200 OK"):
    return (HEAD.replace(b"200 OK", status) + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("reply, code, said", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Type: text/html\r\n\r\n<html>Hi</html>", 7,
     "text/html"),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 7, "status 404"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", 7, "no InfluxDB API"),
    (b"", 6, "broke"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + START + b"[1,2],[3,", 6, "broke"),
    (whole(b"{}"), 0, ""),
    (whole(b'{"results'), 7, "cut off"),
    (whole(b'[1]'), 7, "no result"),
    (whole(b'{"error":"who is that"}', b"401 Unauthorized"), 5, "error: who is that"),
    (whole(b'{"error":"shutdown"}'), 1, "error: shutdown"),
    (whole(b'{"error":"busy"}', b"503 Service Unavailable"), 1, "error: busy"),
])
def test_false_servers(reply, code, said):
    with FalseServer(reply) as false:
        out = busbar("-e", "SELECT v FROM m", url=false.url)
    assert (out.returncode, said in out.stderr) == (code, True), out


def test_rows_before_a_break_are_shown():
    with FalseServer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + START
                     + b"[1000000000,2],[3,") as false:
        out = busbar("--format", "csv", "-e", "SELECT v FROM m", url=false.url)
    assert out.returncode == 6 and "m,1970-01-01T00:00:01Z,2\n" in out.stdout


def test_interrupt_closes_the_connection():
    with FalseServer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", hold=True) as false:
        process = subprocess.Popen([BUSBAR, "-H", false.url, "-e", "SELECT v FROM m", "-e", "x"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert false.asked.wait(20)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (130, "canceled\n")
        assert false.gone.wait(10)


def test_timeout():
    with FalseServer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", hold=True) as false:
        out = busbar("--timeout", "0.3", "-e", "SELECT v FROM m", url=false.url)
        assert out.returncode == 6 and "no reply in time" in out.stderr


def test_large_result_streams(shell, server):
    """300,000 rows, through a pipe that is closed early, and in memory that does not grow with
    them."""
    server.write("\n".join("big v=%di %d" % (i, i) for i in range(300000)), db="db one")
    out = subprocess.run(
        "'%s' -H http://%s -d 'db one' --format csv -e 'SELECT v FROM big' | head -2"
        % (BUSBAR, server.http_address), shell=True, capture_output=True, text=True, check=False)
    assert out.stdout.splitlines()[1] == "big,1970-01-01T00:00:00Z,0"
    for form, lines in (("csv", 300001), ("table", 300003)):
        process = subprocess.Popen(
            [BUSBAR, "-H", "http://" + server.http_address, "-d", "db one", "-e",
             "SELECT v FROM big", "--format", form], stdout=subprocess.PIPE)
        count = peak_kib = 0
        for _ in process.stdout:
            count += 1
            if count == 250000:
                with open("/proc/%d/status" % process.pid, encoding="utf-8") as f:
                    peak_kib = int(f.read().split("VmHWM:")[1].split()[0])
        process.stdout.close()
        assert (process.wait(), count) == (0, lines)
        assert SANITIZED or peak_kib < 24 * 1024, "%d KiB" % peak_kib


def test_rejects(tmp_path):
    with_rejects = Server(tmp_path / "data", line_database="energy").start()
    try:
        url = "http://" + with_rejects.http_address
        client = with_rejects.lines()
        client.send("m v=1i 1\nm v=2.5 2\nno line\nm v=3 3\n")
        assert client.sync("x")
        out = busbar("rejects", url=url)
        assert out.returncode == 0
        assert "m v=2.5 2\n" in out.stdout and "no line\n" in out.stdout
        listed = json.loads(busbar("rejects", "list", "--json", "--limit", "2", url=url).stdout)
        assert (len(listed["rejects"]), listed["kept"]) == (2, 3)
        with_rejects.query("DROP DATABASE energy")
        with_rejects.create("energy")
        out = busbar("rejects", "resubmit", url=url)
        assert {k: json.loads(out.stdout)[k] for k in ("tried", "stored", "refused")} == {
            "tried": 3, "stored": 2, "refused": 1}
        assert with_rejects.rows("SELECT v FROM m", db="energy", epoch="ns") == [[2, 2.5], [3, 3]]
        out = busbar("rejects", "drop", url=url)
        assert out.returncode == 0, out.stderr
        assert json.loads(busbar("rejects", "--json", url=url).stdout)["kept"] == 0
        assert busbar("rejects", "--id", "x", url=url).returncode == 2
        assert busbar("rejects", "eat", url=url).returncode == 2
    finally:
        with_rejects.kill()
    assert busbar("rejects", url=url).returncode == 3
