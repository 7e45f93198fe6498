"""/debug/vars as Telegraf reads it, /debug/requests, and SHOW STATS, which says the same."""

import threading
import time

from busbar_e2e import wait_until


def variables(server):
    reply = server.get("/debug/vars")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    return reply.json()


def points(server):
    """What Telegraf's input `influxdb` makes of it: (name, tags) -> values."""
    found = {}
    for key, value in variables(server).items():
        if isinstance(value, dict) and value.get("name") and value.get("values"):
            assert all(isinstance(t, str) for t in value["tags"].values())
            found[(value["name"],) + tuple(value["tags"].values())] = value["values"]
    return found


def stats(server, module=None):
    q = "SHOW STATS" if module is None else "SHOW STATS FOR '%s'" % module
    return {(s["name"],) + tuple(s.get("tags", {}).values()):
            dict(zip(s["columns"], s["values"][0])) for s in server.query(q)}


def test_vars(server):
    server.write("m,id=a v=1 1\nm,id=b v=2 2")
    server.write("m v=x")
    server.query("SELECT v FROM m")
    assert server.get("/ping").status == 204
    all_of_it = variables(server)
    assert {"currentTime", "started", "uptime"} == set(all_of_it["system"])
    assert all_of_it["cmdline"] == ["busbard"]
    assert all_of_it["memstats"]["Alloc"] > 0
    found = points(server)
    httpd = found[("httpd", server.http_address)]
    assert httpd["writeReq"] == 2 and httpd["pingReq"] == 1 and httpd["clientError"] == 1
    assert httpd["pointsWrittenOK"] == 2 and httpd["pointsWrittenDropped"] == 1
    assert httpd["queryReq"] == 2 and httpd["queryRespBytes"] > 50
    assert found[("database", "test")] == {"numMeasurements": 1, "numSeries": 2}
    assert found[("write",)]["pointReq"] == 2
    assert ("udp",) not in {k[:1] for k in found}
    assert "httpd:" + server.http_address in all_of_it and "database:test" in all_of_it


def test_paths_below(server):
    for path in ("/debug/vars/", "/debug/vars/x"):
        assert set(server.get(path).json()) == set(server.get("/debug/vars").json())
    assert server.get("/debug/requests/", seconds=0).json() == {}
    for path in ("/debug/varsx", "/debug/flush/", "/debug/status/x", "/query/"):
        assert server.get(path).status == 404


def test_vars_of_queries_and_shards(server):
    week = 7 * 86400
    server.write("".join("m,id=a v=1 %d\n" % (i * week) for i in range(3)), precision="s")
    for flushed in (False, True):
        if flushed:
            server.flush()
        found = points(server)
        shards = {key[1:]: values for key, values in found.items() if key[0] == "shard"}
        own = next(s for s in server.query("SHOW SHARDS") if s["name"] == "test")
        ids = [str(row[0]) for row in own["values"]]
        assert len(ids) == 3
        assert sorted(shards) == sorted(("test", "busbar", i, "autogen") for i in (ids[0], ids[2]))
        total = sum(values["diskBytes"] for values in shards.values())
        assert total == found[("segments",)]["segment_bytes"]
        assert (total > 0) == flushed
    executor = found[("queryExecutor",)]
    assert executor["queriesActive"] == 1  # SHOW STATS itself
    assert executor["queriesExecuted"] == executor["queriesFinished"] + 1 > 3
    assert executor["queryDurationNs"] > 0
    assert set(stats(server, "shard")) == {("shard",) + key for key in shards}
    assert stats(server, "database")[("database", "test")] == {
        "numMeasurements": 1, "numSeries": 1}


def test_vars_of_odd_names(server):
    name = 'a "b" ü<'
    server.query('CREATE DATABASE "a \\"b\\" ü<"')
    assert ("database", name) in points(server)
    assert "database:" + name in variables(server)


def test_stats_and_vars_and_metrics_agree(make_server):
    server = make_server(udp="127.0.0.1:0").create()
    server.write("m v=1 1")
    shown, told, measured = stats(server), points(server), server.metrics()
    for module in ("write", "wal", "memtable", "segments", "catalog"):
        for name, value in shown[(module,)].items():
            if not name.startswith("wal_bytes"):
                assert told[(module,)][name] == value, (module, name)
    key = ("httpd", server.http_address)
    assert shown[key]["writeReq"] == told[key]["writeReq"] == \
        measured['busbar_http_requests_total{path="/write"}'] == 1
    assert ("udp", server.udp_address) in shown and ("udp", server.udp_address) in told
    assert set(stats(server, "httpd")) == {key}
    assert stats(server, "nothing") == {}


# requests


def test_requests(server):
    replies = []
    asking = threading.Thread(target=lambda: replies.append(server.get("/debug/requests",
                                                                      seconds="4")))
    start = time.monotonic()
    asking.start()
    wait_until(lambda: server.metrics()["busbar_connections{listener=\"http\"}"] > 1, 2)
    time.sleep(0.3)
    for i in range(3):
        server.write("m v=%d %d" % (i, i))
    server.query("SELECT v FROM m")
    server.query("SELECT v FROM m")
    server.get("/ping")
    asking.join()
    assert 3.9 < time.monotonic() - start < 20
    reply = replies[0]
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.headers["Connection"] == "close"
    assert reply.body == b'{\n"127.0.0.1": {"writes":3,"queries":2}\n}\n'


def test_requests_of_users(make_server):
    server = make_server(auth_enabled="true", line="off")
    server.query("CREATE USER root WITH PASSWORD 'x' WITH ALL PRIVILEGES")
    assert server.get("/debug/requests", seconds="0").status == 401
    root = {"u": "root", "p": "x"}
    replies = []
    asking = threading.Thread(target=lambda: replies.append(server.get("/debug/requests",
                                                                      seconds="4", **root)))
    asking.start()
    wait_until(lambda: server.metrics()["busbar_connections{listener=\"http\"}"] > 1, 2)
    time.sleep(0.3)
    assert server.get("/query", q="SHOW DATABASES", **root).status == 200
    assert server.get("/query", q="SHOW DATABASES", u="root", p="wrong").status == 401
    asking.join()
    assert replies[0].body == b'{\n"root:127.0.0.1": {"writes":0,"queries":1}\n}\n'


def test_requests_of_no_time(server):
    assert server.get("/debug/requests", seconds="0").body == b"{\n\n}\n"
    assert server.get("/debug/requests", seconds="-7").body == b"{\n\n}\n"


def test_requests_refused(server):
    for seconds, text in [("x", 'strconv.ParseInt: parsing "x": invalid syntax'),
                          ("1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
                          ("9" * 20, 'strconv.ParseInt: parsing "99999999999999999999": '
                                     "value out of range"),
                          ("25200", "exceeded maximum interval time: 7h > 6h"),
                          ("99999999", "exceeded maximum interval time: 99999999s > 6h")]:
        reply = server.get("/debug/requests", seconds=seconds)
        assert (reply.status, reply.error()) == (400, text)


def test_requests_are_bounded(make_server):
    server = make_server()
    raws = [server.raw() for _ in range(17)]
    for raw in raws:
        raw.sendall(b"GET /debug/requests?seconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.01)
    wait_until(lambda: server.metrics()['busbar_http_errors_total{status="503"}'] == 1, 5)
    answered = raws[-1].recv(65536)
    assert answered.startswith(b"HTTP/1.1 503 ") and b"/debug/requests" in answered
    raws[0].close()
    wait_until(lambda: server.metrics()['busbar_connections{listener="http"}'] == 17, 5)
    assert server.get("/debug/requests", seconds="0").status == 200
    code, seconds = server.stop()
    assert code == 0 and seconds < 8
    for raw in raws[1:]:
        raw.close()


# settings


def test_max_concurrent_queries(make_server):
    server = make_server(max_concurrent_queries=1, query_timeout="0").create()
    server.write("\n".join("m,id=%d v=%d %d" % (i % 97, i, i * 1000) for i in range(50000)))
    long = "SELECT percentile(v, 50) FROM (SELECT v FROM m) GROUP BY id, time(1ns) fill(0)"
    assert server.query_reply(long, db="test", **{"async": "true"}).status == 204
    reply = server.query_reply("SHOW DATABASES; SHOW DATABASES")
    assert (reply.status, reply.json()) == (200, {"results": [
        {"statement_id": 0, "error": "max-concurrent-queries limit exceeded(1, 1)"}]})
    assert server.write("m v=1 1").status == 204


def test_query_timeout(make_server):
    server = make_server(query_timeout="50ms", log_queries_after="10ms").create()
    server.write("\n".join("m,id=%d v=%d %d" % (i % 97, i, i * 1000) for i in range(50000)))
    long = "SELECT percentile(v, 50) FROM (SELECT v FROM m) GROUP BY id, time(1ns) fill(0)"
    start = time.monotonic()
    reply = server.query_reply(long, db="test")
    assert time.monotonic() - start < 5
    assert reply.status == 200
    assert reply.json()["results"][0]["error"] == "query-timeout limit exceeded"
    assert wait_until(lambda: "slow_ms=" in server.log(), 5)
    assert "text=\"SELECT percentile" in server.log()


def test_names_that_influxdb_has(make_server):
    server = make_server(max_body_size="2KiB").create()
    assert server.write("m s=\"%s\"" % ("x" * 3000)).status == 413
    assert server.write("m s=\"%s\"" % ("x" * 1000)).status == 204


def test_retention_autocreate(make_server):
    server = make_server(retention_autocreate="false", line="off")
    server.query("CREATE DATABASE bare")
    assert "values" not in server.query('SHOW RETENTION POLICIES ON "bare"')[0]
    reply = server.write("m v=1 1", db="bare")
    assert (reply.status, reply.error()) == (500, "retention policy not found: ")
    assert server.query_reply("SELECT v FROM m", db="bare").json()["results"][0]["error"] == \
        "default retention policy not set for: bare"
    server.query("CREATE DATABASE mine WITH DURATION 2d NAME two")
    assert server.rows("SHOW RETENTION POLICIES ON mine")[0][0] == "two"
    server.query("CREATE RETENTION POLICY p ON bare DURATION 1d REPLICATION 1 DEFAULT")
    now = time.time_ns()
    assert server.write("m v=1 %d" % now, db="bare").status == 204
    server.kill()
    server.restart()
    assert [r[0] for r in server.rows('SHOW RETENTION POLICIES ON "bare"')] == ["p"]
    assert len(server.rows("SELECT v FROM m", db="bare")) == 1
