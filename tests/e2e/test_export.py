"""busbar export: what is imported again is the same."""

import gzip
import os
import re
import shutil
import subprocess
import time

import pytest

from busbar_tool import Tool

NAMES = ["plain", "a b", "a,b", "a=b", 'q"q', "back\\slash", "zähler ⚡", "#hash", "tab\tx"]
STRINGS = ["", "plain", 'a "quote"', "back\\slash\\", "two\nlines", "crlf\r\nx", "a,b=c d", " x ",
           "#", "Zähler ⚡ 東京", "\\\"", "t", "5", "NA"]
FLOATS = ["0", "-0", "0.1", "1e300", "1.7976931348623157e+308", "5e-324", "-2.5",
          "123456789012345680", "1e21", "9007199254740993", "0.30000000000000004"]
INTEGERS = ["0", "9223372036854775807", "-9223372036854775808", "9007199254740993"]
UNSIGNED = ["0", "18446744073709551615", "9223372036854775808"]
TIMES = [-9223372036854775806, -1, 0, 1, 1710504000000000001, 9223372036854775806]


def key(text, extra=""):
    for c in ", =" + extra:
        text = text.replace(c, "\\" + c)
    return text


def string(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def odd_lines():
    """Lines of every type, with every odd text in every place."""
    n = 0
    for name in NAMES:
        measurement = "m" if name == "#hash" else key(name)
        field = key(name)
        yield "%s,%s=%s,x=1 %s=1.5 %d" % (measurement, key(name), key(name), field, n)
        n += 1
    for text in ("a\\ b", "a\\,b", "a\\=b"):
        yield "tags,t=%s s=\"two\nlines\" %d" % (key(text), n)
        n += 1
    for values, form in ((FLOATS, "f=%s"), (INTEGERS, "i=%si"), (UNSIGNED, "u=%su"),
                         (map(string, STRINGS), "s=%s"), (("true", "false"), "b=%s")):
        for value in values:
            yield "types,device_id=A %s %d" % (form % value, n)
            n += 1
    for time in TIMES:
        yield "types,device_id=B,place=y\\ z f=%d.5,i=%di %d" % (time % 7, time % 5, time)
    yield "types f=1,i=2i,u=3u,b=true,s=\"none of the tags\" 7"


@pytest.fixture
def tool(tmp_path, server):
    return Tool(tmp_path, server)


def test_lines_round_trip(tool, server):
    for line in odd_lines():
        reply = server.write(line)
        assert reply.status == 204, (line, reply.body)
    tool.run("export", "-d", "test", "-o", "a.lp.gz")
    with gzip.open(tool.path("a.lp.gz"), "rt", encoding="utf-8", newline="") as f:
        first = f.read()
    assert first.startswith('# DDL\nCREATE DATABASE "test"\n# DML\n# CONTEXT-DATABASE: test\n'
                            "# CONTEXT-RETENTION-POLICY: autogen\n")
    assert 'i=9223372036854775807i ' in first and 'u=18446744073709551615u ' in first
    tool.run("import", "--create", "-d", "copy", "a.lp.gz")
    second, _ = tool.run("export", "-d", "copy", "--format", "line")
    assert second.replace("copy", "test") == first.replace("\r\n", "\n").replace("copy", "test") \
        or second.split("\n")[5:] == first.split("\n")[5:]
    for name in ("types", *NAMES[:3]):
        q = 'SELECT * FROM "%s" GROUP BY *' % name
        assert server.query(q, db="copy", epoch="ns") == server.query(q, db="test", epoch="ns")
    server.query("DROP DATABASE test")
    tool.run("import", "a.lp.gz")  # into the database that it names
    assert tool.run("export", "-d", "test", "--format", "line")[0] == first


@pytest.mark.skipif(shutil.which("influx") is None, reason="no influx shell")
def test_influx_takes_an_export(tool, server):
    lines = ["m,t=a\\ b b=true,f=1.5,i=5i,s=\"x \\\"q\\\"\" 1", "other,t=ä f=2 2"]
    assert server.write("\n".join(lines)).status == 204
    first, _ = tool.run("export", "-d", "test", "--format", "line")
    copy = first.replace('"test"', '"copy"').replace("DATABASE: test", "DATABASE: copy")
    subprocess.run(["influx", "-host", "127.0.0.1", "-port", str(server.http_port), "-import",
                    "-path", tool.path("copy.lp", copy), "-precision", "ns"], check=True,
                   capture_output=True)
    assert tool.run("export", "-d", "copy", "--format", "line")[0] == copy


def test_csv_round_trip(tool, server):
    for line in odd_lines():
        assert server.write(line).status == 204
    args = ["--measurement", "types", "--time-format", "ns"]
    first, err = tool.run("export", "-d", "test", *args)
    assert first.startswith("device_id,place,time,b,f,i,s,u\n,,7,true,1,2,none of the tags,3\n")
    assert "A,,20,,0,,,\n" not in first
    tool.path("a.csv", first)
    tool.run("import", "--create", "-d", "copy", "--measurement", "types", "-m", "time=time:ns",
             "-m", "device_id=tag,place=tag,b=field::bool,f=field::float,i=field::int",
             "-m", "s=field::string,u=field::uint", "a.csv")
    assert tool.run("export", "-d", "copy", *args)[0] == first


def test_what_is_chosen(tool, server):
    server.write("".join("r,d=%s v=%d,w=%d %d\nother v=1 1\n" % (d, t, t, t * 10**9)
                         for d in "ab" for t in range(10)))
    out, _ = tool.run("export", "-d", "test", "--measurement", "r", "--since",
                      "1970-01-01T00:00:03Z", "--until", "5000000000", "--where", "d = 'b'")
    assert out == "d,time,v,w\nb,1970-01-01T00:00:03Z,3,3\nb,1970-01-01T00:00:04Z,4,4\n"
    out, _ = tool.run("export", "-d", "test", "--measurement", "r", "--where", "d='a' AND v > 8",
                      "--time-format", "s", "--time-column", "when", "--delimiter", "tab")
    assert out == "d\twhen\tv\tw\na\t9\t9\t9\n"
    _, err = tool.run("export", "-d", "test", code=2)
    assert "there are 2 measurements (other, r ...): csv holds one" in err


def test_policy(tool, server):
    server.query('CREATE RETENTION POLICY "long" ON test DURATION 100000h REPLICATION 1')
    now = 1700000000 * 10**9
    server.write("r v=1 %d" % now, rp="long")
    server.write("r v=2 %d" % now)
    out, _ = tool.run("export", "-d", "test", "--rp", "long", "--format", "line")
    assert "# CONTEXT-RETENTION-POLICY: long\nr v=1 %d\n" % now in out
    assert "\nr v=2 %d\n" % now in tool.run("export", "-d", "test", "--format", "line")[0]


def test_failures(tool, server, tmp_path):
    server.write("r v=1 1")
    assert "no database is given" in tool.run("export", code=2)[1]
    assert 'database not found: x' in tool.run("export", "-d", "x", code=1)[1]
    _, err = tool.run("export", "-d", "test", "--where", "d ==", code=1)
    assert "error parsing query" in err
    _, err = tool.run("export", "-d", "test", "-o", "no/such/folder.csv", code=4)
    assert "No such file or directory" in err
    _, err = tool.run("export", "-d", "test", "--measurement", "q")
    assert "is there such a measurement" in err
    tool.run("export", "-d", "test", "-o", "x.csv", "--where", "d ==", code=1)
    assert not os.path.exists(tool.path("x.csv")) and not os.path.exists(tool.path("x.csv.part"))
    nobody = Tool(tmp_path)
    nobody.env["BUSBAR_URL"] = "http://127.0.0.1:1"
    nobody.run("export", "-d", "test", code=3)
    os.symlink("/dev/full", tool.path("full"))
    _, err = tool.run("export", "-d", "test", "-o", "full", code=4)
    assert "full: No space left on device" in err
    assert os.path.islink(tool.path("full"))


@pytest.mark.slow
def test_memory_does_not_grow(tool, server):
    """Two million rows pass through a bounded memory."""
    for part in range(20):
        server.write("".join("r,d=%d v=%d %d\n" % (part, i, i) for i in range(100000)))
    process = tool.start("export", "-d", "test", "-o", "big.csv")
    peak_kib = 0
    while process.poll() is None:
        with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
            found = re.search(r"VmHWM:\s+(\d+)", f.read())
        peak_kib = int(found.group(1)) if found else peak_kib
        time.sleep(0.005)
    _, err = process.communicate()
    assert process.returncode == 0, err
    with open(tool.path("big.csv"), "rb") as f:
        assert sum(1 for _ in f) == 2000001
    assert 0 < peak_kib < 40 << 10
