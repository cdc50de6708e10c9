#!/usr/bin/env python3
"""The placement rule of docs/placement.md once more, written from its words and not from the Swift code.

usage: scripts/placement.py --vectors DIRECTORY    writes rendezvous.tsv, rendezvous-draws.tsv and rendezvous-weights.tsv
       scripts/placement.py OWNERS SLOT NAME[=WEIGHT][@ZONE]...

The vectors of the tests are made by: scripts/placement.py --vectors Tests/Support/Vectors
Integers only.
"""
import functools
import hashlib
import random
import sys

MASK = 2**64 - 1
ONE = 2**34
SLOTS = 65536
WEIGHT_MAX = 2**24 - 1


def exact_log2(numerator, denominator):
    """floor(2^34 · log2(numerator / denominator)) of a number in [1, 2], by squaring with 512 bits behind the point."""
    if numerator == 2 * denominator:
        return ONE
    bits, number = 0, (numerator << 512) // denominator
    for _ in range(34):
        number = number * number >> 512
        bits *= 2
        if number >> 513:
            bits, number = bits + 1, number >> 1
    return bits


TABLE = [exact_log2(1024 + i, 1024) for i in range(1025)]


def seed(name):
    return int.from_bytes(hashlib.md5(name.encode()).digest()[:8], "big")


def drawn_number(seed_, slot):
    h = (seed_ + slot * 0x9E3779B97F4A7C15) & MASK
    h = ((h ^ h >> 33) * 0xFF51AFD7ED558CCD) & MASK
    h = ((h ^ h >> 33) * 0xC4CEB9FE1A85EC53) & MASK
    return (h ^ h >> 33) | 1


def minus_log2(h):
    exponent = h.bit_length()  # h / 2^64 = (1 + fraction / 2^(exponent − 1)) · 2^(exponent − 65)
    fraction = (h - (1 << exponent - 1)) << 43 >> exponent - 1 if exponent > 1 else 0  # 43 bits: more than are used
    fraction >>= 1  # 10 bits of the cell and 32 of the place in it
    cell, place = divmod(fraction, 2**32)
    log = TABLE[cell] + ((TABLE[cell + 1] - TABLE[cell]) * place >> 32)
    return (65 - exponent) * ONE - log


@functools.cache
def draws(name, count):
    own = seed(name)
    return [minus_log2(drawn_number(own, slot)) for slot in range(count)]


def ranked(members, drawn):
    """Members (name, weight, zone) by falling weight / draw; equal ones by name."""

    def before(left, right):
        difference = right[1] * drawn[left[0]] - left[1] * drawn[right[0]]
        if difference == 0:
            return -1 if left[0].encode() < right[0].encode() else 1
        return 1 if difference > 0 else -1

    return sorted(members, key=functools.cmp_to_key(before))


def pick(order, copies):
    """Zone by zone in turns: in each round every zone that has members left gives its best, in order of score."""
    queues = {}
    for place, (name, _, zone) in enumerate(order):
        queues.setdefault(("zone", zone) if zone else ("member", name), []).append((place, name))
    owners = []
    while len(owners) < copies and any(queues.values()):
        heads = sorted(queue.pop(0) for queue in queues.values() if queue)
        owners += [name for _, name in heads]
    return owners[:copies]


def owners_of(members, copies, slot):
    return pick(ranked(members, {name: minus_log2(drawn_number(seed(name), slot)) for name, _, _ in members}), copies)


def scaled(weights):
    greatest = max(weights)
    return [max(weight * WEIGHT_MAX // greatest, 1) for weight in weights]


def fitted(names, wished, copies, targets):
    """Effective weights of members without zones towards shares in 2^-32 of all slots."""
    weights = scaled(wished)
    for count in [4096] * 20 + [SLOTS] * 6:
        held = dict.fromkeys(names, 0)
        columns = [draws(name, SLOTS) for name in names]
        for slot in range(count):
            members = [(name, weight, "") for name, weight in zip(names, weights)]
            for member in ranked(members, {name: column[slot] for name, column in zip(names, columns)})[:copies]:
                held[member[0]] += 1
        corrected = []
        for name, weight, target in zip(names, weights, targets):
            share = held[name] * 2**32 // count
            corrected.append(min(max(weight * target // share, weight // 2), weight * 2) if share else weight * 2)
        weights = scaled(corrected)
    return weights


def owner_lines():
    chance = random.Random(1998)
    yield "# copies\tmembers as name=weight@zone\tslot\towners"
    for number in range(300):
        size = chance.choice([1, 2, 3, 4, 5, 6, 7, 9, 12, 20])
        kind = number % 3
        members = []
        for index in range(1, size + 1):
            name = chance.choice(["node%d", "n-%d.example.org", "host%d", "%d"]) % index
            weight = 1 if kind == 0 else chance.choice([1, 2, 3, 7, 100, 65535, WEIGHT_MAX, chance.randint(1, WEIGHT_MAX)])
            zone = "" if kind < 2 or chance.random() < 0.1 else "zone%d" % chance.randint(1, 4)
            members.append((name, weight, zone))
        if len({name for name, _, _ in members}) < size:
            continue
        copies, slot = chance.randint(1, 7), chance.choice([0, 1, 65535, chance.randrange(SLOTS)])
        listed = " ".join(f"{name}={weight}@{zone}" for name, weight, zone in members)
        yield f"{copies}\t{listed}\t{slot}\t{' '.join(owners_of(members, copies, slot))}"


def draw_lines():
    chance = random.Random(2005)
    yield "# number\t-log2(number / 2^64) in units of 2^-34"
    odd = [1, 3, MASK, MASK - 2, 2**63 - 1, 2**63 + 1]
    odd += [chance.getrandbits(64) >> chance.randrange(64) | 1 for _ in range(120)]
    for h in odd:
        yield f"{h}\t{minus_log2(h)}"
    yield "# table\tindex\tlog2(1 + index / 1024) in units of 2^-34"
    for index in range(0, 1025, 16):
        yield f"table\t{index}\t{TABLE[index]}"
    yield f"sum\t{sum(TABLE)}"


def weight_lines():
    yield "# copies\twished weights of node1, node2 and so on\teffective weights"
    for copies, wished, targets in (
        (3, [1, 1, 2, 2], [2**31, 2**31, 2**32, 2**32]),
        (2, [1, 1, 2, 4], [2**30, 2**30, 2**31, 2**32]),
    ):
        effective = fitted([f"node{index + 1}" for index in range(len(wished))], wished, copies, targets)
        yield f"{copies}\t{' '.join(map(str, wished))}\t{' '.join(map(str, effective))}"


def member(text):
    rest, _, zone = text.partition("@")
    name, _, weight = rest.partition("=")
    return name, int(weight or 1), zone


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--vectors":
        for name, lines in (
            ("rendezvous", owner_lines()), ("rendezvous-draws", draw_lines()), ("rendezvous-weights", weight_lines()),
        ):
            with open(f"{sys.argv[2]}/{name}.tsv", "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in lines)
    elif len(sys.argv) > 3:
        print(*owners_of([member(text) for text in sys.argv[3:]], int(sys.argv[1]), int(sys.argv[2])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
