"""libbusbar-client and the busbar shell against a real server."""

import os
import subprocess

import pytest

from busbar_e2e import BUILDDIR, Server


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path / "data").start()
    yield s
    s.kill()


def run(*args, stdin="", env=None, timeout=60):
    return subprocess.run([os.path.join(BUILDDIR, args[0])] + list(args[1:]), input=stdin,
                          capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **(env or {})})


def test_example(server):
    out = run("client-example", "http://" + server.http_address)
    assert out.returncode == 0, out.stderr
    assert out.stdout == ("48 readings are on disk\n"
                          "2024-03-15T00:00:00Z 6.6\n2024-03-15T06:00:00Z 21\n"
                          "2024-03-15T12:00:00Z 35.4\n2024-03-15T18:00:00Z 49.8\n")


def test_example_without_a_server(server):
    server.kill()
    out = run("client-example", "http://" + server.http_address)
    assert out.returncode == 1
    assert "no connection to http://" + server.http_address in out.stderr
