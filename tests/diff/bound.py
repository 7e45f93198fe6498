"""Literals and names of a statement taken out of it: bind parameters."""

import json
import random
import re

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/(?! )[^/\n]+/|\.\w+|'
                   r"\b\d+(?:\.\d+)?(?:ns|ms|[usmhdw])?\b|\w+|\s+|.", re.S)
UNITS = {"ns": 1, "u": 10 ** 3, "ms": 10 ** 6, "s": 10 ** 9, "m": 60 * 10 ** 9,
         "h": 3600 * 10 ** 9, "d": 86400 * 10 ** 9, "w": 604800 * 10 ** 9}
FAULTY = [None, [1], {}, {"nope": 1}, {"identifier": 5}, {"regex": True}, {"duration": 1.5},
          {"integer": 2.5}, {"float": "1"}, {"string": 1}, {"string": "a", "float": 1},
          {"regex": "("}, {"duration": "5x"}, {"integer": "7"}, {"duration": ""}]


def plain(quoted):
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def value_of(rng, token):
    """What stands for a token, or None if nothing can."""
    if token[0] == '"':
        return {rng.choice(["identifier", "ident"]): plain(token)}
    if token[0] == "'":
        return rng.choice([plain(token), {"string": plain(token)}])
    if token[0] == "/" and len(token) > 2:
        return {"regex": token[1:-1]}
    if token in ("true", "false"):
        return token == "true"
    if re.fullmatch(r"\d+", token):
        number = int(token)
        found = rng.choice([number, number, {"integer": number}, {"int": number},
                            {"float": number}, {"number": number}, float(number)])
        # A float that is another number would mean something else.
        inner = next(iter(found.values())) if isinstance(found, dict) else found
        floats = isinstance(inner, float) or isinstance(found, dict) and "int" not in str(found)
        return number if floats and number >= 2 ** 53 else found
    if re.fullmatch(r"\d+\.\d+", token):
        return rng.choice([float(token), {"float": float(token)}, {"number": float(token)}])
    found = re.fullmatch(r"(\d+)([a-z]+)", token)
    if found and found.group(2) in UNITS:
        ns = int(found.group(1)) * UNITS[found.group(2)]
        return {"duration": rng.choice([token, ns if 0 < ns < 2 ** 63 else token])}
    return None


def bind(text, seed):
    """(text with names for some of its literals, params, whether it should mean the same)"""
    rng = random.Random(seed)
    params, parts, good = {}, [], True
    for token in TOKEN.findall(text):
        value = value_of(rng, token) if token.strip() else None
        if value is None or rng.random() < 0.4:
            parts.append(token)
            continue
        name = rng.choice(["p%d", "P%d", "näme%d", "p_%d"][:3 + (rng.random() < 0.5)]) % len(params)
        if rng.random() < 0.04:
            good, value = False, rng.choice(FAULTY)
        if rng.random() < 0.01:
            good = False
        else:
            params[name] = value
        parts.append("$" + name if name.isascii() else '$"%s"' % name)
    return "".join(parts), json.dumps(params, ensure_ascii=rng.random() < 0.5), good
