"""`mcdose doctor`: what was found on this machine, what would be used and what is missing, in words."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mcdose.engine.cuda_devices import INSTALL

DECODERS = {  # transfer syntaxes of compressed images, by the name people use
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG baseline": "1.2.840.10008.1.2.4.50",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.91",
    "RLE": "1.2.840.10008.1.2.5",
}
GPU_PACKAGES = ("numba-cuda", "cupy-cuda13x", "cupy-cuda12x", "cuda-toolkit", "cuda-bindings", "nvidia-ml-py")
PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "h5py", "pydicom", "highdicom", "nibabel", "SimpleITK", "shapely")


def run_doctor(args: argparse.Namespace) -> int:
    """Look at this machine and say what was found."""
    from mcdose.outputs import to_json

    found = examine()
    print(to_json(found, ascii_only=True) if args.json else describe(found))
    return 0


def examine() -> dict[str, Any]:
    """Find what matters to mcdose on this machine, in plain JSON types."""
    from mcdose import __version__

    return {
        "mcdose_version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": _cpu(),
        "gpu": _gpu(),
        "compile_cache": _cache(),
        "decoders": _decoders(),
        "data": _data(),
    }


def describe(found: dict[str, Any]) -> str:
    """Say in words what `examine` found."""
    cpu, cache = found["cpu"], found["compile_cache"]
    missing = [name for name, number in found["packages"].items() if number is None]
    decoders = found["decoders"]
    undecoded = [name for name, plugins in decoders.items() if not plugins]
    lines = [
        f"mcdose {found['mcdose_version']}, Python {found['python']}, {found['platform']}",
        "packages    " + ", ".join(f"{name} {number}" for name, number in found["packages"].items() if number),
    ]
    if missing:
        lines.append(f"            missing: {', '.join(missing)}; install mcdose again")
    lines += [
        f"CPU         {cpu['description']}: {cpu['usable']} of {cpu['cores']} logical cores may be used, "
        f"{cpu['threads']} threads would be (NUMBA_NUM_THREADS or --threads change that)",
        f"GPU         {found['gpu']['found'] or 'nvidia-smi finds none'}",
        *(f"            {device['name']} works: {device['description']}" for device in found["gpu"]["devices"]),
        *([] if found["gpu"]["devices"] else [f"            not used: {found['gpu']['why_not']}"]),
        *(f"            {line}" for line in _gpu_advice(found["gpu"])),
        f"compiled    {'yes' if cache['compiled'] else 'not yet: the first run compiles for about 15 s'}; "
        f"kept in {cache['folder']}",
    ]
    if not cache["writable"]:
        lines.append("            that folder cannot be written, so every run compiles; set MCDOSE_CACHE_DIR")
    lines.append(
        "images      DICOM, NIfTI, MetaImage; compressed DICOM: "
        + ", ".join(f"{name} ({', '.join(plugins)})" for name, plugins in decoders.items() if plugins)
    )
    if undecoded:
        lines.append(f"            no decoder for {', '.join(undecoded)}; install mcdose again")
    lines += [
        f"data        nuclides: {', '.join(found['data']['nuclides'])}; {found['data']['media']} media, "
        f"{found['data']['elements']} elements",
        f"would use   {found['gpu']['devices'][0]['name'] if found['gpu']['devices'] else 'the CPU'}; on the CPU "
        f"{cpu['threads']} threads",
    ]
    return "\n".join(lines)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> dict[str, Any]:
    from mcdose.devices import devices

    cpu = devices()[0]
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return {"description": cpu.description, "cores": cores, "usable": usable, "threads": cpu.threads}


def _gpu() -> dict[str, Any]:
    """Ask the driver's own tool, and try every device: the CUDA packages need not be there."""
    from mcdose.engine.cuda_devices import why_not, working_gpus

    tool = shutil.which("nvidia-smi")
    found = None
    if tool is not None:
        query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        try:
            answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
            found = "; ".join(line.strip() for line in answer.splitlines() if line.strip()) or None
        except (OSError, subprocess.SubprocessError):
            found = None
    working = working_gpus()
    return {
        "found": found,
        "packages": {name: _version(name) for name in GPU_PACKAGES},
        "devices": [{"name": f"cuda:{gpu.number}", "description": gpu.description} for gpu in working],
        "why_not": why_not().text if not working else None,
        "failed": why_not().text if working and why_not().broken else None,
    }


def _gpu_advice(gpu: dict[str, Any]) -> list[str]:
    """Say what is there of the CUDA packages, what failed, and what to install."""
    there = [f"{name} {number}" for name, number in gpu["packages"].items() if number]
    lines = [f"CUDA packages: {', '.join(there)}"] if there else []
    if gpu["failed"]:
        lines.append(gpu["failed"])
    if gpu["found"] and not gpu["devices"]:
        lines.append(f"for drivers of CUDA 13: {INSTALL}; of CUDA 12: {INSTALL.replace('cuda', 'cuda12')}")
        lines.append("nvidia-smi shows in its first line which CUDA the driver is of")
    return lines


def _cache() -> dict[str, Any]:
    from mcdose.engine.cpu import is_compiled
    from mcdose.jit import cache_folder

    folder = cache_folder()
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return {"folder": str(folder), "compiled": is_compiled(), "writable": _writable(nearest)}


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _decoders() -> dict[str, list[str]]:
    from pydicom.pixels import get_decoder

    return {name: sorted(get_decoder(uid).available_plugins) for name, uid in DECODERS.items()}


def _data() -> dict[str, Any]:
    """Read each of the shipped tables once, which shows that they were installed."""
    from mcdose.electron_data import bremsstrahlung_shape
    from mcdose.media import elements, media, medium
    from mcdose.nuclides import nuclide, nuclides
    from mcdose.photon_data import mass_attenuation

    water = medium("water")
    mass_attenuation(water, 1.0)
    bremsstrahlung_shape(1.0, 0.5)
    for name in nuclides():
        nuclide(name)
    return {"nuclides": list(nuclides()), "media": len(media()), "elements": len(elements())}
