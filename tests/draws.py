"""Draws in bulk and in script, and the two statistics that judge them.

Every statistical test has a fixed seed, so it passes or fails for good; `FALSE_ALARM` is the chance that
right code fails one such test when the seed is changed.
"""

import itertools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from scipy import integrate, stats

from mcdose.parameters import TransportParameters
from mcdose.physics.random import Key, random_block, uniform
from mcdose.physics_tables import cuts

FALSE_ALARM = 1e-6
SEED = np.uint64(20_260_101)
EXTREME_WORDS = (0, 0xFFFFFFFF)

# Cuts by which no electron stops at once: all that a photon sets in motion goes on the stack.
FOLLOWED = cuts(TransportParameters())._replace(
    lowest=np.float32(0.0), stop=np.float32(0.0), stop_inside=np.float32(0.0)
)

# Unit vectors (u, v, w), the poles and their neighbours among them.
DIRECTIONS = [
    (0.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
    (1e-9, 0.0, 1.0),
    (0.0, -1e-9, -1.0),
    (3e-4, -2e-4, -np.sqrt(1.0 - 13e-8)),
    (1.0, 0.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.6, 0.0, -0.8),
    (-0.48, 0.64, 0.6),
    (1.0 / np.sqrt(3.0), -1.0 / np.sqrt(3.0), -1.0 / np.sqrt(3.0)),
]


@numba.njit(nogil=True)
def uniforms(count: int, seed: Any) -> Any:
    """Return (count, 4) uniforms, one block per history number."""
    drawn = np.empty((count, 4), np.float32)
    for history in range(count):
        words = random_block(Key(seed, np.uint64(history), np.uint32(0)), 0)
        for i in range(4):
            drawn[history, i] = uniform(words[i])
    return drawn


def bin_probabilities(density: Callable[[float], float], edges: Sequence[float]) -> np.ndarray:
    """Return the integral of a density over each bin, normalised to their sum."""
    parts = [
        integrate.quad(density, low, high, epsabs=0.0, epsrel=1e-9, limit=200)[0]
        for low, high in itertools.pairwise(edges)
    ]
    return np.array(parts) / np.sum(parts)


def assert_distributed(sample: np.ndarray, edges: Sequence[float], probabilities: np.ndarray) -> None:
    """Judge a sample by Pearson's chi-square on bins that hold all of it; rare bins are pooled with the next."""
    counts, _ = np.histogram(np.asarray(sample, np.float64), edges)
    assert counts.sum() == sample.size, f"{sample.size - counts.sum()} draws lie outside {edges[0]} .. {edges[-1]}"
    observed, expected = [0.0], [0.0]
    for count, probability in zip(counts, probabilities, strict=True):
        if expected[-1] >= 25.0:
            observed.append(0.0)
            expected.append(0.0)
        observed[-1] += count
        expected[-1] += probability * sample.size
    chi_square = np.sum((np.array(observed) - expected) ** 2 / np.array(expected))
    chance = stats.chi2.sf(chi_square, len(expected) - 1)
    assert chance > FALSE_ALARM, f"chi-square {chi_square:.1f} for {len(expected) - 1} degrees of freedom"


def assert_mean(sample: np.ndarray, mean: float, allowance: float = 0.0) -> None:
    """Judge the mean of a sample by its own standard error, beside an allowance for what is known to be inexact."""
    sample = np.asarray(sample, np.float64)
    error = sample.std(ddof=1) / np.sqrt(sample.size)
    limit = stats.norm.isf(0.5 * FALSE_ALARM) * error + allowance
    assert abs(sample.mean() - mean) <= limit, f"mean {sample.mean()}, expected {mean}, limit {limit}"


def scripted(sampler: Any, blocks: Sequence[Sequence[int]]) -> Callable[..., Any]:
    """Return a sampler in plain Python that draws the given blocks of words, and fails when it asks for more."""
    waiting = iter(blocks)

    def block(key: Any, draw: int) -> tuple[Any, ...]:
        return tuple(np.uint32(word) for word in next(waiting))

    function = sampler.py_func
    names = {**function.__globals__, "random_block": block, "uniform": uniform.py_func}
    return types.FunctionType(function.__code__, names, function.__name__)
