"""Dose kernels as HDF5 files, and the library of kernels that mcdose ships.

`kernels/README.md` is the format's description for readers of the files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.data import DATA_FOLDER
from mcdose.electron_kernels import ElectronKernels
from mcdose.errors import InputError
from mcdose.io.damage import DEFLATE_RATIO, damage, require_held, require_sound_heaps
from mcdose.io.output import whole_file
from mcdose.kernel import PointKernel, VoxelKernel

if TYPE_CHECKING:
    import h5py

log = logging.getLogger("mcdose")

Kernel = PointKernel | VoxelKernel | ElectronKernels

FORMAT = "mcdose dose kernel"
FORMAT_VERSION = 1
REGISTRY = "registry.json"

# Datasets and their units, by the kind of kernel.
_DATASETS = {
    "point": {"shell_edges_mm": "mm", "energy_mev": "MeV", "standard_error_mev": "MeV", "deviations_mev": "MeV"},
    "electrons": {
        "electron_energy_mev": "MeV",
        "shell_edges_mm": "mm",
        "energy_mev": "MeV",
        "standard_error_mev": "MeV",
        "deviations_mev": "MeV",
    },
    "voxel": {"values": "mGy/(MBq s)", "standard_error": "mGy/(MBq s)"},
}
_CLASSES: dict[str, type[Kernel]] = {"point": PointKernel, "electrons": ElectronKernels, "voxel": VoxelKernel}
_FINITE = {"shell_edges_mm", "energy_mev", "electron_energy_mev", "values"}  # errors of a short run can be NaN
_ATTRIBUTES = {
    "point": ("source", "medium", "density_g_cm3", "emitted_mev", "histories"),
    "electrons": ("medium", "density_g_cm3", "histories"),
    "voxel": ("nuclide", "medium", "density_g_cm3", "emitted_mev", "outside_mev", "voxel_mm"),
}
# Attributes repeated from the provenance, for readers of the file alone.
_FROM_PROVENANCE = {
    "code_version": "mcdose",
    "histories": "histories",
    "seed": "seed",
    "parameters": "parameters",
    "tables_sha256": "tables_sha256",
}


def table_hashes() -> dict[str, str]:
    """Return the sha256 of every table of `mcdose/data` that a kernel can depend on, by file name."""
    tables = [path for path in sorted(DATA_FOLDER.rglob("*")) if path.suffix in (".csv", ".h5", ".toml")]
    others = {DATA_FOLDER / "sirt", DATA_FOLDER / "radiobiology"}  # figures of plans and of effects
    tables = [path for path in tables if not others & set(path.parents)]
    return {path.relative_to(DATA_FOLDER).as_posix(): file_sha256(path) for path in tables}


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_kernel(kernel: Kernel, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a kernel as HDF5; `load_kernel` gives it back bit for bit.

    Parameters
    ----------
    kernel : PointKernel, VoxelKernel or ElectronKernels
        Its provenance must be of plain JSON types.
    path : str or Path
    overwrite : bool
        Replace a file that is there already.

    Raises
    ------
    InputError
        A file is there already, or the folder is not.
    ValueError, TypeError
        Provenance that JSON cannot hold.
    """
    import h5py

    kind = next(kind for kind, known in _CLASSES.items() if isinstance(kernel, known))
    provenance = json.dumps(kernel.provenance, allow_nan=False)
    attributes: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION, "kind": kind}
    for name, key in _FROM_PROVENANCE.items():
        if key in kernel.provenance:
            value = kernel.provenance[key]
            attributes[name] = json.dumps(value) if isinstance(value, (dict, list)) else value
    attributes |= {name: getattr(kernel, name) for name in _ATTRIBUTES[kind]}
    attributes["provenance"] = provenance
    with whole_file(Path(path), overwrite) as part, h5py.File(part, "w") as file:
        file.attrs.update(attributes)
        for name, unit in _DATASETS[kind].items():
            values = np.asarray(getattr(kernel, name), np.float64)
            dataset = file.create_dataset(name, data=values, compression="gzip", shuffle=True, fletcher32=True)
            dataset.attrs["unit"] = unit


def load_kernel(name_or_path: str | Path) -> Kernel:
    """Read a kernel from a file, or from the library by its name.

    The library is looked for in `$MCDOSE_KERNELS`, in the installed package, in the checkout that the package lies in,
    and in the `kernels` folder of the user's cache, in this order.

    Parameters
    ----------
    name_or_path : str or Path
        A Path or a text that ends in ".h5" is a file; any other text is a name in the library, such as
        "Y-90/water/point".

    Raises
    ------
    InputError
        No such kernel, or a file that is not a whole kernel of a format that this version reads.
    """
    if isinstance(name_or_path, Path) or str(name_or_path).endswith(".h5"):
        return _read(Path(name_or_path))
    found = find_kernel(name_or_path)
    if found is not None:
        _check_registered(found)
        return _read(found)
    searched = list(_library_folders())
    names = sorted({path.stem.replace("_", "/") for folder in searched for path in folder.glob("*_*_*.h5")})
    raise InputError(
        f"{name_or_path}: no kernel of that name in {', '.join(map(str, searched))}; "
        f"there are {', '.join(names) or 'none'} (a file is given with its ending .h5)"
    )


def find_kernel(name: str) -> Path | None:
    """Return the file of a kernel of the library by its name, or None."""
    paths = (folder / library_file(name) for folder in _library_folders())
    return next((path for path in paths if path.is_file()), None)


def kept_kernel(path: Path, what: str) -> PointKernel | None:
    """Return `what` was simulated and kept as a file; None, with a warning, if that is not whole."""
    if not path.is_file():
        return None
    try:
        kernel = _read(path)
    except InputError as error:
        log.warning("%s is simulated again: %s", what, error)
        return None
    return kernel if isinstance(kernel, PointKernel) else None


def library_file(name: str) -> str:
    """Return the file name of a kernel of the library: "Y-90/water/point" is in Y-90_water_point.h5."""
    return name.replace("/", "_").replace(os.sep, "_") + ".h5"


def _library_folders() -> Iterator[Path]:
    """Yield the folders of the library in the order of search."""
    package = Path(__file__).parent
    chosen = os.environ.get("MCDOSE_KERNELS")
    if chosen:
        yield Path(chosen)
    yield package / "_kernels"
    if (package.parent / "pyproject.toml").is_file():  # elsewhere it would be another project's package `kernels`
        yield package.parent / "kernels"
    from mcdose.jit import cache_root  # brings numba, which the others do without

    yield cache_root() / "kernels"


def _check_registered(path: Path) -> None:
    """Raise if the registry beside a file of the library gives another sha256 for it."""
    registry = path.parent / REGISTRY
    if not registry.is_file():
        return
    try:
        kernels = json.loads(registry.read_text(encoding="utf-8"))["kernels"]
        expected = {row["file"]: row["sha256"] for row in kernels.values()}.get(path.name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{registry}: is not a registry of kernels ({error!r})") from None
    if expected is not None and file_sha256(path) != expected:
        raise InputError(f"{path}: its sha256 must be {expected}, as {REGISTRY} says, got {file_sha256(path)}")


def _read(path: Path) -> Kernel:
    """Read a kernel file."""
    import h5py

    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        if not h5py.is_hdf5(path):
            raise InputError(f"{path}: must be an HDF5 file, got something else or a damaged one")
        require_sound_heaps(path)
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened, a truncated or damaged HDF5 file ({error})") from None
    with damage(path, "a damaged kernel file"), file:
        return _kernel(path, file)


def _kernel(path: Path, file: h5py.File) -> Kernel:
    """Return the kernel in an open file."""
    stored = file.attrs.get("format")
    if not isinstance(stored, str) or stored != FORMAT:
        raise InputError(f"{path}: its attribute 'format' must be {FORMAT!r}, got {stored!r}")
    version = int(_number(file.attrs, "format_version"))
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: its format version must be at most {FORMAT_VERSION}, got {version}: it needs a newer mcdose"
        )
    kind = file.attrs["kind"]
    if kind not in _DATASETS:
        raise InputError(f"{path}: its kind must be one of {', '.join(_DATASETS)}, got {kind!r}")
    for name in (*_ATTRIBUTES[kind], "provenance"):
        if name not in file.attrs:
            raise InputError(f"{path}: must have the attribute {name!r}, which is missing")
    fields: dict[str, Any] = {name: _values(path, file, name, unit) for name, unit in _DATASETS[kind].items()}
    _check_shapes(path, kind, fields)
    attributes = file.attrs
    fields |= {
        "medium": _text(attributes["medium"]),
        "density_g_cm3": float(_number(attributes, "density_g_cm3")),
        "provenance": json.loads(attributes["provenance"]),
    }
    if not isinstance(fields["provenance"], dict):
        raise InputError(f"{path}: its provenance must be a JSON object, got {attributes['provenance']!r}")
    if not 0.0 < fields["density_g_cm3"] < math.inf:
        raise InputError(f"{path}: density_g_cm3 must be positive, got {fields['density_g_cm3']}")
    if kind == "electrons":
        return ElectronKernels(histories=int(_number(attributes, "histories")), **fields)
    fields["emitted_mev"] = float(_number(attributes, "emitted_mev"))
    if kind == "voxel":
        if np.asarray(attributes["voxel_mm"]).dtype.kind not in "iuf":
            raise TypeError(f"voxel_mm must be numbers, got {attributes['voxel_mm']!r}")
        dz, dy, dx = (float(side) for side in attributes["voxel_mm"])
        if not all(0.0 < side < math.inf for side in (dz, dy, dx)):
            raise InputError(f"{path}: voxel_mm must be positive, got {(dz, dy, dx)}")
        outside = float(_number(attributes, "outside_mev"))
        return VoxelKernel(voxel_mm=(dz, dy, dx), nuclide=_text(attributes["nuclide"]), outside_mev=outside, **fields)
    source = attributes["source"]
    source = source if isinstance(source, str) else float(_number(attributes, "source"))
    return PointKernel(source=source, histories=int(_number(attributes, "histories")), **fields)


def _number(attributes: Any, name: str) -> Any:
    if not isinstance(attributes[name], Real):
        raise TypeError(f"{name} must be a number, got {attributes[name]!r}")
    return attributes[name]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name must be text, got {value!r}")
    return value


def _values(path: Path, file: h5py.File, name: str, unit: str) -> NDArray[np.float64]:
    """Return a dataset, whose unit must be the one of the format."""
    import h5py

    here = name in file and isinstance(file.get(name, getlink=True), h5py.HardLink)
    dataset = file[name] if here else None
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"{path}: must have the dataset {name!r}, which is missing")
    if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "iuf":
        raise TypeError(f"{name!r} must be numbers in the file itself, got {dataset.dtype}")
    if dataset.size:
        require_held(path, dataset.shape, 8, path.stat().st_size, DEFLATE_RATIO)
    if dataset.attrs.get("unit") != unit:
        raise InputError(f"{path}: the unit of {name!r} must be {unit!r}, got {dataset.attrs.get('unit')!r}")
    return np.asarray(dataset[()], np.float64)


def _check_shapes(path: Path, kind: str, arrays: dict[str, NDArray[np.float64]]) -> None:
    """Raise if the arrays of a file do not fit together, or what they say, errors aside, is not finite."""
    for name in _FINITE & arrays.keys():
        if not np.isfinite(arrays[name]).all():
            bad = np.count_nonzero(~np.isfinite(arrays[name]))
            raise InputError(f"{path}: {name} must be finite, {bad} of {arrays[name].size} values are not")
    shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
    if kind == "voxel":
        values, error = arrays["values"], arrays["standard_error"]
        if values.ndim != 3 or values.shape != error.shape or not all(side % 2 for side in values.shape):
            raise InputError(f"{path}: the arrays must be of one odd shape (nz, ny, nx), got {shapes}")
        return
    edges, energy, error = arrays["shell_edges_mm"], arrays["energy_mev"], arrays["standard_error_mev"]
    deviations = arrays["deviations_mev"]
    before = energy.shape[:-1]  # the electron energies of many kernels
    if not (
        energy.ndim == (2 if kind == "electrons" else 1)
        and edges.shape == (*before, energy.shape[-1] + 1)
        and error.shape == energy.shape
        and deviations.ndim == energy.ndim + 1
        and deviations.shape == (*before, deviations.shape[-2], energy.shape[-1])
        and (kind == "point" or arrays["electron_energy_mev"].shape == before)
    ):
        raise InputError(f"{path}: the arrays must be n + 1 edges and n values for n shells, got {shapes}")
    if not np.all(edges[..., 0] == 0.0) or not np.all(np.diff(edges) > 0.0):
        raise InputError(f"{path}: shell_edges_mm must ascend from 0, got {edges}")
    if kind == "electrons" and not (before[0] > 1 and np.all(np.diff(arrays["electron_energy_mev"]) > 0.0)):
        raise InputError(f"{path}: electron_energy_mev must ascend, at least two")
