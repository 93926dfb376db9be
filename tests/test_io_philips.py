"""PET of Philips in counts: the private factor that makes them Bq/mL, and what is not trusted."""

import numpy as np
import pydicom
import pytest
from images import pet_series

from mcdose.errors import InputError
from mcdose.io.activity import read_activity

STORED = (np.arange(4 * 2 * 3).reshape(4, 2, 3) % 7 + 1) * 1000
SLOPES = np.array([1.5, 2.0, 0.25, 3.0])
VOXEL_ML = 0.06
CREATOR = "Philips PET Private Group"


def philips(folder, creator=CREATOR, suv=2.7e-4, factor="0.8", first=0x10, **attributes):
    """A PET in counts with (7053,xx00) and (7053,xx09), `first` being the xx that the creator reserves."""
    told = {"Units": "CNTS", "DecayCorrection": "ADMIN", **attributes}
    for path in pet_series(folder, STORED, SLOPES, [("20240604", "063000", 900.0, None)] * 4, **told):
        image = pydicom.dcmread(path)
        if creator is not None:
            image.add_new((0x7053, first), "LO", creator)
        for element, value in ((0x00, suv), (0x09, factor)):
            if value is not None:
                image.add_new((0x7053, first * 0x100 + element), "DS", str(value))
        image.save_as(path)
    return folder


@pytest.mark.parametrize("first", [0x10, 0x11])
def test_activity_concentration_scale_factor_makes_counts_bq_per_ml(tmp_path, first):
    activity = read_activity(philips(tmp_path, first=first))
    np.testing.assert_allclose(activity.volume.values, STORED * SLOPES[:, None, None] * 0.8 * VOXEL_ML, rtol=1e-6)
    with pytest.raises(InputError, match="the image is in Bq/mL, it takes no calibration of counts"):
        read_activity(tmp_path, administered_gbq=1.0)


@pytest.mark.parametrize(
    "told", [{"creator": None}, {"creator": "ACME"}, {"factor": "0"}, {"factor": "-1"}, {"factor": None}]
)
def test_counts_stay_counts_without_a_factor_of_that_maker(tmp_path, told):
    philips(tmp_path, **told)
    with pytest.raises(InputError, match="activity is in counts, not Bq/mL: Units is CNTS"):
        read_activity(tmp_path)
    assert read_activity(tmp_path, administered_gbq=1.0).total_bq == pytest.approx(1e9)


def test_an_image_in_bq_per_ml_is_not_scaled_again(tmp_path):
    activity = read_activity(philips(tmp_path, Units="BQML"))
    np.testing.assert_allclose(activity.volume.values, STORED * SLOPES[:, None, None] * VOXEL_ML, rtol=1e-6)


def test_slices_with_and_without_the_factor_are_refused(tmp_path):
    philips(tmp_path)
    path = min(tmp_path.iterdir())
    image = pydicom.dcmread(path)
    del image[0x7053, 0x1009]
    image.save_as(path)
    with pytest.raises(InputError, match="the slices must be in one unit, Units are BQML, CNTS"):
        read_activity(tmp_path)
