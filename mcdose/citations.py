"""What to cite for a result."""

from __future__ import annotations

from mcdose.electron_kernels import ElectronKernels
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.media import media as known_media
from mcdose.media import medium as find_medium
from mcdose.nuclides import nuclide, nuclides
from mcdose.result import DoseResult

METHOD = (
    "mcdose: Monte Carlo absorbed dose for radionuclide therapy, version {version}",
    "Fernandez-Varea, Mayol, Baro, Salvat, Nucl. Instrum. Meth. B 73 (1993) 447 (multiple scattering, random hinge)",
    "Sempau, Wilderman, Bielajew, Phys. Med. Biol. 45 (2000) 2263 (steps decoupled from voxel faces)",
    "Salvat, PENELOPE-2018, OECD NEA/MBDAV/R(2019)1 (class II simulation, straggling, photoelectrons, pairs)",
    "Berger, Coursey, Zucker, Chang, ESTAR, NIST (stopping powers)",
    "Seltzer, Berger, At. Data Nucl. Data Tables 35 (1986) 345 (bremsstrahlung)",
    "Salmon, Moraes, Dror, Shaw, SC11 (2011) (Philox random numbers)",
)


CONVOLUTION = (
    "Bolch et al., MIRD Pamphlet 17, J. Nucl. Med. 40 (1999) 11S (voxel S values)",
    "Lanconelli et al., Phys. Med. Biol. 57 (2012) 517 (database of voxel S values)",
)
SCALINGS = {
    "target": ("Dieudonne et al., J. Nucl. Med. 54 (2013) 236 (kernels corrected by the target's density)",),
    "multiple-kernels": ("Lee et al., J. Nucl. Med. 59 (2018) 1133 (kernels of several media)",),
}


def citations(result: DoseResult | PointKernel | VoxelKernel | ElectronKernels) -> str:
    """Return the references for a result or a kernel: code, methods and sources of the data, a line each."""
    if isinstance(result, DoseResult):
        convolved = result.method == "voxel-kernel"
        simulated, source = bool(result.histories) or convolved, result.provenance["nuclide"]
        media = [(medium["name"], medium["sources"]) for medium in result.provenance["media"]]
        media += [(kernel["medium"], kernel["sources"]) for kernel in result.provenance.get("kernels", ())]
    else:
        simulated, convolved = True, False
        source = result.nuclide if isinstance(result, VoxelKernel) else getattr(result, "source", None)
        media = [(result.medium, find_medium(result.medium).sources if result.medium in known_media() else ())]
    if isinstance(source, str):
        source = source.removesuffix(", betas only")  # of a composed kernel
    lines = [line.format(version=result.provenance["mcdose"]) for line in METHOD[: None if simulated else 1]]
    if convolved:
        lines += [*CONVOLUTION, *SCALINGS.get(result.provenance["density_scaling"], ())]
    if source in nuclides():
        lines += [f"{source}: {text}" for text in nuclide(source).sources]
    for name, sources in media:
        lines += [f"{name}: {text}" for text in sources or ["composition of the user"]]
    return "\n".join(dict.fromkeys(lines))
