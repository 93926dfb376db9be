"""`import mcdose` is light, silent and complete."""

import subprocess
import sys
from importlib.resources import files

import pytest

import mcdose

HEAVY = (
    "numba",
    "scipy",
    "pydicom",
    "h5py",
    "nibabel",
    "highdicom",
    "SimpleITK",
    "shapely",
    "skimage",
    "cupy",
    "numpy",
)
# Names of part 1 in the contract.
NAMES = ["absorbed_dose", "merge", "activity_to_tia", "devices", "nuclide", "nuclides", "medium", "media", "Medium"]
NAMES += ["dose_point_kernel", "voxel_kernel", "load_kernel", "PointKernel", "VoxelKernel", "ElectronKernels"]
NAMES += ["compare_doses", "DoseComparison", "ComparisonNoise", "gamma_index"]
NAMES += ["time_integrated_activity", "TimeIntegral"]
NAMES += ["dvh", "InputError", "Cancelled", "DoseResult", "Grid", "Volume", "TransportParameters", "citations"]


def python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)


def test_import_loads_nothing_heavy_and_says_nothing():
    done = python(f"import sys, mcdose; print([name for name in {HEAVY} if name in sys.modules])")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_looking_things_up_does_not_compile():
    """Nuclides, media and the error classes need neither numba nor a file reader."""
    code = (
        "import sys, mcdose; mcdose.nuclide('Y-90').gy_kg_per_gbq; mcdose.medium('lung'); mcdose.InputError; "
        "mcdose.activity_to_tia(1.0); mcdose.TransportParameters(); "
        "print([name for name in ('numba', 'pydicom', 'h5py', 'nibabel') if name in sys.modules])"
    )
    done = python(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


@pytest.mark.parametrize("name", NAMES)
def test_public_names(name):
    assert name in dir(mcdose)
    assert name in mcdose.__all__
    assert getattr(mcdose, name) is not None


def test_every_listed_name_is_there():
    assert all(hasattr(mcdose, name) for name in mcdose.__all__)
    with pytest.raises(AttributeError, match="no attribute 'absorbed_doze'"):
        mcdose.absorbed_doze  # noqa: B018


def test_submodules_do_not_hide_functions_of_the_same_name():
    """`mcdose.media`, `devices`, `merge`, `dvh` and `citations` are functions and files."""
    code = (
        "import mcdose, importlib, types; "
        "[importlib.import_module('mcdose.' + home) for home in sorted(set(mcdose._HOMES.values()))]; "
        "print([name for name in mcdose.__all__ if isinstance(getattr(mcdose, name), types.ModuleType)]); "
        "from mcdose.media import medium; from mcdose import media; print(media()[0], mcdose.media()[0])"
    )
    done = python(code)
    assert (done.returncode, done.stdout.split("\n")[:2], done.stderr) == (0, ["[]", "water water"], "")


def test_types_are_shipped():
    assert (files("mcdose") / "py.typed").is_file()
