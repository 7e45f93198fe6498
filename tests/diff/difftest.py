#!/usr/bin/env python3
"""Compare busbard with a real influxd on random data and random queries.

    difftest.py --seed 1 --datasets 50 --queries 20000

Each data set is loaded into influxd once and into four databases of busbard, whose states differ:
all in memory, flushed, compacted, and mixed. Every query runs in all five. The answers of the four
must be the same bytes; the first of them must agree with influxd's (compare.py), but for what
known.py explains. What differs otherwise is made small (shrink.py) and printed with its data.
docs/influxql.md tells what the differences are.
"""

import argparse
import collections
import json
import os
import random
import re
import sys
import tempfile
import time

from compare import EXACT, Difference, compare, documents, joined, unsupported
from dataset import Dataset, batches_of
from forms import FORMS, compare_form, request_of
from generate import quote
from known import explain
from plants import FAULTS
from reader import read_select
from servers import Busbar, Influx, find_influxd
from shrink import shrink_list, shrink_query
from statements import Statements, write_case
from tree import bound_parameters, plain_text, statement_text, steps_of, texts_of, tree_of
from wider import Wider

STATES = ["memory", "flushed", "compacted", "mixed"]
WIDER = ["several", "bound", "bound", "form", "form", "malformed", "malformed", "task"]
SKIPPED = 77


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--datasets", type=int, default=8)
    parser.add_argument("--queries", type=int, default=1600, help="over all data sets")
    parser.add_argument("--seconds", type=float, default=0, help="start no data set after this")
    parser.add_argument("--report", type=int, default=8, help="differences to make small")
    parser.add_argument("--plant", action="store_true",
                        help="patch an answer now and then: the run must fail")
    parser.add_argument("--strict", action="store_true",
                        help="what busbard does not execute yet counts as a difference")
    parser.add_argument("--open", action="store_true",
                        help="report what the rules named open would explain, too")
    parser.add_argument("--show", metavar="TEXT",
                        help="print each difference explained by a rule whose name has TEXT")
    parser.add_argument("--only", default="", help="select, show, broken, change, write, several, "
                        "bound, form, task, malformed or erase")
    return parser.parse_args()


class Bench:
    """Both servers, and databases in them."""

    def __init__(self, folder):
        self.influx = Influx(os.path.join(folder, "influx"))
        self.busbar = Busbar(os.path.join(folder, "busbar"))
        self.version = self.influx.version()
        self.count = 0

    def stop(self):
        self.influx.stop()
        self.busbar.stop()

    def create(self, policies, states=tuple(STATES)):
        self.count += 1
        name = "db%d" % self.count
        names = {"influx": name, **{state: name + state for state in states}}
        for where, db in names.items():
            link = self.influx if where == "influx" else self.busbar
            link.must('CREATE DATABASE "%s"' % db)
            if len(policies) > 1:
                link.must('CREATE RETENTION POLICY "rp2" ON "%s" DURATION INF REPLICATION 1 '
                          'SHARD DURATION 1d' % db)
        return names

    def drop(self, names):
        for where, db in names.items():
            (self.influx if where == "influx" else self.busbar).must('DROP DATABASE "%s"' % db)

    def load(self, link, db, batches):
        for policy, lines in batches:
            status, body = link.write("\n".join(lines).encode(), db=db, rp=policy)
            if status != 204:
                raise AssertionError("a batch of %s was refused: %d %r" % (db, status, body))

    def fill(self, batches, policies, states=tuple(STATES)):
        names = self.create(policies)
        self.load(self.influx, names["influx"], batches)
        half = len(batches) // 2
        if "compacted" in states:
            for at in range(0, len(batches), max(1, len(batches) // 4)):
                self.load(self.busbar, names["compacted"],
                          batches[at:at + max(1, len(batches) // 4)])
                self.busbar.flush()
            self.busbar.compact()
        if "mixed" in states or "flushed" in states:
            self.load(self.busbar, names["mixed"], batches[:half])
            self.load(self.busbar, names["flushed"], batches)
            self.busbar.flush()
            self.load(self.busbar, names["mixed"], batches[half:])
        if "memory" in states:
            self.load(self.busbar, names["memory"], batches)
        return names


class Run:
    def __init__(self, arguments, bench, seed):
        self.arguments = arguments
        self.bench = bench
        self.seed = seed
        self.counts = collections.Counter()
        self.known = collections.Counter()
        self.not_yet = collections.Counter()
        self.reported = 0
        self.ties, self.large = False, False
        self.types, self.fields = {}, {}
        self.several_policies = False
        self.several_shards = False
        self.starts = 0
        self.apart = False  # a change did not do the same: what is stored may differ from now on
        self.quiet = False  # while a difference is made small
        self.plant_rng = random.Random(seed) if arguments.plant else None
        self.planted = None  # the fault in the reply that is looked at
        self.faults = {name: [0, 0] for name in FAULTS}  # planted, seen

    # one query in all states

    def answer(self, link, db, text, parameters):
        """Where a reply names its database it says "db"."""
        status, body = link.query(text, db=db, **parameters)
        return status, body.replace(db.encode(), b"db")

    def patched(self, reply):
        """With --plant, a planted fault in some replies that could have it."""
        self.planted = None
        if self.plant_rng is None or self.plant_rng.random() > 0.3:
            return reply
        try:
            parts = documents(reply[1])
        except ValueError:
            return reply
        names = sorted(FAULTS, key=lambda name: (self.faults[name][0], self.plant_rng.random()))
        for name in names if len(parts) == 1 else []:
            if FAULTS[name](parts[0]):
                self.planted = name
                self.faults[name][0] += 1
                return reply[0], json.dumps(parts[0]).encode()
        return reply

    def floor_of(self, text, floor):
        """EXACT if there is nothing but integers in the answer."""
        if re.search(r"[*./%]|\b(mean|median|stddev|integral|percentile|float)\b|moving|average|"
                     r"derivative|oscillator|kaufmans|relative|winters|log|exp|pow|sqrt|sin|cos|"
                     r"tan", text):
            return floor
        return EXACT if not any(name in text for name, kinds in self.types.items()
                                if "float" in kinds) else floor

    def compare_text(self, names, text, parameters, floor, states):
        """(Difference or None, state) of one statement."""
        floor = self.floor_of(text, floor)
        theirs = self.answer(self.bench.influx, names["influx"], text, parameters)
        first = None
        for state in states:
            ours = self.answer(self.bench.busbar, names[state], text, parameters)
            if first is None:
                first = self.patched(ours)
                message = unsupported(ours)
                if message and message.encode() not in theirs[1]:
                    self.not_yet[message] += 1
                    return (Difference("unsupported", "reply", message, theirs[1][:200])
                            if self.arguments.strict else None), state
                difference = compare(first, theirs, floor)
                if difference:
                    reply = first
                    difference.replies = first[1], theirs[1]
                    difference.epoch = parameters.get("epoch")
                    difference.ask = lambda other: (reply, self.answer(
                        self.bench.influx, names["influx"], other, parameters), floor)
                    return difference, state
            elif ours[1] != first[1]:
                difference = compare(ours, first, 0.0)
                if (difference or self.plant_rng is None) and self.planted is None:
                    return Difference("states", state, ours[1][:600], first[1][:600]), state
        return None, None

    def compare_query(self, names, query, parameters, floor, states=tuple(STATES)):
        for step in steps_of(query):
            self.planted = None
            before = sum(self.not_yet.values())
            whole = {**parameters, **bound_parameters(step)}
            if step["kind"] == "several":
                found = self.compare_several(names, step, whole, floor, states)
            else:
                found = self.compare_text(names, statement_text(step), whole, floor, states) + (
                    plain_text(step),)
            difference, state, text = found
            # What a SELECT writes has the times of its intervals.
            self.ties = self.ties or query["kind"] == "steps" and " INTO " in text
            if sum(self.not_yet.values()) > before:
                return None, None
            if difference:
                difference.tree = tree_of(step)
                difference.bound_regex = '"regex"' in whole.get("params", "")
                name = self.explained(text, difference, query["kind"] == "steps")
                if self.planted is not None:
                    self.faults[self.planted][1] += name is None
                    return None, None
                if name is None:
                    return difference, state
                if query["kind"] == "steps":
                    self.apart = (self.apart or step is query["steps"][0] or
                                  name.startswith("a measurement without rows"))
                    return None, None
        return None, None

    def explained(self, text, difference, behind_change):
        """The rule that explains a difference, counted, or None."""
        difference.tree = difference.tree or read_select(text)
        difference.ties, difference.large = self.ties, self.large
        difference.starts = self.starts
        difference.several_shards = self.several_shards
        difference.types, difference.fields = self.types, self.fields
        difference.keys = self.keys
        difference.version = self.bench.version
        difference.several_policies = self.several_policies
        difference.behind_change = behind_change
        name = explain(text, difference, not self.arguments.open)
        if name is not None and self.planted is None:
            self.known[name] += 1
            self.show(name, text, difference)
        return name

    # several statements in one request

    def compare_several(self, names, query, parameters, floor, states):
        """(Difference or None, state, text); a statement that differs is looked at for itself."""
        whole = statement_text(query)
        theirs = self.answer(self.bench.influx, names["influx"], whole, parameters)
        replies = [self.answer(self.bench.busbar, names[state], whole, parameters)
                   for state in states]
        for state, reply in zip(states, replies):
            if reply != replies[0]:
                return (Difference("states", state, reply[1][:600], replies[0][1][:600]), state,
                        whole)
        if replies[0] == theirs:
            return None, None, whole
        try:
            mine, other = joined(replies[0][1]), joined(theirs[1])
        except ValueError:
            mine, other = {}, {}
        if "unsupported value" in str(other.get("error")):  # of one chunk
            self.known["infinity and not a number are null"] += 1
            return None, None, whole
        if "results" not in mine or "results" not in other or len(mine["results"]) != len(
                query["parts"]):
            difference = compare(replies[0], theirs, floor)
            if difference:
                difference.replies = replies[0][1], theirs[1]
            return difference, states[0], whole
        self.mend_failed(names, query, parameters, mine["results"], other["results"])
        if len(mine["results"]) != len(other["results"]):
            difference = Difference("shape", "results", mine, other)
            difference.replies = replies[0][1], theirs[1]
            return difference, states[0], whole
        for part, ours, result in zip(query["parts"], mine["results"], other["results"]):
            difference = self.compare_part(names, part, parameters, (ours, result), floor)
            if difference:
                return difference, states[0], statement_text(part)
            if ("error" in ours) != ("error" in result):
                break  # known; one side has not run what is behind it
        return None, None, whole

    def compare_part(self, names, part, parameters, results, floor):
        """The results of one statement among several; None if known."""
        text = statement_text(part)
        floor = self.floor_of(text, floor)
        ours, theirs = [(200, json.dumps({"results": [result]}).encode()) for result in results]
        difference = compare(ours, theirs, floor)
        if difference is None:
            return None
        difference.replies = ours[1], theirs[1]
        difference.tree = tree_of(part)
        difference.epoch = parameters.get("epoch")
        ours = 200, json.dumps({"results": [{**results[0], "statement_id": 0}]}).encode()
        difference.ask = lambda other: (ours, self.answer(
            self.bench.influx, names["influx"], other, parameters), floor)
        return None if self.explained(text, difference, False) else difference

    def mend_failed(self, names, query, parameters, mine, other):
        """Where a statement before the last fails, InfluxDB says that it was not executed, and
        nothing of those behind: the reason is asked for by itself."""
        failed = len(other) - 1
        if (not other or other[failed].get("error") != "not executed" or
                failed == len(query["parts"]) - 1):
            return
        self.known["a statement that fails before others"] += 1
        alone = joined(self.answer(self.bench.influx, names["influx"], statement_text(
            query["parts"][failed]), parameters)[1])
        if "results" in alone:
            other[failed] = {**alone["results"][0], "statement_id": failed}
        other += [{"statement_id": i, "error": "not executed", "series": []}
                  for i in range(failed + 1, len(mine))]

    # other forms of an answer

    def compare_forms(self, rng, names, query, parameters, floor):
        """Where the plain answer agrees at once, so must another form of it."""
        known = sum(self.known.values())
        difference, state = self.compare_query(names, query, parameters, floor, ("memory",))
        if difference or sum(self.known.values()) > known:
            return difference, state
        form = rng.choice(FORMS)
        method, headers, more = request_of(rng, form, self.bench.version)
        text = statement_text(query)
        whole = {**parameters, **more}
        ours, difference = None, None
        for attempt in range(8):  # InfluxDB does not always give the same answer
            theirs = self.bench.influx.ask(method, headers, q=text, db=names["influx"], **whole)
            ours = ours or self.bench.busbar.ask(method, headers, q=text, db=names["memory"],
                                                 **whole)
            difference = compare_form(form, ours, theirs, self.floor_of(text, floor),
                                      "SHOW" in text)
            if difference is None:
                if attempt > 0:
                    self.known["an answer that InfluxDB changes"] += 1
                return None, None
        difference.where += " %s %s" % (headers, more)
        if form == "get":
            difference.replies = ours[1], theirs[1]
        difference.tree = tree_of(query)
        return (None, None) if self.explained(text, difference, False) else (difference, "memory")

    # continuous queries

    def compare_task(self, query):
        """In databases of their own, of a name that is put for DB in the text."""
        self.bench.count += 1
        links, db = (self.bench.busbar, self.bench.influx), "task%d" % self.bench.count
        for link in links:
            link.must("CREATE DATABASE " + db)
        for text in texts_of(query):
            text = re.sub(r"\bDB\b", db, text)
            ours, theirs = [own_queries(link.query(text, db=db), db) for link in links]
            difference = compare(ours, theirs, 0.0)
            if difference and not self.explained(text, difference, False):
                break
        else:
            difference = None
        for link in links:
            link.must("DROP DATABASE " + db)
        return difference, "memory"

    def show(self, name, text, difference):
        if self.arguments.show is not None and self.arguments.show in name and not self.quiet:
            print("%s explains: %s\n%s\n" % (name, text, difference))

    # differences

    def still_differs(self, points, query, parameters, data, kind, state):
        states = tuple(STATES) if kind == "states" else (state,)
        names = self.bench.fill(batches_of(points), data.policies, states)
        known = self.known.copy(), self.not_yet.copy()
        try:
            difference, _ = self.compare_query(names, query, parameters, data.floor, states)
        finally:
            self.bench.drop(names)
            self.known, self.not_yet = known
        return difference is not None and difference.kind == kind

    def report(self, data, label, query, parameters, difference, state, names):
        self.counts["differences"] += 1
        if self.reported >= self.arguments.report:
            print("%s: not made small: %s\n%s\n" % (label, "; ".join(texts_of(query)), difference))
            return
        self.reported += 1
        self.quiet = True
        points, kind = data.points(), difference.kind

        def differs(some_points, some_query):
            return self.still_differs(some_points, some_query, parameters, data, kind, state)

        if self.plant_rng is None and differs(points, query):
            if query["kind"] != "steps":
                saved = self.known.copy(), self.not_yet.copy()
                query = shrink_query(query, lambda q: self.kind_of(
                    names, q, parameters, data.floor) == kind, 150)
                self.known, self.not_yet = saved
            points = shrink_list(points, lambda p: differs(p, query), 120)
            query = shrink_query(query, lambda q: differs(points, q), 60)
            fresh = self.bench.fill(batches_of(points), data.policies)
            difference, state = self.compare_query(fresh, query, parameters, data.floor)
            self.bench.drop(fresh)
        elif self.plant_rng is None:
            points = []
            print("(differs only behind what ran before it in this data set)")
        self.quiet = False
        print(repro(label, points, texts_of(query), parameters, difference, state))

    def kind_of(self, names, query, parameters, floor):
        difference, _ = self.compare_query(names, query, parameters, floor)
        return difference.kind if difference else None

    # a data set

    def dataset(self, number, queries):
        seed = "%d.%d" % (self.seed, number)
        rng = random.Random(seed)
        data = Dataset(rng)
        self.ties = data.has_ties()
        self.large = data.magnitude > 1e9
        self.types = data.types()
        self.fields = {m.name: m.fields for m in data.measurements}
        self.keys = data.keys()
        self.apart = False
        self.several_policies = len(data.policies) > 1
        self.several_shards = data.several_shards()
        self.starts = data.first
        data.floor = 1e-14 * data.magnitude * data.count
        names = self.bench.fill(data.batches, data.policies)
        makers = Statements(rng, data)
        wide = Wider(random.Random(seed + " wider"), data)
        for i in range(queries):
            label = "seed %s query %d" % (seed, i)
            last = i >= queries - max(1, queries // 25)
            kind = "change" if last else rng.choice(["select"] * 16 + ["show"] * 3 + ["broken"] * 3
                                                    + ["write"] * 2)
            if i % 5 == 4 and not last:
                self.wider(wide, data, "seed %s wider %d" % (seed, i), names)
            if self.arguments.only and kind != self.arguments.only:
                continue
            self.counts[kind] += 1
            if kind == "write":
                self.write(rng, label)
                continue
            parameters = self.parameters(rng, kind)
            query = getattr(makers, kind)()
            difference, state = self.compare_query(names, query, parameters, data.floor)
            if difference:
                self.report(data, label, query, parameters, difference, state, names)
                if kind == "change":
                    break
            if self.apart:
                break
        else:
            for i in range(max(1, queries // 50)):
                if self.apart or not self.wider(wide, data, "seed %s erase %d" % (seed, i), names,
                                                "erase"):
                    break
        self.bench.drop(names)

    def wider(self, makers, data, label, names, kind=None):
        """One more request, of random numbers of its own. Whether there was no difference."""
        rng = makers.rng
        kind = kind or rng.choice(WIDER)
        query = getattr(makers, kind)()
        if self.arguments.only and kind != self.arguments.only or self.arguments.plant:
            return True
        self.counts[kind] += 1
        parameters = self.parameters(rng, "select" if kind in ("several", "bound") else kind)
        if kind == "task":
            difference, state = self.compare_task(query)
        elif kind == "form":
            difference, state = self.compare_forms(rng, names, query, {}, data.floor)
        else:
            difference, state = self.compare_query(names, query, parameters, data.floor)
        if difference:
            if kind in ("task", "form"):
                self.counts["differences"] += 1
                print("%s: %s\n%s\n" % (label, "; ".join(texts_of(query)), difference))
            else:
                self.report(data, label, query, parameters, difference, state, names)
        return difference is None

    def parameters(self, rng, kind):
        found = {}
        if rng.random() < 0.25:
            found["epoch"] = rng.choice(["ns", "u", "ms", "s", "m", "h"])
        if rng.random() < 0.05:
            found["pretty"] = "true"
        if rng.random() < 0.08 and kind == "select":
            found["chunked"] = "true"
            found["chunk_size"] = rng.choice(["1", "3", "10", "100"])
        return found

    def write(self, rng, label):
        """Lines into a measurement space of their own: status and message, then what is there."""
        parameters, lines = write_case(rng)
        fresh = self.bench.create([""], ["memory"])
        body = "\n".join(lines).encode()
        ours = self.bench.busbar.write(body, db=fresh["memory"], **parameters)
        theirs = self.bench.influx.write(body, db=fresh["influx"], **parameters)
        difference = compare(ours, theirs, 0.0)
        text = body.decode()
        if difference is None and ours[0] == 400 and b"invalid precision" in ours[1]:
            # Nothing is written here; InfluxDB 1.8 says the same and writes all the same.
            self.known["a bad precision is refused"] += 1
            self.bench.drop(fresh)
            return
        shown = json.loads(self.bench.influx.query("SHOW MEASUREMENTS", db=fresh["influx"])[1])
        looks = ["SHOW MEASUREMENTS", "SHOW FIELD KEYS", "SHOW SERIES"]
        looks += ["SELECT * FROM %s GROUP BY *" % quote(name)
                  for series in shown["results"][0].get("series", [])
                  for name, in series["values"]]
        for look in [] if difference else looks:
            difference = difference or compare(
                self.answer(self.bench.busbar, fresh["memory"], look, {"epoch": "ns"}),
                self.answer(self.bench.influx, fresh["influx"], look, {"epoch": "ns"}), 0.0)
        self.bench.drop(fresh)
        if difference is None:
            return
        difference.version = self.bench.version
        name = explain(text, difference, not self.arguments.open)
        if name is not None:
            self.known[name] += 1
            return
        self.counts["differences"] += 1
        print("%s: write %s\n%s\n%s\n" % (label, parameters, text, difference))

    def summary(self, seconds):
        print("seed %d: %s; %.0f s" % (self.seed, ", ".join(
            "%d %s" % (n, what) for what, n in sorted(self.counts.items())), seconds))
        for title, counter in (("known differences", self.known),
                               ("not executed yet", self.not_yet)):
            if counter:
                print("%s: %s" % (title, "; ".join("%d %s" % (n, name) for name, n in
                                                   counter.most_common())))

    def tell_planted(self):
        """0 if most that were planted were seen."""
        for name, (planted, seen) in sorted(self.faults.items()):
            print("planted %3d, saw %3d: %s" % (planted, seen, name))
        planted = sum(count for count, _ in self.faults.values())
        seen = sum(count for _, count in self.faults.values())
        print("planted %d faults, saw %d" % (planted, seen))
        return 0 if 2 * seen > planted > 0 else 1


def own_queries(reply, db):
    """A reply about continuous queries, of one database alone."""
    status, body = reply
    document = json.loads(body)
    for result in document.get("results", []):
        if "series" in result:
            result["series"] = [s for s in result["series"] if s.get("name") == db]
    return status, json.dumps(document).encode()


def repro(label, points, texts, parameters, difference, state):
    lines = ["---- %s, state %s" % (label, state)]
    lines += ["  rp=%s %s" % (policy or "autogen", line) for policy, line in points[:40]]
    if len(points) > 40:
        lines.append("  ... and %d more points" % (len(points) - 40))
    lines += ["  > " + text for text in texts]
    if parameters:
        lines.append("  with %s" % parameters)
    lines.append(str(difference))
    return "\n".join(lines) + "\n"


def main():
    arguments = options()
    if find_influxd() is None:
        print("skipped: no influxd (Debian: influxdb)")
        return SKIPPED
    seed = arguments.seed if arguments.seed is not None else int(time.time())
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="busbar-diff-") as folder:
        bench = Bench(folder)
        run = Run(arguments, bench, seed)
        try:
            share = max(1, arguments.queries // arguments.datasets)
            for number in range(arguments.datasets):
                if arguments.seconds and time.monotonic() - start > arguments.seconds:
                    break
                run.dataset(number, share)
                run.counts["data sets"] += 1
                sys.stdout.flush()
        finally:
            bench.stop()
    run.summary(time.monotonic() - start)
    if arguments.plant:
        return run.tell_planted()
    return 1 if run.counts["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
