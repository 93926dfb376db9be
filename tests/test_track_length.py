"""The track-length estimator of photon dose: lengths and tables by other means, and the same dose as by collisions."""

import itertools

import numba
import numpy as np
import pytest
from draws import SEED
from scipy.integrate import quad

from mcdose.constants import CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS, PI
from mcdose.dose import absorbed_dose
from mcdose.electron_data import csda_range
from mcdose.goudsmit_saunderson import electrons_per_gram
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.photon_data import incoherent_scattering_function
from mcdose.physics.compton import sample_compton
from mcdose.physics.lookup import column_at, energy_grid, locate
from mcdose.physics_tables import build, cuts
from mcdose.point_kernel import dose_point_kernel
from mcdose.short_electrons import compton_recoil, short_electrons_mev, with_short_electrons
from mcdose.transport.score import Scores
from mcdose.transport.tables import (
    GIVEN,
    PHOTOELECTRIC,
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LAST,
    PHOTON_LOW,
    TOTAL,
    WITH_COMPTON,
    WITH_PAIR,
)
from mcdose.transport.track_length import is_short, leave_along
from mcdose.transport.world import Place, World, jumped
from validation.emissions import PHOTONS, only

MEDIA = [medium("water"), medium("lung"), medium("cortical-bone")]
ALONG = TransportParameters(track_length=0.1)
SIDES_MM = (4.0, 3.0, 2.0)
NODES = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)


@pytest.fixture(scope="module")
def tables():
    """Tables of water, lung and bone."""
    return build(MEDIA, [1.0, 0.26, 1.92], TransportParameters())


def test_short_is_by_the_range_in_water():
    short = short_electrons_mev(0.3)
    assert csda_range(MEDIA[0], short) == pytest.approx(0.03, rel=1e-3)
    assert short_electrons_mev(1.0) == 0.2


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("energy", [0.0625, 0.140625, 0.359375, 1.25])
def test_recoil_is_the_integral_of_the_cross_section(tables, index, energy):
    """Klein and Nishina's cross section times S(x)/Z, times the energy of the electron where it is short."""
    short = 0.15
    of = MEDIA[index]

    def integrand(cosine, weighed):
        ratio = 1.0 / (1.0 + energy / ELECTRON_MASS * (1.0 - cosine))
        cross_section = PI * CLASSICAL_ELECTRON_RADIUS**2 * ratio**2 * (ratio + 1.0 / ratio - 1.0 + cosine**2)
        x = np.sqrt((1.0 - cosine) / 2.0) * energy / 0.01239841984
        return (
            cross_section * float(incoherent_scattering_function(of, np.array([x]))[0]) * weighed(energy * (1 - ratio))
        )

    largest = energy * (1.0 - 1.0 / (1.0 + 2.0 * energy / ELECTRON_MASS))
    limit = -1.0 if largest < short else 1.0 - ELECTRON_MASS * (1.0 / (energy - short) - 1.0 / energy)
    wanted = electrons_per_gram(of) * quad(integrand, limit, 1.0, (lambda recoil: recoil,), epsrel=1e-6)[0]
    total = electrons_per_gram(of) * quad(integrand, -1.0, 1.0, (lambda recoil: 1.0,), epsrel=1e-6)[0]
    node = int(np.flatnonzero(energy == NODES)[0])
    given, part = compton_recoil(tables, index, short)[node]
    ours = tables.photon[index, node, WITH_COMPTON] - tables.photon[index, node, WITH_PAIR]
    assert given / ours == pytest.approx(wanted / total, rel=1e-3)
    below = electrons_per_gram(of) * quad(integrand, limit, 1.0, (lambda recoil: 1.0,), epsrel=1e-6)[0]
    assert part == pytest.approx(below / total, abs=1e-3)


@pytest.mark.parametrize("short", [0.03, 0.0756, 0.1206, 0.16])
def test_what_is_scored_along_the_way_is_what_is_left_out_at_collisions(tables, short):
    """At energies between the nodes, those at which the fastest electron just ceases to be short among them."""
    with_table, limits = with_short_electrons(tables, cuts(ALONG), 3.0)
    assert limits.short > 0.0
    recoil = compton_recoil(tables, 0, short)[None].astype(np.float32)
    with_table = with_table._replace(recoil=recoil)
    numbers = (np.arange(20_000) + 0.5) / 20_000
    kink = 0.5 * (short + np.sqrt(short * (short + 2.0 * ELECTRON_MASS)))  # its fastest electron has `short`
    for energy in (*(kink * np.array([0.99, 0.996, 1.0, 1.003, 1.01, 1.02])), 0.1111, 0.2454, 0.364):
        index, inside = locate.py_func(np.float32(energy), PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
        mean, attenuation = left_out(np.float32(energy), index, inside, with_table, numbers.astype(np.float32))
        low, high = recoil[0, index, GIVEN], recoil[0, index + 1, GIVEN]
        assert low + inside * (high - low) == pytest.approx(mean * attenuation, rel=1.5e-3), energy


@numba.njit
def left_out(energy, index, inside, tables, numbers):
    """Mean energy of the Compton electrons that are short, and the attenuation, cm2/g, in the first medium."""
    total = 0.0
    for number in numbers:
        if is_short(number, 0, index, inside, tables):
            scattered, _ = sample_compton(energy, tables.compton, 0, index, inside, number)
            total += energy - scattered
    compton = column_at(tables.photon, 0, index, inside, WITH_COMPTON) - column_at(
        tables.photon, 0, index, inside, WITH_PAIR
    )
    return total / len(numbers), compton


@numba.njit
def _along(world, start, end, in_grid, u, v, w, energy, index, inside, tables, limits, scores):
    return leave_along(world, start, end, in_grid, u, v, w, energy, index, inside, tables, limits, scores)


def lengths(shape, sides_cm, start_cm, direction, distance):
    """Length in every voxel of a line, from the sorted distances to all planes it crosses (z, y, x)."""
    found = np.zeros(shape)
    crossings = [0.0, distance]
    for axis in range(3):
        if direction[axis] != 0.0:
            at = (np.arange(shape[axis] + 1) * sides_cm[axis] - start_cm[axis]) / direction[axis]
            crossings += at[(at > 0.0) & (at < distance)].tolist()
    crossings = np.sort(crossings)
    for near, far in itertools.pairwise(crossings):
        middle = start_cm + 0.5 * (near + far) * direction
        voxel = tuple(np.floor(middle / sides_cm).astype(int))
        if all(0 <= i < n for i, n in zip(voxel, shape, strict=True)):
            found[voxel] += far - near
    return found


@pytest.mark.parametrize("energy", [0.03, 0.14, 0.5])
def test_a_flight_leaves_its_length_in_every_voxel(tables, energy):
    """Times density and what the medium's short electrons take; to a point inside, and out of the grid."""
    shape = (4, 5, 6)
    generator = np.random.default_rng(7)
    density = generator.uniform(0.05, 2.0, shape).astype(np.float32)
    media = generator.integers(0, 3, shape).astype(np.uint8)
    sides = np.array(SIDES_MM) / 10.0
    world = World(
        *(np.int32(n) for n in shape), *np.float32(1.0 / sides), np.float32(sides.min()), density.ravel(), media.ravel()
    )  # fmt: skip
    with_table, limits = with_short_electrons(tables, cuts(ALONG), 0.2)
    index, inside = locate.py_func(np.float32(energy), PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)

    def at(table):
        return table[:, index] + inside * (table[:, index + 1] - table[:, index])

    mean = at(with_table.recoil[:, :, GIVEN]).astype(float)
    if energy < float(limits.short):
        mean += energy * at(with_table.photon[:, :, PHOTOELECTRIC])
    axes = [(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)]
    scores = Scores(np.zeros(density.size, np.int64), np.zeros(4, np.int64))
    stays, wanted, total = [], np.zeros(shape), 0
    for k in range(300):
        direction = np.array(axes[k]) if k < 3 else generator.normal(size=3)
        direction /= np.linalg.norm(direction)
        voxel = [int(generator.integers(n)) for n in shape]
        offset = generator.random(3).astype(np.float32)
        start = Place(*(np.int32(i) for i in voxel), *offset)
        u, v, w = (np.float32(c) for c in direction[::-1])
        distance = np.float32(generator.exponential(0.8))
        end, in_grid = jumped(world, start, u, v, w, distance)
        end = Place(*(np.int32(i) for i in end[:3]), *np.float32(end[3:]))
        start_cm = (np.array(voxel) + offset) * sides
        wanted += lengths(shape, sides, start_cm, direction, float(distance) if in_grid else 100.0)
        stays.append(in_grid)
        total += _along(
            world, start, end, in_grid, u, v, w, np.float32(energy), index, inside, with_table, limits, scores
        )
    assert 0.2 < np.mean(stays) < 0.9
    assert total == scores.energy.sum()
    expected = wanted * density * mean[media]
    np.testing.assert_allclose(scores.energy.reshape(shape) / 2.0**32, expected, rtol=2e-5, atol=1e-6)


def slab(**more):
    """Water, lung and bone in layers, the source in the water, with mean doses of the layers."""
    shape = (24, 10, 12)
    media = np.zeros(shape, int)
    media[8:14], media[14:17] = 1, 2
    density = np.array([1.0, 0.26, 1.92])[media]
    if more.pop("metal", False):
        density[20, 5, 6] = 19.0
    tia = np.zeros(shape)
    tia[3:7, 3:7, 4:8] = 1.0
    regions = {}
    for first, end in ((0, 3), (3, 7), (7, 8), (8, 9), (9, 14), (14, 17), (17, 24)):
        regions[f"{first} to {end}"] = np.zeros(shape, bool)
        regions[f"{first} to {end}"][first:end] = True
    return absorbed_dose(
        tia, (4.0, 5.0, 4.0), density_g_cm3=density, medium=media, media=MEDIA, regions=regions, device="cpu", **more
    )


@pytest.mark.parametrize(
    ("of", "metal"), [("Tc-99m", False), ("I-131", False), ("F-18", False), (only("Lu-177", PHOTONS), True)]
)
def test_the_dose_is_that_of_collisions(of, metal):
    """In every layer, and what escapes; each history balances whichever way it is scored. Short is 0.1 of a side."""
    by_collisions = slab(nuclide=of, histories=1_000_000, seed=5, metal=metal)
    along = slab(nuclide=of, histories=1_000_000, seed=6, metal=metal, parameters=ALONG)
    for result in (by_collisions, along):
        assert result.energy_quanta["emitted"] == result.energy_quanta["deposited"] + result.energy_quanta["escaped"]
    for name, one in by_collisions.regions.items():
        other = along.regions[name]
        spread = np.hypot(one.standard_error_gy, other.standard_error_gy)
        assert abs(one.mean_gy - other.mean_gy) < 4.5 * spread + 2e-3 * one.mean_gy, name
    assert along.deposited_mev == pytest.approx(by_collisions.deposited_mev, rel=5e-3)


def test_photons_of_technetium_have_a_tenth_of_the_variance():
    one = slab(nuclide=only("Tc-99m", PHOTONS), histories=500_000, seed=3)
    other = slab(nuclide=only("Tc-99m", PHOTONS), histories=500_000, seed=3, parameters=ALONG)
    there = one.dose_gy > 0.2 * one.dose_gy.max()
    gain = np.square(one.relative_uncertainty[there] / other.relative_uncertainty[there])
    assert np.median(gain) > 10.0


def test_the_bits_do_not_depend_on_threads():
    runs = [slab(nuclide="In-111", histories=20_000, seed=SEED, parameters=ALONG, threads=n) for n in (1, 3)]
    assert runs[0].dose_gy.tobytes() == runs[1].dose_gy.tobytes()
    assert runs[0].energy_quanta == runs[1].energy_quanta


def test_point_kernels_have_no_track_lengths():
    with pytest.raises(ValueError, match="track_length"):
        dose_point_kernel("Y-90", histories=1000, parameters=ALONG)


def test_attenuation_is_above_what_short_electrons_take(tables):
    """Energy times attenuation is the most that a photon can give."""
    with_table, limits = with_short_electrons(tables, cuts(ALONG), 0.3)
    given = (
        with_table.recoil[:, :, GIVEN]
        + np.where(float(limits.short) > NODES, NODES, 0.0) * tables.photon[:, :, PHOTOELECTRIC]
    )
    assert np.all(given > 0.0)
    assert np.all(given < NODES * tables.photon[:, :, TOTAL])
