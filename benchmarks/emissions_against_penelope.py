"""Speed with all emissions of a nuclide beside PENELOPE in the same run, and with photons alone.

    python -m benchmarks.emissions_against_penelope [--nuclides NAME ...] [--repeats 3] [--output FILE.json]

The problem is that of `benchmarks.problem`: 64^3 voxels of 3 mm water, the source spread evenly over them; the dose of
every voxel is tallied. mcdose follows all emissions of a nuclide; PENELOPE its electrons, its positrons and its photons
one after the other, and its time for a decay is that of each kind by its number per decay; the slow conversion and
Auger electrons that mcdose does not draw are not given to PENELOPE either. PENELOPE follows electrons down to the
energy at which mcdose leaves them wherever they are, and, for comparison, only down to 100 keV: their range is then a
twentieth of a voxel. What that costs in accuracy is shown by the part of the electrons' energy that leaves a hot voxel.
Then photons of Tc-99m, I-131 and Lu-177 alone. All on one core, taken alternately; the time of a run of a few histories
(tables, reading, set-up) is subtracted. Where a CUDA device works mcdose runs on it too, by wall time, beside the same
core of PENELOPE.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import mcdose
from benchmarks.against_penelope import FEW, processor
from benchmarks.penelope import COARSE_CUT, DOSE_TALLY, WATER, Array, penelope_is_here, prepare, same_cut, tallied
from benchmarks.problem import VOXEL_MM, VOXELS
from mcdose.constants import MEV_TO_JOULE
from mcdose.engine.cuda_devices import working_gpus
from mcdose.nuclides import Nuclide
from mcdose.reach import least_moving_mev
from validation.emissions import PHOTONS, only
from validation.outcome import commit
from validation.penelope import listed_medium, scratch_folder
from validation.penelope_emissions import spectrum_file

PILOT = 20_000_000  # histories that fill a GPU
PHOTON_EMITTERS = ("Tc-99m", "I-131", "Lu-177")
PHOTON_CUT = 1e3  # eV, of both codes
HOT = ("Tc-99m", "Lu-177", "I-131")
HOT_HISTORIES = 200_000
ELECTRONS = ("spectrum", "beta_branches", "conversion_electrons", "auger_electrons")
WATER_G_CM3 = listed_medium(WATER).density_g_cm3


class Emitted:
    """PENELOPE with the emissions of one kind of a nuclide.

    Parameters
    ----------
    of : the nuclide
    kind : "photons", "electrons" or "positrons"
    electron_cut : eV, where electrons are left where they are
    """

    def __init__(self, of: Nuclide, kind: str, electron_cut: float) -> None:
        self._particle = {"photons": "gamma", "electrons": "electron", "positrons": "positron"}[kind]
        self._electron_cut = electron_cut
        self._spectrum = Path(f"{of.name}-{kind}.spc")
        self.per_decay, self.mean_mev = spectrum_file(of, kind, self._spectrum)

    def run(self, histories: int, seed: int, hot_voxel: int | None = None) -> Array:
        """Run so many histories; return the energy in every voxel by each, MeV."""
        cuts = (self._electron_cut, PHOTON_CUT)
        found = tallied(self._particle, str(self._spectrum), *cuts, histories, seed, DOSE_TALLY, hot_voxel)
        return found * 1e-6 * (VOXEL_MM / 10.0) ** 3

    def timed(self, histories: int, seed: int) -> tuple[float, float]:
        """Return histories per second of processor time and the energy deposited by each, MeV."""
        begun = time.process_time()
        self.run(FEW, seed)
        ready = time.process_time()
        deposited = float(self.run(histories, seed).sum())
        return (histories - FEW) / (time.process_time() - ready - (ready - begun)), deposited


def drawn(of: Nuclide) -> Nuclide:
    """Return a nuclide without the electrons that mcdose leaves where the decay is."""
    slow = least_moving_mev(VOXEL_MM, mcdose.TransportParameters())
    kinds = ("conversion_electrons", "auger_electrons")
    return replace(of, **{kind: tuple(line for line in getattr(of, kind) if line[0] >= slow) for kind in kinds})


def emitted(of: Nuclide, electron_cut: float) -> list[Emitted]:
    """Return PENELOPE with each kind of emission that a nuclide has."""
    there = {
        "photons": bool(of.lines),
        "electrons": bool(of.electron_lines) or len(of.spectrum.energies_mev) > 0,
        "positrons": of.positron_spectrum is not None,
    }
    return [Emitted(of, kind, electron_cut) for kind, is_there in there.items() if is_there]


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
            f"{speed['decays_per_cpu_second']:10.0f} decays/s, {speed['ratio_median']:5.1f} times PENELOPE, "
            f"{speed['ratio_coarse_median']:.1f} times with its electrons to {COARSE_CUT / 1e3:g} keV"
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
            f"{found['ratio_median']:.1f} times ({found['ratio_range'][0]:.1f} to {found['ratio_range'][1]:.1f}), "
            f"{found['ratio_coarse_median']:.1f} with its electrons to {COARSE_CUT / 1e3:g} keV"
        )
    for name, parts in record["leaves_a_hot_voxel"].items():
        print(f"{name}, electrons' energy that leaves a hot voxel:")
        for code, (part, error) in parts.items():
            print(f"  {code}: {100.0 * part:.3f} % +- {100.0 * error:.3f} %")
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


def _run(
    of: Nuclide,
    histories: int,
    seed: int,
    device: str,
    tia: Array | None = None,
    regions: dict[str, Any] | None = None,
) -> mcdose.DoseResult:
    return mcdose.absorbed_dose(
        np.ones((VOXELS,) * 3) if tia is None else tia,
        (VOXEL_MM,) * 3,
        nuclide=of,
        medium=listed_medium(WATER),
        histories=histories,
        threads=1,
        seed=seed,
        device=device,
        regions=regions,
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
        judges = {cut: emitted(drawn(of), cut) for cut in (same_cut(), COARSE_CUT)}
        speeds, deposited, theirs_deposited = [], 0.0, 0.0
        theirs_per_second: dict[float, list[float]] = {cut: [] for cut in judges}
        for repeat in range(arguments.repeats):
            set_up, _ = ours(of, FEW, repeat + 1)
            spent, deposited = ours(of, histories, repeat + 1)
            speeds.append((histories - FEW) / (spent - set_up))
            for cut, kinds in judges.items():
                timed = [(judge.per_decay, *judge.timed(theirs, repeat + 1)) for judge in kinds]
                theirs_per_second[cut].append(1.0 / sum(number / rate for number, rate, _ in timed))
                theirs_deposited = sum(number * energy for number, _, energy in timed)
        every = {
            cut: [speed / per_decay / other for speed, other in zip(speeds, theirs, strict=True)]
            for cut, theirs in theirs_per_second.items()
        }
        ratios, coarse = every.values()
        same = median(theirs_per_second[same_cut()])
        nuclides[name] = {
            "histories_per_cpu_second": median(speeds),
            "decays_per_cpu_second": median(speeds) / per_decay,
            "penelope_decays_per_cpu_second": same,
            "ratio_median": median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
            "penelope_coarse_decays_per_cpu_second": median(theirs_per_second[COARSE_CUT]),
            "ratio_coarse_median": median(coarse),
            "ratio_coarse_range": [min(coarse), max(coarse)],
            "emissions_per_decay": per_decay,
            "deposited_mev_per_decay": deposited * per_decay,
            "penelope_mev_per_decay_of_what_moves": theirs_deposited,
        }
        if gpus:
            rate = on_cuda(of, 1)
            nuclides[name] |= {
                "cuda_histories_per_second": rate,
                "cuda_ratio": rate / per_decay / same,
            }
        print(
            f"{name}: {median(speeds):.0f} emissions/s, {median(ratios):.1f} ({median(coarse):.1f}) times PENELOPE",
            flush=True,
        )

    photons = {}
    for name in PHOTON_EMITTERS:
        of = only(name, PHOTONS)
        judge, coarse_judge = (Emitted(of, "photons", cut) for cut in (same_cut(), COARSE_CUT))
        found: dict[str, list[float]] = {
            "mcdose": [], "penelope": [], "penelope_coarse": [], "mcdose_mev": [], "penelope_mev": [],
        }  # fmt: skip
        for repeat in range(arguments.repeats):
            set_up, _ = ours(of, FEW, repeat + 1)
            spent, deposited = ours(of, histories, repeat + 1)
            found["mcdose"].append((histories - FEW) / (spent - set_up))
            found["mcdose_mev"].append(deposited)
            rate, energy = judge.timed(theirs, repeat + 1)
            found["penelope"].append(rate)
            found["penelope_mev"].append(energy)
            found["penelope_coarse"].append(coarse_judge.timed(theirs, repeat + 1)[0])
            if gpus:
                found.setdefault("cuda", []).append(on_cuda(of, repeat + 1))
            print(f"{name}: {found['mcdose'][-1]:.0f} against {found['penelope'][-1]:.0f} per second", flush=True)
        ratios = [a / b for a, b in zip(found["mcdose"], found["penelope"], strict=True)]
        coarse = [a / b for a, b in zip(found["mcdose"], found["penelope_coarse"], strict=True)]
        photons[name] = found | {
            "ratio_coarse_median": median(coarse),
            "ratio_coarse_range": [min(coarse), max(coarse)],
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
        "penelope": f"pypenred {version('pypenred')}, C1 = C2 = 0.1, WCC = WCR = 10 keV, photons to 1 keV, "
        f"electrons to {same_cut() / 1e3:g} keV, where mcdose leaves them too; coarse: to {COARSE_CUT / 1e3:g} keV",
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
        "leaves_a_hot_voxel": {name: _leaves(name) for name in HOT},
    }


def _leaves(name: str) -> dict[str, Any]:
    """Return the part of the energy of a nuclide's electrons that leaves a hot voxel, and its standard error."""
    of = drawn(only(name, ELECTRONS))
    middle = VOXELS // 2
    found = {}
    for cut in (1e4, same_cut(), COARSE_CUT):
        judge = Emitted(of, "electrons", cut)
        kept = [
            float(judge.run(HOT_HISTORIES // 4, seed, middle)[middle, middle, middle]) / judge.mean_mev
            for seed in range(1, 5)
        ]
        found[f"penelope, to {cut / 1e3:g} keV"] = [1.0 - float(np.mean(kept)), float(np.std(kept, ddof=1)) / 2.0]
    source = np.zeros((VOXELS,) * 3)
    source[middle, middle, middle] = 1.0
    hot = source > 0.0
    result = _run(of, 10 * HOT_HISTORIES, 1, "cpu", source, {"hot": hot})
    region = result.regions["hot"]
    per_decay = of.mean_electron_energy_mev * MEV_TO_JOULE / (1e-3 * (VOXEL_MM / 10.0) ** 3 * WATER_G_CM3)
    found["mcdose"] = [1.0 - region.mean_gy / per_decay, region.standard_error_gy / per_decay]
    return found


def _emissions_per_decay(of: Nuclide) -> float:
    from mcdose.emission_table import emission_table

    return emission_table(of, least_moving_mev(VOXEL_MM, mcdose.TransportParameters())).per_decay


if __name__ == "__main__":
    sys.exit(main())
