"""How long and with how much memory a large CT is read, beside SimpleITK, alternately and with the same answer.

    python -m benchmarks.reading [--slices 600] [--repeats 3] [--output FILE.json]

A CT of 512 x 512 pixels of noise in a temporary folder, uncompressed, one file a slice. Each reading is a process of
its own: wall time of the reading, and the largest resident memory of the process, libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from validation.outcome import commit

SIDE = 512
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
READERS = ("mcdose", "SimpleITK")


def write_ct(folder: Path, slices: int) -> None:
    """Write an axial CT under names that say nothing of the order."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    noise = np.random.default_rng(1).normal(40.0, 20.0, (SIDE, SIDE)).astype(np.int16)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k in range(slices):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID, image.SOPInstanceUID, image.Modality = CT_IMAGE, generate_uid(), "CT"
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.ImageType, image.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], k + 1
        image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = SIDE, SIDE, 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.PixelSpacing, image.SliceThickness = [0.9766, 0.9766], 1.0
        image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-250, -250, k - 300]
        image.RescaleSlope, image.RescaleIntercept = 1, -1000
        image.PixelData = np.roll(noise, k, axis=1).tobytes()
        image.save_as(folder / f"{(k * 7919) % 10007:05d}", enforce_file_format=True)


def read(reader: str, folder: Path) -> dict[str, float]:
    """Read once, and say what it took and what was read."""
    begun = time.perf_counter()
    if reader == "mcdose":
        from mcdose.io.ct import read_ct

        values = read_ct(folder).volume.values
    else:
        import SimpleITK

        files = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        image = SimpleITK.ReadImage(files, SimpleITK.sitkFloat32)
        values = SimpleITK.GetArrayViewFromImage(image)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    place = np.arange(len(values), dtype=np.float64)  # so that the order of the slices counts
    checksum = float(place @ values[:, 100, 200].astype(np.float64))
    return {"seconds": seconds, "peak_bytes": peak, "checksum": checksum}


def compare(slices: int, repeats: int) -> dict[str, Any]:
    """Read alternately, and print each reader's median."""
    taken: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as folder:
        write_ct(Path(folder), slices)
        for _ in range(repeats):
            for reader in READERS:
                command = [sys.executable, "-m", "benchmarks.reading", "--part", reader, folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                taken[reader].append(json.loads(done.stdout))
    if len({each["checksum"] for runs in taken.values() for each in runs}) != 1:
        raise SystemExit("the readers do not agree on what was read")
    found = {
        reader: {key: median(each[key] for each in runs) for key in ("seconds", "peak_bytes")}
        for reader, runs in taken.items()
    }
    for reader, figures in found.items():
        print(f"{reader}: {slices} slices in {figures['seconds']:.1f} s, {figures['peak_bytes'] / 1e9:.2f} GB")
    found["ratio"] = {key: found["SimpleITK"][key] / found["mcdose"][key] for key in ("seconds", "peak_bytes")}
    return found


def main() -> int:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/reading.json")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(read(arguments.part[0], Path(arguments.part[1]))))
        return 0
    record = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": {"processor": platform.processor() or platform.machine(), "processors": os.cpu_count()},
        "versions": {name: version(name) for name in ("numpy", "pydicom", "SimpleITK")},
        "slices": arguments.slices,
        "side": SIDE,
        "repeats": arguments.repeats,
        "found": compare(arguments.slices, arguments.repeats),
    }
    output = (arguments.output or Path(__file__).parent / "results" / "reading.json").resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
