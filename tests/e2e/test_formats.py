"""Formats of replies by Accept: MessagePack, CSV, errors in each; queries that nobody waits for."""

import gzip
import json
import struct
import time

import pytest

MSGPACK = {"Accept": "application/x-msgpack"}


class Unpacker:
    """MessagePack, as its specification has it. Times come out as ("time", seconds, ns)."""

    SIZED = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I",
             0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}
    NUMBERS = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
               0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
    WORDS = {0xc0: None, 0xc2: False, 0xc3: True}

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data)
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        kind = self.number(">B")
        if kind < 0x80:
            return kind
        if kind >= 0xe0:
            return kind - 0x100
        if kind in self.WORDS:
            return self.WORDS[kind]
        if kind in self.NUMBERS:
            return self.number(self.NUMBERS[kind])
        if kind == 0xc7:
            assert self.take(2) == b"\x0c\x05"
            return ("time", self.number(">q"), self.number(">i"))
        n = self.number(self.SIZED[kind]) if kind >= 0xc0 else kind & 0x0f
        if kind < 0x90 or kind in (0xde, 0xdf):
            return {self.value(): self.value() for _ in range(n)}
        if kind < 0xa0 or kind in (0xdc, 0xdd):
            return [self.value() for _ in range(n)]
        return self.take(kind & 0x1f if kind < 0xc0 else n).decode()

    def all(self):
        values = []
        while self.at < len(self.data):
            values.append(self.value())
        return values


def documents(server, q, headers=None, **params):
    reply = server.request("GET", "/query", q=q, db="test", headers={**MSGPACK, **(headers or {})},
                           **params)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/x-msgpack"
    return Unpacker(reply.body).all()


def test_msgpack(server):
    server.write('m,id=a f=1.5,i=-7i,b=t,s="Zürich" 1500000000000000001\nm,id=b f=2 -1')
    assert documents(server, "SELECT f, i, b, s FROM m; SELECT f FROM nothing") == [{"results": [
        {"statement_id": 0, "series": [
            {"name": "m", "columns": ["time", "f", "i", "b", "s"],
             "values": [[("time", -1, 999999999), 2.0, None, None, None],
                        [("time", 1500000000, 1), 1.5, -7, True, "Zürich"]]}]},
        {"statement_id": 1, "series": []}]}]
    tagged = documents(server, "SELECT f FROM m GROUP BY id", epoch="s")[0]["results"][0]["series"]
    assert [(s["tags"], s["values"]) for s in tagged] == [
        ({"id": "a"}, [[1500000000, 1.5]]), ({"id": "b"}, [[0, 2.0]])]
    failed = documents(server, "SHOW DATABASES; SELECT f FROM nowhere..m")[0]["results"]
    assert failed[0]["series"][0]["values"] == [["energy"], ["test"]]
    assert failed[1] == {"error": "database not found: nowhere"}
    warned = documents(server, "CREATE DATABASE other")[0]["results"][0]
    assert warned["series"] == [] and warned["messages"][0]["level"] == "warning"


def test_msgpack_says_what_json_says(server):
    server.write("\n".join("m,id=%d v=%d.25,n=%di %d" % (i % 7, i, i * 997, i)
                           for i in range(30000)))
    for params in ({}, {"chunked": "true", "chunk_size": "1000"}):
        q = "SELECT v, n FROM m GROUP BY id"
        reply = server.get("/query", q=q, db="test", epoch="ns", **params)
        said = [json.loads(line) for line in reply.body.splitlines()]
        assert documents(server, q, epoch="ns", **params) == said
    packed = server.request("GET", "/query", q="SELECT v FROM m", db="test",
                            headers={**MSGPACK, "Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"


def test_msgpack_is_bounded(make_server):
    server = make_server(request_memory="2MiB", reply_buffer="64KiB").create()
    for start in range(0, 60000, 6000):
        assert server.write("\n".join("m v=%d %d" % (i, i) for i in range(start, start + 6000))
                            ).status == 204
    reply = server.request("GET", "/query", q="SELECT v FROM m", db="test", headers=MSGPACK)
    assert reply.status == 413
    assert "chunked=true" in Unpacker(reply.body).value()["error"]
    chunks = documents(server, "SELECT v FROM m", chunked="true")
    assert sum(len(c["results"][0]["series"][0]["values"]) for c in chunks) == 60000
    assert len(server.rows("SELECT v FROM m")) == 60000


@pytest.mark.parametrize("accept, body", [
    ("application/json", b'{"error":"missing required parameter \\"q\\""}\n'),
    ("*/*", b'{"error":"missing required parameter \\"q\\""}\n'),
    ("text/csv", b'error\n"missing required parameter ""q"""\n'),
    ("application/csv", b'error\n"missing required parameter ""q"""\n'),
    ("application/x-msgpack", b'\x81\xa5error\xbemissing required parameter "q"')])
def test_errors(shared_server, accept, body):
    reply = shared_server.request("GET", "/query", headers={"Accept": accept})
    assert (reply.status, reply.body) == (400, body)
    assert reply.headers["Content-Type"] == accept.replace("*/*", "application/json")
    assert reply.headers["X-Influxdb-Error"] == 'missing required parameter "q"'


def test_pretty_errors(shared_server):
    reply = shared_server.get("/query", pretty="true")
    assert reply.body == b'{\n    "error": "missing required parameter \\"q\\""\n}\n'


@pytest.mark.parametrize("params, why", [
    ("{", "unexpected EOF"), (" ", "EOF"), ("nul", "unexpected EOF"),
    ("x", "invalid character 'x' looking for beginning of value"),
    ("[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ("5", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
    ('"s"', "json: cannot unmarshal string into Go value of type map[string]interface {}"),
    ("true", "json: cannot unmarshal bool into Go value of type map[string]interface {}"),
    ('{"a":1.5.5}', "invalid character '.' after object key:value pair"),
    ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ('{"a":[1 2]}', "invalid character '2' after array element"),
    ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
    ('{"a":"\\x"}', "invalid character 'x' in string escape code"),
    ('{"a":"\\u12g4"}', "invalid character 'g' in \\u hexadecimal character escape"),
    ('{"a":"\n"}', "invalid character '\\n' in string literal"),
    ('{"a":-}', "invalid character '}' in numeric literal"),
    ('{"a":1.}', "invalid character '}' after decimal point in numeric literal"),
    ('{"a":1e}', "invalid character '}' in exponent of numeric literal")])
def test_params_that_are_no_json(shared_server, params, why):
    reply = shared_server.get("/query", q="SHOW DATABASES", params=params)
    assert (reply.status, reply.error()) == (400, "error parsing query parameters: " + why)


@pytest.mark.parametrize("number, why", [
    ("1e5", 'strconv.ParseInt: parsing "1e5": invalid syntax'),
    ("9" * 20, 'strconv.ParseInt: parsing "%s": value out of range' % ("9" * 20)),
    ("1.1e999", 'strconv.ParseFloat: parsing "1.1e999": value out of range')])
def test_params_that_are_no_numbers(shared_server, number, why):
    reply = shared_server.get("/query", q="SHOW DATABASES", params='{"a":%s}' % number)
    assert (reply.status, reply.error()) == (400, "error parsing json value: " + why)


def test_params_that_are_fine(shared_server):
    for params in ("null", "{}", '{"a":1}x', ' {"a":[1,{"b":[]}],"c":{}} ]', '{"":1,"":2.5e-3}'):
        assert shared_server.get("/query", q="SHOW DATABASES", params=params).status == 200


def test_deep_params(shared_server):
    text = '{"a":%s%s}' % ("[" * 2000, "]" * 2000)
    reply = shared_server.query_reply("SHOW DATABASES", params=text)
    assert (reply.status, reply.error()) == \
        (400, "error parsing query parameters: exceeded max depth")


# routes


def test_ping_and_status_and_health(shared_server):
    for value, status in [("", 204), ("0", 204), ("false", 204), ("true", 200), ("x", 200)]:
        reply = shared_server.get("/ping", verbose=value)
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.body == (b'{"version":"1.8.10"}' if status == 200 else b"")
    assert shared_server.get("/status").status == 204
    assert shared_server.request("HEAD", "/status").status == 204
    assert shared_server.get("/health").json() == {
        "checks": [], "message": "ready for queries and writes", "name": "influxdb",
        "status": "pass", "version": "1.8.10"}


WHOLE = gzip.compress(b"g v=1 1")


@pytest.mark.parametrize("body, why", [
    (b"g v=1", "unexpected EOF"), (b"", "EOF"), (WHOLE[:15], "unexpected EOF"),
    (WHOLE[:-3], "unexpected EOF"), (WHOLE + b"junk", "unexpected EOF"),
    (b"y" * 40, "gzip: invalid header"), (WHOLE + b"y" * 40, "gzip: invalid header"),
    (WHOLE[:-8] + b"y" * 8, "gzip: invalid checksum"),
    (b"\x1f\x8b\x08\0" + b"x" * 40, "flate: corrupt input before offset 5")])
def test_damaged_gzip(shared_server, body, why):
    reply = shared_server.write(body, headers={"Content-Encoding": "gzip"})
    assert (reply.status, reply.error()) == (400, why)


def test_consistency(shared_server):
    for level in ("any", "one", "QUORUM", "all", ""):
        assert shared_server.write("c v=1 1", consistency=level).status == 204
    reply = shared_server.write("c v=1 1", consistency="most")
    assert (reply.status, reply.error()) == (400, "invalid consistency level")


UNPARSED = "unable to parse 'o': missing fields"
NO_POLICY = "retention policy not found: nope"


@pytest.mark.parametrize("params, body, status, why", [
    ({"db": "nope", "consistency": "most"}, b"no gzip body", 404, 'database not found: "nope"'),
    ({"rp": "nope", "consistency": "most"}, b"no gzip body", 400, "gzip: invalid header"),
    ({"rp": "nope", "consistency": "most"}, gzip.compress(b"o"), 400, UNPARSED),
    ({"rp": "nope", "consistency": "most"}, gzip.compress(b"o\no v=1 1"), 400,
     "invalid consistency level"),
    ({"rp": "nope"}, gzip.compress(b"o"), 400, UNPARSED),
    ({"rp": "nope"}, gzip.compress(b"o\no v=1 1"), 500, NO_POLICY),
    ({"rp": "nope"}, gzip.compress(b"o time=1 1"), 500, NO_POLICY),
    ({"rp": "nope"}, gzip.compress(b"# nothing\n"), 500, NO_POLICY)])
def test_order_of_faults(shared_server, params, body, status, why):
    reply = shared_server.write(body, headers={"Content-Encoding": "gzip"}, **params)
    assert (reply.status, reply.error()) == (status, why)
    assert shared_server.query("SHOW SERIES FROM o") == []


def test_a_chunk_size_that_is_none(shared_server):
    shared_server.write("\n".join("chunks v=%d %d" % (i, i) for i in range(1, 4)))
    for size, lines in (("1", 3), ("1e3", 1), ("x", 1), ("0", 1), ("-1", 1), ("9" * 30, 1)):
        reply = shared_server.get("/query", q="SELECT v FROM chunks", db="test", chunked="true",
                                  chunk_size=size)
        assert len(reply.body.splitlines()) == lines


# async


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def running(server):
    columns = server.query("SHOW QUERIES")[0]
    return [dict(zip(columns["columns"], row)) for row in columns["values"]]


def test_async(server):
    server.write("m v=1 1\nm v=2 2")
    reply = server.query_reply("SELECT v INTO copy FROM m", db="test", **{"async": "true"})
    assert (reply.status, reply.body) == (204, b"")
    wait_for(lambda: len(server.rows("SELECT v FROM copy")) == 2)
    reply = server.get("/query", q=";", **{"async": "true"})
    assert reply.status == 204


def test_async_refused(server):
    reply = server.get("/query", q="SELEC", **{"async": "true"})
    assert reply.status == 400 and reply.error().startswith("error parsing query: found SELEC")
    assert server.get("/query", **{"async": "true"}).error() == 'missing required parameter "q"'
    reply = server.query_reply("SHOW DATABASES", params="{", **{"async": "true"})
    assert reply.status == 400


def test_async_errors_are_logged(server):
    assert server.query_reply("SELECT v FROM nowhere..m; SHOW DATABASES",
                              **{"async": "true"}).status == 204
    wait_for(lambda: "query async=failed" in server.log())
    assert 'error="database not found: nowhere"' in server.log()


LONG = "SELECT percentile(v, 50) FROM (SELECT v FROM m) GROUP BY id, time(1ns) fill(0)"


def test_async_is_seen_and_killed(make_server):
    server = make_server(query_timeout="10m").create()
    server.write("\n".join("m,id=%d v=%d %d" % (i % 97, i, i * 1000) for i in range(50000)))
    assert server.query_reply(LONG, db="test", **{"async": "true"}).status == 204
    mine = [q for q in running(server) if q["query"].startswith("SELECT percentile")]
    assert len(mine) == 1 and mine[0]["database"] == "test"
    server.query("KILL QUERY %d" % mine[0]["qid"])
    wait_for(lambda: all(q["qid"] != mine[0]["qid"] for q in running(server)))
    wait_for(lambda: 'error="query interrupted"' in server.log())


def test_async_does_not_delay_the_stop(make_server):
    server = make_server(query_timeout="10m").create()
    server.write("\n".join("m,id=%d v=%d %d" % (i % 97, i, i * 1000) for i in range(50000)))
    assert server.query_reply(LONG, db="test", **{"async": "true"}).status == 204
    code, seconds = server.stop()
    assert code == 0 and seconds < 8, server.log()
    assert "flushed=yes" in server.log()
