"""Numbers of nature, with unit and source.

CODATA 2022 (Mohr, Newell, Taylor, Tiesinga, 2024) unless another source is named.
"""

PI = 3.141592653589793
ELECTRON_MASS = 0.51099895069  # rest energy, MeV
CLASSICAL_ELECTRON_RADIUS = 2.8179403205e-13  # cm
FINE_STRUCTURE = 7.2973525643e-3
AVOGADRO = 6.02214076e23  # 1/mol, exact
BOHR_RADIUS = 5.29177210544e-9  # cm
HBAR_C_MEV_CM = 1.973269804e-11  # MeV cm
MEV_TO_JOULE = 1.602176634e-13  # J/MeV, exact
GY_PER_MEV_PER_G = 1.602176634e-10  # Gy for 1 MeV in 1 g, exact

AIR_HU = -1000.0  # CT number of air, and so of what was not imaged; a lower one is padding
