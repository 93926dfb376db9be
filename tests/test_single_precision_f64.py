"""No float64 in the transport: a graphics card computes it at a small part of the speed of float32."""

import numpy as np
import pytest
from numba import types
from numba.core import ir

from mcdose.emission_table import emission_table
from mcdose.nuclides import nuclide
from mcdose.parameters import TransportParameters
from mcdose.physics_tables import cuts
from mcdose.transport import geometry, source
from mcdose.transport.history import follow
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.shells import Shells
from mcdose.transport.source import PointSource, Source
from mcdose.transport.stack import DEPTH, INTEGERS, REALS, Stack
from mcdose.transport.world import World


def collect(dispatcher, arguments, found):
    """Put a compiled function and all that it calls into `found`: full name and argument types to type annotation."""
    key = (f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}", arguments)
    if key in found:
        return
    found[key] = annotation = dispatcher.overloads[arguments].type_annotation
    for expression, signature in annotation.calltypes.items():
        if isinstance(expression, ir.Expr) and expression.op == "call":
            called = annotation.typemap[expression.func.name]
            if isinstance(called, types.Function) and called.key[0] in SEAMS:  # answered by the kind of world
                called = types.Dispatcher(answer(called.key[0], signature.args))
            if isinstance(called, types.Dispatcher):
                plain = tuple(types.unliteral(kind) for kind in signature.args)
                known = called.dispatcher.overloads
                collect(called.dispatcher, signature.args if signature.args in known else plain, found)


SEAMS = {
    function: k
    for k, function in enumerate(
        (
            geometry.cell,
            geometry.advanced,
            geometry.to_boundary,
            geometry.across,
            geometry.flown,
            geometry.clearance,
        )
    )
}
SEAMS[source.decay] = SEAMS[source.first_above] = -1


def answer(seam, arguments):
    """Return the function that a seam of `transport.geometry` or `transport.source` calls for these types."""
    if seam is source.first_above:
        return source._by_counting
    if seam is source.decay:
        return source.decay_at_centre if arguments[0].instance_class is source.PointSource else source.decay_in_voxel
    return geometry._answers(arguments[0].instance_class)[SEAMS[seam]]


@pytest.fixture(scope="module", params=["voxels", "shells"])
def history(request, three_media):
    """Compile and follow one history with the types that the engine launches it with."""
    cells = 4**3
    quarters = (np.arange(1, 5) * 2**29).astype(np.uint32)
    world = World(
        *[np.int32(4)] * 3,
        *[np.float32(1.0 / 0.3)] * 3,
        np.float32(0.3),
        np.ones(cells, np.float32),
        np.zeros(cells, np.uint8),
    )
    emitted = emission_table(nuclide("Ga-68")).fields  # every kind of particle
    decays = Source(quarters, np.tile(quarters, 4), np.tile(quarters, 16), *emitted)
    if request.param == "shells":
        edges = np.linspace(0.0, 1.2, cells + 1).astype(np.float32)
        world = Shells(edges, np.float32(0.01), world.density, world.medium)
        decays = PointSource(*emitted)
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    scores = Scores(np.zeros(cells, np.int64), np.zeros(FAULTS, np.int64))
    arguments = (np.uint64(1), np.uint64(2), decays, world, three_media, cuts(TransportParameters()), scores, stack)
    account = follow(*arguments)
    functions = {}
    collect(follow, tuple(follow.typeof_pyval(argument) for argument in arguments), functions)
    return account, scores, functions


def test_no_f64_in_any_function_of_a_history(history):
    _, _, functions = history
    found = []
    for (name, _), annotation in functions.items():
        for variable, kind in annotation.typemap.items():
            if "float64" in str(kind) and not variable.startswith("$const"):
                found.append(f"{name}: {variable} is {kind}")
    assert not found, "\n".join(found)


def test_the_f64_lint_sees_the_whole_transport(history):
    names = {name for name, _ in history[2]}
    parts = {
        "electron.slow_down",
        "electron.collide",
        "electron.annihilate",
        "photon.ends_here",
        "photon.fly",
        "stack.push",
        "score.quanta",
        "score.deposit",
        "score.fault",
        "history.begin",
        "history.follow_last",
    }
    voxels = {
        "source._by_counting",
        "source.decay_in_voxel",
        "world.clearance",
        "world.to_face",
        "world.across_face",
        "world.advanced",
        "world.jumped",
        "world.flown",
    }
    shells = {
        "shells.clearance",
        "source.decay_at_centre",
        "shells.to_boundary",
        "shells.across",
        "shells.advanced",
        "shells.jumped",
        "shells.flown",
    }
    assert {f"mcdose.transport.{part}" for part in parts} <= names
    assert any({f"mcdose.transport.{part}" for part in world} <= names for world in (voxels, shells))
    samplers = {
        "bremsstrahlung.sample_photon_energy", "compton.sample_compton", "direction.sin_cos_turn", "lookup.locate",
        "moller.sample_moller", "pair.pair_deflection", "photoelectric.sample_photoelectron", "random.random_block",
        "rayleigh.sample_rayleigh",
        "scattering.sample_deflection", "straggling.sample_loss",
    }  # fmt: skip
    assert {f"mcdose.physics.{sampler}" for sampler in samplers} <= names


def test_a_history_in_single_precision_balances_without_f64(history):
    account, scores, _ = history
    assert account.emitted == account.escaped + scores.energy.sum()
    assert account.emitted > 0
    assert not scores.faults.any()
