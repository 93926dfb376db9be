"""One small CT in every transfer syntax that there is an encoder for, and the reason where there is no decoder."""

import base64

import numpy as np
import pydicom
import pytest
from images import ct_series
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from mcdose.errors import InputError
from mcdose.io.ct import read_ct

# smooth, as images are, from -1080 to 1300, signed
Z, Y, X = np.meshgrid(np.arange(3), np.arange(32), np.arange(24), indexing="ij")
STORED = (1100 * np.sin(Y / 7.0) * np.cos(X / 5.0) + 90 * Z + 3 * X).astype(np.int16)
HIGH_THROUGHPUT = (  # 3 x (arange(30) + 30 k), 5 x 6 pixels, lossless, by OpenJPH 0.26 (imagecodecs)
    "/0//UQApQAAAAAAGAAAABQAAAAAAAAAAAAAABgAAAAUAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAADQAAf+TwAAlqQUHdAAAAMAAEsAAEoD4AMd0"
    "AI4BB3QAAMAAJgCEgL+rdQD/2Q==",
    "/0//UQApQAAAAAAGAAAABQAAAAAAAAAAAAAABgAAAAUAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAADUAAf+TwAAm9f4FB3QAAADAABLAABKA+ADH"
    "dACOAQd0AADAACYAhIC/q3UA/9k=",
    "/0//UQApQAAAAAAGAAAABQAAAAAAAAAAAAAABgAAAAUAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAADUAAf+TwAAmQf4FB3QAAADAABLAABKA+ADH"
    "dACOAQd0AADAACYAhIC/q3UA/9k=",
)
GDCM = {
    JPEG2000: "JPEG2000",
    JPEG2000Lossless: "JPEG2000Lossless",
    JPEGLossless: "JPEGLosslessProcess14",
    JPEGLosslessSV1: "JPEGLosslessProcess14_1",
}


def plain(path, syntax):
    """Write uncompressed pixel data in the order of bytes of a syntax."""
    image = Dataset()
    for element in pydicom.dcmread(path):
        image.add(element)
    image.file_meta = pydicom.dcmread(path).file_meta
    if syntax == ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(image.PixelData, "<i2").astype(">i2").tobytes()
    image.file_meta.TransferSyntaxUID = syntax
    order = {"implicit_vr": syntax == ImplicitVRLittleEndian, "little_endian": syntax != ExplicitVRBigEndian}
    image.save_as(path, enforce_file_format=True, **order)


def by_pydicom(path, syntax):
    image = pydicom.dcmread(path)
    image.compress(syntax, generate_instance_uid=False)
    image.save_as(path)


def by_gdcm(path, syntax):
    gdcm = pytest.importorskip("gdcm")
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, GDCM[syntax])))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()


def undecodable(path, syntax):
    """Say that JPEG 2000 is in another syntax, which nobody looks at before a decoder is found."""
    by_gdcm(path, JPEG2000Lossless)
    image = pydicom.dcmread(path)
    image.file_meta.TransferSyntaxUID = syntax
    image.save_as(path)


ENCODERS = {
    ImplicitVRLittleEndian: plain,
    ExplicitVRLittleEndian: plain,
    ExplicitVRBigEndian: plain,
    DeflatedExplicitVRLittleEndian: plain,
    RLELossless: by_pydicom,
    JPEGLSLossless: by_pydicom,
    JPEG2000Lossless: by_gdcm,
    JPEGLossless: by_gdcm,
    JPEGLosslessSV1: by_gdcm,
}


@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda syntax: syntax.keyword)
def test_every_lossless_transfer_syntax_gives_the_same_values(tmp_path, syntax, capfd):
    for path in ct_series(tmp_path, STORED):
        ENCODERS[syntax](path, syntax)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)
    assert capfd.readouterr().err == ""


def near_lossless(path, syntax):
    image = pydicom.dcmread(path)
    image.compress(syntax, jls_error=2, generate_instance_uid=False)
    image.save_as(path)


@pytest.mark.parametrize(
    ("syntax", "write"),
    [(JPEGLSNearLossless, near_lossless), (JPEG2000, by_gdcm)],
    ids=["JPEGLSNearLossless", "JPEG2000"],
)
def test_lossy_transfer_syntaxes_are_read_as_they_decode(tmp_path, syntax, write):
    """JPEG-LS off by no more than the 2 HU it was told to be, JPEG 2000 at the encoder's own quality."""
    for path in ct_series(tmp_path, STORED):
        write(path, syntax)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_allclose(read_ct(tmp_path).volume.values, STORED, atol=2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda stream, at: stream[: at + 11] + b"\0" + stream[at + 11 :], "a JPEG stream with a broken header"),
        (lambda stream, at: b"\0" + stream, "a JPEG stream with a broken header"),
        (lambda stream, at: stream[: at + 2] + b"\xff\xff" + stream[at + 4 :], "a JPEG stream with a broken header"),
        (
            lambda stream, at: stream[: at + 5] + b"\0\x40" + stream[at + 7 :],
            "a JPEG stream of another size than the image",
        ),
        (
            lambda stream, at: stream[: at + 9] + b"\3" + stream[at + 10 :],
            "a JPEG stream of another size than the image",
        ),
    ],
)
def test_jpeg_streams_that_would_end_the_process_are_refused(tmp_path, spoil, message):
    for path in ct_series(tmp_path, STORED):
        by_gdcm(path, JPEGLosslessSV1)
        image = pydicom.dcmread(path)
        stream = next(generate_frames(image.PixelData, number_of_frames=1))
        image.PixelData = encapsulate([spoil(stream, stream.index(b"\xff\xc3"))])
        image["PixelData"].is_undefined_length = True
        image.save_as(path)
    with pytest.raises(InputError, match=f"pixel data cannot be decoded: {message}"):
        read_ct(tmp_path)


@pytest.mark.parametrize("syntax", [HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL], ids=lambda syntax: syntax.keyword)
def test_high_throughput_jpeg_2000(tmp_path, syntax):
    """Streams of another maker's encoder, since there is none among ours."""
    stored = 3 * np.arange(90).reshape(3, 5, 6)
    for path, stream in zip(ct_series(tmp_path, stored), HIGH_THROUGHPUT, strict=True):
        image = pydicom.dcmread(path)
        image.PixelRepresentation = 0
        image.PixelData = encapsulate([base64.b64decode(stream)])
        image["PixelData"].is_undefined_length = True
        image.file_meta.TransferSyntaxUID = syntax
        image.save_as(path)
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, stored)


def test_transfer_syntaxes_without_a_decoder_are_refused_with_their_name(tmp_path):
    for path in ct_series(tmp_path, STORED):
        undecodable(path, MPEG4HP41)
    with pytest.raises(InputError, match=r"pixel data cannot be decoded: .*MPEG-4"):
        read_ct(tmp_path)
