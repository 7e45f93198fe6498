"""What clients of InfluxDB 1.8 use beside /write and /query: v2 writes, CSV, gzip, CORS."""

import gzip
import zlib

import pytest


def v2(server, body="m v=1 1", **params):
    return server.request("POST", "/api/v2/write", body=body,
                          headers={"Authorization": "Token user:secret"}, **params)


def test_v2_write(server):
    assert v2(server, bucket="test/autogen", org="any").status == 204
    assert v2(server, "m v=2 2", bucket="test").status == 204
    assert v2(server, "m v=3 3", bucket="test/", precision="s").status == 204
    assert v2(server, "m v=4 4000", bucket="test/", precision="ms").status == 204
    assert v2(server, "m v=5 5000000", bucket="test/", precision="us").status == 204
    assert v2(server, "m v=6 6000000000", bucket="test/", precision="ns").status == 204
    assert server.rows("SELECT v FROM m", epoch="ns") == \
        [[1, 1], [2, 2]] + [[i * 10**9, i] for i in (3, 4, 5, 6)]


def test_v2_write_refused(server):
    for bucket in (None, ""):
        reply = v2(server, **({} if bucket is None else {"bucket": bucket}))
        assert (reply.status, reply.error()) == (
            404, 'bucket name "" is missing a slash; not in "database/retention-policy" format')
    for bucket in ("/", "/autogen"):
        reply = v2(server, bucket=bucket)
        assert (reply.status, reply.error()) == (
            404, 'bucket name "%s" is in db/rp form but has an empty database' % bucket)
    assert v2(server, bucket="nowhere/autogen").error() == 'database not found: "nowhere"'
    assert "retention policy not found" in v2(server, bucket="test/none").error()
    for precision in ("parsec", "n", "u", "h"):
        reply = v2(server, bucket="test", precision=precision)
        assert (reply.status, reply.error()) == \
            (400, 'invalid precision "%s" (use ns, us, ms or s)' % precision)
    assert "dropped=1" in v2(server, "m v=1 1\nbad", bucket="test").error()


def test_v2_query_is_refused_with_a_clear_word(server):
    reply = server.request("POST", "/api/v2/query", body="from(bucket: \"test\")")
    assert reply.status == 403
    assert reply.error() == "Flux is not supported: use InfluxQL at /query"


def test_prometheus_is_refused_with_a_clear_word(server):
    for path in ("/api/v1/prom/read", "/api/v1/prom/write"):
        reply = server.request("POST", path, body=b"x", db="test")
        assert reply.status == 404 and "Prometheus remote" in reply.error()


def csv(server, q, accept="text/csv", **params):
    reply = server.request("GET", "/query", headers={"Accept": accept}, db="test", q=q, **params)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == accept.split(",")[0]
    return reply.body.decode()


def test_csv(server):
    server.write('m,id=a,zone=x\\,y v=1.5,s="say ""hi"", ok" 1000\nm,id=b v=2 2000\nn b=t,i=3i 5'
                 .replace('""', '\\"'))
    assert csv(server, "SELECT v, s FROM m") == (
        "name,tags,time,v,s\n"
        'm,,1000,1.5,"say ""hi"", ok"\n'
        "m,,2000,2,\n")
    assert csv(server, "SELECT v FROM m GROUP BY *", epoch="us") == (
        "name,tags,time,v\n"
        'm,"id=a,zone=x\\,y",1,1.5\n'
        'm,id=b,2,2\n')
    q = "SELECT v FROM m WHERE id = 'b'; SELECT v FROM nothing; SELECT b, i FROM n"
    assert csv(server, q) == "name,tags,time,v\nm,,2000,2\n\nname,tags,time,b,i\nn,,5,true,3\n"
    assert csv(server, "SELECT v FROM m", accept="application/csv, */*").startswith("name,")
    assert csv(server, "SELECT v FROM nowhere.autogen.m") == \
        "error\ndatabase not found: nowhere\n"
    reply = server.request("GET", "/query", headers={"Accept": "application/json, text/csv"},
                           q="SHOW DATABASES")
    assert reply.headers["Content-Type"] == "application/json"
    reply = server.request("GET", "/query", headers={"Accept": "text/csv"}, q="SELEC")
    assert reply.status == 400
    assert reply.body.startswith(b"error\n\"error parsing query: found SELEC")


def test_csv_blanks(server):
    """What begins with a blank of any kind is quoted, as Go has it; other wide characters not."""
    blanks = " \t\v\f\u0085\u00a0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
    others = "a\u00a1\u200b\u2027\u202a\u3001\u00e9"
    texts = [c + "x" for c in blanks + others] + ["x" + c for c in blanks]
    server.write("\n".join('m s="%s" %d' % (s, i) for i, s in enumerate(texts)).encode())
    lines = csv(server, "SELECT s FROM m").split("\n")[1:-1]
    assert lines == ['m,,%d,%s' % (i, '"%s"' % s if s[0] in blanks else s)
                     for i, s in enumerate(texts)]


def test_csv_numbers(server):
    """Without exponents, infinity as a word; both once ran over a buffer."""
    server.write("m v=0 1\nm v=-1 2\nm v=1e300 3\nm v=-1.5e-9 4")
    assert csv(server, "SELECT v, log2(v) AS l FROM m WHERE time <= 2") == (
        "name,tags,time,v,l\nm,,1,0,-Inf\nm,,2,-1,\n")
    assert csv(server, "SELECT v FROM m WHERE time > 2") == (
        "name,tags,time,v\nm,,3,1%s\nm,,4,-0.0000000015\n" % ("0" * 300))


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_gzip_replies(server, accept):
    lines = "\n".join("m,id=%d v=%d.25 %d" % (i % 7, i, i) for i in range(60000))
    assert server.write(lines).status == 204
    for q in ("SELECT v FROM m LIMIT 3", "SELECT v FROM m", "SELECT v FROM nothing"):
        plain = server.request("GET", "/query", headers={"Accept": accept}, db="test", q=q)
        packed = server.request("GET", "/query", db="test", q=q, headers={
            "Accept": accept, "Accept-Encoding": "deflate, gzip"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        whole = zlib.decompressobj(31)
        whole.decompress(packed.body)
        assert whole.eof and whole.unused_data == b""
    assert len(packed.body) < 200
    reply = server.request("GET", "/query", q="SHOW DATABASES",
                           headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in reply.headers


def test_other_origins(shared_server):
    origin = {"Origin": "https://grid.example"}
    reply = shared_server.request("GET", "/query", q="SHOW DATABASES", headers=origin)
    assert reply.headers["Access-Control-Allow-Origin"] == "https://grid.example"
    assert "X-InfluxDB-Version" in reply.headers["Access-Control-Expose-Headers"]
    for path in ("/query", "/write", "/ping"):
        reply = shared_server.request("OPTIONS", path, headers=origin)
        assert (reply.status, reply.body) == (200, b"")
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in reply.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in shared_server.get("/ping").headers
