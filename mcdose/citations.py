"""What to cite for a result."""

from __future__ import annotations

from mcdose.nuclides import nuclide
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


def citations(result: DoseResult) -> str:
    """Return the references for a result: the code, the methods it used, and the sources of its data, a line each."""
    lines = [line.format(version=result.provenance["mcdose"]) for line in METHOD[: None if result.histories else 1]]
    named = nuclide(result.provenance["nuclide"])
    lines += [f"{named.name}: {source}" for source in named.sources]
    for medium in result.provenance["media"]:
        lines += [f"{medium['name']}: {source}" for source in medium["sources"] or ["composition of the user"]]
    return "\n".join(dict.fromkeys(lines))
