"""`mcdose kernel point` and `mcdose kernel voxel`: make a dose kernel, its table and its figure."""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.console import Console
from mcdose.commands.inputs import as_input_error
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.kernel import PointKernel, VoxelKernel
    from mcdose.nuclides import Nuclide

POINT_HISTORIES = 1_000_000
MOST_SHELLS = 100_000
FRACTIONS = {"x50_mm": 0.5, "x90_mm": 0.9, "x99_mm": 0.99}
# What is printed of a voxel kernel: the source voxel and those that touch it, (z, y, x).
NEAR = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))


def shell_edges(text: str) -> list[float]:
    """Return the edges [mm] that "0.1:12,2:120" means: from 0 in steps of 0.1 to 12, then in steps of 2 to 120."""
    edges = [0.0]
    for block in text.split(","):
        try:
            step, end = (float(word) for word in block.split(":"))
        except ValueError:
            raise _bad_shells(f"STEP:END[,STEP:END...] in mm, such as 0.1:12,2:120, got {text!r}") from None
        if not (0.0 < step < math.inf and edges[-1] < end < math.inf):
            raise _bad_shells(f"positive steps and ascending ends, got {block!r} after {edges[-1]:g} mm")
        count = (end - edges[-1]) / step
        if len(edges) + count > MOST_SHELLS:
            raise _bad_shells(f"at most {MOST_SHELLS} shells, got {text!r}")
        if round(count) == 0 or abs(count - round(count)) > 1e-6 * count:
            raise _bad_shells(f"whole steps, got {count:.6g} steps of {step:g} from {edges[-1]:g} to {end:g} mm")
        begin = edges[-1]
        edges += [round(begin + step * k, 9) for k in range(1, round(count))]
        edges.append(end)
    return edges


def _bad_shells(rule: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {rule}")


def run_point(args: argparse.Namespace) -> int:
    """Make a point kernel."""
    files = _files(args)
    with as_input_error():
        source = _source(args.source)
    _check(args)
    from mcdose.kernel_pieces import forget_pieces

    with Console(verbose=args.verbose, silent=args.json) as console:
        console.show_held()
        with as_input_error():  # of arguments that only the simulation can judge
            kernel, pieces = _resumable(
                console, args, source, args.density, args.histories or POINT_HISTORIES, args.shells_mm
            )
        console.clear()
        _write(kernel, files, args.overwrite)
        forget_pieces(pieces)
    figures = _point_figures(kernel)
    _show(args, figures, _point_report(figures), files, console.warnings)
    return 0


def run_voxel(args: argparse.Namespace) -> int:
    """Make a voxel kernel."""
    if len(args.voxel_mm) not in (1, 3):
        raise InputError(f"--voxel-mm must be one number, or three (z, y, x), got {len(args.voxel_mm)}")
    voxel_mm = tuple(args.voxel_mm) * (3 // len(args.voxel_mm))
    files = _files(args)
    _check(args)
    from mcdose.kernel_pieces import forget_pieces
    from mcdose.nuclides import nuclide
    from mcdose.voxel_kernel import voxel_kernel

    with as_input_error():
        named = nuclide(args.nuclide)
    with Console(verbose=args.verbose, silent=args.json) as console:
        console.show_held()
        pieces: list[Path] = []

        def simulate(histories: int) -> PointKernel:
            point, of_point = _resumable(console, args, named, None, histories, None)
            pieces.extend(of_point)
            return point

        with as_input_error():
            kernel = voxel_kernel(
                named,
                voxel_mm,
                args.medium,
                density_g_cm3=args.density,
                method=args.method,
                radius_mm=args.radius_mm,
                histories=args.histories,
                simulate=simulate,
                threads=args.threads,
                device=args.device,
                seed=args.seed,
                progress=console.progress,
            )
        console.clear()
        _write(kernel, files, args.overwrite)
        if pieces:
            forget_pieces(pieces)
    figures = _voxel_figures(kernel)
    _show(args, figures, _voxel_report(figures), files, console.warnings)
    return 0


def _resumable(
    console: Console,
    args: argparse.Namespace,
    source: Nuclide | float,
    density_g_cm3: float | None,
    histories: int,
    shell_edges_mm: list[float] | None,
) -> tuple[PointKernel, list[Path]]:
    """Simulate a point kernel in pieces that outlive Ctrl-C; return it and the files of its pieces."""
    from mcdose.kernel_pieces import point_kernel_in_pieces

    kept, before = 0, None

    def progress(done: int, total: int | None) -> None:
        nonlocal kept, before
        if before is None or done == before:  # a piece begins where the last one ended: that one is on disk
            kept = done
        before = done
        console.progress(done, total)

    try:
        return point_kernel_in_pieces(
            source,
            args.medium,
            density_g_cm3=density_g_cm3,
            shell_edges_mm=shell_edges_mm,
            histories=histories,
            seed=args.seed,
            threads=args.threads,
            device=args.device,
            progress=progress,
        )
    except KeyboardInterrupt:
        if not kept:
            raise
        raise KeyboardInterrupt(f"{kept} histories are kept, and the same command goes on from there") from None


def _source(text: str) -> Nuclide | float:
    """Return a nuclide by its name or file, or an energy in MeV."""
    from mcdose.nuclides import nuclide, nuclides
    from mcdose.point_kernel import HIGHEST_SOURCE_MEV, LOWEST_SOURCE_MEV

    try:
        energy = float(text)
    except ValueError:
        energy = None
    if energy is not None and LOWEST_SOURCE_MEV <= energy <= HIGHEST_SOURCE_MEV:
        return energy
    try:
        return nuclide(text)
    except ValueError:
        raise InputError(
            f"SOURCE must be a nuclide ({', '.join(nuclides())}) or an energy of {LOWEST_SOURCE_MEV:g} to "
            f"{HIGHEST_SOURCE_MEV:g} MeV, got {text!r}"
        ) from None


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that cannot be met before anything is computed."""
    from mcdose.devices import choose_devices
    from mcdose.media import medium
    from mcdose.nuclides import nuclide

    with as_input_error():
        medium(args.medium)
        choose_devices(args.device)
        if "nuclide" in args:
            nuclide(args.nuclide)


def _files(args: argparse.Namespace) -> dict[str, Path]:
    """Return the files to write by kind; raise if one cannot be."""
    from mcdose.io.output import require_free
    from mcdose.kernel_plot import ENDINGS, require_matplotlib

    asked = {
        "kernel": ("-o", args.output, (".h5",)),
        "csv": ("--csv", args.csv, (".csv",)),
        "plot": ("--plot", args.plot, ENDINGS),
    }
    files = {}
    for kind, (option, name, endings) in asked.items():
        if name is None:
            continue
        path = Path(name)
        if path.suffix.lower() not in endings:
            raise InputError(f"{option} must end in {' or '.join(endings)}, got {name!r}")
        if path.is_dir():
            raise InputError(f"{path}: is a folder, a file of this name is to be written")
        if path.exists() and not args.overwrite:
            raise InputError(f"{path}: exists already; --overwrite replaces it")
        require_free(path, args.overwrite)
        files[kind] = path
    if "plot" in files:
        require_matplotlib()
    return files


def _write(kernel: PointKernel | VoxelKernel, files: dict[str, Path], overwrite: bool) -> None:
    """Write all files; none is in its place before all are whole."""
    from mcdose.io.output import whole_file
    from mcdose.kernel import PointKernel

    with ExitStack() as stack:
        parts = {kind: stack.enter_context(whole_file(path, overwrite)) for kind, path in files.items()}
        kernel.save(parts["kernel"])
        if "csv" in parts:
            kernel.to_csv(parts["csv"])
        if "plot" in parts:
            from mcdose.kernel_plot import point_kernel_figure, voxel_kernel_figure

            figure = point_kernel_figure(kernel) if isinstance(kernel, PointKernel) else voxel_kernel_figure(kernel)
            figure.savefig(parts["plot"], dpi=150)


def _point_figures(kernel: PointKernel) -> dict[str, Any]:
    """Return what is printed of a point kernel, in plain JSON types."""
    from mcdose import __version__

    return {
        "mcdose_version": __version__,
        "source": kernel.source,  # an energy is in MeV
        "medium": kernel.medium,
        "density_g_cm3": kernel.density_g_cm3,
        "histories": kernel.histories,
        "seed": kernel.provenance["seed"],
        "emitted_mev": kernel.emitted_mev,
        **{
            key: value for name, fraction in FRACTIONS.items() for key, value in _radius(kernel, name, fraction).items()
        },
        "shells": int(kernel.energy_mev.size),
        "outermost_mm": float(kernel.shell_edges_mm[-1]),
        "fraction_in_shells": float(kernel.energy_mev.sum() / kernel.emitted_mev),
    }


def _radius(kernel: PointKernel, name: str, fraction: float) -> dict[str, float | None]:
    """Return a radius and its standard error; None for what the shells do not hold, or one batch cannot tell."""
    try:
        radius, error = kernel.radius_containing(fraction), _known(kernel.radius_standard_error(fraction))
    except ValueError:  # more than the shells hold
        radius, error = None, None
    return {name: radius, f"{name[:3]}_standard_error_mm": error}


def _point_report(figures: dict[str, Any]) -> str:
    named = isinstance(figures["source"], str)
    source = figures["source"] if named else f"electrons of {figures['source']:g} MeV"
    lines = [
        f"{source} in {figures['medium']}, {figures['density_g_cm3']:g} g/cm3; "
        f"{figures['histories']:,} histories, seed {figures['seed']}",
        "",
        f"emitted    {figures['emitted_mev']:.5g} MeV per {'decay' if named else 'electron'}",
    ]
    for name in FRACTIONS:
        radius, error = figures[name], figures[f"{name[:3]}_standard_error_mm"]
        sigma = "" if error is None else f" +- {error:.1g}"
        lines.append(f"{name[:3].upper()}        {'-' if radius is None else f'{radius:#.5g}{sigma} mm'}")
    lines.append(
        f"in shells  {100 * figures['fraction_in_shells']:.3f} % of the emitted energy, "
        f"{figures['shells']} shells to {figures['outermost_mm']:g} mm"
    )
    return "\n".join(lines)


def _voxel_figures(kernel: VoxelKernel) -> dict[str, Any]:
    """Return what is printed of a voxel kernel, in plain JSON types."""
    from mcdose import __version__

    middle = [size // 2 for size in kernel.values.shape]
    near = []
    for offset in NEAR:
        index = tuple(m + k for m, k in zip(middle, offset, strict=True))
        value, error = float(kernel.values[index]), float(kernel.standard_error[index])
        near.append({"offset": list(offset), "s_mgy_per_mbq_s": value, "standard_error_mgy_per_mbq_s": _known(error)})
    return {
        "mcdose_version": __version__,
        "nuclide": kernel.nuclide,
        "medium": kernel.medium,
        "density_g_cm3": kernel.density_g_cm3,
        "voxel_mm": list(kernel.voxel_mm),
        "shape": list(kernel.values.shape),
        "method": kernel.provenance["method"],
        "histories": kernel.provenance["histories"],
        "self_mgy_per_mbq_s": near[0]["s_mgy_per_mbq_s"],
        "self_standard_error_mgy_per_mbq_s": near[0]["standard_error_mgy_per_mbq_s"],
        "near": near,
        "emitted_mev": kernel.emitted_mev,
        "outside_mev": kernel.outside_mev,
    }


def _known(error: float) -> float | None:
    """Return an error, or None when one batch alone could not tell it."""
    return None if math.isnan(error) else error


def _voxel_report(figures: dict[str, Any]) -> str:
    times = " x ".join
    lines = [
        f"{figures['nuclide']} in {figures['medium']}, {figures['density_g_cm3']:g} g/cm3; "
        f"{times(map(str, figures['shape']))} voxels of "
        f"{times(f'{side:g}' for side in figures['voxel_mm'])} mm (z, y, x)",
        f"method {figures['method']}, {figures['histories']:,} histories",
        "",
        "offset      S, mGy/(MBq s)  error %",
    ]
    for row in figures["near"]:
        value, error = row["s_mgy_per_mbq_s"], row["standard_error_mgy_per_mbq_s"]
        percent = f"{100 * error / value:.3f}" if value > 0.0 and error is not None else "-"
        lines.append(f"{tuple(row['offset'])!s:10}  {value:14.5e}  {percent:>7}")
    lines += [
        "",
        f"outside the array  {figures['outside_mev']:.4g} of {figures['emitted_mev']:.5g} MeV per decay "
        f"({100 * figures['outside_mev'] / figures['emitted_mev']:.3g} %)",
    ]
    return "\n".join(lines)


def _show(
    args: argparse.Namespace, figures: dict[str, Any], report: str, files: dict[str, Path], warnings: list[str]
) -> None:
    """Print the figures of a kernel and what was written."""
    from mcdose.outputs import to_json

    written = {kind: str(path) for kind, path in files.items()}
    if args.json:
        print(to_json({**figures, "warnings": warnings, "files": written}, ascii_only=True))
    else:
        print(report)
        print(f"\nwritten to {', '.join(written.values())}")
