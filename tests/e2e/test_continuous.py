"""Continuous queries: kept over restarts, and run by the server's own clock."""

import time

from busbar_e2e import wait_until

CREATE = ("CREATE CONTINUOUS QUERY c ON test BEGIN SELECT count(v), max(v) INTO m FROM r "
          "GROUP BY time(1s), host END")
SHOWN = ("CREATE CONTINUOUS QUERY c ON test BEGIN SELECT count(v), max(v) INTO test.autogen.m "
         "FROM test.autogen.r GROUP BY time(1s), host END")


def queries(server):
    return {s["name"]: s.get("values", []) for s in server.query("SHOW CONTINUOUS QUERIES")}


def write_now(server, value):
    """A reading in the middle of a second; that second."""
    time.sleep((1.3 - time.time() % 1) % 1)
    second = int(time.time())
    lines = "r,host=a v=%d %d" % (value, second * 10**9 + 300 * 10**6)
    assert server.write(lines).status == 204
    return second


def counted(server):
    """The seconds that the query has written."""
    return [row[0] for row in server.rows("SELECT count FROM m", epoch="s")]


def test_kept_and_run(make_server):
    server = make_server(cq_run_interval="50ms")
    server.create()
    server.query(CREATE)
    server.query(CREATE)
    assert queries(server)["test"] == [["c", SHOWN]]
    time.sleep(0.2)  # the runner has seen it
    second = write_now(server, 7)
    assert wait_until(lambda: second in counted(server))
    assert server.rows("SELECT * FROM m", epoch="s")[0] == [second, 1, "a", 7]
    assert 'continuous_query name="c" db="test"' in server.log()
    metrics = server.metrics()
    assert metrics["busbar_cq_runs_total"] > 0 and metrics["busbar_cq_failures_total"] == 0

    server.kill()  # without a chance to flush
    server.start()
    assert queries(server)["test"] == [["c", SHOWN]]
    time.sleep(0.2)
    again = write_now(server, 8)
    assert wait_until(lambda: again in counted(server))

    server.stop()
    server.start()
    assert queries(server)["test"] == [["c", SHOWN]]
    server.query("DROP CONTINUOUS QUERY c ON test")
    assert queries(server)["test"] == []
    server.kill()
    server.start()
    assert queries(server)["test"] == []


def test_off_and_quiet(make_server):
    server = make_server(cq_enabled="false", cq_run_interval="50ms")
    server.create()
    server.query(CREATE)
    time.sleep(0.1)
    second = write_now(server, 7)
    time.sleep(1.5)
    assert counted(server) == []
    server.stop()
    server.settings.update(cq_enabled="true", cq_log_enabled="false")
    server.start()
    time.sleep(0.2)
    second = write_now(server, 7)
    assert wait_until(lambda: second in counted(server))
    assert "continuous_query" not in server.log()


def test_a_failing_one_stops_no_other(make_server):
    server = make_server(cq_run_interval="50ms")
    server.create()
    server.create("gone")
    server.query("CREATE CONTINUOUS QUERY a ON test BEGIN SELECT max(v) INTO gone..m FROM r "
                 "GROUP BY time(1s) END")
    server.query(CREATE)
    server.query("DROP DATABASE gone")
    time.sleep(0.2)
    second = write_now(server, 7)
    assert wait_until(lambda: second in counted(server))
    assert server.metrics()["busbar_cq_failures_total"] > 0
    assert 'continuous_query_failed name="a" db="test" reason="database not found: gone' in (
        server.log())
