"""Real readings: answers equal what the CSV says, computed here in decimal arithmetic, and bytes on
disk stay within what the design promises.

The files are looked for in BUSBAR_DATA, else in ../shared/data beside the source tree, else in
tools/data, where some of them are shipped.
"""

import collections
import csv
import datetime
import fractions
import gzip
import http.client
import os

import pytest

from busbar_e2e import SRCDIR

FOLDERS = [os.environ.get("BUSBAR_DATA"), os.path.join(SRCDIR, "..", "shared", "data"),
           os.path.join(SRCDIR, "tools", "data")]
LINES_PER_REQUEST = 5000

# name, columns beside "value" that become fields too
LIGHT = [("uk_meters_hourly", ()), ("weather_uk_hourly", ()), ("price_dayahead_hourly", ()),
         ("heat_meter_hourly", ("volume_m3", "inlet_m3c", "return_m3c")),
         ("load_aep_hourly", ()), ("price_aemo_5min", ("demand_mw",)),
         ("solar_inverter_10min", ("dc_mppt1_w", "dc_mppt2_w", "poa_ne_wm2", "poa_sw_wm2")),
         ("solar_site_10min", ("power_w",)),
         ("uci_household_1min", ("reactive_kw", "voltage_v", "current_a", "sub1_wh", "sub2_wh",
                                 "sub3_wh")),
         ("weather_bdg_hourly", ("humidity_pct", "dewpoint_c", "pressure_hpa", "wind_kmh")),
         ("household_power_1min", ())]


def find_file(name):
    for folder in FOLDERS:
        if folder is not None:
            path = os.path.join(folder, name + ".csv.gz")
            if os.path.exists(path):
                return path
    pytest.skip("%s.csv.gz is not here: set BUSBAR_DATA to the folder of the real series" % name)
    return None


def epoch_s(timestamp, cache={}):  # pylint: disable=dangerous-default-value
    """Seconds of "2009-03-01T00:30:00Z"; an hour's calendar is worked out once."""
    hour = timestamp[:13]
    base = cache.get(hour)
    if base is None:
        moment = datetime.datetime.strptime(hour, "%Y-%m-%dT%H")
        base = cache[hour] = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())
    return base + int(timestamp[14:16]) * 60 + int(timestamp[17:19] or 0)


class Series:
    """What a CSV says; where a meter's timestamp repeats, its last row."""

    def __init__(self, name, fields=("value",)):
        self.fields = fields
        self.meters = collections.defaultdict(dict)  # meter -> {time: {field: text}}
        self.lines = []
        self.known = {}  # answers worked out before
        with gzip.open(find_file(name), "rt", encoding="utf-8", newline="") as f:
            for row in csv.DictReader(f):
                self.add(row)

    def add(self, row):
        time = epoch_s(row["timestamp"])
        values = {field: row[field] for field in self.fields if row[field] != ""}
        if not values:
            return
        self.meters[row["device_id"]].setdefault(time, {}).update(values)
        text = ",".join("%s=%s" % item for item in values.items())
        self.lines.append("reading,device_id=%s %s %d\n" % (row["device_id"], text, time))

    def values(self, field="value", meter=None):
        for name in self.meters if meter is None else [meter]:
            for values in self.meters[name].values():
                if field in values:
                    yield values[field]

    def requests(self):
        for i in range(0, len(self.lines), LINES_PER_REQUEST):
            yield "".join(self.lines[i:i + LINES_PER_REQUEST]).encode()

    def times(self):
        return [time for readings in self.meters.values() for time in readings]

    def daily_sums(self, meter=None):
        """[[day, sum]...] in order, of one meter or of all."""
        if ("daily", meter) not in self.known:
            by_day = collections.defaultdict(list)
            for name in self.meters if meter is None else [meter]:
                for time, values in self.meters[name].items():
                    by_day[time // 86400 * 86400].append(values["value"])
            self.known["daily", meter] = [[day, exact_sum(by_day[day])] for day in sorted(by_day)]
        return self.known["daily", meter]

    def summary(self, field, meter):
        """[count, sum, min, max]; None if the meter has no such value."""
        if (field, meter) not in self.known:
            texts = list(self.values(field, meter))
            numbers = [float(text) for text in texts]
            self.known[field, meter] = ([len(texts), exact_sum(texts), min(numbers), max(numbers)]
                                        if texts else None)
        return self.known[field, meter]


def decimal_nanos(text):
    """A double counts as its decimal in 10^-9 units if that has at most nine decimals and 15
    digits; None otherwise."""
    whole, _, part = text.partition(".")
    if len(part) > 9 or "e" in text or "E" in text or len((whole + part).lstrip("-0")) > 15:
        return None
    return int(whole + part) * 10 ** (9 - len(part))


def exact_sum(texts):
    """The sum without any rounding, rounded once to a double. What is no short decimal counts as
    the double that it is."""
    nanos = 0
    rest = 0  # in 2^-1074, of which every double is a multiple
    for text in texts:
        scaled = decimal_nanos(text)
        if scaled is None:
            numerator, denominator = float(text).as_integer_ratio()
            rest += numerator * (2 ** 1074 // denominator)
        else:
            nanos += scaled
    return float(fractions.Fraction(nanos, 10 ** 9) + fractions.Fraction(rest, 2 ** 1074))


def load_http(server, series):
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for body in series.requests():
        reply = server.write(body, connection=connection, precision="s")
        assert reply.status == 204, reply.body
    connection.close()


def load_tcp(server, series):
    client = server.lines()
    client.send("# db test\n# precision s\n")
    for body in series.requests():
        client.send(body)
    assert client.sync("all")
    client.close()


def without_empty(rows):
    return [row for row in rows if row[1] is not None]


def check_daily_sums(server, series):
    q = "SELECT sum(value) FROM reading WHERE time >= %ds AND time <= %ds GROUP BY time(1d)"
    q %= min(series.times()), max(series.times())
    assert without_empty(server.rows(q, epoch="s")) == series.daily_sums()
    result = server.query(q + ", device_id", epoch="s")
    assert len(result) == len(series.meters)
    for one in result:
        assert without_empty(one["values"]) == series.daily_sums(one["tags"]["device_id"])


def check_per_meter(server, series, field="value"):
    q = "SELECT count({0}), sum({0}), min({0}), max({0}) FROM reading GROUP BY device_id"
    result = server.query(q.format(field))
    with_field = [meter for meter in series.meters if series.summary(field, meter) is not None]
    assert sorted(one["tags"]["device_id"] for one in result) == sorted(with_field)
    for one in result:
        assert one["values"][0][1:] == series.summary(field, one["tags"]["device_id"])


def check_all(server, series):
    count = sum(1 for _ in series.values())
    assert server.rows("SELECT count(value) FROM reading")[0][1] == count
    check_daily_sums(server, series)
    check_per_meter(server, series)


@pytest.fixture(scope="module")
def edrp():
    return Series("edrp_household_30min")


@pytest.mark.slow
def test_edrp_by_http(make_server, edrp):
    server = make_server().create()
    load_http(server, edrp)
    assert server.metrics()["busbar_points_written_total"] == len(edrp.lines)
    check_all(server, edrp)

    server.flush()
    per_reading = server.disk_bytes() / len(edrp.lines)
    print("bytes per reading after flush: %.3f" % per_reading)
    assert per_reading <= 1.6
    check_all(server, edrp)

    server.compact(full=True)
    per_reading = server.disk_bytes() / len(edrp.lines)
    print("bytes per reading after compaction: %.3f" % per_reading)
    assert per_reading <= 1.38
    check_all(server, edrp)

    server.stop()
    server.restart()
    check_all(server, edrp)


@pytest.mark.slow
def test_edrp_by_tcp(make_server, edrp):
    server = make_server().create()
    load_tcp(server, edrp)
    check_all(server, edrp)


@pytest.mark.slow
def test_edrp_killed_during_a_second_load(make_server, edrp):
    """Every acknowledged reading is there afterwards, none twice."""
    server = make_server().create()
    load_http(server, edrp)
    requests = list(edrp.requests())
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for body in requests[:len(requests) // 3]:
        # The same readings again, and others like them.
        assert server.write(body, connection=connection, precision="s").status == 204
        assert server.write(body.replace(b"device_id=", b"device_id=SECOND-"),
                            connection=connection, precision="s").status == 204
    server.kill()
    connection.close()
    server.restart()
    second = sum(body.count(b"\n") for body in requests[:len(requests) // 3])
    assert (server.rows("SELECT count(value) FROM reading")[0][1] ==
            sum(1 for _ in edrp.values()) + second)
    result = server.query("SELECT count(value), max(value) FROM reading WHERE device_id =~ /^EDRP/ "
                          "GROUP BY device_id")
    for one in result:
        count, _, _, highest = edrp.summary("value", one["tags"]["device_id"])
        assert one["values"][0][1:] == [count, highest]
    assert len(result) == len(edrp.meters)


@pytest.mark.parametrize("name, more", LIGHT, ids=[name for name, _ in LIGHT])
def test_other_files(make_server, name, more):
    """count, sum, min and max of every column: in memory, flushed, and compacted."""
    fields = ("value",) + more
    series = Series(name, fields)
    server = make_server().create()
    load_http(server, series)
    for step in (lambda: None, server.flush, server.compact):
        step()
        for field in fields:
            check_per_meter(server, series, field)
