"""What python3-influxdb does with a server: python_influxdb.py PORT [USER PASSWORD]. Exits 77
without it."""

import sys

try:
    from influxdb import InfluxDBClient
    from influxdb.exceptions import InfluxDBClientError
except ImportError:
    sys.exit(77)

POINT = {"measurement": "cpu", "tags": {"host": "a b", "place": "Zürich"},
         "time": "2020-01-01T00:00:00Z",
         "fields": {"v": 0.64, "i": 3, "s": 'say "x"\\', "b": True}}


def schema(client):
    assert client.ping() == "1.8.10"
    client.create_database("py")
    client.switch_database("py")
    assert {"name": "py"} in client.get_list_database()
    client.create_retention_policy("week", "7d", "1", default=False)
    client.alter_retention_policy("week", "py", duration="14d")
    policies = {p["name"]: p for p in client.get_list_retention_policies("py")}
    assert policies["week"]["duration"] == "336h0m0s", policies
    assert policies["autogen"]["default"] is True, policies


def readings(client):
    client.write_points([POINT])
    client.write_points([{"measurement": "cpu", "tags": {"host": "b"}, "time": 1577836860,
                          "fields": {"v": 1.5}}], time_precision="s")
    client.write_points([dict(POINT, time=None)], retention_policy="week")
    points = list(client.query("SELECT * FROM cpu").get_points())
    assert [p["v"] for p in points] == [0.64, 1.5], points
    assert points[0]["s"] == 'say "x"\\' and points[0]["place"] == "Zürich", points
    groups = client.query("SELECT mean(v) FROM cpu GROUP BY host")
    assert list(groups.get_points(tags={"host": "b"}))[0]["mean"] == 1.5
    # It asks for MessagePack and cannot read it in chunks, from InfluxDB neither.
    by_json = InfluxDBClient("127.0.0.1", int(sys.argv[1]), *sys.argv[2:4], timeout=30,
                             database="py", headers={"Accept": "application/json"})
    chunks = by_json.query("SELECT * FROM cpu", chunked=True, chunk_size=1)
    assert len(list(chunks)) == 2
    later = client.query("SELECT v FROM cpu WHERE time > $t", bind_params={"t": "2020-01-01"})
    assert len(list(later.get_points())) == 1
    bound = client.query("SELECT v FROM cpu WHERE host = $h", bind_params={"h": "b"})
    assert [p["v"] for p in bound.get_points()] == [1.5]
    assert client.get_list_measurements() == [{"name": "cpu"}]
    assert len(client.get_list_series()) == 2


def refusals(client):
    for lines, word in [('cpu v="text" 1', "field type conflict"), ("cpu", "unable to parse")]:
        try:
            client.write(lines, {"db": "py"}, protocol="line")
        except InfluxDBClientError as e:
            assert e.code == 400 and word in e.content, e
        else:
            raise AssertionError(lines)
    try:
        client.query("SELEC")
    except InfluxDBClientError as e:
        assert e.code == 400 and "error parsing query" in e.content, e


def users(client):
    client.create_user("ann", "secret")
    client.create_user("root", "r00t", admin=True)
    assert {"user": "ann", "admin": False} in client.get_list_users()
    client.grant_privilege("read", "py", "ann")
    assert client.get_list_privileges("ann") == [{"database": "py", "privilege": "READ"}]
    client.revoke_privilege("read", "py", "ann")
    client.grant_admin_privileges("ann")
    client.revoke_admin_privileges("ann")
    client.set_user_password("ann", "other")
    client.drop_user("ann")
    assert {"user": "root", "admin": True} in client.get_list_users()


def guarded(client):
    client.grant_privilege("read", "py", client.create_user("ann", "a") or "ann")
    ann = InfluxDBClient("127.0.0.1", int(sys.argv[1]), "ann", "a", "py", timeout=30)
    assert len(list(ann.query("SELECT v FROM cpu").get_points())) == 2
    wrong = InfluxDBClient("127.0.0.1", int(sys.argv[1]), "ann", "b", "py", timeout=30)
    for call, code in ((lambda: ann.write_points([POINT]), 403), (wrong.get_list_database, 401)):
        try:
            call()
        except InfluxDBClientError as e:
            assert e.code == code, e
        else:
            raise AssertionError(code)
    client.drop_user("ann")


def removals(client):
    client.delete_series(measurement="cpu", tags={"host": "b"})
    assert len(list(client.query("SELECT * FROM cpu").get_points())) == 1
    client.drop_retention_policy("week", "py")
    client.drop_measurement("cpu")
    assert list(client.query("SELECT * FROM cpu").get_points()) == []
    client.drop_database("py")
    assert {"name": "py"} not in client.get_list_database()


def main():
    if len(sys.argv) > 2:  # the server asks who comes
        client = InfluxDBClient("127.0.0.1", int(sys.argv[1]), *sys.argv[2:4], timeout=30)
        steps = (schema, readings, guarded, removals)
    else:
        client = InfluxDBClient("127.0.0.1", int(sys.argv[1]), timeout=30)
        steps = (schema, readings, refusals, users, removals)
    for step in steps:
        step(client)


main()
