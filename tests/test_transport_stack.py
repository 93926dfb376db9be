"""The stack gives back what was put on it, last first, and says when it is full."""

import numpy as np

from mcdose.transport.stack import DEPTH, ELECTRON, INTEGERS, PHOTON, POSITRON, REALS, Stack, pop, push
from mcdose.transport.world import Place


def particle(number):
    kind = (ELECTRON, PHOTON, POSITRON)[number % 3]
    place = Place(*(np.int32(number + i) for i in range(3)), *(np.float32((number + i) / 100) for i in range(3)))
    return (
        kind,
        np.float32(number / 7),
        place,
        *(np.float32(x) for x in (0.6, -0.0, -0.8)),
        np.uint32(2**32 - 1 - number),
    )


def test_last_in_first_out_until_full():
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    depth = np.int32(0)
    for number in range(DEPTH):
        assert push(stack, depth, *particle(number), number) == depth + 1
        depth = np.int32(depth + 1)
    assert push(stack, depth, *particle(DEPTH)) == depth  # no room: nothing is overwritten
    for number in reversed(range(DEPTH)):
        depth = np.int32(depth - 1)
        kind, energy, place, u, v, w, stream, draw = pop(stack, depth)
        expected = particle(number)
        assert (kind, energy, u, v, w, stream) == (expected[0], expected[1], *expected[3:])
        assert place == expected[2]
        assert draw == number
    push(stack, np.int32(0), *particle(5))
    assert pop(stack, np.int32(0))[-1] == 0  # one that has drawn nothing yet
