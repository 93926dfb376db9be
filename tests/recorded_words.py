"""Follow histories in plain Python and note every random block and word; print what was found as JSON.

Started by test_transport_streams.py with NUMBA_DISABLE_JIT=1.
"""

import collections
import json
import sys
import warnings

import numpy as np

import mcdose.physics.random as random

warnings.simplefilter("ignore", RuntimeWarning)
np.seterr(all="ignore")
blocks, words, streams = collections.Counter(), collections.Counter(), collections.Counter()
now, waited = [0], [0]
real_block = random.random_block


def noted_block(key, draw):
    blocks[int(key.history), int(key.stream), int(draw)] += 1
    return real_block(key, draw)


def noted(function, part):
    def uniform(word):
        words[now[0], int(word), part] += 1
        return function(word)

    return uniform


random.random_block = noted_block
random.uniform = noted(random.uniform, "whole")
random.uniform_high = noted(random.uniform_high, "high")
random.uniform_low = noted(random.uniform_low, "low")
random.exponential = noted(random.exponential, "whole")  # it has a `uniform` of its own, taken when it was compiled
import mcdose.transport.stack as particles  # noqa: E402 (after the functions were replaced)

real_push = particles.push


def noted_push(stack, depth, kind, energy, place, u, v, w, stream, draw=0):
    if draw == 0:  # a photon that waits goes on with its own
        streams[now[0], int(stream)] += 1
    else:
        waited[0] += 1
    return real_push(stack, depth, kind, energy, place, u, v, w, stream, draw)


particles.push = noted_push
from history_rows import SIDE, case  # noqa: E402

from mcdose.media import medium  # noqa: E402
from mcdose.parameters import TransportParameters  # noqa: E402
from mcdose.physics_tables import build, cuts  # noqa: E402
from mcdose.transport.history import follow, follow_last  # noqa: E402
from mcdose.transport.photon import MANY_WAIT  # noqa: E402
from mcdose.transport.score import FAULTS, Scores  # noqa: E402
from mcdose.transport.stack import DEPTH, ELECTRON, INTEGERS, PHOTON, POSITRON, REALS, Stack  # noqa: E402
from mcdose.transport.world import Place  # noqa: E402

parameters = TransportParameters(delta_cut_mev=0.01, photon_cut_mev=0.001)
source, world, _, _ = case("mixed")
tables = build([medium(name) for name in ("water", "lung", "cortical-bone")], [1.0, 0.26, 1.92], parameters)
limits = cuts(parameters)
stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
scores = Scores(np.zeros(SIDE**3, np.int64), np.zeros(FAULTS, np.int64))
SEED = np.uint64(5)
for kind, energy, count, company in (
    (None, 0.0, 40, 0), (PHOTON, 2.9, 300, 0), (PHOTON, 1.5, 100, MANY_WAIT), (PHOTON, 0.08, 100, 0),
    (POSITRON, 0.5, 30, 0), (ELECTRON, 2.9, 20, 0),
):  # fmt: skip
    for _ in range(count):
        history = np.uint64(now[0])
        if kind is None:
            follow(SEED, history, source, world, tables, limits, scores, stack)
        else:
            middle = Place(*[np.int32(3)] * 3, *[np.float32(0.4)] * 3)
            direction = (np.float32(0.6), np.float32(0.0), np.float32(0.8))
            depth = particles.push(
                stack, np.int32(company), kind, np.float32(energy), middle, *direction, np.uint32(1)
            )  # fmt: skip
            while depth > company:
                depth, _, _ = follow_last(SEED, history, world, tables, limits, scores, stack, depth)
        now[0] += 1
whole = {(history, word) for history, word, part in words if part == "whole"}
halves = {(history, word) for history, word, part in words if part != "whole"}
secondaries = {key for key in streams if key[1] != 1}
found = {
    "blocks": len(blocks),
    "secondaries": len(secondaries),
    "photons that waited": waited[0],
    "blocks drawn twice": sum(times > 1 for times in blocks.values()),
    "words used twice": sum(times > 1 for times in words.values()),
    "words used whole and in halves": len(whole & halves),
    "streams that are samples too": len(secondaries & (whole | halves)),
    "streams of two particles": sum(times > 1 for times in streams.values()),
}
json.dump(found, sys.stdout)
