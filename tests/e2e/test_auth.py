"""auth-enabled: who may send what, by real requests; messages are those of influxd 1.6.7."""

import base64
import re
import threading
import time
import urllib.parse

import pytest

from busbar_e2e import wait_until

UNREADABLE = "unable to parse authentication credentials"
FAILED = "authorization failed"
NO_ADMIN = "create admin user first or disable authentication"


def basic(user, password):
    text = "%s:%s" % (user, password)
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def ask(server, q, user=None, password=None, db="test", headers=None, **params):
    """POST /query with u= and p= in the URL, as InfluxDB reads them."""
    if user is not None:
        params.update(u=user, p=password)
    body = urllib.parse.urlencode({"q": q, "db": db})
    form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    return server.request("POST", "/query", body=body, headers=form, **params)


def refused(reply, status, error):
    assert (reply.status, reply.error()) == (status, error)
    assert reply.headers["X-Influxdb-Error"] == error
    challenge = 'Basic realm="InfluxDB"' if status == 401 else None
    assert reply.headers["WWW-Authenticate"] == challenge


@pytest.fixture
def guarded(make_server):
    """Users root (administrator), r, w (read, write on test) and nobody; passwords as names."""
    server = make_server(auth_enabled="true")
    create = "CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES"
    assert ask(server, create).status == 200
    text = "CREATE DATABASE test; CREATE DATABASE other"
    for name in ("r", "w", "nobody"):
        text += "; CREATE USER %s WITH PASSWORD '%s'" % (name, name)
    text += "; GRANT READ ON test TO r; GRANT WRITE ON test TO w"
    reply = ask(server, text, "root", "root")
    assert reply.status == 200 and "error" not in reply.body.decode()
    assert server.write("m v=1 1", u="root", p="root").status == 204
    return server


def test_first_user(make_server):
    server = make_server(auth_enabled="true")
    prefix = "error authorizing query: "
    refused(ask(server, "SHOW DATABASES"), 403, prefix + NO_ADMIN)
    refused(ask(server, "CREATE USER x WITH PASSWORD 'x'"), 403, prefix + NO_ADMIN)
    refused(ask(server, "CREATE DATABASE test", "x", "y"), 403, prefix + NO_ADMIN)
    refused(server.request("POST", "/debug/flush"), 403, NO_ADMIN)
    text = "CREATE USER root WITH PASSWORD 'r00t' WITH ALL PRIVILEGES; CREATE DATABASE test"
    assert ask(server, text).status == 200
    refused(ask(server, "SHOW DATABASES"), 401, UNREADABLE)
    assert ask(server, "SHOW DATABASES", "root", "r00t").status == 200
    server.kill()
    server.restart()
    assert ask(server, "SHOW DATABASES", "root", "r00t").status == 200
    assert ask(server, "DROP USER root", "root", "r00t").status == 200
    refused(server.write("m v=1 1"), 403, 'user is required to write to database "test"')
    refused(ask(server, "SHOW DATABASES"), 403, prefix + NO_ADMIN)


@pytest.mark.parametrize("send", [
    lambda s, q: ask(s, q, "root", "root"),
    lambda s, q: ask(s, q, headers=basic("root", "root")),
    lambda s, q: ask(s, q, headers={"Authorization": "basic cm9vdDpyb290"}),
    lambda s, q: ask(s, q, headers={"Authorization": "Token root:root"}),
    lambda s, q: ask(s, q, "root", "root", headers=basic("root", "wrong")),
])
def test_credentials(guarded, send):
    assert send(guarded, "SHOW USERS").status == 200


@pytest.mark.parametrize("headers, params, error", [
    ({}, {}, UNREADABLE),
    ({}, {"u": "root"}, UNREADABLE),
    ({}, {"u": "", "p": "root"}, UNREADABLE),
    ({}, {"u": "root", "p": "wrong"}, FAILED),
    ({}, {"u": "eve", "p": "root"}, FAILED),
    (basic("root", ""), {}, FAILED),
    (basic("", "root"), {}, "username required"),
    (basic("root", "wrong"), {}, FAILED),
    ({"Authorization": "Basic cm9vdDpyb290="}, {}, UNREADABLE),
    ({"Authorization": "Basic cm9vd*"}, {}, UNREADABLE),
    ({"Authorization": "Basic cm9vdA=="}, {}, UNREADABLE),
    ({"Authorization": "Basic"}, {}, UNREADABLE),
    ({"Authorization": "Token root"}, {}, UNREADABLE),
    ({"Authorization": "Token root:wrong"}, {}, FAILED),
    ({"Authorization": "Bearer abc"}, {}, "bearer auth disabled"),
    ({"Authorization": "Digest x"}, {}, UNREADABLE),
])
def test_no_credentials(guarded, headers, params, error):
    refused(ask(guarded, "SHOW USERS", headers=headers, **params), 401, error)
    refused(guarded.write("m v=2 2", headers=headers, **params), 401, error)
    # Known to be wrong now, without another hash.
    refused(guarded.write("m v=2 2", headers=headers, **params), 401, error)
    reply = guarded.request("POST", "/api/v2/write", body="m v=2 2", headers=headers,
                            bucket="test", **params)
    refused(reply, 401, error)
    assert guarded.metrics()["busbar_http_auth_failures_total"] >= 4
    rows = ask(guarded, "SELECT v FROM m", "root", "root").json()["results"][0]["series"]
    assert len(rows[0]["values"]) == 1


def test_writes(guarded):
    assert guarded.write("m v=2 2", u="w", p="w").status == 204
    assert guarded.write("m v=3 3", headers=basic("w", "w")).status == 204
    reply = guarded.request("POST", "/api/v2/write", body="m v=4 4", bucket="test/autogen",
                            headers={"Authorization": "Token w:w"})
    assert reply.status == 204
    for user, db in (("r", "test"), ("nobody", "test"), ("w", "other")):
        error = '"%s" user is not authorized to write to database "%s"' % (user, db)
        refused(guarded.write("m v=9 9", db=db, u=user, p=user), 403, error)
        reply = guarded.request("POST", "/api/v2/write", body="m v=9 9", bucket=db, u=user, p=user)
        refused(reply, 403, error)
    refused(guarded.write("m v=9 9", db="none", u="w", p="w"), 404, 'database not found: "none"')
    rows = ask(guarded, "SELECT count(v) FROM m", "r", "r").json()["results"][0]["series"]
    assert rows[0]["values"][0][1] == 4


def test_queries(guarded):
    assert ask(guarded, "SELECT v FROM m", "r", "r").status == 200
    prefix = "error authorizing query: %s not authorized to execute statement "
    refused(ask(guarded, "SELECT v FROM m", "w", "w"), 403,
            prefix % "w" + "'SELECT v FROM m', requires READ on test")
    refused(ask(guarded, "CREATE USER x WITH PASSWORD 'tops3cret'", "r", "r"), 403,
            prefix % "r" + "'CREATE USER x WITH PASSWORD [REDACTED]', requires admin privilege")
    refused(ask(guarded, "SELECT v FROM m; SELECT v FROM other..m", "r", "r"), 403,
            prefix % "r" + "'SELECT v FROM other..m', requires READ on other")
    reply = ask(guarded, "SHOW DATABASES", "r", "r").json()
    assert reply["results"][0]["series"][0]["values"] == [["test"]]
    reply = ask(guarded, "SELECT v FROM", "nobody", "nobody")
    assert reply.status == 400 and reply.error().startswith("error parsing query: ")
    assert "tops3cret" not in guarded.log()


def test_rights_change_at_once(guarded):
    assert ask(guarded, "SELECT v FROM m", "r", "r").status == 200
    ask(guarded, "REVOKE READ ON test FROM r", "root", "root")
    assert ask(guarded, "SELECT v FROM m", "r", "r").status == 403
    ask(guarded, "GRANT ALL ON test TO r; SET PASSWORD FOR r = 'new'", "root", "root")
    refused(ask(guarded, "SELECT v FROM m", "r", "r"), 401, FAILED)
    assert ask(guarded, "SELECT v FROM m", "r", "new").status == 200
    ask(guarded, "DROP USER r", "root", "root")
    refused(ask(guarded, "SELECT v FROM m", "r", "new"), 401, FAILED)


OPEN = ["/ping", "/health", "/metrics", "/debug/vars"]
ADMIN = [("GET", "/debug/status"), ("GET", "/debug/rejects"), ("POST", "/debug/flush"),
         ("POST", "/debug/compact"), ("DELETE", "/debug/rejects")]


def test_other_paths(guarded, make_server):
    for path in OPEN:
        assert guarded.get(path).status < 300, path
    for method, path in ADMIN:
        refused(guarded.request(method, path), 401, UNREADABLE)
        refused(guarded.request(method, path, u="r", p="r"), 403,
                '"r" user is not an administrator, which %s requires' % path)
        assert guarded.request(method, path, u="root", p="root").status < 300
    assert guarded.request("OPTIONS", "/query").status == 200
    assert guarded.request("PUT", "/query").status == 405
    closed = make_server(auth_enabled="true", ping_auth_enabled="true")
    ask(closed, "CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES")
    for path in OPEN:
        refused(closed.get(path), 401, UNREADABLE)
        assert closed.get(path, u="root", p="root").status < 300, path


def test_off_by_default(server):
    """Without auth-enabled users may be made, and nobody is asked."""
    server.query("CREATE USER ann WITH PASSWORD 'a'")
    assert server.write("m v=1 1", u="eve", p="x").status == 204
    assert server.write("m v=1 1", headers={"Authorization": "Bearer x"}).status == 204
    assert server.query("SHOW USERS")[0]["values"] == [["ann", False]]


def test_one_connection(guarded):
    """Requests that wait for a hash, that need none and that are refused, on one connection."""
    connection = guarded.connection()
    big = "\n".join("big v=%d %d" % (i, i) for i in range(20000))
    for round_ in range(3):
        for user, password, status in (("w", "w", 204), ("w", "bad%d" % round_, 401),
                                       ("nobody", "nobody", 403), ("w", "w", 204)):
            for body in ("m v=5 5", big):
                reply = guarded.write(body, connection=connection, u=user, p=password)
                assert reply.status == status
                if reply.headers["Connection"] == "close":
                    connection.close()
        assert ask(guarded, "SELECT v FROM m", "r", "r", connection=connection).status == 200
    connection.close()


def test_pipelined(guarded):
    """A second request comes while the first one's password is hashed."""
    first = b"POST /write?db=test&u=w&p=w HTTP/1.1\r\nContent-Length: 7\r\n\r\nm v=7 7"
    second = b"GET /query?db=test&u=r&p=r&q=SELECT+v+FROM+m+WHERE+time=7 HTTP/1.1\r\n\r\n"
    third = b"GET /query?db=test&u=r&p=no&q=SELECT+v+FROM+m HTTP/1.1\r\nConnection: close\r\n\r\n"
    with guarded.raw() as sock:
        sock.sendall(first + second + third)
        got = b""
        while True:
            part = sock.recv(65536)
            if not part:
                break
            got += part
    statuses = [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", got)]
    assert statuses == [204, 200, 401]
    assert b'"values":[["1970-01-01T00:00:00.000000007Z",7]]' in got


def test_bytes_in_pieces(guarded):
    """The head in single bytes, the body after a pause; and a client that leaves in between."""
    with guarded.raw() as sock:
        for byte in b"POST /write?db=test&u=w&p=w HTTP/1.1\r\nContent-Length: 7\r\n\r\n":
            sock.sendall(bytes([byte]))
        time.sleep(0.2)
        sock.sendall(b"m v=8 8")
        assert sock.recv(65536).startswith(b"HTTP/1.1 204")
    for i in range(8):
        with guarded.raw() as sock:
            sock.sendall(b"GET /query?q=SHOW+USERS&u=root&p=wrong%d HTTP/1.1\r\n\r\n" % i)
    with guarded.raw() as sock:
        sock.sendall(b"POST /write?db=test&u=w&p=oops HTTP/1.1\r\nContent-Length: 30\r\n\r\nm v")
        sock.shutdown(1)
        assert sock.recv(65536).startswith(b"HTTP/1.1 40")
    assert guarded.write("m v=8 8", u="w", p="w").status == 204


def test_body_waits(guarded):
    """Of who is not known no body is taken, however large it is said to be."""
    with guarded.raw() as sock:
        sock.sendall(b"POST /write?db=test&u=w&p=guess HTTP/1.1\r\n"
                     b"Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 401")


def test_many_guesses(guarded):
    """Guessing costs the guessers: whoever is known goes on."""
    assert guarded.write("m v=1 1", u="w", p="w").status == 204
    stop = threading.Event()
    statuses = []

    def guess(n):
        i = 0
        while not stop.is_set():
            i += 1
            statuses.append(guarded.write("m v=9 9", u="w", p="guess%d-%d" % (n, i)).status)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            start = time.monotonic()
            assert guarded.write("m v=1 1", u="w", p="w").status == 204
            assert time.monotonic() - start < 2
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) <= {401, 503} and 401 in statuses


def test_slow_query_log(make_server):
    server = make_server(log_queries_after="1ms")
    server.query("CREATE USER ann WITH PASSWORD 'tops3cret'")
    server.query("SET PASSWORD FOR ann = 'tops3cret'")
    assert wait_until(lambda: server.log().count("[REDACTED]") == 2), server.log()
    assert "tops3cret" not in server.log()


def test_line_listener(make_server):
    """It has no passwords, so it is there only if somebody says so."""
    server = make_server(start=False, auth_enabled="true")
    del server.settings["line"]
    server.start()
    assert server.line_address == "off"
    assert make_server(auth_enabled="true", line="127.0.0.1:0").line_address != "off"
