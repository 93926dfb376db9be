"""Speed with all emissions of a nuclide beside PENELOPE in the same run, and with photons alone.

    python -m benchmarks.emissions_against_penelope [--nuclides NAME ...] [--repeats 3] [--output FILE.json]

The problem is that of `benchmarks.problem`: 64^3 voxels of 3 mm water, the source spread evenly over them; the dose of
every voxel is tallied. mcdose follows all emissions of a nuclide; PENELOPE its electrons, its positrons and its photons
one after the other, and its time for a decay is that of each kind by its number per decay. Then photons of Tc-99m,
I-131 and Lu-177 alone. All on one core, taken alternately; the time of a run of a few histories (tables, reading,
set-up) is subtracted. Where a CUDA device works mcdose runs on it too, by wall time, beside the same core of PENELOPE.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import mcdose
from benchmarks.against_penelope import FEW, processor
from benchmarks.penelope import DOSE_TALLY, WATER, penelope_is_here, prepare, tallied
from benchmarks.problem import VOXEL_MM, VOXELS
from mcdose.engine.cuda_devices import working_gpus
from mcdose.nuclides import Nuclide
from validation.emissions import PHOTONS, only
from validation.outcome import commit
from validation.penelope import listed_medium, scratch_folder
from validation.penelope_emissions import spectrum_file

PILOT = 20_000_000  # histories that fill a GPU
PHOTON_EMITTERS = ("Tc-99m", "I-131", "Lu-177")


class Emitted:
    """PENELOPE with the emissions of one kind of a nuclide.

    Parameters
    ----------
    name : of the nuclide
    kind : "photons", "electrons" or "positrons"
    """

    def __init__(self, name: str, kind: str) -> None:
        self._particle = {"photons": "gamma", "electrons": "electron", "positrons": "positron"}[kind]
        self._spectrum = Path(f"{name}-{kind}.spc")
        self.per_decay, _ = spectrum_file(name, kind, self._spectrum)

    def run(self, histories: int, seed: int) -> float:
        """Run so many histories; return the energy deposited by each, MeV."""
        found = tallied(self._particle, str(self._spectrum), "1.0e3", histories, seed, DOSE_TALLY)
        return found * 1e-6 * (VOXEL_MM / 10.0) ** 3

    def timed(self, histories: int, seed: int) -> tuple[float, float]:
        """Return histories per second of processor time and the energy deposited by each, MeV."""
        begun = time.process_time()
        self.run(FEW, seed)
        ready = time.process_time()
        deposited = self.run(histories, seed)
        return (histories - FEW) / (time.process_time() - ready - (ready - begun)), deposited


def emitted(name: str) -> list[Emitted]:
    """Return PENELOPE with each kind of emission that a nuclide has."""
    of = mcdose.nuclide(name)
    there = {
        "photons": bool(of.lines),
        "electrons": bool(of.electron_lines) or len(of.spectrum.energies_mev) > 0,
        "positrons": of.positron_spectrum is not None,
    }
    return [Emitted(name, kind) for kind, is_there in there.items() if is_there]


def main() -> int:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emissions_against_penelope", description=__doc__)
    parser.add_argument("--nuclides", nargs="+", default=mcdose.nuclides(), metavar="NAME", help="default: all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--histories", type=float, default=1e6, help="of mcdose, each repeat")
    parser.add_argument("--penelope-histories", type=float, default=2e5, help="of PENELOPE, each repeat")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/emissions_against_penelope.json")
    arguments = parser.parse_args()
    here = Path(__file__).parent / "results"
    output = (arguments.output or here / "emissions_against_penelope.json").resolve()
    if not penelope_is_here():
        return 2
    with scratch_folder():
        record = _measure(arguments)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for name, speed in record["nuclides"].items():
        print(
            f"{name:8s} {speed['histories_per_cpu_second']:10.0f} emissions/s "
            f"{speed['decays_per_cpu_second']:10.0f} decays/s, {speed['ratio_median']:5.1f} times PENELOPE"
        )
        if "cuda_histories_per_second" in speed:
            print(
                f"         {speed['cuda_histories_per_second']:10.3g} emissions/s on {record['gpu']}, "
                f"{speed['cuda_ratio']:.0f} times PENELOPE"
            )
    for name, found in record["photons"].items():
        if "cuda" in found:
            ratio = found["cuda_ratio_median"]
            print(f"{name}, photons: {median(found['cuda']):.3g} per second on the GPU, {ratio:.0f} times")
        print(
            f"{name}, photons: {median(found['mcdose']):.0f} against {median(found['penelope']):.0f} per second, "
            f"{found['ratio_median']:.1f} times ({found['ratio_range'][0]:.1f} to {found['ratio_range'][1]:.1f})"
        )
    print(f"written to {output.name}")
    return 0


def ours(of: Nuclide, histories: int, seed: int) -> tuple[float, float]:
    """Return processor time [s] and the energy deposited by a history, MeV."""
    begun = time.process_time()
    result = _run(of, histories, seed, "cpu")
    return time.process_time() - begun, result.deposited_mev / histories


def on_cuda(of: Nuclide, seed: int, seconds: float = 0.5) -> float:
    """Return histories per second of wall time of a run of about so many seconds on the first CUDA device."""
    rate = _run(of, PILOT, seed, "cuda").histories_per_second
    assert rate is not None
    rate = _run(of, max(int(seconds * rate), PILOT), seed, "cuda").histories_per_second
    assert rate is not None
    return rate


def _run(of: Nuclide, histories: int, seed: int, device: str) -> mcdose.DoseResult:
    return mcdose.absorbed_dose(
        np.ones((VOXELS,) * 3),
        (VOXEL_MM,) * 3,
        nuclide=of,
        medium=listed_medium(WATER),
        histories=histories,
        threads=1,
        seed=seed,
        device=device,
    )


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the speeds of every nuclide, and of photons in both codes."""
    histories, theirs = int(arguments.histories), int(arguments.penelope_histories)
    gpus = working_gpus()
    ours(mcdose.nuclide("I-131"), FEW, 1)  # compiles

    prepare(1.0)
    nuclides = {}
    for name in arguments.nuclides:
        of = mcdose.nuclide(name)
        per_decay = _emissions_per_decay(of)
        judges = emitted(name)
        speeds, theirs_per_second, deposited, theirs_deposited = [], [], 0.0, 0.0
        for repeat in range(arguments.repeats):
            set_up, _ = ours(of, FEW, repeat + 1)
            spent, deposited = ours(of, histories, repeat + 1)
            speeds.append((histories - FEW) / (spent - set_up))
            found = [(judge.per_decay, *judge.timed(theirs, repeat + 1)) for judge in judges]
            theirs_per_second.append(1.0 / sum(number / rate for number, rate, _ in found))
            theirs_deposited = sum(number * energy for number, _, energy in found)
        ratios = [speed / per_decay / other for speed, other in zip(speeds, theirs_per_second, strict=True)]
        nuclides[name] = {
            "histories_per_cpu_second": median(speeds),
            "decays_per_cpu_second": median(speeds) / per_decay,
            "penelope_decays_per_cpu_second": median(theirs_per_second),
            "ratio_median": median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
            "emissions_per_decay": per_decay,
            "deposited_mev_per_decay": deposited * per_decay,
            "penelope_mev_per_decay_without_alphas": theirs_deposited,
        }
        if gpus:
            rate = on_cuda(of, 1)
            nuclides[name] |= {
                "cuda_histories_per_second": rate,
                "cuda_ratio": rate / per_decay / median(theirs_per_second),
            }
        print(f"{name}: {median(speeds):.0f} emissions/s, {median(ratios):.1f} times PENELOPE", flush=True)

    photons = {}
    for name in PHOTON_EMITTERS:
        judge, of = Emitted(name, "photons"), only(name, PHOTONS)
        found: dict[str, list[float]] = {"mcdose": [], "penelope": [], "mcdose_mev": [], "penelope_mev": []}
        for repeat in range(arguments.repeats):
            set_up, _ = ours(of, FEW, repeat + 1)
            spent, deposited = ours(of, histories, repeat + 1)
            found["mcdose"].append((histories - FEW) / (spent - set_up))
            found["mcdose_mev"].append(deposited)
            rate, energy = judge.timed(theirs, repeat + 1)
            found["penelope"].append(rate)
            found["penelope_mev"].append(energy)
            if gpus:
                found.setdefault("cuda", []).append(on_cuda(of, repeat + 1))
            print(f"{name}: {found['mcdose'][-1]:.0f} against {found['penelope'][-1]:.0f} per second", flush=True)
        ratios = [a / b for a, b in zip(found["mcdose"], found["penelope"], strict=True)]
        photons[name] = found | {
            "ratio": ratios,
            "ratio_median": median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
        }
        if gpus:
            ratios = [a / b for a, b in zip(found["cuda"], found["penelope"], strict=True)]
            photons[name] |= {"cuda_ratio_median": median(ratios), "cuda_ratio_range": [min(ratios), max(ratios)]}
    return {
        "what": "processor time, one thread, 64^3 voxels of 3 mm water, the source over the whole grid; dose "
        "of every voxel",
        "penelope": f"pypenred {version('pypenred')}, C1 = C2 = 0.1, WCC = WCR = 10 keV, electrons to 100 keV, "
        "photons to 1 keV (mcdose: 1 keV)",
        "mcdose": mcdose.__version__,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "gpu": gpus[0].description if gpus else None,
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "histories": histories,
        "penelope_histories": theirs,
        "nuclides": nuclides,
        "photons": photons,
    }


def _emissions_per_decay(of: Nuclide) -> float:
    from mcdose.emission_table import emission_table

    return emission_table(of).per_decay


if __name__ == "__main__":
    sys.exit(main())
