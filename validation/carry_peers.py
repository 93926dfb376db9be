"""Run the other programs on the cases of gamma_peers and dvh_peers, and write what they say into reference.csv.

    python -m validation.carry_peers PROGRAM      # pymedphys, plastimatch or dicompyler

A program's columns are replaced, those of the others stay. Each runs in an environment of its own, which needs NumPy
and the program but not mcdose: `pip install pymedphys interpolation numba`, the Debian package plastimatch, and
`pip install dicompyler-core "pydicom<3"`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from validation.dvh_peers import cases as dvh_cases
from validation.gamma_peers import cases as gamma_cases
from validation.tables import read_table, write_table

HERE = Path(__file__).parent
COARSE, FINEST = 10, 80  # pymedphys: steps of the search to a distance criterion
SETTLED = 0.5  # percentage points by which its rate may still change when the steps are halved
STEPS = 5  # plastimatch: grid points to a distance criterion
FINAL_GAMMA = 1.05  # plastimatch: where its search ends, above what passes
BIN_GY = 0.01
HEADERS = {
    "gamma_peers": [
        "Gamma pass rates in percent, threshold 10 % of the largest reference dose, cases of gamma_peers/cases.py",
        "pymedphys 0.41.0, evaluated dose trilinear, interp_fraction 10 (pymedphys_10) and doubled until the rate",
        "changes by less than 0.5 points, up to 80 (pymedphys_settled, at pymedphys_fraction)",
        "plastimatch 1.9.4, Debian package 1.9.4+dfsg.2-0+deb12u1: gamma --interp-search --ref-only-threshold with the",
        "reference dose given, both doses on a trilinear grid of a fifth of the distance criterion, and a mask of the",
        "original voxels; plastimatch_voxels is the same without that grid",
    ],
    "dvh_peers": [
        "Points of dose-volume histograms, doses in Gy, volumes above the dose of the row in percent of the structure,",
        "cases of dvh_peers/cases.py",
        "plastimatch 1.9.4, Debian package 1.9.4+dfsg.2-0+deb12u1: dvh, bins of 0.01 Gy, mask of 4 x 4 points in each",
        "voxel, each with the dose of its voxel; lines between the bins",
        "dicompyler-core 0.5.6 with pydicom 2.4.5: get_dvh of an RT Dose and an RTSTRUCT, one contour in each plane",
    ],
}


def write_columns(name: str, rows: list[dict[str, object]], keys: tuple[str, ...]) -> None:
    """Put columns into the reference.csv of a case, beside those that are there."""
    path = HERE / name / "reference.csv"
    old = read_table(path) if path.exists() else []
    before = {tuple(row[key] for key in keys): row for row in old}
    merged = [{**before.get(tuple(str(row[key]) for key in keys), {}), **row} for row in rows]
    write_table(path, HEADERS[name], merged)


def write_image(path: Path, values: NDArray[np.generic], voxel_mm: tuple[float, float, float]) -> None:
    """Write a MetaImage; values (z, y, x)."""
    kinds = {"float32": "MET_FLOAT", "uint8": "MET_UCHAR", "uint32": "MET_UINT"}
    nz, ny, nx = values.shape
    dz, dy, dx = voxel_mm
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nOffset = 0 0 0\n"
        f"ElementSpacing = {dx!r} {dy!r} {dz!r}\nDimSize = {nx} {ny} {nz}\n"
        f"ElementType = {kinds[str(values.dtype)]}\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + np.ascontiguousarray(values).tobytes())


def refined(values: NDArray[np.float64], parts: list[int]) -> NDArray[np.float64]:
    """Return a trilinear grid with so many steps from voxel to voxel along each axis."""
    for axis, count in enumerate(parts):
        place = np.arange((values.shape[axis] - 1) * count + 1) / count
        first = np.minimum(place.astype(int), values.shape[axis] - 2)
        share = (place - first).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.take(values, first, axis) * (1.0 - share) + np.take(values, first + 1, axis) * share
    return values


def pymedphys_gamma() -> None:
    """Pass rates of pymedphys."""
    rows: list[dict[str, object]] = []
    for number in range(len(gamma_cases.SETTINGS)):
        for local in (False, True):
            rows.append(pymedphys_rates(number, local))
            print(rows[-1], flush=True)
    write_columns("gamma_peers", rows, ("case", "local"))


def pymedphys_rates(number: int, local: bool) -> dict[str, object]:
    """Pass rates in percent, with steps halved until the rate has settled.

    Only voxels that failed by less than 5 / fraction are looked at again with finer steps, so the rate may still be too
    low; without that limit it was the same in the 15 of 20 runs that ended at the same step (10 at 20 steps, 4 at 40,
    1 at 80).
    """
    import pymedphys

    one = gamma_cases.case(number)
    axes = tuple(np.arange(n) * side for n, side in zip(one.reference.shape, one.voxel_mm, strict=True))
    row: dict[str, object] = {"case": number, "local": int(local)}
    fraction, rate, change = COARSE, 0.0, np.inf
    passed, left = 0, np.ones(one.reference.shape, bool)
    while change >= SETTLED and fraction <= FINEST and left.any():
        band = 1.0 + 5.0 / fraction
        gamma = pymedphys.gamma(
            axes, np.where(left, one.reference, 0.0), axes, one.evaluated, one.percent, one.distance_mm,
            lower_percent_dose_cutoff=100.0 * gamma_cases.THRESHOLD, interp_fraction=fraction, max_gamma=band,
            local_gamma=local, global_normalisation=float(one.reference.max()),
        )  # fmt: skip
        judged = np.isfinite(gamma)
        row.setdefault("judged", int(judged.sum()))
        passed += int(np.count_nonzero(gamma[judged] <= 1.0))
        left = judged & (gamma > 1.0) & (gamma < band)
        now = 100.0 * passed / int(str(row["judged"]))
        if fraction > COARSE:
            change = now - rate
        row.setdefault("pymedphys_10", f"{now:.4f}")
        row |= {"pymedphys_settled": f"{now:.4f}", "pymedphys_fraction": fraction}
        rate, fraction = now, 2 * fraction
    return row


def plastimatch_gamma(folder: Path) -> None:
    """Pass rates of plastimatch."""
    rows: list[dict[str, object]] = []
    for number in range(len(gamma_cases.SETTINGS)):
        one = gamma_cases.case(number)
        fine = [int(np.ceil(side * STEPS / one.distance_mm)) for side in one.voxel_mm]
        for local in (False, True):
            row: dict[str, object] = {"case": number, "local": int(local)}
            for name, parts in (("plastimatch", fine), ("plastimatch_voxels", [1, 1, 1])):
                row[name] = f"{plastimatch_rate(folder, one, parts, local):.4f}"
            rows.append(row)
            print(row, flush=True)
    write_columns("gamma_peers", rows, ("case", "local"))


def plastimatch_rate(folder: Path, one: gamma_cases.Case, parts: list[int], local: bool) -> float:
    """Pass rate in percent on a grid with so many steps from voxel to voxel."""
    side = tuple(voxel / count for voxel, count in zip(one.voxel_mm, parts, strict=True))
    for name, dose in (("reference", one.reference), ("evaluated", one.evaluated)):
        write_image(folder / f"{name}.mha", refined(dose, parts).astype(np.float32), side)  # type: ignore[arg-type]
    mask = np.zeros([(count - 1) * k + 1 for count, k in zip(one.reference.shape, parts, strict=True)], np.uint8)
    mask[:: parts[0], :: parts[1], :: parts[2]] = 1
    write_image(folder / "mask.mha", mask, side)  # type: ignore[arg-type]
    command = [
        "plastimatch", "gamma", "--interp-search", "--ref-only-threshold",
        "--reference-dose", repr(float(one.reference.max())), "--analysis-threshold", str(gamma_cases.THRESHOLD),
        "--dose-tolerance", repr(one.percent / 100.0), "--dta-tolerance", repr(one.distance_mm),
        "--gamma-max", str(FINAL_GAMMA), "--mask", "mask.mha", "--output", "gamma.mha", "--output-text", "gamma.txt",
        *(["--local-gamma"] if local else []), "reference.mha", "evaluated.mha",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    data = (folder / "gamma.mha").read_bytes()[-4 * mask.size :]
    gamma = np.frombuffer(data, np.float32).reshape(mask.shape)[:: parts[0], :: parts[1], :: parts[2]]
    judged = one.reference >= gamma_cases.THRESHOLD * one.reference.max()
    return float(100.0 * np.mean(gamma[judged] <= 1.0))


def plastimatch_dvh(folder: Path) -> None:
    """Points of plastimatch's histograms."""
    rows: list[dict[str, object]] = []
    for number in range(len(dvh_cases.VOXELS_MM)):
        one = dvh_cases.case(number)
        parts = dvh_cases.FINE
        side = (one.voxel_mm[0], one.voxel_mm[1] / parts, one.voxel_mm[2] / parts)
        dose = one.dose.repeat(parts, 1).repeat(parts, 2)
        write_image(folder / "dose.mha", dose.astype(np.float32), side)
        write_image(folder / "mask.mha", dvh_cases.drawn(one, parts).astype(np.uint32), side)
        (folder / "names.txt").write_text("0|255 0 0|egg\n")
        bins = int(one.dose.max() / BIN_GY) + 10
        command = [
            "plastimatch", "dvh", "--input-dose", "dose.mha", "--input-ss-img", "mask.mha", "--input-ss-list",
            "names.txt", "--bin-width", str(BIN_GY), "--num-bins", str(bins), "--output-csv", "dvh.csv",
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        table = np.array([line.split(",") for line in (folder / "dvh.csv").read_text().splitlines()[1:]], float)
        level, percent = table[:, 0], 100.0 * table[:, 1]  # what it calls percent is a fraction
        row: dict[str, object] = {"case": number, "level_gy": level_of(one)}
        row["plastimatch_mean"] = f"{np.trapezoid(percent, level) / 100.0:.4f}"
        for share in (95, 70, 50):
            row[f"plastimatch_d{share}"] = f"{np.interp(-share, -percent, level):.4f}"
        row["plastimatch_v"] = f"{np.interp(level_of(one), level, percent):.4f}"
        rows.append(row)
        print(row, flush=True)
    write_columns("dvh_peers", rows, ("case",))


def level_of(one: dvh_cases.Case) -> float:
    """Dose of the volume that is compared: the mean, rounded to a whole number [Gy]."""
    return float(np.round(one.dose[dvh_cases.drawn(one, 1)].mean()))


def dicompyler_dvh(folder: Path) -> None:
    """Points of dicompyler-core's histograms."""
    from dicompylercore import dvhcalc

    rows: list[dict[str, object]] = []
    for number in range(len(dvh_cases.VOXELS_MM)):
        one = dvh_cases.case(number)
        write_dicom(folder, one)
        histogram = dvhcalc.get_dvh(str(folder / "structures.dcm"), str(folder / "dose.dcm"), 1)
        level = level_of(one)
        row: dict[str, object] = {"case": number, "level_gy": level, "dicompyler_mean": f"{histogram.mean:.4f}"}
        for share in (95, 70, 50):
            row[f"dicompyler_d{share}"] = f"{histogram.statistic(f'D{share}').value:.4f}"
        volume = histogram.statistic(f"V{level:g}Gy").value / histogram.volume
        row["dicompyler_v"] = f"{100.0 * volume:.4f}"
        rows.append(row)
        print(row, flush=True)
    write_columns("dvh_peers", rows, ("case",))


def write_dicom(folder: Path, one: dvh_cases.Case) -> None:
    """Write an RT Dose and an RTSTRUCT, with what dicompyler-core reads of them."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    z, y, x = (axis.ravel() for axis in dvh_cases.places(dvh_cases.SHAPE, one.voxel_mm))

    def new(kind: str, modality: str) -> FileDataset:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = kind
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        made.is_little_endian, made.is_implicit_VR = True, False
        made.SOPClassUID, made.SOPInstanceUID, made.Modality = kind, meta.MediaStorageSOPInstanceUID, modality
        return made

    dose = new("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE")
    dose.NumberOfFrames, dose.Rows, dose.Columns = dvh_cases.SHAPE
    dose.ImagePositionPatient = [f"{x[0]:.6f}", f"{y[0]:.6f}", f"{z[0]:.6f}"]
    dose.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dose.PixelSpacing = [one.voxel_mm[1], one.voxel_mm[2]]
    dose.SliceThickness = one.voxel_mm[0]
    dose.GridFrameOffsetVector = [float(offset) for offset in z - z[0]]
    dose.SamplesPerPixel, dose.PhotometricInterpretation, dose.PixelRepresentation = 1, "MONOCHROME2", 0
    dose.BitsAllocated, dose.BitsStored, dose.HighBit = 32, 32, 31
    dose.DoseUnits, dose.DoseType, dose.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    dose.DoseGridScaling = dvh_cases.DOSE_STEP
    dose.PixelData = np.round(one.dose / dvh_cases.DOSE_STEP).astype(np.uint32).tobytes()
    dose.save_as(folder / "dose.dcm")

    structures = new("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    name = Dataset()
    name.ROINumber, name.ROIName = 1, "egg"
    drawing = Dataset()
    drawing.ReferencedROINumber, drawing.ROIDisplayColor = 1, [255, 0, 0]
    drawing.ContourSequence = Sequence()
    for plane, corners in one.contours.items():
        contour = Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(corners)
        contour.ContourData = [f"{value:.3f}" for a, b in corners for value in (a, b, z[plane])]
        drawing.ContourSequence.append(contour)
    observed = Dataset()
    observed.ObservationNumber, observed.ReferencedROINumber, observed.RTROIInterpretedType = 1, 1, "ORGAN"
    structures.StructureSetROISequence = Sequence([name])
    structures.ROIContourSequence = Sequence([drawing])
    structures.RTROIObservationsSequence = Sequence([observed])
    structures.save_as(folder / "structures.dcm")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        if sys.argv[1:] == ["pymedphys"]:
            pymedphys_gamma()
        elif sys.argv[1:] == ["plastimatch"]:
            plastimatch_gamma(Path(scratch))
            plastimatch_dvh(Path(scratch))
        elif sys.argv[1:] == ["dicompyler"]:
            dicompyler_dvh(Path(scratch))
        else:
            sys.exit(__doc__)
