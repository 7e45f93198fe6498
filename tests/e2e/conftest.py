import glob
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from busbar_e2e import BUILDDIR, Server, busbard_path  # noqa: E402
from e2e_run import has_sanitizers  # noqa: E402


def pytest_sessionstart(session):
    if not os.access(busbard_path(), os.X_OK):
        pytest.exit("no busbard at %s: build it, or set BUSBARD" % busbard_path(), returncode=2)


@pytest.fixture
def make_server(tmp_path):
    """A function that starts a busbard with these settings; all are ended after the test."""
    servers = []

    def make(data=None, start=True, **settings):
        server = Server(data or tmp_path / ("data%d" % len(servers)), **settings)
        servers.append(server)
        return server.start() if start else server

    yield make
    for server in servers:
        if server.process is not None:
            died = server.process.poll() not in (None, 0, -9)
            server.kill()
            assert not died, "busbard ended with %d\n%s" % (server.process.returncode, server.log())


@pytest.fixture
def make_faulty(make_server, tmp_path, monkeypatch):
    """As make_server; the server's disk does what server.disk(TEXT) says (faults.c)."""
    found = glob.glob(os.path.join(BUILDDIR, ".libs", "libfaults.so"))
    if not found:
        pytest.skip("libfaults.so has not been built")
    if has_sanitizers(BUILDDIR):
        pytest.skip("a server with sanitizers cannot load libfaults.so")
    monkeypatch.setenv("BUSBAR_FAULTS", str(tmp_path / "faults"))

    def make(**settings):
        monkeypatch.setenv("LD_PRELOAD", found[0])
        server = make_server(**settings)
        monkeypatch.delenv("LD_PRELOAD")
        server.disk = (tmp_path / "faults").write_text
        return server

    return make


@pytest.fixture
def server(make_server):
    """A busbard with an empty database "test"."""
    return make_server().create()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """One busbard for the tests of a file that do not disturb one another."""
    server = Server(tmp_path_factory.mktemp("shared") / "data").start().create()
    yield server
    code, _ = server.stop()
    assert code == 0, server.log()
