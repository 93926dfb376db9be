"""Histories one by one, each on a tally of its own: how two compilations of the same history are compared."""

import numba
import numpy as np

from mcdose.emission_table import emission_table
from mcdose.engine.work import ACCOUNT
from mcdose.media import medium
from mcdose.nuclides import nuclide
from mcdose.parameters import TransportParameters
from mcdose.physics_tables import build, cuts
from mcdose.source_tables import build_source
from mcdose.transport.history import follow
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.stack import DEPTH, INTEGERS, REALS, Stack
from mcdose.transport.world import World

SIDE = 7
SEED = np.uint64(11)


def case(kind, emitter="Y-90", voxel_cm=0.3):
    """Return source, world, tables, cuts of a cube of voxels: "water", or "mixed" water, lung and bone."""
    shape = (SIDE,) * 3
    names = ["water", "lung", "cortical-bone"]
    index = np.zeros(shape, np.uint8)
    density = np.ones(shape, np.float32)
    if kind == "mixed":
        index[:, :, :3], index[:2] = 1, 2
        density[index == 1], density[index == 2] = 0.26, 1.92
    tia = np.zeros(shape)
    tia[2:5, 2:5, 2:5] = 1.0
    parameters = TransportParameters()
    inverse = np.float32(1.0 / voxel_cm)
    world = World(
        *[np.int32(SIDE)] * 3, inverse, inverse, inverse, np.float32(voxel_cm), density.ravel(), index.ravel()
    )  # fmt: skip
    tables = build([medium(name) for name in names], [1.0, 0.26, 1.92], parameters)
    source = build_source(tia, emission_table(nuclide(emitter)))
    return writable(source), world, tables, cuts(parameters)


def writable(source):
    """On a device no array is read-only."""
    return type(source)(*(np.array(field) if isinstance(field, np.ndarray) else field for field in source))


@numba.njit(nogil=True)
def _follow_rows(seed, source, world, tables, limits, energies, faults, accounts, stack):
    for row in range(energies.shape[0]):
        scores = Scores(energies[row], faults)
        account = follow(seed, np.uint64(row), source, world, tables, limits, scores, stack)
        accounts[row, 0] = account.emitted
        accounts[row, 1] = account.escaped
        accounts[row, 2] = account.flights
        accounts[row, 3] = 1


def rows_on_cpu(histories, *of):
    """Return energies (histories, voxels) [quanta] and accounts (histories, ACCOUNT) of the first histories."""
    source, world, tables, limits = case(*of)
    energies = np.zeros((histories, SIDE**3), np.int64)
    accounts = np.zeros((histories, ACCOUNT), np.int64)
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    faults = np.zeros(FAULTS, np.int64)
    _follow_rows(SEED, source, world, tables, limits, energies, faults, accounts, stack)
    assert not faults.any()
    return energies, accounts


def share_that_agrees(one, other, limit_mev=1e-4):
    """Return the part of histories whose energy differs by at most the limit in every voxel."""
    return float((np.abs(one - other).max(axis=1) <= limit_mev * 2**32).mean())
