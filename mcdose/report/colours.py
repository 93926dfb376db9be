"""Colours that the colour-blind can tell apart: maps for values, and lines for structures.

Sources
-------
plasma (dose) and viridis (uncertainty): Nathaniel J. Smith, Stefan van der Walt and Eric Firing, CC0, as sampled from
matplotlib. Blue-white-orange (difference): made for mcdose, lightness in Oklab falling in a straight line from the
middle to both ends, at the same rate. Each is sampled at 33 equal steps, with straight lines between. The lines are
variations of the palette of Okabe and Ito (2008), one set for a dark and one for a light ground.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.report.contents import Kind

MAPS: dict[Kind, str] = {
    "dose": (
        "0d08872206903105973f049c4c02a15901a56600a77201a87e03a88a09a59511a1a01a9caa2395b32c8ebc3587c43e7f"
        "cc4778d35171da5a6ae06363e66c5ceb7655f0804ef58b47f89540fba139fdac33feb82cfdc527fcd225f8df25f4ed27f0f921"
    ),
    "uncertainty": (
        "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e"
        "21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51bfde725"
    ),
    "difference": (
        "013e8b00489a0554a7105fb31a6bbe2477ca2d83d64390da579cdd6ba8e17eb3e491bfe7a5caeab8d5edcce0efe0eaf2"
        "f5f5f5f0e7deebdac6e6ccb0e1be99ddaf82d9a06cd49154cf823bcb721ac06502b25a02a550029746018a3c007c33016f2a01"
    ),
}
ON_DARK = ("#56b4e9", "#2fd0a0", "#f0e442", "#ff9cd2", "#ffa733", "#ffffff", "#ff7a5c")
ON_LIGHT = ("#0072b2", "#00755a", "#857500", "#b0447f", "#a85500", "#3d3d3d", "#c02f16")


def samples(kind: Kind) -> NDArray[np.float64]:
    """Return the map of a kind of layer, (33, 3), red, green and blue from 0 to 255."""
    return np.frombuffer(bytes.fromhex(MAPS[kind]), np.uint8).reshape(-1, 3).astype(np.float64)


def coloured(kind: Kind, place: ArrayLike) -> NDArray[np.float64]:
    """Return the colours at places from 0 to 1 of a map, shape of `place` and 3, from 0 to 255; beyond, the ends."""
    table = samples(kind)
    at = np.clip(np.asarray(place, np.float64), 0.0, 1.0) * (len(table) - 1)
    return np.stack([np.interp(at, np.arange(len(table)), table[:, k]) for k in range(3)], axis=-1)
