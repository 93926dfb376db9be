"""`mcdose bench`: how fast this machine is."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mcdose.errors import InputError


def run_bench(args: argparse.Namespace) -> int:
    """Measure the devices asked for and print the figures."""
    from mcdose.bench import bench
    from mcdose.devices import choose_devices, devices
    from mcdose.outputs import to_json

    there = devices()
    if args.device == "auto":
        chosen = there
    else:
        try:
            names = choose_devices(args.device)
        except ValueError as error:
            raise InputError(str(error)) from None
        chosen = [device for device in there if device.name in names]

    def say(what: str) -> None:
        if not args.json:
            print(f"measuring {what}", file=sys.stderr, flush=True)

    if args.quick:
        found = bench(chosen, sizes=(32,), seconds=0.2, repeats=1, say=say)
    else:
        found = bench(chosen, seconds=args.seconds, say=say)
    print(to_json(found, ascii_only=True) if args.json else describe(found))
    return 0


def describe(found: dict[str, Any]) -> str:
    """Return the figures as a table."""
    lines = [f"Y-90, {found['voxel_mm']:g} mm voxels, median of the runs, mcdose {found['mcdose_version']}"]
    for row in found["devices"]:
        lines += ["", f"{row['device']}: {row['description']}"]
        lines.append(f"  first call {row['first_call_seconds']:.1f} s")
        lines.append(f"  {'':16}{'histories/s':>13}{'flights/s':>12}{'ns/flight':>11}{'J/million':>11}")
        for name, run in row["runs"].items():
            joules = run["joules_per_million_histories"]
            energy = f"{joules:11.3g}" if joules is not None else f"{'-':>11}"
            lines.append(
                f"  {name:16}{run['histories_per_second']:13.3g}{run['flights_per_second']:12.3g}"
                f"{run['ns_per_flight']:11.3g}{energy}"
            )
        tumours = row["demo_tumours_1_percent"]
        how = f"{100 * tumours['reached']:.2f} % reached" if tumours["measured"] else "expected from a shorter run"
        lines.append(
            f"  1 % in the voxels of both tumours of the demo: {tumours['seconds']:.2f} s a call, "
            f"{tumours['seconds_of_simulation']:.2f} s of simulation, {tumours['histories']:.3g} histories ({how})"
        )
        for name, run in row["convolution"].items():
            lines.append(
                f"  convolution, {name}: {run['seconds']:.2f} s a call, the first {run['first_seconds']:.2f} s"
            )
    return "\n".join(lines)
