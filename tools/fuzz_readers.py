"""Spoil valid files at random and see that the readers refuse them in one line: `python -m tools.fuzz_readers`.

A case may end in a sound result or in `mcdose.InputError`. Anything else is a finding: another exception, more than
10 s, more memory than the limit, the end of the process, a result that is not sound, words on stderr. Cases run in a
child process, many in each; a case is drawn from `seed:reader:number` alone. The files of a finding are kept in
`--findings`, to be read again with `--replay`. Linux only.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tools.fuzz_bases import READERS, Files, write_bases
from tools.fuzz_mutations import spoil

LIMIT_S = 10.0
LIMIT_BYTES = 400_000_000  # beyond what a child holds after it has read the valid files, which need far less
LONGEST_MESSAGE = 2500
BLOCK = 50  # cases of a reader before the next one's turn
START_S = 120.0  # for a child to make and read the valid files
NO_MEMORY = ("bad_alloc", "unable to allocate", "failed to allocate", "not enough memory", "cannot allocate")


class Finding(NamedTuple):
    """A case that went wrong."""

    reader: str
    number: int
    what: str


def main() -> int:
    """Fuzz for a while, or read a finding again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--cases", type=int, help="of each reader, in place of --minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS)
    parser.add_argument("--findings", type=Path, help="folder for the files of findings")
    parser.add_argument("--replay", type=Path, help="read the files of a finding, READER-NUMBER, and say what happens")
    parser.add_argument("--child", nargs=3, metavar=("READER", "FIRST", "COUNT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        _child(asked.seed, asked.child[0], int(asked.child[1]), int(asked.child[2]))
        return 0
    if asked.replay:
        reader = asked.replay.name.split("-")[0]
        print(_outcome(reader, asked.replay, [p.name for p in sorted(asked.replay.iterdir())]))
        return 0
    readers = (asked.reader,) if asked.reader else READERS
    counts, findings = fuzz(readers, asked.seed, asked.minutes * 60.0, asked.cases, asked.findings)
    for (reader, outcome), count in sorted(counts.items()):
        print(f"{reader:12} {outcome:10} {count}")
    print(f"{sum(counts.values())} cases, {len(findings)} findings")
    return 1 if findings else 0


def fuzz(
    readers: tuple[str, ...], seed: int, seconds: float, cases: int | None, keep: Path | None
) -> tuple[Counter[tuple[str, str]], list[Finding]]:
    """Run cases of each reader in turn, until the time or their number is up."""
    counts: Counter[tuple[str, str]] = Counter()
    findings: list[Finding] = []
    start, number = time.monotonic(), 0
    while True:
        for reader in readers:
            block = BLOCK * 20 if cases is None else cases
            first, last = number, number + block
            while first < last:
                end = None if cases is not None else start + seconds
                first, found = _run(reader, seed, first, last - first, counts, end)
                if found:
                    findings.append(found)
                    print(f"{found.reader} {seed}:{found.number} {found.what}", flush=True)
                    if keep:
                        _keep(found, seed, keep)
                if end is not None and time.monotonic() > end:
                    return counts, findings
        if cases is not None:
            return counts, findings
        number += block


def _run(
    reader: str, seed: int, first: int, count: int, counts: Counter[tuple[str, str]], end: float | None
) -> tuple[int, Finding | None]:
    """Run cases in one child until a finding; return the number of the next case, and the finding."""
    command = [sys.executable, "-m", "tools.fuzz_readers", "--seed", str(seed)]
    command += ["--child", reader, str(first), str(count)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    number, limit, rest, ready = first, START_S, b"", False
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        try:
            while True:
                if not selector.select(limit):
                    counts[reader, "hang"] += 1
                    return number + 1, Finding(reader, number, f"hang: more than {limit:.0f} s")
                received = os.read(child.stdout.fileno(), 65536)
                if not received:
                    code = child.wait()
                    if not ready:
                        raise RuntimeError(f"the valid files of {reader} must be read: {rest.decode()}")
                    if number < first + count:
                        counts[reader, "crash"] += 1
                        return number + 1, Finding(reader, number, f"crash: the process ended with {code}")
                    return number, None
                *lines, rest = (rest + received).split(b"\n")
                for line in lines:
                    outcome, _, words = line.decode(errors="replace").partition("\t")
                    limit = LIMIT_S
                    if outcome == "ready":
                        ready = True
                        continue
                    counts[reader, outcome] += 1
                    number += 1
                    if outcome not in ("read", "refused"):
                        return number, Finding(reader, number - 1, f"{outcome}: {words}")
                    if end is not None and time.monotonic() > end:
                        return number, None
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def _keep(found: Finding, seed: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        bases = write_bases(Path(scratch))
    place = folder / f"{found.reader}-{seed}-{found.number}"
    _write(place, _case(bases, found.reader, seed, found.number))


def _case(bases: dict[str, list[Files]], reader: str, seed: int, number: int) -> Files:
    rng = random.Random(f"{seed}:{reader}:{number}")
    others = [files for cases in bases.values() for files in cases]
    return spoil(reader, rng.choice(bases[reader]), others, rng)


def _write(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _child(seed: int, reader: str, first: int, count: int) -> None:
    """Run cases and write a line on each to what was stdout."""
    import logging

    logging.getLogger("mcdose").addHandler(logging.NullHandler())
    logging.getLogger("mcdose").propagate = False
    report = os.dup(1)
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as said:
        folder = Path(scratch)
        bases = write_bases(folder / "bases")
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        for k, files in enumerate(bases[reader]):  # brings the libraries, their threads and buffers
            _write(folder / f"valid{k}", files)
            outcome = _outcome(reader, folder / f"valid{k}", list(files))
            if not outcome.startswith("read"):
                os.write(report, outcome.encode())
                return
        with open("/proc/self/statm") as sizes:
            held = int(sizes.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + LIMIT_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
        os.write(report, b"ready\n")
        for number in range(first, first + count):
            files = _case(bases, reader, seed, number)
            place = folder / "case"
            _write(place, files)
            os.ftruncate(said.fileno(), 0)
            outcome = _outcome(reader, place, list(files))
            if outcome.startswith(("read", "refused")) and os.fstat(said.fileno()).st_size:
                said.seek(0)
                outcome = f"stderr\t{said.read(300)!r}"
            os.write(report, outcome.encode(errors="replace") + b"\n")
            shutil.rmtree(place)


def _outcome(reader: str, folder: Path, names: list[str]) -> str:
    """Read files and say in one line what came of it."""
    from mcdose.errors import InputError

    one = next((name for name in names if name.endswith((".mhd", ".mha"))), names[0])
    path = folder if reader in ("ct", "pet") else folder / one
    try:
        fault = _read(reader, path)
    except InputError as error:
        message, cause = str(error), error.__cause__ or error.__context__
        if not message or not message.isprintable() or len(message) > LONGEST_MESSAGE:
            return f"message\t{message[:300]!r}"
        if isinstance(cause, MemoryError) or any(words in message.lower() for words in NO_MEMORY):
            return f"memory\t{message[:300]!r}"
        return f"refused\t{message}"
    except BaseException as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        own = [f for f in traceback.extract_tb(error.__traceback__) if "mcdose" in f.filename]
        at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        words = f"{type(error).__name__}: {str(error)[:200]!r} at {Path(line.filename).name}:{line.lineno}, {at}"
        return f"exception\t{words}"
    return f"unsound\t{fault}" if fault else "read\t"


def _read(reader: str, path: Path) -> str | None:
    """Read a file and say what is wrong with the result."""
    from mcdose.calibration import Calibration
    from mcdose.grid import Grid
    from mcdose.io.activity import read_activity
    from mcdose.io.ct import read_ct
    from mcdose.io.structures import read_structures
    from mcdose.kernel_file import load_kernel

    if reader in ("registration", "transform"):
        return _unsound_registration(path)
    grid = Grid((4, 5, 6), (2.0, 1.5, 1.25), (30.0, -20.0, -10.0))
    if reader == "calibration":
        density = Calibration.from_json(path).density(np.arange(-3024.0, 4000.0, 100.0))
        return None if np.isfinite(density).all() and density.min() > 0.0 else "density"
    if reader == "kernel":
        kernel = load_kernel(path)
        return None if isinstance(kernel.provenance, dict) and kernel.density_g_cm3 > 0.0 else "provenance or density"
    if reader in ("rtstruct", "seg"):
        return _unsound_structures(read_structures(path, grid), grid)
    if reader == "pet":
        activity = read_activity(path)
        return _unsound(activity.volume) or (None if np.isfinite(activity.total_bq) else "total")
    if reader == "rtdose":
        from mcdose.io.read_rtdose import read_rt_dose

        return _unsound(read_rt_dose(path).volume)
    if reader == "ct":
        return _unsound(read_ct(path).volume)
    fault = _unsound(read_ct(path).volume)
    if fault is None:
        from mcdose.errors import InputError

        try:
            fault = _unsound(read_activity(path).volume)
            fault = fault or _unsound_structures(read_structures(path, grid), grid)
        except InputError as error:
            if "grid" not in str(error) and "label" not in str(error) and "activity" not in str(error):
                raise
    return fault


def _unsound_registration(path: Path) -> str | None:
    from mcdose.io.registration import read_registration

    found = read_registration(path, from_frame="1.2.3.10", to_frame="1.2.3.20")
    if found.matrix.shape != (4, 4) or not np.isfinite(found.matrix).all() or found.matrix[3].tolist() != [0, 0, 0, 1]:
        return f"matrix {found.matrix.tolist()}"
    scales = np.linalg.svd(found.matrix[:3, :3], compute_uv=False)
    if not (scales.max() <= 2.0 and scales.min() >= 0.5 and np.linalg.det(found.matrix) > 0.0):
        return f"scales {scales.tolist()}"
    return None if found.kind in ("rigid", "rigid-scale", "affine") else f"kind {found.kind!r}"


def _unsound(volume: Any) -> str | None:
    grid = volume.grid
    if volume.values.shape != grid.shape or volume.values.size == 0:
        return f"values {volume.values.shape} on a grid {grid.shape}"
    if not np.isfinite(volume.values).all():
        return "values that are not finite"
    sides = np.array(grid.voxel_mm)
    if not (np.isfinite(sides).all() and sides.min() >= 1e-4 and sides.max() <= 1e4):
        return f"voxels of {grid.voxel_mm} mm"
    if not np.abs(grid.origin_mm).max() <= 1e6:
        return f"origin at {grid.origin_mm} mm"
    return None


def _unsound_structures(structures: dict[str, Any], grid: Any) -> str | None:
    for name, coverage in structures.items():
        if coverage.shape != grid.shape or not ((coverage >= 0.0) & (coverage <= 1.0)).all():
            return f"coverage of {name!r}"
    return None if structures else "no structure"


if __name__ == "__main__":
    sys.exit(main())
