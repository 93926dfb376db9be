"""What the transport reads: plain arrays in fixed units (MeV, cm, g), made by `mcdose.physics_tables`."""

from typing import Any, NamedTuple

import numpy as np

# Grids of energy (see physics.lookup): lowest and highest power of two [MeV] and the bits of an octave.
ELECTRON_LOW, ELECTRON_HIGH, ELECTRON_BITS = -9, 2, 5
ELECTRON_LAST = (ELECTRON_HIGH - ELECTRON_LOW) * 2**ELECTRON_BITS - 1
ANGLE_BITS = 3
ANGLE_LAST = (ELECTRON_HIGH - ELECTRON_LOW) * 2**ANGLE_BITS - 1
PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS = -10, 2, 5
PHOTON_LAST = (PHOTON_HIGH - PHOTON_LOW) * 2**PHOTON_BITS - 1

# Columns of `Tables.electron`
RANGE, VARIANCE, ADVANCE_FINE, ADVANCE_COARSE = 0, 1, 2, 3
# Columns of `Tables.hard`
KNOCK_ON, BREMSSTRAHLUNG, ANNIHILATION = 0, 1, 2
# Columns of `Tables.recoil`: energy that Compton scattering gives them, MeV cm2/g, and the part of the scatterings
GIVEN, PART = 0, 1
# Columns of `Tables.photon`: each includes those before it; the last adds coherent scattering
PHOTOELECTRIC, WITH_PAIR, WITH_COMPTON, TOTAL = 0, 1, 2, 3


class Tables(NamedTuple):
    """Physics of the media in use; every array is float32."""

    # Rows of `electron`, `hard` and `angle`: electrons in every medium, then positrons in every medium.
    electron: Any  # (rows, nodes, 4) residual range [g/cm2], variance per MeV of soft loss [MeV], and the
    # soft loss per straight advance [MeV cm2/g] in fine and in coarse steps
    hard: Any  # (rows, nodes, 3) knock-on electrons (Moller or Bhabha), bremsstrahlung above the cuts, annihilations in
    # flight, per MeV of soft loss
    hard_bound: Any  # (2, nodes) of electrons and of positrons: no less than the sum of the three in any medium at any
    # energy up to the node's, per MeV
    angle: Any  # (2 rows angle_nodes, n + 2) deflection of a step: fine steps of all rows, then coarse ones
    radiation: Any  # (angle_nodes, n + 1) k dN/dk of bremsstrahlung
    photon: Any  # (media, nodes, 4) cumulative attenuation [cm2/g]
    photon_bound: Any  # (nodes,) no less than density times attenuation of any voxel, 1/cm
    compton: Any  # (media, nodes, n + 1) 1 - cos of incoherent scattering, see `physics.compton`
    form_factor: Any  # (media, n, 3) x^2, F^2 and its integral over x^2, see `physics.rayleigh`
    recoil: Any  # (media, photon nodes, 2) of short electrons, see `transport.track_length`; one node without it


class Cuts(NamedTuple):
    """Where the condensed and the detailed treatment part, and where a particle ends."""

    delta: np.float32  # MeV, knock-on electrons above it are followed
    photon: np.float32  # MeV, bremsstrahlung photons above it are followed
    lowest: np.float32  # MeV, electrons below it are stopped whatever their range
    stop: np.float32  # an electron stops when its residual range is below this part of the shortest voxel side
    stop_inside: np.float32  # one that cannot reach a face of its voxel stops below this part already
    coarse: np.float32  # steps are coarse when the residual range is below this part of the shortest voxel side
    step_fine: np.float32  # part of its energy that an electron loses softly in one fine step
    step_coarse: np.float32  # the same for a coarse step
    short: np.float32  # MeV, electrons below it are scored by track lengths of photons; 0: none
