"""Pieces of a kernel add up to the run of all of them."""

from dataclasses import replace

import numpy as np
import pytest

from mcdose.kernel import PointKernel
from mcdose.kernel_merge import merge_point_kernels
from mcdose.point_kernel import BATCH
from mcdose.tally import Tally

SHELLS = 7


def kernel_of(batches, first_batch=0, **provenance):
    """Return what a run gives whose batches, (k, shells) quanta, are these."""
    tally = Tally(SHELLS, BATCH)
    for batch in batches:
        tally.flush(batch.copy(), BATCH, 0, SHELLS)
        tally.count(BATCH)
    energy = tally.energy_mev(0, SHELLS) / tally.histories
    error = np.where(energy > 0.0, tally.relative_error(0, SHELLS) * energy, 0.0)
    made = {"seed": 3, "first_history": first_batch * BATCH, "mcdose": "0.1", "escaped_mev": float(len(batches))}
    edges = np.arange(SHELLS + 1.0)
    deviations = np.stack([batch / 2.0**32 / BATCH for batch in batches]) - energy
    deviations *= 1.0 / np.sqrt(len(batches) * max(len(batches) - 1.0, 1.0))
    return PointKernel(
        edges, energy, error, deviations, 0.9, "Y-90", "water", 1.0, tally.histories, {**made, **provenance}
    )


@pytest.fixture
def batches():
    """Sums of 12 batches in quanta: up to 0.5 MeV per history, an empty shell, one that few batches reach."""
    rng = np.random.default_rng(2)
    quanta = rng.integers(0, int(0.5 * BATCH * 2**32), (12, SHELLS))
    quanta[:, 5] = 0
    quanta[1:, 6] = 0
    return quanta


@pytest.mark.parametrize(("cuts", "rounding"), [([6], 1e-12), ([4, 8], 1e-12), ([1, 2, 11], 1e-7)])
def test_pieces_give_the_same_bits(batches, cuts, rounding):
    """The energy; the error to rounding, 2^-16 MeV in a tally's squares but none where a batch is a piece."""
    parts = np.split(batches, cuts)
    pieces = [kernel_of(part, start) for part, start in zip(parts, [0, *cuts], strict=True)]
    whole = kernel_of(batches)
    merged = merge_point_kernels(pieces[::-1])
    np.testing.assert_array_equal(merged.energy_mev, whole.energy_mev)
    np.testing.assert_allclose(merged.standard_error_mev, whole.standard_error_mev, rtol=rounding)
    assert merged.histories == 12 * BATCH
    assert merged.provenance["first_history"] == 0
    lengths = np.array([len(part) for part in parts])
    assert merged.provenance["escaped_mev"] == pytest.approx(float((lengths**2).sum() / 12), rel=1e-12)


def test_standard_error_is_that_of_the_batches(batches):
    """Closed form: the standard deviation of the batch means over the square root of their number."""
    merged = merge_point_kernels([kernel_of(batches[:5]), kernel_of(batches[5:], 5)])
    means = batches / 2.0**32 / BATCH
    np.testing.assert_allclose(merged.energy_mev, means.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(merged.standard_error_mev, means.std(axis=0, ddof=1) / np.sqrt(12), rtol=1e-7)


def test_one_piece_is_the_whole(batches):
    kernel = kernel_of(batches)
    assert merge_point_kernels([kernel]) is kernel


def test_what_does_not_add_up(batches):
    first, second = kernel_of(batches[:6]), kernel_of(batches[6:], 6)
    with pytest.raises(ValueError, match="at least one kernel, got none"):
        merge_point_kernels([])
    with pytest.raises(ValueError, match="disjoint histories, got 24576 from 0 and 24576 from 20480"):
        merge_point_kernels([first, kernel_of(batches[6:], 5)])
    with pytest.raises(ValueError, match="the same source"):
        merge_point_kernels([first, replace(second, medium="lung")])
    with pytest.raises(ValueError, match="the same source"):
        merge_point_kernels([first, kernel_of(batches[6:], 6, seed=4)])
    with pytest.raises(ValueError, match="the same source"):
        merge_point_kernels([first, replace(second, shell_edges_mm=np.arange(SHELLS + 1.0) * 2.0)])
    with pytest.raises(ValueError, match="whole batches of 4096 histories, got 1000 from 0"):
        merge_point_kernels([replace(first, histories=1000), second])


def test_much_energy_is_right_to_rounding(batches):
    """2^21 MeV in a shell, more than a mean of 53 bits can tell to the quantum."""
    large = batches // 2**12 * 2**22
    merged = merge_point_kernels([kernel_of(large[:6]), kernel_of(large[6:], 6)])
    np.testing.assert_allclose(merged.energy_mev, large.mean(axis=0) / 2.0**32 / BATCH, rtol=1e-14)
