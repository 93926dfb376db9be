"""Directions: unit vectors (u, v, w) along x, y, z."""

import math

import numpy as np

from mcdose.constants import PI
from mcdose.jit import compiled


@compiled
def sin_cos_turn(turn):
    """Return sine and cosine of `turn` revolutions, 0 <= turn < 1; absolute error below 3e-7 in float32.

    Minimax-like Taylor polynomials on an eighth of a turn; the library functions carry a float64 path on GPUs.
    """
    quarter = np.int32(4.0 * turn + 0.5)
    angle = (turn - 0.25 * np.float32(quarter)) * (2.0 * PI)  # within +-pi/4
    square = angle * angle
    sine = angle * (1.0 + square * (-1.0 / 6.0 + square * (1.0 / 120.0 - square * (1.0 / 5040.0))))
    cosine = 1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square * (1.0 / 40320.0))))
    if quarter == 1:
        return cosine, -sine
    if quarter == 2:
        return -sine, -cosine
    if quarter == 3:
        return -cosine, sine
    return sine, cosine


@compiled
def isotropic(uniform_1, uniform_2):
    """Return a direction uniform on the sphere."""
    w = 2.0 * uniform_1 - 1.0
    s = math.sqrt(1.0 - w * w)
    sine, cosine = sin_cos_turn(uniform_2)
    return s * cosine, s * sine, w


@compiled
def turned(u, v, w, one_minus_cosine, turn):
    """Return the direction (u, v, w) after a deflection.

    Parameters
    ----------
    one_minus_cosine : of the polar angle, 0 to 2 (small angles keep their digits this way)
    turn : azimuth in revolutions, 0 to 1
    """
    cosine = 1.0 - one_minus_cosine
    sine = math.sqrt(one_minus_cosine * (2.0 - one_minus_cosine))
    sine_azimuth, cosine_azimuth = sin_cos_turn(turn)
    a = sine * cosine_azimuth
    b = sine * sine_azimuth
    # An orthonormal frame without a pole: Duff et al., J. Comput. Graph. Tech. 6 (2017) 1.
    sign = math.copysign(1.0, w)
    p = -1.0 / (sign + w)
    q = u * v * p
    x = cosine * u + a * (1.0 + sign * u * u * p) + b * q
    y = cosine * v + a * (sign * q) + b * (sign + v * v * p)
    z = cosine * w - a * (sign * u) - b * v
    scale = 1.5 - 0.5 * (x * x + y * y + z * z)  # keeps the length at 1 to rounding
    return x * scale, y * scale, z * scale
