"""From absorbed dose to its biological effect: BED, EQD2, uniform equivalents, control and complication.

Every function takes arrays of any shape, with the coverage of each voxel by a structure where a structure is meant, and
reads no file. What the models leave out stands in docs/radiobiology.md.
"""

from mcdose.radiobiology.cumulative import Effect, Treatment, cumulative_bed
from mcdose.radiobiology.effect import bed, bed_noise_bias, bed_standard_error, dose_of_bed, eqd2
from mcdose.radiobiology.parameters import (
    ComplicationModel,
    Tissue,
    complication_model,
    complication_models,
    tissue,
    tissues,
)
from mcdose.radiobiology.repair import lea_catcheside
from mcdose.radiobiology.response import lkb_ntcp, poisson_tcp
from mcdose.radiobiology.uniform import eubed, generalised_eud, survival_eud

__all__ = [
    "ComplicationModel",
    "Effect",
    "Tissue",
    "Treatment",
    "bed",
    "bed_noise_bias",
    "bed_standard_error",
    "complication_model",
    "complication_models",
    "cumulative_bed",
    "dose_of_bed",
    "eqd2",
    "eubed",
    "generalised_eud",
    "lea_catcheside",
    "lkb_ntcp",
    "poisson_tcp",
    "survival_eud",
    "tissue",
    "tissues",
]
