"""The point kernel of a medium: from the library, from the user's cache, or simulated once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from mcdose.errors import InputError
from mcdose.kernel import PointKernel
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.nuclides import Nuclide, nuclides
from mcdose.nuclides import nuclide as find_nuclide

log = logging.getLogger("mcdose")

SIMULATED_HISTORIES = 1_000_000  # of a point kernel that the library does not have


def cache_file(nuclide: Nuclide, medium: Medium) -> Path:
    """Return where the point kernel of a medium that the library lacks is kept, by all that it depends on."""
    from mcdose.jit import cache_folder

    state = repr((nuclide.identity, medium.identity))
    return cache_folder() / "kernels" / f"{nuclide.name}_{hashlib.sha256(state.encode()).hexdigest()[:16]}_point.h5"


def known_or_simulated(
    nuclide: Nuclide, medium: Medium, histories: int | None, simulate: Callable[[int], PointKernel]
) -> PointKernel:
    """Return the point kernel of the library, of the user's cache, or one simulated now.

    Parameters
    ----------
    histories : None takes a known one, else simulates one million histories and keeps them; a number simulates so many
    simulate : called with the histories
    """
    if histories is not None:
        return simulate(histories)
    from mcdose.kernel_file import find_kernel, kept_kernel, load_kernel
    from mcdose.media import media

    name = f"{nuclide.name}/{medium.name}/point"
    shipped = nuclide.name in nuclides() and find_nuclide(nuclide.name) is nuclide
    if shipped and medium.name in media() and find_medium(medium.name) == medium and find_kernel(name) is not None:
        known = load_kernel(name)
        if isinstance(known, PointKernel):
            return known
    path = cache_file(nuclide, medium)
    kept = kept_kernel(path, "a point kernel")
    if kept is not None:
        return kept
    what = f"{nuclide.name} in {medium.name}"
    log.info("simulating the point kernel of %s, which the library does not have (once)", what)
    kernel = simulate(SIMULATED_HISTORIES)
    if kernel.histories >= SIMULATED_HISTORIES:  # a run that was stopped is no kernel for next time
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kernel.save(path, overwrite=True)
        except (OSError, InputError) as error:  # a cache that cannot be written is no reason to fail
            log.info("the point kernel was not kept: %s", error)
    return kernel
