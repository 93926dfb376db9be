"""Directions: unit vectors (u, v, w) along x, y, z."""

import math

from mcdose.constants import PI
from mcdose.jit import compiled

# Taylor coefficients of sine and cosine
_S3, _S5, _S7, _S9, _S11 = -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362880.0, -1.0 / 39916800.0
_C4, _C6, _C8, _C10, _C12 = 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40320.0, -1.0 / 3628800.0, 1.0 / 479001600.0


@compiled
def sin_cos_turn(turn):
    """Return sine and cosine of `turn` revolutions, 0 <= turn <= 1; absolute error below 5e-7 in float32.

    Taylor polynomials of half the angle, which lies within a quarter turn, then the double-angle formulas: no branch
    to mispredict, and none of the float64 that library functions carry on GPUs.
    """
    half = (turn - 0.5) * PI
    square = half * half
    sine = half * (1.0 + square * (_S3 + square * (_S5 + square * (_S7 + square * (_S9 + square * _S11)))))
    cosine = 1.0 + square * (-0.5 + square * (_C4 + square * (_C6 + square * (_C8 + square * (_C10 + square * _C12)))))
    return -2.0 * sine * cosine, (sine - cosine) * (sine + cosine)


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
