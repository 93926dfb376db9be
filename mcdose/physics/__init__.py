"""Interactions as scalar functions: numbers in, numbers out.

process | file | model | range | neglected
---|---|---|---|---
hard collisions | moller.py | Moller, above the cut | 20 keV to 4 MeV | binding
hard collisions of positrons | bhabha.py | Bhabha, above the cut | 10 keV to 4 MeV | binding
annihilation in flight | annihilation.py | Heitler | 10 keV to 4 MeV | binding
soft loss | straggling.py | Berger-Seltzer restricted, two moments | 10 keV to 4 MeV | skewness in a flight
multiple scattering | scattering.py | Goudsmit-Saunderson, Rutherford x Mott | 50 keV to 4 MeV | higher Born terms
bremsstrahlung | bremsstrahlung.py | Seltzer-Berger of water, dipole | 10 keV to 3 MeV | angle-energy correlation
incoherent scattering | compton.py | Klein-Nishina times S(x) | 1 keV to 4 MeV | Doppler broadening
photoelectric effect | photoelectric.py | Sauter | 1 keV to 4 MeV | binding energy, fluorescence
pair production | pair.py | uniform sharing | above 1.022 MeV | asymmetry of the sharing
"""
