"""Convolution with even kernels against direct sums."""

import tracemalloc

import numpy as np
import pytest
from scipy import signal

from mcdose.convolution.blocks import support
from mcdose.convolution.convolve import convolve
from mcdose.convolution.even_kernel import EvenKernel
from mcdose.shell_integration import unfold

CASES = {
    "reach within the grid": ((20, 17, 23), (3, 4, 2), None),
    "reach beyond the grid": ((20, 7, 5), (30, 9, 5), None),
    "source in a corner": ((20, 17, 23), (4, 3, 6), ((0, 3), (14, 17), (0, 1))),
    "thin source, long reach": ((40, 10, 12), (2, 9, 30), ((30, 40), (9, 10), (2, 8))),
    "one voxel": ((1, 1, 1), (2, 3, 4), None),
    "one plane": ((1, 30, 9), (5, 5, 5), None),
}


def made(case):
    shape, reach, box = CASES[case]
    generator = np.random.default_rng(1)
    source = generator.random(shape)
    if box is not None:
        inside = np.zeros(shape)
        inside[tuple(slice(*limits) for limits in box)] = 1.0
        source *= inside
    return source, EvenKernel(generator.random(tuple(count + 1 for count in reach)))


def direct(source, kernel):
    whole = signal.convolve(source, unfold(kernel.octant), method="direct")
    return whole[tuple(slice(reach, reach + size) for reach, size in zip(kernel.reach, source.shape, strict=True))]


def convolved(source, kernel, **how):
    result = np.full(source.shape, np.nan)

    def deliver(z, y, x, values):
        assert np.isnan(result[z, y, x]).all()  # nothing is delivered twice
        result[z, y, x] = values

    convolve(source, kernel, deliver, **how)
    return np.where(np.isnan(result), 0.0, result)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_direct_sum(case):
    source, kernel = made(case)
    expected = direct(source, kernel)
    np.testing.assert_allclose(convolved(source, kernel), expected, rtol=0, atol=1e-14 * expected.max())
    single = convolved(source, kernel, precision="single")
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize("megabytes", [6.0, 2.0, 1.0])
def test_blocks_give_the_same_and_keep_to_their_memory(megabytes):
    source = np.random.default_rng(2).random((60, 24, 26))
    kernel = EvenKernel(np.random.default_rng(3).random((4, 5, 6)))
    whole = convolved(source, kernel)
    limit = int(megabytes * 1e6)
    kernel.spectrum((64, 32, 32))  # importing and planning is done
    result = np.zeros(source.shape)

    def deliver(z, y, x, values):
        result[z, y, x] = values

    tracemalloc.start()
    try:
        convolve(source, kernel, deliver, threads=2, max_bytes=limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit
    np.testing.assert_allclose(result, whole, rtol=0, atol=1e-14 * whole.max())


def test_memory_that_cannot_do_is_refused_with_the_figures():
    source, kernel = made("reach within the grid")
    with pytest.raises(ValueError, match=r"the convolution must have at least \d\.\d\d MB to work in, got 0\.10 MB"):
        convolved(source, kernel, max_bytes=100_000)


def test_the_number_of_threads_does_not_matter():
    source, kernel = made("source in a corner")
    one, three = (convolved(source, kernel, threads=threads) for threads in (1, 3))
    assert one.tobytes() == three.tobytes()


@pytest.mark.parametrize("precision", ["double", "single"])
def test_never_negative_and_zero_out_of_reach(precision):
    source = np.zeros((30, 30, 30), np.float32)
    source[10, 10, 10], source[20, 20, 20] = 1.0, 1e-3
    octant = np.exp(-2.0 * np.add.outer(np.add.outer(np.arange(6.0), np.arange(6.0)), np.arange(6.0)))
    result = convolved(source, EvenKernel(octant), precision=precision)
    assert (result >= 0.0).all()
    assert result[:5].max() == result[26:].max() == result[:, :, :5].max() == 0.0
    lost = 1e-9 if precision == "double" else 2e-4  # what lies below the floor
    assert result.sum() == pytest.approx(1.001 * EvenKernel(octant).total, rel=lost)


def test_nothing_in_nothing_out():
    assert support(np.zeros((3, 4, 5))) is None
    assert not convolved(np.zeros((3, 4, 5)), made("one voxel")[1]).any()


def test_spectrum_is_the_transform_of_the_whole_kernel():
    octant = np.random.default_rng(4).random((3, 2, 4))
    kernel = EvenKernel(octant)
    periods = (8, 6, 10)
    placed = np.zeros(periods)
    whole = unfold(octant)
    for offset in np.ndindex(whole.shape):
        index = tuple((k - reach) % n for k, reach, n in zip(offset, kernel.reach, periods, strict=True))
        placed[index] += whole[offset]
    expected = np.fft.fftn(placed)
    assert abs(expected.imag).max() < 1e-13
    np.testing.assert_allclose(kernel.spectrum(periods), expected.real[:5, :4, :6], atol=1e-13)
    assert kernel.total == pytest.approx(whole.sum(), rel=1e-14)
