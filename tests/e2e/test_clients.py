"""InfluxDB's own clients, unchanged: its shell, libraries, and what Telegraf and Grafana send."""

import gzip
import json
import os
import shutil
import subprocess

import pytest

from busbar_e2e import BUILDDIR

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(HERE, "clients")

DUMP = """\
# DDL
CREATE DATABASE pirates
CREATE RETENTION POLICY oneyear ON pirates DURATION 52w REPLICATION 1
# DML
# CONTEXT-DATABASE: pirates
# CONTEXT-RETENTION-POLICY: autogen
treasures,captain_id=dread\\ pirate value=801 1439856000
treasures,captain_id=flint value=29,found="x, y" 1439856000
treasures,captain_id=flint value=28 1439856060
"""


def run(command, **env):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, env={**os.environ, **env}, check=False)
    if done.returncode == 77:
        pytest.skip("%s: its client library is not installed" % os.path.basename(command[-2]))
    return done.returncode, done.stdout


# ---- influx, the shell ----

@pytest.fixture
def influx(server):
    if shutil.which("influx") is None:
        pytest.skip("influx is not installed (Debian: influxdb-client)")

    def shell(*args):
        code, out = run(["influx", "-host", "127.0.0.1", "-port", str(server.http_port), *args])
        return code, out

    return shell


def test_influx_formats(influx):
    code, _ = influx("-database", "test", "-execute",
                     'INSERT m,host=a,region=eu value=1.5,n=3i,s="hi there",b=true 1000000000')
    assert code == 0
    assert influx("-database", "test", "-format", "csv", "-execute", "SELECT * FROM m") == (
        0, "name,time,b,host,n,region,s,value\nm,1000000000,true,a,3,eu,hi there,1.5\n")
    code, out = influx("-database", "test", "-format", "json", "-execute",
                       "SELECT mean(value) FROM m GROUP BY host")
    assert code == 0
    series = json.loads(out)["results"][0]["series"]
    assert series == [{"name": "m", "tags": {"host": "a"}, "columns": ["time", "mean"],
                       "values": [[0, 1.5]]}]
    code, out = influx("-database", "test", "-precision", "rfc3339", "-execute",
                       "SELECT n FROM m; SHOW SERIES")
    assert code == 0 and "1970-01-01T00:00:01Z 3\n" in out and "m,host=a,region=eu\n" in out


def test_influx_errors(influx):
    code, out = influx("-execute", "SELECT * FROM m")
    assert code == 1 and "database name required" in out
    code, out = influx("-database", "test", "-execute", "SELECT x y FROM m")
    assert code == 1
    assert "error parsing query: found y, expected FROM at line 1, char 10" in out


def test_influx_import(influx, tmp_path, server):
    path = tmp_path / "dump.txt.gz"
    path.write_bytes(gzip.compress(DUMP.encode()))
    code, out = influx("-import", "-compressed", "-path=%s" % path, "-precision=s")
    assert code == 0 and "Processed 3 inserts" in out and "Failed 0 inserts" in out, out
    rows = server.rows("SELECT value, captain_id, found FROM treasures", db="pirates", epoch="s")
    assert sorted(rows) == [[1439856000, 29, "flint", "x, y"],
                            [1439856000, 801, "dread pirate", None],
                            [1439856060, 28, "flint", None]]


def test_influx_chunks(influx, server):
    server.write("\n".join("big v=%d %d" % (i, i) for i in range(25000)))
    code, out = influx("-database", "test", "-format", "csv", "-execute", "SELECT v FROM big")
    rows = [line for line in out.splitlines() if line.startswith("big,")]
    assert code == 0 and len(rows) == 25000 and rows[-1] == "big,24999,24999"


# ---- libraries ----

def node(script, server):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    modules = os.environ.get("BUSBAR_NODE_MODULES", "")
    code, out = run(["node", os.path.join(CLIENTS, script), str(server.http_port)],
                    NODE_PATH=modules)
    assert code == 0, out


def test_python_influxdb(server):
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("no Python of the distribution")
    code, out = run(["/usr/bin/python3", os.path.join(CLIENTS, "python_influxdb.py"),
                     str(server.http_port)])
    assert code == 0, out


@pytest.fixture
def guarded(make_server):
    """One that asks who comes; root may do all, ann may write to the database test."""
    server = make_server(auth_enabled="true")
    reply = server.query_reply("CREATE USER root WITH PASSWORD 'r00t' WITH ALL PRIVILEGES; "
                               "CREATE DATABASE test; CREATE USER ann WITH PASSWORD 'a'; "
                               "GRANT WRITE ON test TO ann")
    assert reply.status == 200, reply.body
    return server


def test_python_influxdb_with_users(guarded):
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("no Python of the distribution")
    code, out = run(["/usr/bin/python3", os.path.join(CLIENTS, "python_influxdb.py"),
                     str(guarded.http_port), "root", "r00t"])
    assert code == 0, out


def test_influx_with_users(guarded):
    if shutil.which("influx") is None:
        pytest.skip("influx is not installed (Debian: influxdb-client)")

    def influx(user, password, statement):
        return run(["influx", "-host", "127.0.0.1", "-port", str(guarded.http_port), "-username",
                    user, "-password", password, "-database", "test", "-format", "csv", "-execute",
                    statement])

    assert influx("ann", "a", "INSERT m v=1 1") == (0, "")
    assert influx("root", "r00t", "SELECT v FROM m") == (0, "name,time,v\nm,1,1\n")
    code, out = influx("ann", "a", "SELECT v FROM m")
    assert code == 1 and "not authorized to execute statement" in out, out
    code, out = influx("ann", "b", "SHOW DATABASES")
    assert code == 1 and "authorization failed" in out, out


def test_busbar_with_users(guarded):
    command = [os.path.join(BUILDDIR, "busbar"), "-H", "http://" + guarded.http_address, "-d",
               "test", "--format", "csv"]
    ann = {"BUSBAR_USER": "ann", "BUSBAR_PASSWORD": "a"}
    code, out = run([*command, "-e", "SELECT v FROM m"], **ann)
    assert code != 0 and "requires READ on test" in out, out
    code, out = run([*command, "-u", "root", "--password", "r00t", "-e", "SHOW USERS"])
    assert code == 0 and "ann" in out, out
    code, out = run([*command, "-e", "SHOW USERS"])
    assert code != 0 and "unable to parse authentication credentials" in out, out
    status = [command[0], "status", *command[1:3]]
    assert run(status, BUSBAR_USER="root", BUSBAR_PASSWORD="r00t")[0] == 0
    code, out = run(status, **ann)
    assert code != 0 and "not an administrator" in out, out


def test_node_influx(server):
    node("node_influx.js", server)


def test_node_influxdb_client(server):
    server.create("v2")
    node("node_influxdb_client.js", server)
    assert server.rows("SELECT count(v), sum(n) FROM m", db="v2", epoch="ms") == [
        [0, 2000, 1999000]]


# ---- Telegraf ----

def test_telegraf(server):
    """Its influxdb output: the database by form, then gzipped batches."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Telegraf/1.27"}
    reply = server.request("POST", "/query", body="q=CREATE+DATABASE+%22telegraf%22", headers=form)
    assert reply.status == 200 and reply.json() == {"results": [{"statement_id": 0}]}
    lines = "".join("cpu,cpu=cpu%d,host=h usage_idle=%d.5,usage_user=1i %d\n" % (i, i, i)
                    for i in range(1000))
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip",
               "User-Agent": "Telegraf/1.27"}
    connection = server.connection()
    for consistency in ({}, {"consistency": "any"}, {"rp": "autogen"}):
        reply = server.request("POST", "/write", body=gzip.compress(lines.encode()),
                               headers=headers, connection=connection, db="telegraf",
                               precision="ns", **consistency)
        assert reply.status == 204 and reply.body == b""
    connection.close()
    assert server.rows("SELECT count(usage_user) FROM cpu", db="telegraf", epoch="s") == [[0, 1000]]
    reply = server.request("POST", "/write", body="cpu usage_idle=1", db="nowhere")
    assert reply.status == 404 and reply.error() == 'database not found: "nowhere"'


# ---- Grafana ----

@pytest.fixture
def grafana(server):
    server.write("\n".join(
        "reading,device_id=MTR-%d,fuel_type=electricity value=%d %d" %
        (m, m * 10 + s, 1577836800_000000000 + s * 1800_000000000)
        for m in range(3) for s in range(8) if (m, s) != (1, 3)))

    def ask(q):
        reply = server.get("/query", db="test", epoch="ms", q=q)
        assert reply.status == 200
        result = reply.json()["results"][0]
        assert "error" not in result, result
        return result.get("series", [])

    return ask


RANGE = "time >= 1577836800000ms and time <= 1577851199999ms"


def test_grafana_panel(grafana):
    series = grafana('SELECT mean("value") FROM "reading" WHERE ("device_id" =~ /^(MTR-0|MTR-1)$/) '
                     'AND %s GROUP BY time(1h), "device_id" fill(null)' % RANGE)
    assert [s["tags"]["device_id"] for s in series] == ["MTR-0", "MTR-1"]
    assert series[0]["columns"] == ["time", "mean"]
    assert series[0]["values"] == [[1577836800000 + i * 3600000, 2 * i + 0.5] for i in range(4)]
    assert series[1]["values"][1] == [1577840400000, 12]


def test_grafana_adhoc(grafana):
    series = grafana('SELECT last("value") FROM "autogen"."reading" WHERE ("fuel_type" = '
                     "'electricity' AND \"device_id\" != 'MTR-2') AND %s GROUP BY time(30m) "
                     "fill(none) ORDER BY time DESC LIMIT 2" % RANGE)
    assert series[0]["values"] == [[1577849400000, 17], [1577847600000, 16]]


def test_grafana_variables(grafana):
    assert grafana("SHOW MEASUREMENTS LIMIT 100")[0]["values"] == [["reading"]]
    assert grafana("SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)READ/ LIMIT 100")[0]["values"] == [
        ["reading"]]
    assert grafana('SHOW RETENTION POLICIES on "test"')[0]["values"][0][0] == "autogen"
    assert grafana('SHOW TAG KEYS FROM "reading"')[0]["values"] == [["device_id"], ["fuel_type"]]
    assert grafana('SHOW FIELD KEYS FROM "reading"')[0]["values"] == [["value", "float"]]
    values = grafana('SHOW TAG VALUES FROM "reading" WITH KEY = "device_id" '
                     'WHERE "device_id" =~ /(?i)mtr-[01]/')[0]["values"]
    assert values == [["device_id", "MTR-0"], ["device_id", "MTR-1"]]
    values = grafana('SHOW TAG VALUES WITH KEY IN ("fuel_type")')[0]["values"]
    assert values == [["fuel_type", "electricity"]]
