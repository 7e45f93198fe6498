"""Lines that the line-protocol listener refused: kept with reasons, listed, sent again."""

from busbar_e2e import wait_until


def rejects(server, **params):
    reply = server.get("/debug/rejects", **params)
    assert reply.status == 200, reply.body
    return reply.json()


def send(server, text, token="t"):
    client = server.lines()
    client.send(text)
    assert client.sync(token)
    client.close()


def test_none(server):
    assert rejects(server) == {"rejects": [], "kept": 0, "lost": 0}


def test_each_refused_line_is_kept_with_its_reason(server):
    send(server, "m v=1 1\nnonsense\nm v=2 2\nm v=\"text\" 3\n\xff bad=\n".encode("latin-1"))
    kept = rejects(server)["rejects"]
    assert {r["line"] for r in kept} == {"nonsense", "\ufffd bad=", 'm v="text" 3'}
    reasons = {r["line"]: r["reason"] for r in kept}
    assert reasons["nonsense"] == "missing fields"
    assert "field type conflict" in reasons['m v="text" 3']
    assert [r["id"] for r in kept] == [1, 2, 3]
    assert all(r["db"] == "energy" and r["precision_ns"] == 1 and not r["cut"] for r in kept)


def test_listing_by_pages_and_as_lines(server):
    send(server, "".join("bad%d\n" % i for i in range(30)))
    assert [r["line"] for r in rejects(server, limit=2)["rejects"]] == ["bad0", "bad1"]
    assert [r["line"] for r in rejects(server, after=28)["rejects"]] == ["bad28", "bad29"]
    assert [r["line"] for r in rejects(server, id="3,9")["rejects"]] == ["bad2", "bad8"]
    text = server.get("/debug/rejects", format="lp", limit=1).body.decode()
    assert text == "# id=1 db=energy reason=missing fields\nbad0\n"
    reply = server.get("/debug/rejects", id="x")
    assert (reply.status, reply.error()) == (400, "id: not a list of numbers")


def test_resubmit_stores_what_can_be_stored(server):
    send(server, "# db elsewhere\n# precision s\nm v=1 1\nm v=2 2\nbroken\n")
    assert len(rejects(server)["rejects"]) == 3
    again = server.request("POST", "/debug/rejects", resubmit="true").json()
    assert (again["tried"], again["stored"], again["refused"]) == (3, 0, 3)
    assert "database not found" in again["reasons"]
    server.create("elsewhere")
    again = server.request("POST", "/debug/rejects", resubmit="true").json()
    assert (again["tried"], again["stored"], again["refused"]) == (3, 2, 1)
    assert again["reasons"] == "unable to parse 'broken': missing fields"
    assert server.rows("SELECT v FROM m", db="elsewhere", epoch="s") == [[1, 1], [2, 2]]
    assert [r["line"] for r in rejects(server)["rejects"]] == ["broken"]


def test_resubmit_and_drop_by_id(server):
    send(server, "# db elsewhere\nm v=1 1\nm v=2 2\nm v=3 3\n")
    server.create("elsewhere")
    again = server.request("POST", "/debug/rejects", resubmit="true", id="2").json()
    assert again["stored"] == 1
    assert server.rows("SELECT v FROM m", db="elsewhere", epoch="ns") == [[2, 2]]
    assert server.request("DELETE", "/debug/rejects", id="1").json() == {"dropped": 1}
    assert [r["id"] for r in rejects(server)["rejects"]] == [3]
    assert server.request("DELETE", "/debug/rejects").json() == {"dropped": 1}
    assert rejects(server)["kept"] == 0
    assert server.request("POST", "/debug/rejects").status == 400


def test_cut_lines_are_not_sent_again(make_server):
    server = make_server(max_line="1KiB")
    client = server.lines()
    client.send("m v=" + "1" * 100000 + "\nm v=12")
    client.close()
    assert wait_until(lambda: rejects(server)["kept"] == 2)
    kept = rejects(server)["rejects"]
    assert all(r["cut"] for r in kept)
    assert kept[0]["line"].startswith("m v=111") and len(kept[0]["line"]) == 4096
    assert kept[1]["line"] == "m v=12"
    assert server.request("POST", "/debug/rejects", resubmit="true").json()["tried"] == 0


def test_kept_over_a_restart(make_server):
    server = make_server()
    send(server, "one\ntwo\n")
    rejects(server)
    server.stop()
    server.restart()
    send(server, "three\n")
    kept = rejects(server)
    assert [(r["id"], r["line"]) for r in kept["rejects"]] == [(1, "one"), (2, "two"), (3, "three")]
    assert kept["kept"] == 3


def test_the_log_is_bounded_and_counts_what_it_loses(make_server):
    server = make_server(reject_log="64KiB")
    for part in range(20):
        send(server, "".join("bad%d,%s\n" % (part * 100 + i, "x" * 100) for i in range(100)))
    kept = rejects(server, limit=100000)
    assert kept["kept"] + kept["lost"] == 2000
    assert 50 < kept["kept"] < 600
    assert kept["rejects"][-1]["line"].startswith("bad1999,")
    assert [r["id"] for r in kept["rejects"]] == list(range(2001 - kept["kept"], 2001))


def test_none_kept_when_told_so(make_server):
    server = make_server(reject_log="0")
    send(server, "bad\n")
    assert rejects(server)["rejects"] == []
    assert server.metrics()['busbar_lines_rejected_total{reason="unable to parse"}'] == 1
