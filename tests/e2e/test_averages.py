"""The averages and indicators against what they mean, computed from all values at once.

busbard carries a few numbers from point to point; here each answer comes from the list of the
values before it.
"""

import math
import random

import pytest

COUNT = 120


def ema(values, period, warmup, factor=None):
    """Averages; of the first `period` the weight is that of a shorter period, or all are equal."""
    out = []
    for i, v in enumerate(values):
        if i >= period:
            weight = factor if factor is not None else 2 / (period + 1)
        else:
            weight = 1 / (i + 1) if warmup == "simple" else 2 / (i + 2)
        out.append(v if i == 0 else out[-1] + (v - out[-1]) * weight)
    return out


def chain(values, period, warmup, length):
    """The average, the average's average, and so on. After a simple warm-up each begins with the
    first full window of the one before it, and stands for it until then."""
    layers = [ema(values, period, warmup)]
    for _ in range(length - 1):
        before = layers[-1]
        skip = 0 if warmup == "exponential" else len(layers) * (period - 1)
        layers.append(before[:skip] + ema(before[skip:], period, warmup))
    return layers


def double(values, period, warmup):
    one, two = chain(values, period, warmup, 2)
    return [2 * a - b for a, b in zip(one, two)]


def triple(values, period, warmup):
    return [3 * a - 3 * b + c for a, b, c in zip(*chain(values, period, warmup, 3))]


def slope(values, period, warmup):
    last = chain(values, period, warmup, 3)[-1]
    return [0 if i == 0 else (v / last[i - 1] - 1) * 100 for i, v in enumerate(last)]


def rises_and_falls(values, period, warmup):
    """Smoothed; the value before the first counts as 0."""
    steps = [b - a for a, b in zip([0] + values, values)]
    return (ema([max(s, 0) for s in steps], period + 1, warmup, 1 / period),
            ema([max(-s, 0) for s in steps], period + 1, warmup, 1 / period))


def strength(values, period, warmup):
    return [100 if down == 0 else 100 - 100 / (1 + up / down)
            for up, down in zip(*rises_and_falls(values, period, warmup))]


def momentum(values, period, warmup):
    if warmup != "none":
        return [100 * (up - down) / (up + down)
                for up, down in zip(*rises_and_falls(values, period, warmup))]
    steps = [0] + [b - a for a, b in zip(values, values[1:])]
    windows = [steps[max(0, i + 1 - period):i + 1] for i in range(len(steps))]
    return [100 * sum(w) / sum(map(abs, w)) if any(w) else 0 for w in windows]


def efficiency(values, period, _):
    padded = [0] * period + values
    out = []
    for i in range(period, len(padded)):
        way = sum(abs(b - a) for a, b in zip(padded[i - period:i], padded[i - period + 1:i + 1]))
        out.append(abs(padded[i] - padded[i - period]) / way if way else 0)
    return out


def adaptive(values, period, _):
    out = []
    for i, (v, ratio) in enumerate(zip(values, efficiency(values, period, None))):
        last = ([0] + values)[i] if i <= period else out[-1]
        weight = (ratio * (2 / 3 - 2 / 31) + 2 / 31) ** 2
        out.append(last + weight * (v - last))
    return out


# name: what it means, its warm-ups with the points that are held back by default
FUNCTIONS = {
    "exponential_moving_average": (ema, {
        "exponential": lambda p: p - 1, "simple": lambda p: p - 1}),
    "double_exponential_moving_average": (double, {
        "exponential": lambda p: p - 1, "simple": lambda p: 2 * (p - 1)}),
    "triple_exponential_moving_average": (triple, {
        "exponential": lambda p: p - 1, "simple": lambda p: 3 * (p - 1)}),
    "triple_exponential_derivative": (slope, {
        "exponential": lambda p: p, "simple": lambda p: 3 * (p - 1) + 1}),
    "relative_strength_index": (strength, {
        "exponential": lambda p: p, "simple": lambda p: p}),
    "chande_momentum_oscillator": (momentum, {
        "none": lambda p: p - 1, "exponential": lambda p: p, "simple": lambda p: p}),
    "kaufmans_efficiency_ratio": (efficiency, {None: lambda p: p}),
    "kaufmans_adaptive_moving_average": (adaptive, {None: lambda p: p}),
}


@pytest.fixture(scope="module")
def walk(shared_server):
    """A random walk, with every seventh window of ten seconds empty."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    times = [t for t in range(COUNT * 10 // 3) if t // 10 % 7 != 6][:COUNT]
    value, points = 50.0, []
    for t in times:
        value = round(value + rng.choice((-1, 1)) * rng.uniform(0.001, 2), 3)
        points.append((t, value))
    assert shared_server.write("\n".join("walk v=%r %d" % (v, t) for t, v in points),
                               precision="s").status == 204
    return points


def answers(server, q):
    series = server.query_reply(q, db="test", epoch="s").json()["results"][0].get("series")
    return [tuple(row) for row in series[0]["values"]] if series else []


def expect(got, wanted):
    assert [t for t, _ in got] == [t for t, _ in wanted]
    for (t, v), (_, w) in zip(got, wanted):
        assert math.isclose(v, w, rel_tol=1e-8, abs_tol=1e-7), (t, v, w)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_warmups_and_hold_periods(shared_server, walk, name):
    meaning, warmups = FUNCTIONS[name]
    times, values = [t for t, _ in walk], [v for _, v in walk]
    for warmup, default in warmups.items():
        for period in (2, 3, 5, 14, 40):
            all_points = list(zip(times, meaning(values, period, warmup)))
            for hold in (-1, 1, 4, 60):
                if warmup is None:
                    arguments = "%d, %d" % (period, hold)
                else:
                    arguments = "%d, %d, '%s'" % (period, hold, warmup)
                got = answers(shared_server, "SELECT %s(v, %s) FROM walk" % (name, arguments))
                expect(got, all_points[default(period) if hold == -1 else hold:])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_over_windows(shared_server, walk, name):
    """Empty windows are passed over; the first warm-up is the default."""
    meaning, warmups = FUNCTIONS[name]
    warmup, default = next(iter(warmups.items()))
    windows = {}
    for t, v in walk:
        windows.setdefault(t // 10 * 10, []).append(v)
    means = [sum(w) / len(w) for w in windows.values()]
    wanted = list(zip(windows, meaning(means, 3, warmup)))[default(3):]
    got = answers(shared_server, "SELECT %s(mean(v), 3) FROM walk WHERE time >= 0 AND time < %ds "
                                 "GROUP BY time(10s) fill(none)" % (name, walk[-1][0] + 1))
    expect(got, wanted)
