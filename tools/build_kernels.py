"""Make the dose kernels of `kernels/` from their recipes.

    python tools/build_kernels.py                                  # every recipe
    python tools/build_kernels.py kernels/recipes/Y-90_water.toml  # this one
    python tools/build_kernels.py kernels/recipes/[!Ye]*.toml      # all but those of Y-90 and of electrons

A kernel is simulated in pieces of 2^20 histories, each kept as a file in the user's cache folder (`--pieces`), so that
a run that was stopped goes on where it was. Pieces are found again only by the same recipe and the same code and tables
of the physics. The energy of all pieces together is bit for bit that of one run. The kernel replaces the one in
`kernels/` (`--out`), `registry.json` there gets its sha256, and the pieces are deleted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

from mcdose.electron_kernels import ElectronKernels
from mcdose.errors import InputError
from mcdose.io.output import whole_file
from mcdose.kernel import PointKernel
from mcdose.kernel_file import FORMAT_VERSION, REGISTRY, file_sha256, library_file, load_kernel, save_kernel
from mcdose.kernel_pieces import code_hash, forget_pieces, point_kernel_in_pieces

LIBRARY = Path(__file__).resolve().parents[1] / "kernels"
TAIL_MM = 12.0  # where shells are no longer of equal width
TOLD_ERROR = 0.05


def read_recipe(path: Path) -> dict:
    """Return a recipe; one of a nuclide has the edges of its shells [mm] as `edges`, else `edges` is None."""
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    if "uniform" not in recipe:
        return {**recipe, "edges": None}
    edges = [0.0]
    for block in recipe["uniform"]:
        count = round((block["to_mm"] - edges[-1]) / block["step_mm"])
        edges += [round(edges[-1] + block["step_mm"] * k, 6) for k in range(1, count + 1)]
        edges[-1] = block["to_mm"]
    tail = recipe["geometric"]
    edges += np.geomspace(edges[-1], tail["to_mm"], tail["shells"] + 1)[1:].tolist()
    return {**recipe, "edges": edges}


def energies_mev(recipe: dict) -> list[float]:
    """Return the energies of a recipe of mono-energetic electrons: equal ratios, rounded to six digits."""
    grid = recipe["electrons"]
    return [float(f"{e:.6g}") for e in np.geomspace(grid["lowest_mev"], grid["highest_mev"], grid["count"])]


def simulate(
    source: str | float, recipe: dict, seed: int, arguments: argparse.Namespace
) -> tuple[PointKernel, list[Path]]:
    """Return a point kernel and the files of its pieces."""
    began = time.perf_counter()
    kernel, files = point_kernel_in_pieces(
        source,
        recipe["medium"],
        shell_edges_mm=recipe["edges"],
        histories=recipe["histories"],
        seed=seed,
        threads=arguments.threads,
        progress=_show,
        folder=arguments.pieces,
    )
    seconds = time.perf_counter() - began
    print(
        f"{recipe['name']}, {source}: {kernel.histories} histories, {seconds:.0f} s, "
        f"X90 {kernel.radius_containing(0.9):.5f} mm, "
        f"in shells {kernel.energy_mev.sum() / kernel.emitted_mev:.6f} of what was emitted",
        flush=True,
    )
    return replace(kernel, deviations_mev=_short(kernel.deviations_mev)), files


def electron_kernels(kernels: list[PointKernel]) -> ElectronKernels:
    """Put kernels of mono-energetic electrons together."""
    first = kernels[0]
    differ = ("seed", "parameters", "simulated_mean_energy_mev", "escaped_mev", "flights_per_history")
    return ElectronKernels(
        np.array([kernel.emitted_mev for kernel in kernels]),
        np.stack([kernel.shell_edges_mm for kernel in kernels]),
        np.stack([kernel.energy_mev for kernel in kernels]),
        np.stack([kernel.standard_error_mev for kernel in kernels]),
        np.stack([kernel.deviations_mev for kernel in kernels]),
        first.medium,
        first.density_g_cm3,
        first.histories,
        {
            **{key: value for key, value in first.provenance.items() if key not in differ},
            **{key: [kernel.provenance[key] for kernel in kernels] for key in differ},
        },
    )


def build(path: Path, arguments: argparse.Namespace) -> None:
    """Make the kernel of a recipe, unless the same recipe, code and tables have made it already."""
    recipe = read_recipe(path)
    made_by = {"code_sha256": code_hash(), "recipe": path.name, "recipe_sha256": _recipe_hash(recipe)}
    file = arguments.out / library_file(recipe["name"])
    if not arguments.again and _is_of(file, made_by):
        print(f"{recipe['name']}: is there, made by the same recipe and code", flush=True)
        register(arguments.out, recipe["name"], path.name, load_kernel(file).histories)
        return
    if "electrons" in recipe:
        numbered = enumerate(energies_mev(recipe))
        made = [simulate(energy, recipe, recipe["seed"] + k, arguments) for k, energy in numbered]
        kernel = electron_kernels([kernel for kernel, _ in made])
    else:
        made = [simulate(recipe["source"], recipe, recipe["seed"], arguments)]
        kernel = made[0][0]
    kernel = replace(kernel, provenance={**kernel.provenance, **made_by, **told_errors(kernel)})
    save_kernel(kernel, file, overwrite=True)
    register(arguments.out, recipe["name"], path.name, kernel.histories)
    for _, files in made:
        forget_pieces(files)


def told_errors(kernel: PointKernel | ElectronKernels) -> dict[str, float | None]:
    """Return the radius [mm], of 12 and more, from which on a shell errs by more than 5 % (one sigma), or None."""
    if isinstance(kernel, ElectronKernels):
        return {}
    outer = kernel.shell_edges_mm[:-1] >= TAIL_MM
    poor = np.flatnonzero(outer & ~(kernel.standard_error_mev <= TOLD_ERROR * kernel.energy_mev))
    return {"error_above_5_percent_from_mm": float(kernel.shell_edges_mm[poor[0]]) if poor.size else None}


def _recipe_hash(recipe: dict) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _is_of(file: Path, made_by: dict[str, str]) -> bool:
    """Tell whether a file is a whole kernel with this provenance."""
    try:
        known = load_kernel(file).provenance
    except InputError:  # none there, or a damaged one
        return False
    return all(known.get(key) == value for key, value in made_by.items())


def register(out: Path, name: str, recipe_file: str, histories: int) -> None:
    """Write the row of a kernel in the registry."""
    registry = out / REGISTRY
    state = json.loads(registry.read_text(encoding="utf-8")) if registry.is_file() else {"kernels": {}}
    file = out / library_file(name)
    state["format_version"] = FORMAT_VERSION
    state["kernels"][name] = {
        "file": file.name,
        "sha256": file_sha256(file),
        "bytes": file.stat().st_size,
        "histories": histories,
        "recipe": f"recipes/{recipe_file}",
    }
    state["kernels"] = dict(sorted(state["kernels"].items()))
    with whole_file(registry, overwrite=True) as part:
        part.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")


def _short(deviations: np.ndarray) -> np.ndarray:
    """Return float64 of 12 significant bits: an estimate good to a tenth needs no more, and packs better."""
    mantissa, exponent = np.frexp(deviations)
    return np.ldexp(np.rint(np.ldexp(mantissa, 12)), exponent - 12)


def _show(done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        print(f"\r  {done} of {total}", end="\r", file=sys.stderr, flush=True)


def main() -> None:
    """Run the recipes named on the command line, else all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", type=Path, help="files of kernels/recipes (default: all)")
    parser.add_argument("--out", type=Path, default=LIBRARY, help="folder of the kernels and registry.json")
    parser.add_argument("--pieces", type=Path, help="folder of the pieces (the user's cache)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--again", action="store_true", help="also what the same recipe and code have made already")
    arguments = parser.parse_args()
    for path in arguments.recipes or sorted((LIBRARY / "recipes").glob("*.toml")):
        build(path, arguments)


if __name__ == "__main__":
    main()
