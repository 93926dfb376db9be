"""Images in and out: CT, activity and structures from DICOM, NIfTI and MetaImage; dose to DICOM and NIfTI.

Nothing is imported here, so that `import mcdose` stays light: import the module that does the work
(`mcdose.io.ct`, `.activity`, `.structures`, `.rtdose`, `.parametric_map`, `.nifti`).
"""
