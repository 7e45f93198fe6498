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
    reply = loaded.query_reply(q, db="test", pretty="true")
    assert reply.body.decode() == json.dumps(plain, indent=4) + "\n"


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
