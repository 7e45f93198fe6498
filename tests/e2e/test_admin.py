"""What operators ask: /debug/status, /metrics, the log."""

import time

from busbar_e2e import wait_until

WEEK_S = 7 * 86400


def test_status_of_an_empty_server(make_server):
    status = make_server(line="off").get("/debug/status").json()
    assert status["databases"] == []
    assert status["read_only"] is False
    assert status["storage"]["segments"] == 0
    assert status["storage"]["bytes_per_value"] is None
    assert status["memory"]["resident_bytes"] > 1 << 20


def test_status_counts_what_is_there(server):
    lines = ["reading,device_id=%d value=%d.5,quality=1i %d" % (d, i, week * WEEK_S + i * 900)
             for d in range(3) for week in range(4) for i in range(10)]
    assert server.write("\n".join(lines), precision="s").status == 204
    server.query('CREATE DATABASE "another \\"one\\""')
    before = server.get("/debug/status").json()
    assert before["storage"]["memtable_values"] == 240
    server.flush()
    status = server.get("/debug/status").json()
    assert [d["name"] for d in status["databases"]] == ['another "one"', "energy", "test"]
    test = status["databases"][2]
    assert (test["series"], test["measurements"], test["fields"]) == (3, 1, 2)
    assert test["segment_values"] == 240
    assert test["segments"] >= 1 and test["partitions"] >= 1
    assert test["first_time"] == "1970-01-01T00:00:00Z"
    assert test["last_time"] == "1970-01-22T02:15:00Z"
    assert test["bytes_per_value"] == test["segment_bytes"] / 240
    assert status["storage"]["segment_bytes"] == test["segment_bytes"]
    assert status["ingest"]["points_written"] == 120
    assert status["wal"]["syncs"] >= 1


def test_status_knows_rates(server):
    server.get("/debug/status")
    assert wait_until(lambda: server.get("/debug/status").json()["rates"]["seconds"] > 0)
    end = time.monotonic() + 2
    count = 0
    while time.monotonic() < end:
        assert server.write("m v=%d %d" % (count, count)).status == 204
        count += 1
    rates = server.get("/debug/status").json()["rates"]
    assert 0.5 * count < rates["points_per_second"] * rates["seconds"] <= count
