"""A scripted session at a terminal: completion, plot, ^C, history, error messages."""

import json
import os
import pty
import re
import select
import shutil
import stat
import subprocess
import termios
import time

import pytest

from busbar_e2e import BUILDDIR, HERE, Server, wait_until

BUSBAR = os.path.join(BUILDDIR, "busbar")
SUPPRESSIONS = os.path.join(HERE, "lsan.supp")
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None,
                                reason="tmux is not installed (Debian: tmux)")


class Terminal:
    """A tmux server of its own, so that no other session is met."""

    def __init__(self, folder, width=100, height=40):
        self.folder = str(folder)
        self.count = 0
        self.state = str(folder / "state")
        self.size = ["-x", str(width), "-y", str(height)]

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null"] + list(args),
                              capture_output=True, text=True, check=False, timeout=30,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}).stdout

    def start(self, *args, **env):
        command = ["env", "-u", "BUSBAR_URL", "LC_ALL=C.UTF-8", "XDG_STATE_HOME=" + self.state,
                   "LSAN_OPTIONS=print_suppressions=0:suppressions=" + SUPPRESSIONS,
                   "NO_COLOR=1"] + ["%s=%s" % kv for kv in env.items()] + [BUSBAR] + list(args)
        self.count += 1
        self.socket = "%s/tmux%d" % (self.folder, self.count)
        line = " ".join("'%s'" % word.replace("'", "'\\''") for word in command)
        self.tmux("new-session", "-d", *self.size, line + "; echo exit=$?; exec sleep 60")
        return self

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)
        return self

    def type(self, text, *keys):
        self.tmux("send-keys", "-l", text)
        return self.keys(*keys) if keys else self

    def wait(self, part, seconds=15):
        """Until the part is on the screen; spaces at the ends of lines are not told."""
        return self.wait_for(lambda screen: part.rstrip() in screen, part, seconds)

    def wait_line(self, line):
        """Until this is the last line."""
        return self.wait_for(lambda screen: screen.rstrip().endswith("\n" + line.rstrip()), line)

    def wait_for(self, condition, what, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.screen()
            if condition("\n" + screen):
                return screen
            time.sleep(0.05)
        raise AssertionError("no %r on the screen:\n%s" % (what, self.screen()))

    def close(self):
        self.tmux("kill-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("terminal") / "data").start().create("energy")
    s.create("weather")
    lines = ["reading,device_id=MTR-%d,fuel_type=gas value=%d.5 %d"
             % (m, i % 48, 1710460800 + 1800 * i) for m in range(1, 4) for i in range(480)]
    assert s.write("\n".join(lines), db="energy", precision="s").status == 204
    yield s
    s.kill()


@pytest.fixture
def terminal(server, tmp_path):
    t = Terminal(tmp_path)
    try:
        t.start("-H", "http://" + server.http_address, "-d", "energy")
        t.wait_line("energy> ")
        yield t
    finally:
        t.close()


ENDLESS = ("SELECT percentile(v, 50) FROM big WHERE time >= 0 AND time < 1h "
           "GROUP BY time(1ns) fill(0)")


def read_until(end, *parts, seconds=15):
    """All that a terminal shows, until it has shown these parts, one behind the other."""
    shown = b""
    limit = time.monotonic() + seconds
    while not re.search(b".*".join(map(re.escape, parts)), shown, re.S):
        assert time.monotonic() < limit, (parts, shown[-500:])
        if select.select([end], [], [], 0.1)[0]:
            shown += os.read(end, 4096)


def running(server):
    return json.dumps(server.query("SHOW QUERIES"))


def test_queries_and_prompt(terminal):
    assert "Busbar, InfluxDB API 1.8" in terminal.screen()
    terminal.type("SELECT sum(value) FROM reading", "Enter")
    screen = terminal.wait("(1 row)")
    assert "34560" in screen and "───" in screen
    terminal.type("\\use weather", "Enter").wait_line("weather> ")
    terminal.type("\\timing", "Enter").wait("timing is on")
    terminal.type("show databases", "Enter").wait(" ms")
    terminal.type("\\q", "Enter").wait("exit=0")


def test_statement_of_several_lines(terminal):
    terminal.type("SELECT count(value)", "Enter").wait("error")
    terminal.type("SELECT count(value) FROM", "Enter").wait("...>")
    terminal.type("reading WHERE device_id =", "Enter")
    terminal.type("'MTR-1' ;", "Enter").wait("480")
    terminal.keys("C-d").wait("exit=0")


def test_completion(terminal):
    terminal.type("SEL", "Tab").wait("energy> SELECT ")
    terminal.type("val", "Tab").wait("SELECT value ")
    terminal.type("FROM re", "Tab").wait("FROM reading ")
    terminal.type("WH", "Tab").wait("WHERE ")
    terminal.type("dev", "Tab").wait("device_id ")
    terminal.type("= ", "Tab").wait("device_id = 'MTR-")
    terminal.keys("Tab")
    screen = terminal.wait("'MTR-3'")
    assert "'MTR-1'" in screen and "'MTR-2'" in screen
    terminal.type("2", "Tab").wait("device_id = 'MTR-2' ")
    terminal.type("LIMIT 1", "Enter").wait("(1 row)")
    terminal.type("\\us", "Tab").wait("\\use ")
    terminal.type("we", "Tab").wait("\\use weather ")
    terminal.keys("Enter").wait_line("weather> ")


def test_plot(terminal):
    terminal.type("SELECT mean(value) FROM reading WHERE time < '2024-03-18' "
                  "GROUP BY time(30m)", "Enter").wait("rows)")
    terminal.type("\\plot", "Enter")
    screen = terminal.wait("reading mean")
    assert "15 Mar" in screen and any("\u2800" < c <= "\u28ff" for c in screen)
    assert all(len(line) <= 100 for line in screen.splitlines())
    terminal.keys("C-l")
    terminal.type("\\heat SELECT value FROM reading", "Enter")
    assert "Mon" in terminal.wait("highest")


def test_interrupt(terminal, server):
    """^C at the prompt drops what was typed; while a query runs, it ends the query."""
    terminal.type("SELECT nonsense", "C-c").wait("^C")
    terminal.type("SHOW DATABASES", "Enter").wait("weather")
    server.write("\n".join("big,k=%d v=%d %d" % (i % 20, i, i) for i in range(200000)), db="energy")
    terminal.keys("C-l")
    terminal.type("\\watch 1 SELECT count(v) FROM big", "Enter").wait("200000")
    terminal.keys("C-c").wait_line("energy> ")
    # Rows without end.
    terminal.keys("C-l")
    assert wait_until(lambda: "1970-" not in terminal.screen())
    terminal.type(ENDLESS, "Enter").wait("1970-")
    assert "FROM big" in running(server)
    start = time.monotonic()
    terminal.keys("C-c")
    screen = terminal.wait_line("energy>")
    assert "canceled" in screen
    assert time.monotonic() - start < 3 # not when all that has come is shown
    terminal.type("SHOW MEASUREMENTS", "Enter").wait("reading")
    assert wait_until(lambda: "FROM big" not in running(server)), running(server)


def test_interrupt_while_nobody_reads(server, tmp_path):
    """^C ends a write to a terminal that stands still; what is asked then is answered."""
    server.write("big,k=1 v=1 1", db="energy")
    child, end = pty.fork()
    if child == 0:
        os.environ.update(XDG_STATE_HOME=str(tmp_path), NO_COLOR="1", TERM="xterm",
                          LSAN_OPTIONS="print_suppressions=0:suppressions=" + SUPPRESSIONS)
        os.execv(BUSBAR, [BUSBAR, "-H", "http://" + server.http_address, "-d", "energy"])
    try:
        read_until(end, b"energy> ")
        for _ in range(3):
            os.write(end, ENDLESS.encode() + b"\n")
            assert wait_until(lambda: "FROM big" in running(server))
            time.sleep(0.1)  # until the terminal is full
            flags = termios.tcgetattr(end)
            flags[3] |= termios.NOFLSH  # and stays so
            termios.tcsetattr(end, termios.TCSANOW, flags)
            for _ in range(3):  # the first may find a write that has begun, and ends it
                os.write(end, b"\x03")
                time.sleep(0.05)
            read_until(end, b"canceled", b"energy> ")
            os.write(end, b"SHOW DATABASES\n")
            read_until(end, b"weather", b"energy> ")
    finally:
        os.close(end)
        os.waitpid(child, 0)


def test_history(terminal, server, tmp_path):
    terminal.type("SHOW DATABASES", "Enter").wait("weather")
    terminal.type("CREATE USER x WITH PASSWORD 'secret'", "Enter")
    terminal.type("\\q", "Enter").wait("exit=0")
    path = tmp_path / "state" / "busbar" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "secret" not in path.read_text()
    terminal.close()
    terminal.start("-H", "http://" + server.http_address, "-d", "energy")
    terminal.wait_line("energy> ")
    terminal.keys("Up", "Up").wait("energy> SHOW DATABASES")
    terminal.keys("Enter").wait("weather")


def test_password(terminal, server):
    """It is asked for, and not shown."""
    terminal.close()
    terminal.start("-H", "http://" + server.http_address, "-u", "ann")
    terminal.wait("Password of ann:")
    terminal.type("tops3cret", "Enter").wait_line("busbar> ")
    assert "tops3cret" not in terminal.screen()
    terminal.type("SHOW DATABASES", "Enter").wait("energy")


def test_auth(make_server, tmp_path):
    """Another user in the middle of a session, as the influx shell has it."""
    server = make_server(auth_enabled="true")
    server.query_reply("CREATE USER root WITH PASSWORD 'tops3cret' WITH ALL PRIVILEGES")
    terminal = Terminal(tmp_path)
    try:
        terminal.start("-H", "http://" + server.http_address).wait_line("busbar> ")
        terminal.type("SHOW USERS", "Enter").wait("unable to parse authentication credentials")
        terminal.type("auth root", "Enter").wait("Password of root:")
        terminal.type("tops3cret", "Enter").wait_line("busbar> ")
        terminal.type("SHOW USERS", "Enter").wait("admin")
        assert "tops3cret" not in terminal.screen()
    finally:
        terminal.close()


@pytest.mark.parametrize("words", [["status"], ["rejects"], ["export", "-d", "energy"],
                                   ["import", "-d", "energy", "-q", "lines.lp"]])
def test_password_of_commands(make_server, tmp_path, monkeypatch, words):
    (tmp_path / "lines.lp").write_text("reading v=1 1\n")
    server = make_server(auth_enabled="true")
    server.query_reply("CREATE USER root WITH PASSWORD 'tops3cret' WITH ALL PRIVILEGES")
    server.query_reply("CREATE DATABASE energy", u="root", p="tops3cret")
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(tmp_path)
    for password, code in (("tops3cret", 0), ("other", 5)):
        try:
            terminal.start(*words, "-H", "http://" + server.http_address, "-u", "root")
            terminal.wait("Password of root:")
            terminal.type(password, "Enter").wait("exit=%d" % code)
            assert password not in terminal.screen()
        finally:
            terminal.close()


def test_errors(terminal, server, tmp_path):
    terminal.type("SELECT FROM m", "Enter").wait("error: error parsing query: found FROM")
    terminal.type("SELECT x FROM nodb..m", "Enter").wait("error: database not found: nodb")
    terminal.type("\\x", "Enter").wait("error: no command \"\\x\"")
    other = Server(tmp_path / "other").start()
    second = Terminal(tmp_path / "state")
    os.makedirs(tmp_path / "state", exist_ok=True)
    second.start("-H", "http://" + other.http_address).wait_line("busbar> ")
    other.kill()
    second.type("SHOW DATABASES", "Enter").wait("error: no connection to")
    second.type("\\q", "Enter").wait("exit=0")
    second.close()
    second.start("-H", "http://" + other.http_address).wait("exit=3")
    second.close()
