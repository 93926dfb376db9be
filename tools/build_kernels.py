"""Make the dose-point kernels of `kernels/` from their recipes.

    python tools/build_kernels.py                                  # every recipe
    python tools/build_kernels.py kernels/recipes/Y-90_water.toml  # this one

A kernel is simulated in pieces of 2^20 histories, each kept as a file in the user's cache folder (`--pieces`), so that
a run that was stopped goes on where it was. Pieces are found again only by the same recipe and the same code and tables
of the physics. The energy of all pieces together is bit for bit that of one run. The kernel replaces the one in
`kernels/` (`--out`), and `registry.json` there gets its sha256.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

import mcdose
from mcdose.io.output import whole_file
from mcdose.jit import cache_root
from mcdose.kernel import PointKernel
from mcdose.kernel_file import FORMAT_VERSION, REGISTRY, library_file, load_kernel, save_kernel, table_hashes
from mcdose.kernel_merge import merge_point_kernels
from mcdose.point_kernel import dose_point_kernel

LIBRARY = Path(__file__).resolve().parents[1] / "kernels"
PIECE = 1 << 20  # histories, whole batches
# What a kernel does not depend on; every other source of the package may change its numbers.
NOT_PHYSICS = {"commands", "io", "__init__", "__main__", "case", "cli", "citations", "dvh", "errors", "kernel"}
NOT_PHYSICS |= {"calibration", "grid", "kernel_file", "kernel_merge", "outputs", "phantom", "regions", "resample"}
NOT_PHYSICS |= {"summary", "voxel_kernel"}


def read_recipe(path: Path) -> dict:
    """Return a recipe, with the edges of its shells [mm] as `edges`."""
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    edges = [0.0]
    for block in recipe["uniform"]:
        count = round((block["to_mm"] - edges[-1]) / block["step_mm"])
        edges += [round(edges[-1] + block["step_mm"] * k, 6) for k in range(1, count + 1)]
        edges[-1] = block["to_mm"]
    tail = recipe["geometric"]
    edges += np.geomspace(edges[-1], tail["to_mm"], tail["shells"] + 1)[1:].tolist()
    return {**recipe, "edges": edges}


def code_hash() -> str:
    """Return the sha256 of the sources and tables that the numbers of a kernel come from."""
    package = Path(mcdose.__file__).parent
    state = hashlib.sha256(json.dumps(table_hashes()).encode())
    for source in sorted(package.rglob("*.py")):
        inner = source.relative_to(package)
        if not NOT_PHYSICS & {inner.parts[0], inner.stem}:
            state.update(inner.as_posix().encode() + source.read_bytes())
    return state.hexdigest()


def piece(recipe: dict, number: int, path: Path, threads: int | None) -> PointKernel:
    """Return a piece of a kernel, from its file if it is there."""
    if path.is_file():
        return load_kernel(path)
    began = time.perf_counter()
    kernel = dose_point_kernel(
        recipe["source"],
        recipe["medium"],
        shell_edges_mm=recipe["edges"],
        histories=PIECE,
        first_history=number * PIECE,
        seed=recipe["seed"],
        threads=threads,
    )
    kernel = replace(kernel, provenance={**kernel.provenance, "tables_sha256": table_hashes()})
    save_kernel(kernel, path, overwrite=True)
    seconds = time.perf_counter() - began
    print(f"  piece {number + 1}: {seconds:.0f} s, {PIECE / seconds:.0f} histories/s", flush=True)
    return kernel


def register(out: Path, name: str, recipe_file: str, kernel: PointKernel) -> None:
    """Write the row of a kernel in the registry."""
    registry = out / REGISTRY
    state = json.loads(registry.read_text(encoding="utf-8")) if registry.is_file() else {"kernels": {}}
    file = out / library_file(name)
    state["format_version"] = FORMAT_VERSION
    state["kernels"][name] = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "histories": kernel.histories,
        "recipe": f"recipes/{recipe_file}",
    }
    state["kernels"] = dict(sorted(state["kernels"].items()))
    with whole_file(registry, overwrite=True) as part:
        part.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")


def build(path: Path, out: Path, pieces: Path, threads: int | None) -> None:
    """Make the kernel of a recipe."""
    recipe = read_recipe(path)
    code = code_hash()
    key = hashlib.sha256(json.dumps([recipe[k] for k in ("source", "medium", "seed", "edges")] + [code]).encode())
    folder = pieces / f"{path.stem}-{key.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-recipe["histories"] // PIECE)
    print(f"{recipe['name']}: {count} pieces of {PIECE} histories in {folder}", flush=True)
    parts = [piece(recipe, number, folder / f"{number:05d}.h5", threads) for number in range(count)]
    kernel = merge_point_kernels(parts)
    kernel = replace(kernel, provenance={**kernel.provenance, "code_sha256": code, "recipe": path.name})
    save_kernel(kernel, out / library_file(recipe["name"]), overwrite=True)
    register(out, recipe["name"], path.name, kernel)
    print(
        f"  X50 {kernel.radius_containing(0.5):.4f} mm, X90 {kernel.radius_containing(0.9):.4f} mm, "
        f"in shells {kernel.energy_mev.sum() / kernel.emitted_mev:.6f} of what was emitted",
        flush=True,
    )


def main() -> None:
    """Run the recipes named on the command line, else all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", type=Path, help="files of kernels/recipes (default: all)")
    parser.add_argument("--out", type=Path, default=LIBRARY, help="folder of the kernels and registry.json")
    parser.add_argument("--pieces", type=Path, default=cache_root() / "kernel-pieces", help="folder of the pieces")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    for path in arguments.recipes or sorted((LIBRARY / "recipes").glob("*.toml")):
        build(path, arguments.out, arguments.pieces, arguments.threads)


if __name__ == "__main__":
    main()
