"""How much of the damage that two electrons make together is repaired before the second one comes."""

from __future__ import annotations

from mcdose.radiobiology.values import positive


def lea_catcheside(half_life_h: float, repair_half_time_h: float) -> float:
    """Lea-Catcheside dose-protraction factor of a source that decays to nothing where it is.

    With dose rate R(t) = R0 exp(-λ t), so D = R0 / λ, and damage that is repaired as exp(-μ t),

        G = (2 / D²) ∫₀^∞ R(t) ∫₀^t R(w) exp(-μ (t - w)) dw dt.

    The inner integral is R0 (exp(-λ t) - exp(-μ t)) / (μ - λ); the outer one is then
    R0² / (μ - λ) [1 / (2 λ) - 1 / (λ + μ)] = R0² / (2 λ (λ + μ)), so that with λ = ln 2 / T_phys and μ = ln 2 / T_rep

        G = λ / (λ + μ) = T_rep / (T_rep + T_phys).

    G is 1 for an acute dose (T_phys much shorter than T_rep) and 0 for one at no rate. Dale, Br J Radiol 58 (1985) 515,
    has the same as 1 + R0 / [(μ + λ) α/β] for D to infinity; the general form is in Millar, Br J Radiol 64 (1991) 374.

    Parameters
    ----------
    half_life_h : of the dose rate [h]: the nuclide's for microspheres, which stay; the effective one where activity
        leaves too, if its decline is one exponential
    repair_half_time_h : of sublethal damage [h], one exponential

    Returns
    -------
    float
        above 0, below 1
    """
    repair = positive("repair_half_time_h", repair_half_time_h)
    return repair / (repair + positive("half_life_h", half_life_h))
