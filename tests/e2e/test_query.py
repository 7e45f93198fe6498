"""GET and POST /query: parameters, formats, errors, streaming."""

import json
import time
import urllib.parse

import pytest

from busbar_e2e import wait_until


@pytest.fixture(scope="module")
def loaded(shared_server):
    lines = ["reading,device_id=MTR-%d value=%d.%03d %d" % (d, i, i, 1710511200 + 900 * i)
             for d in range(3) for i in range(100)]
    assert shared_server.write("\n".join(lines), precision="s").status == 204
    return shared_server


def test_get_and_post_agree(loaded):
    q = "SELECT value FROM reading WHERE device_id='MTR-1' LIMIT 3"
    by_get = loaded.get("/query", q=q, db="test")
    by_form = loaded.query_reply(q, db="test")
    mixed = loaded.request("POST", "/query?db=test&q=nonsense",
                           body=urllib.parse.urlencode({"q": q}),
                           headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert by_get.status == by_form.status == mixed.status == 200
    assert by_get.body == by_form.body == mixed.body
    assert by_get.body.endswith(b"}\n")
    assert by_get.headers["Content-Type"] == "application/json"


def test_shape(loaded):
    reply = loaded.get("/query", db="test",
                       q="SELECT count(value) FROM reading WHERE device_id='MTR-1' "
                         "GROUP BY device_id")
    assert reply.body == (b'{"results":[{"statement_id":0,"series":[{"name":"reading","tags":'
                          b'{"device_id":"MTR-1"},"columns":["time","count"],"values":'
                          b'[["1970-01-01T00:00:00Z",100]]}]}]}\n')


def test_pretty(loaded):
    q = "SELECT value FROM reading WHERE device_id='MTR-1' LIMIT 2"
    plain = loaded.query_reply(q, db="test").json()
    reply = loaded.get("/query", q=q, db="test", pretty="true")
    assert reply.body.decode() == json.dumps(plain, indent=4) + "\n"
    body = urllib.parse.urlencode({"q": q, "pretty": "true"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = loaded.request("POST", "/query", body=body.encode(), headers=form, db="test")
    assert reply.body.decode() == json.dumps(plain, separators=(",", ":")) + "\n"


@pytest.mark.parametrize("epoch, unit", [("ns", 1), ("u", 10**3), ("ms", 10**6), ("s", 10**9),
                                         ("m", 60 * 10**9), ("h", 3600 * 10**9)])
def test_epoch(loaded, epoch, unit):
    q = "SELECT value FROM reading WHERE device_id='MTR-1' LIMIT 1"
    assert loaded.rows(q, epoch=epoch)[0][0] == 1710511200 * 10**9 // unit


def test_rfc3339(loaded):
    q = "SELECT value FROM reading WHERE device_id='MTR-1' LIMIT 2"
    assert [row[0] for row in loaded.rows(q)] == ["2024-03-15T14:00:00Z", "2024-03-15T14:15:00Z"]


def test_missing_q(loaded):
    for reply in (loaded.get("/query", db="test"), loaded.query_reply("", db="test")):
        assert (reply.status, reply.error()) == (400, 'missing required parameter "q"')


def test_blanks_around_the_text_do_not_count(loaded):
    reply = loaded.query_reply(" \n\tSELECT value \r\n", db="test")
    assert (reply.status, reply.error()) == (
        400, "error parsing query: found EOF, expected FROM at line 1, char 14")
    blank = loaded.query_reply(" \n ", db="test")
    assert (blank.status, blank.error()) == (400, 'missing required parameter "q"')


def test_parse_error_runs_nothing(loaded):
    reply = loaded.query_reply("CREATE DATABASE never; SELEC")
    assert reply.status == 400
    assert reply.error().startswith("error parsing query: ")
    assert ["never"] not in loaded.rows("SHOW DATABASES")


def test_statement_error_is_inside_results(loaded):
    reply = loaded.query_reply("SELECT value FROM reading", db="nope")
    assert reply.status == 200
    result = reply.json()["results"][0]
    assert result["statement_id"] == 0
    assert result["error"] == "database not found: nope"


def test_several_statements(loaded):
    reply = loaded.query_reply("SHOW MEASUREMENTS; SELECT count(value) FROM reading; "
                               "SELECT value FROM nothing", db="test")
    results = reply.json()["results"]
    assert [r["statement_id"] for r in results] == [0, 1, 2]
    assert results[1]["series"][0]["values"][0][1] == 300
    assert "series" not in results[2]


def test_batches_of_a_series_are_one_list(server):
    """More rows than one vector, one piece and one chunk of the reply."""
    count = 100000
    lines = "\n".join("many v=%d %d" % (i, i) for i in range(count))
    assert server.write(lines).status == 204
    reply = server.query_reply("SELECT v FROM many", db="test", epoch="ns")
    assert reply.headers["Transfer-Encoding"] == "chunked"
    series = reply.json()["results"][0]["series"]
    assert len(series) == 1
    assert series[0]["values"] == [[i, i] for i in range(count)]


def test_chunked(loaded):
    reply = loaded.query_reply("SELECT value FROM reading GROUP BY device_id", db="test",
                               chunked="true", chunk_size="40")
    documents = [json.loads(line) for line in reply.body.splitlines()]
    shape = []
    for document in documents:
        result, = document["results"]
        series, = result["series"]
        shape.append((series["tags"]["device_id"], len(series["values"]),
                      series.get("partial", False), result.get("partial", False)))
    per_meter = [(40, True), (40, True), (20, False)]
    assert shape == [("MTR-%d" % d, n, more, not (d == 2 and n == 20))
                     for d in range(3) for n, more in per_meter]


@pytest.mark.parametrize("statement, documents", [
    ("SHOW TAG KEYS", 2), ("SHOW TAG VALUES WITH KEY IN (a, b)", 2), ("SHOW MEASUREMENTS", 1),
    ("SHOW DATABASES", 1), ("SHOW RETENTION POLICIES", 1), ("EXPLAIN SELECT * FROM m", 1),
    ("SHOW STATS", 1), ("SHOW DIAGNOSTICS", 1)])
def test_chunked_show(server, statement, documents):
    """As InfluxDB divides them: not by rows, and no word of what follows."""
    server.query("CREATE RETENTION POLICY other ON test DURATION INF REPLICATION 1")
    assert server.write("m,a=1,b=2 v=1 1\nn,a=1,b=2 v=1 1").status == 204
    reply = server.query_reply(statement, db="test", chunked="true", chunk_size="1")
    lines = reply.body.splitlines()
    assert len(lines) == documents
    assert b"partial" not in reply.body
    whole = server.query_reply(statement, db="test").json()["results"][0]["series"]
    parts = [one for line in lines for one in json.loads(line)["results"][0]["series"]]
    assert [one["name"] for one in parts if "name" in one] == [
        one["name"] for one in whole if "name" in one]
    assert [len(one["values"]) for one in parts] == [len(one["values"]) for one in whole]


def test_chunked_show_by_rows(server):
    assert server.write("m,a=1,b=2 v=1,w=1 1\nn,a=1,b=2 v=1 1").status == 204
    for statement, documents in (("SHOW SERIES", 2), ("SHOW FIELD KEYS", 3)):
        reply = server.query_reply(statement, db="test", chunked="true", chunk_size="1")
        assert len(reply.body.splitlines()) == documents
        assert reply.body.count(b'"partial":true}]}\n') == documents - 1


def test_create_database_by_get(server):
    assert server.get("/query", q="CREATE DATABASE byget").status == 200
    assert ["byget"] in server.rows("SHOW DATABASES")


def test_bad_escape(loaded):
    assert loaded.request("GET", "/query?q=%zz").status == 400


def test_client_that_leaves_cancels_its_query(server):
    lines = "\n".join("long v=%d %d" % (i, i) for i in range(200000))
    for n in range(5):
        assert server.write(lines.replace("long", "long,n=%d" % n)).status == 204
    sock = server.raw()
    sock.sendall(b"GET /query?db=test&q=SELECT+v+FROM+long+GROUP+BY+n HTTP/1.1\r\n\r\n")
    sock.recv(1000)
    sock.close()
    start = time.monotonic()
    assert wait_until(lambda: server.metrics()['busbar_connections{listener="http"}'] == 1)
    assert time.monotonic() - start < 5
    assert server.rows("SELECT count(v) FROM long")[0][1] == 1000000


def test_long_query_text(loaded):
    """A condition of a megabyte, as dashboards with many meters send it."""
    meters = "|".join("MTR-%d" % i for i in range(100000))
    q = "SELECT count(value) FROM reading WHERE device_id =~ /^(%s)$/" % meters
    reply = loaded.query_reply(q, db="test")
    assert reply.status in (200, 400)
    many = " OR ".join("device_id='MTR-%d'" % i for i in range(5000))
    assert loaded.rows("SELECT count(value) FROM reading WHERE %s" % many)[0][1] == 300


# Parameters, forms in parts, what is slow, who goes away

def params_rows(server, q, params, **more):
    reply = server.query_reply(q, db="test", epoch="ns", params=params, **more)
    assert reply.status == 200, reply.body
    return reply.json()["results"][0]


def test_params(server):
    server.write("m,id=a v=1,s=\"x\" 1\nm,id=it's v=2,s=\"y\" 2\nn v=3 3")
    params = json.dumps({"id": "it's", "min": 1.5, "n": 2, "m": {"identifier": "m"},
                         "r": {"regex": "^i"}, "d": {"duration": "1h"}, "yes": True})
    for q in ("SELECT v FROM m WHERE id = $id", "SELECT v FROM $m WHERE v > $min",
              "SELECT v FROM m WHERE v = $n", "SELECT v FROM m WHERE id =~ $r"):
        assert params_rows(server, q, params)["series"][0]["values"] == [[2, 2]], q
    reply = server.query_reply("SELECT v FROM m WHERE id = $nobody", db="test", params=params)
    assert (reply.status, reply.error()) == (400, "error parsing query: missing parameter: nobody")


def test_params_never_become_text_of_the_query(server):
    server.write("m,id=a v=1 1")
    result = params_rows(server, "SELECT v FROM m WHERE id = $id",
                         json.dumps({"id": "a' OR id != 'a"}))
    assert "series" not in result


@pytest.mark.parametrize("text, value", [
    ("\\ud800", "\ufffd"), ("\\udc00x", "\ufffdx"), ("\\ud800\\ud83d\\ude00", "\ufffd\U0001f600"),
    ("\\\\ud800", "\\ud800"), ("\\ud800\\n", "\ufffd\n"), ("\\uD83D\\u0041", "\ufffdA")])
def test_params_with_half_a_surrogate_pair(shared_server, text, value):
    """As Go reads them."""
    shared_server.write('half s="%s" 7' % value.replace("\\", "\\\\"))
    rows = params_rows(shared_server, "SELECT s FROM half WHERE s = $p", '{"p":"%s"}' % text)
    assert rows["series"][0]["values"] == [[7, value]]


def test_params_that_are_no_utf8(shared_server):
    body = b'q=SELECT+v+FROM+m+WHERE+id=$p&db=test&params={"p":"%ff\xe2\x82"}'
    reply = shared_server.request("POST", "/query", body=body, headers={
        "Content-Type": "application/x-www-form-urlencoded"})
    assert (reply.status, reply.json()) == (200, {"results": [{"statement_id": 0}]})


@pytest.mark.parametrize("params", ["{", "[1]", "7", '{"a":"\\u0000"}', "[" * 100000])
def test_params_that_are_not_an_object_are_refused(shared_server, params):
    reply = shared_server.query_reply("SHOW DATABASES", params=params)
    assert reply.status == 400
    assert reply.error().startswith("error parsing query parameters: ")


@pytest.mark.parametrize("params", ['{"p":null}', '{"p":[1]}', '{"p":{"what":1}}',
                                    '{"p":{"a":1,"b":2}}', '{"p":{"identifier":3}}'])
def test_params_that_cannot_be_bound_fail_where_they_are_used(shared_server, params):
    assert shared_server.query_reply("SHOW DATABASES", params=params).status == 200
    reply = shared_server.query_reply("SELECT v FROM m WHERE id = $p", db="test", params=params)
    assert reply.status == 400, reply.body


def multipart(fields, boundary="XyZ"):
    return "".join('--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
                   % (boundary, name, '; filename="f"' if name == "q" else "", value)
                   for name, value in fields.items()) + "--%s--\r\n" % boundary


def test_multipart(server):
    server.write("m v=1 1\nm v=2 2")
    headers = {"Content-Type": 'multipart/form-data; boundary="XyZ"'}
    body = multipart({"db": "test", "q": "SELECT v FROM m;\r\nSELECT count(v) FROM m"})
    reply = server.request("POST", "/query", body=body, headers=headers, epoch="ns")
    assert reply.status == 200, reply.body
    assert [r["series"][0]["values"] for r in reply.json()["results"]] == [[[1, 1], [2, 2]],
                                                                            [[0, 2]]]
    reply = server.request("POST", "/query", body="", headers=headers, q="SHOW DATABASES")
    assert reply.status in (200, 400)
    for bad in (body[:-30], body.replace("XyZ", "Xyz"), "--XyZ\r\n", "--XyZ\r\n\r\n--XyZ"):
        reply = server.request("POST", "/query", body=bad, headers=headers)
        assert reply.status == 400
    reply = server.request("POST", "/query", body=multipart({"p": "x"}), headers=headers)
    assert reply.error() == 'missing required parameter "q"'
    headers = {"Content-Type": "multipart/form-data"}  # without a boundary it is no form
    reply = server.request("POST", "/query", body=body, headers=headers)
    assert (reply.status, reply.error()) == (400, 'missing required parameter "q"')
    reply = server.request("POST", "/query", body=body, headers=headers, q="SHOW USERS")
    assert reply.json()["results"][0]["series"][0]["columns"] == ["user", "admin"]


def test_slow_queries_are_logged(make_server):
    server = make_server(log_queries_after="1ms").create()
    server.write("\n".join("m,id=%d v=%d %d" % (i, i, i) for i in range(20000)))
    server.query_reply("SELECT v FROM m\nWHERE v >= 0 GROUP BY id", db="test")
    server.query_reply("SELECT nonsense(")
    lines = [line for line in server.log().splitlines()
             if " query slow_ms=" in line and "CREATE" not in line]
    assert len(lines) == 1 and 'db="test"' in lines[0] and "status=" in lines[0]
    assert r'text="SELECT v FROM m\x0aWHERE v >= 0 GROUP BY id"' in lines[0]


def fill_cartesian(server):
    for part in range(20):
        server.write("\n".join("big,id=%d v=%d %d" % (i % 50, i, i + part * 100000)
                               for i in range(50000)))


def test_a_query_whose_client_goes_away_ends_at_once(server):
    fill_cartesian(server)
    body = urllib.parse.urlencode({"db": "test", "q": ";".join(
        ["SELECT count(v) FROM big WHERE v != 1 GROUP BY id, time(1u)"] * 50)})
    with server.raw() as sock:
        sock.sendall(("POST /query HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                      "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
        assert wait_until(lambda: server.metrics()['busbar_requests_running{pool="query"}'] == 1)
        time.sleep(0.3)
        running = server.metrics()['busbar_requests_running{pool="query"}']
        assert running == 1, "the query is too quick for this test"
    start = time.monotonic()
    assert wait_until(lambda: server.metrics()['busbar_requests_running{pool="query"}'] == 0, 5)
    assert time.monotonic() - start < 0.25, "100 ms, and as much for asking"


def test_max_row_limit(make_server):
    """Ends an answer that is not chunked; a series that has more says so; CSV ends likewise."""
    server = make_server(max_row_limit="5", max_select_buckets="4").create()
    server.write("m,h=a v=1 1\nm,h=a v=2 2\nm,h=a v=3 3\nm,h=b v=4 1\nm,h=b v=5 2\nm,h=b v=6 3\n")

    def rows(q, **params):
        reply = server.query_reply(q, db="test", epoch="ns", **params).json()
        return [[(s["values"], s.get("partial")) for s in r.get("series", [])]
                for r in reply["results"]]

    assert rows("SELECT v FROM m WHERE h = 'a'") == [[([[1, 1], [2, 2], [3, 3]], None)]]
    assert rows("SELECT v FROM m GROUP BY h; SHOW DATABASES") == [
        [([[1, 1], [2, 2], [3, 3]], None), ([[1, 4], [2, 5]], True)]]
    assert rows("SELECT v FROM m WHERE h = 'a'; SELECT v FROM m WHERE time < 3") == [
        [([[1, 1], [2, 2], [3, 3]], None)], [([[1, 1], [1, 4]], True)]]
    assert rows("SELECT v FROM m LIMIT 5; SELECT v FROM m") == [
        [([[1, 1], [1, 4], [2, 2], [2, 5], [3, 3]], None)]]
    assert len(rows("SELECT v FROM m", chunked="true")[0][0][0]) == 6
    csv = server.request("GET", "/query?db=test&q=SELECT+v+FROM+m", headers={"Accept": "text/csv"})
    assert len(csv.body.decode().splitlines()) == 6
    reply = server.query_reply("SELECT count(v) FROM m WHERE time >= 0 AND time < 6 "
                               "GROUP BY time(1ns)", db="test").json()
    assert reply["results"][0]["error"] == "max-select-buckets limit exceeded: (5/4)"


def test_shards_of_none(server):
    """Columns without rows, as InfluxDB shows them."""
    server.query("CREATE DATABASE bare")
    by_name = {s["name"]: s for s in server.query("SHOW SHARDS")}
    assert by_name["bare"] == {"name": "bare", "columns": [
        "id", "database", "retention_policy", "shard_group", "start_time", "end_time",
        "expiry_time", "owners"]}
    server.query("DROP DATABASE bare")


def test_shard_groups_of_none(make_server):
    assert make_server(line="off").query("SHOW SHARD GROUPS") == [
        {"name": "shard groups", "columns": ["id", "database", "retention_policy", "start_time",
                                             "end_time", "expiry_time"]}]
