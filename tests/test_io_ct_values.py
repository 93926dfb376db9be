"""What the stored values of a CT mean: rescaling, padding, shades, and what is refused."""

import numpy as np
import pydicom
import pytest
from images import ct_series, edit
from pydicom.dataset import Dataset

from mcdose.errors import InputError
from mcdose.io.ct import read_ct

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3
PADDED = np.where(STORED % 7 == 0, 63536, STORED + 1024)  # -2000 in 16 bits, written as unsigned


def unsigned(folder, stored, padding, **attributes):
    """A CT of unsigned 16 bits with intercept -1024."""
    for path in ct_series(folder, np.asarray(stored, dtype=np.uint16).view(np.int16)):
        image = pydicom.dcmread(path)
        image.PixelRepresentation, image.RescaleIntercept = 0, -1024
        if padding is not None:
            image.PixelPaddingValue = padding
            image["PixelPaddingValue"].VR = "US"
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        if "PixelPaddingRangeLimit" in image:
            image["PixelPaddingRangeLimit"].VR = "US"
        image.save_as(path)
    return folder


@pytest.mark.parametrize("rescale_type", [None, "HU", "US"])
def test_rescale_type_is_hu_or_absent(tmp_path, rescale_type):
    ct_series(tmp_path, STORED, **({} if rescale_type is None else {"RescaleType": rescale_type}))
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)


def test_one_slice_in_another_unit_is_refused(tmp_path):
    edit(ct_series(tmp_path, STORED, RescaleType="HU")[2], RescaleType="OD")
    with pytest.raises(InputError, match="RescaleType is OD, CT numbers in HU are needed"):
        read_ct(tmp_path)


def test_padding_that_would_be_dense_is_air(tmp_path):
    values = read_ct(unsigned(tmp_path, PADDED, 63536)).volume.values
    np.testing.assert_array_equal(values, np.where(PADDED == 63536, -1000, STORED))


def test_padding_range_is_air(tmp_path):
    stored = np.where(STORED % 7 == 0, 63000 + STORED, STORED + 1024)
    values = read_ct(unsigned(tmp_path, stored, 63000, PixelPaddingRangeLimit=63999)).volume.values
    np.testing.assert_array_equal(values, np.where(STORED % 7 == 0, -1000, STORED))


def test_padding_below_air_stays_as_it_is(tmp_path):
    stored = np.where(STORED % 7 == 0, 0, STORED + 1024)
    values = read_ct(unsigned(tmp_path, stored, 0)).volume.values
    np.testing.assert_array_equal(values, np.where(stored == 0, -1024, STORED))


def test_signed_padding_written_as_unsigned_stays_as_it_is(tmp_path):
    stored = np.where(STORED % 7 == 0, -2000, STORED)
    for path in ct_series(tmp_path, stored):
        image = pydicom.dcmread(path)
        image.add_new("PixelPaddingValue", "US", 63536)
        image.save_as(path)
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, stored)


def test_padding_that_tissue_can_have_is_refused(tmp_path):
    unsigned(tmp_path, STORED + 1024, 1024 + 30)
    with pytest.raises(InputError, match=r"1 pixels are padding by PixelPaddingValue, which is 30 to 30 HU"):
        read_ct(tmp_path)
    unsigned(tmp_path / "b", STORED + 1024, 1024 + 31)  # none has it
    np.testing.assert_array_equal(read_ct(tmp_path / "b").volume.values, STORED)


def test_padding_is_of_each_slice(tmp_path):
    unsigned(tmp_path, PADDED, 63536)
    path = min(tmp_path.iterdir())
    edit(path, RescaleIntercept=-1000)
    values = read_ct(tmp_path).volume.values
    np.testing.assert_array_equal(values[0], np.where(PADDED[0] == 63536, -1000, STORED[0] + 24))
    np.testing.assert_array_equal(values[1:], np.where(PADDED == 63536, -1000, STORED)[1:])


def test_padding_is_air_before_slices_are_resampled(tmp_path):
    unsigned(tmp_path, PADDED, 63536)
    for k, path in enumerate(sorted(tmp_path.iterdir(), key=lambda p: pydicom.dcmread(p).InstanceNumber)):
        edit(path, ImagePositionPatient=[-10, -20, 30 + 2 * k + (0.7 if k == 1 else 0)])
    assert read_ct(tmp_path, resample=True).volume.values.max() <= STORED.max()


def lookup():
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [4, 0, 16], "HU", [0, 10, 20, 30]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    return [table]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, "must be MONOCHROME2, more is brighter, got MONOCHROME1"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "must be MONOCHROME2, more is brighter, got PALETTE COLOR"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel is 3|values need"),
        ({"RescaleSlope": None}, "RescaleSlope and RescaleIntercept are needed in a CT, got None and 0"),
        ({"RescaleIntercept": None}, r"RescaleSlope and RescaleIntercept are needed in a CT, got 1\.0 and None"),
        (
            {"ModalityLUTSequence": lookup(), "RescaleSlope": None, "RescaleIntercept": None},
            "values are given by ModalityLUTSequence, a table that has no values below 0",
        ),
    ],
)
def test_values_that_are_no_ct_numbers_are_refused(tmp_path, attributes, message):
    edit(ct_series(tmp_path, STORED)[1], **attributes)
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path)


HU = np.arange(-1000, 1000, 2000 // 36)[:36].reshape(4, 3, 3)
TWELVE = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": -1024}


def stored_as(folder, values, overlay_bit=0, **attributes):
    """A CT of 16 bits allocated whose words are these; `overlay_bit` tells of an overlay in an unused bit."""
    for path, plane in zip(ct_series(folder, np.zeros((4, 3, 3))), values, strict=True):
        edit(path, **attributes)
        dataset = pydicom.dcmread(path)
        dataset.PixelData = np.asarray(plane).astype("<u2").tobytes()
        if overlay_bit:
            dataset.add_new((0x6000, 0x0102), "US", overlay_bit)
        dataset.save_as(path)
    return folder


def test_words_of_twelve_bits_are_read_whatever_is_above(tmp_path):
    unsigned = {**TWELVE, "PixelRepresentation": 0}
    signed = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0, "PixelRepresentation": 1}
    overlay = (HU + 1024) | ((HU % 3 == 0) << 13)
    for folder in (
        stored_as(tmp_path / "a", HU + 1024, **unsigned),
        stored_as(tmp_path / "b", overlay, 13, **unsigned),
        stored_as(tmp_path / "c", HU & 0xFFF, **signed),
        stored_as(tmp_path / "d", HU & 0xFFFF, **signed),
    ):
        np.testing.assert_array_equal(read_ct(folder).volume.values, HU)


def test_more_bits_than_stated_are_refused(tmp_path):
    unsigned = {**TWELVE, "PixelRepresentation": 0}
    stored_as(tmp_path / "a", HU + 1024 + 4096 * (HU > 900), **unsigned)
    with pytest.raises(InputError, match=r"stored values must have 12 bits by BitsStored, .* have more, such as"):
        read_ct(tmp_path / "a")
    signed = {"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0, "PixelRepresentation": 1}
    stored_as(tmp_path / "b", (HU - 2000) & 0xFFFF, **signed)
    with pytest.raises(InputError, match="stored values must have 12 bits by BitsStored"):
        read_ct(tmp_path / "b")
    stored_as(tmp_path / "c", (HU + 1024) << 4, **{**unsigned, "HighBit": 15})
    with pytest.raises(InputError, match="HighBit must be BitsStored - 1, 11, got 15"):
        read_ct(tmp_path / "c")
