"""The smallest gamma of a voxel over the trilinear dose around it, found to a tolerance without sampling.

In a cell between eight voxels, with lengths in distance criteria and doses in dose criteria,

    gamma^2 = min over u of |u|^2 + e(u)^2,    e(u) the evaluated dose less the reference dose, trilinear in u.

A cell is halved until no part of it can hold less than was found already. In a box around u_0, e is the plane
e_0 + g.(u - u_0) but for at most `bend`, the sum of its mixed terms. For a plane the minimum lies at u = -s g, cut off
at the box, with s = e(u). The Lagrange dual at any s is a lower bound for the whole box, bend included, and close to
the minimum at this one; the true dose at this u is an upper bound.
"""

from __future__ import annotations

import numpy as np

from mcdose.jit import compiled, launcher

STACK = 64  # boxes that wait: one for each halving of the one looked at, so a cell is cut into 2^21 parts an axis
ROOT_STEPS = 40


@compiled
def _cut(value, centre, half):  # type: ignore[no-untyped-def]
    return min(max(value, centre - half), centre + half)


@compiled
def _free(value, centre, half):  # type: ignore[no-untyped-def]
    return abs(value - centre) < half


@compiled
def search_cell(low, width, corners, best, tolerance, stack):  # type: ignore[no-untyped-def]
    """Return the smaller of `best` and the smallest gamma in a cell, the latter at most `tolerance` too large.

    Parameters
    ----------
    low, width : (z, y, x) corner and size of the cell, seen from the voxel, in distance criteria
    corners : evaluated less reference dose at the corners 000, 001, 010, ... 111 (z, y, x), in dose criteria
    best : gamma found so far
    tolerance : in gamma
    stack : float64 (STACK, 6), of the thread

    Source
    ------
    gamma: Low et al., Med Phys 25:656 (1998); the search in a trilinear cell: our own.
    """
    wz, wy, wx = width
    e000, e001, e010, e011, e100, e101, e110, e111 = corners
    # e = e000 + sz z + sy y + sx x + mixed terms, z y x from 0 to 1 in the cell
    sz, sy, sx = e100 - e000, e010 - e000, e001 - e000
    mzy = e110 - e100 - e010 + e000
    mzx = e101 - e100 - e001 + e000
    myx = e011 - e010 - e001 + e000
    m = e111 - e110 - e101 - e011 + e100 + e010 + e001 - e000

    stack[0, :3] = 0.5
    stack[0, 3:] = 0.5
    waiting = 1
    while waiting > 0:
        waiting -= 1
        z, y, x = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
        hz, hy, hx = stack[waiting, 3], stack[waiting, 4], stack[waiting, 5]
        bzy = abs(mzy + m * x) * hz * hy
        bzx = abs(mzx + m * y) * hz * hx
        byx = abs(myx + m * z) * hy * hx
        bzyx = abs(m) * hz * hy * hx
        bend = bzy + bzx + byx + bzyx
        e = e000 + sz * z + sy * y + sx * x + mzy * z * y + mzx * z * x + myx * y * x + m * z * y * x
        gz = (sz + mzy * y + mzx * x + m * y * x) / wz
        gy = (sy + mzy * z + myx * x + m * z * x) / wy
        gx = (sx + mzx * z + myx * y + m * z * y) / wx
        uz, uy, ux = low[0] + wz * z, low[1] + wy * y, low[2] + wx * x
        az, ay, ax = hz * wz, hy * wy, hx * wx

        # The root of s - e(cut off -s g), which rises at least as fast as s: Newton's method, kept between two limits
        s = (e - gz * uz - gy * uy - gx * ux) / (1.0 + gz * gz + gy * gy + gx * gx)
        below, above = -np.inf, np.inf
        for _ in range(ROOT_STEPS):
            pz, py, px = _cut(-s * gz, uz, az), _cut(-s * gy, uy, ay), _cut(-s * gx, ux, ax)
            excess = s - (e + gz * (pz - uz) + gy * (py - uy) + gx * (px - ux))
            if abs(excess) < 1e-7:
                break
            if excess > 0.0:
                below, above = max(below, s - excess), s
            else:
                below, above = s, min(above, s - excess)
            slope = 1.0
            if _free(-s * gz, uz, az):
                slope += gz * gz
            if _free(-s * gy, uy, ay):
                slope += gy * gy
            if _free(-s * gx, ux, ax):
                slope += gx * gx
            s -= excess / slope
            if not below < s < above:
                s = 0.5 * (below + above)
        pz, py, px = _cut(-s * gz, uz, az), _cut(-s * gy, uy, ay), _cut(-s * gx, ux, ax)
        squared = pz * pz + py * py + px * px
        plane = e + gz * (pz - uz) + gy * (py - uy) + gx * (px - ux)
        bound = squared + 2.0 * s * plane - s * s - 2.0 * bend * abs(s)
        tz, ty, tx = (pz - low[0]) / wz, (py - low[1]) / wy, (px - low[2]) / wx
        true = e000 + sz * tz + sy * ty + sx * tx + mzy * tz * ty + mzx * tz * tx + myx * ty * tx + m * tz * ty * tx
        best = min(best, np.sqrt(squared + true * true))
        enough = max(best - tolerance, 0.0)
        if bound >= enough * enough or waiting + 2 > STACK:
            continue

        # halve the axis that bends most; the half with the point found comes first
        of_z, of_y, of_x = bzy + bzx + bzyx, bzy + byx + bzyx, bzx + byx + bzyx
        if of_z >= of_y and of_z >= of_x:
            axis, towards = 3, tz >= z
        elif of_y >= of_x:
            axis, towards = 4, ty >= y
        else:
            axis, towards = 5, tx >= x
        for k in range(2):
            row = stack[waiting + k]
            row[0], row[1], row[2], row[3], row[4], row[5] = z, y, x, hz, hy, hx
            row[axis] *= 0.5
            row[axis - 3] += row[axis] if (k == 1) == towards else -row[axis]
        waiting += 2
    return best


@launcher
def search_voxels(  # type: ignore[no-untyped-def]
    reference, evaluated, voxels, criterion, side, cells, distance, largest, tolerance, gamma, stack
):
    """Write the gamma of some voxels.

    Parameters
    ----------
    reference, evaluated : float64 (nz, ny, nx); the evaluated dose has two planes at least along each axis
    voxels : int64 (n, 3), (z, y, x) of the voxels to judge
    criterion : float64 (n,), dose criterion of each, in the unit of the doses
    side : float64 (3,), sides of a voxel in distance criteria
    cells : int64 (m, 3), (z, y, x) of the first corner of each cell within reach, seen from the voxel, nearest first
    distance : float64 (m,), shortest distance to each cell in distance criteria
    largest : gamma to stop at, and the largest that is written
    tolerance : in gamma
    gamma : float64 (n,), written
    stack : float64 (STACK, 6)
    """
    nz, ny, nx = evaluated.shape
    for n in range(voxels.shape[0]):
        kz, ky, kx = voxels[n, 0], voxels[n, 1], voxels[n, 2]
        own = reference[kz, ky, kx]
        scale = np.float64(1.0) / criterion[n]
        best = min(abs(evaluated[kz, ky, kx] - own) * scale, largest)
        for c in range(cells.shape[0]):
            if distance[c] >= best - tolerance:  # no cell from here on can hold less
                break
            z, y, x = kz + cells[c, 0], ky + cells[c, 1], kx + cells[c, 2]
            if z < 0 or y < 0 or x < 0 or z >= nz - 1 or y >= ny - 1 or x >= nx - 1:
                continue
            corners = (
                (evaluated[z, y, x] - own) * scale,
                (evaluated[z, y, x + 1] - own) * scale,
                (evaluated[z, y + 1, x] - own) * scale,
                (evaluated[z, y + 1, x + 1] - own) * scale,
                (evaluated[z + 1, y, x] - own) * scale,
                (evaluated[z + 1, y, x + 1] - own) * scale,
                (evaluated[z + 1, y + 1, x] - own) * scale,
                (evaluated[z + 1, y + 1, x + 1] - own) * scale,
            )
            # doses on one side of the reference: the nearest of them at the cell's distance is a lower bound
            apart = max(min(corners), -max(corners))
            if apart > 0.0 and distance[c] * distance[c] + apart * apart >= (best - tolerance) * (best - tolerance):
                continue
            low = (cells[c, 0] * side[0], cells[c, 1] * side[1], cells[c, 2] * side[2])
            best = search_cell(low, (side[0], side[1], side[2]), corners, best, tolerance, stack)
        gamma[n] = best
