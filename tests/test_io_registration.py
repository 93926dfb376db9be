"""Registrations from DICOM, ITK and text: where points go, by closed form and by SimpleITK, and what is refused."""

import h5py
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import REG, ct_series, edit, spatial_registration

from mcdose.errors import InputError
from mcdose.io.registration import read_registration

PET, CT, THIRD = "1.2.3.10", "1.2.3.20", "1.2.3.30"
POINTS = np.array([(0.0, 0.0, 0.0), (100.0, -20.0, 35.0), (-250.0, 180.0, -900.0), (3.0, 4.0, 5.0)])


def turned(degrees, shift=(0.0, 0.0, 0.0), axis=2):
    """A turn about one axis, then a shift."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    first, second = [k for k in range(3) if k != axis]
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    matrix[:3, 3] = shift
    return matrix


def move(matrix, points):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def read(path, from_frame=PET, to_frame=CT):
    return read_registration(path, from_frame=from_frame, to_frame=to_frame)


def refused(path, from_frame=PET, to_frame=CT):
    with pytest.raises(InputError) as caught:
        read(path, from_frame, to_frame)
    message = str(caught.value)
    assert path.name in message
    assert message.isprintable()
    return message


SHIFT = turned(90.0, (10.0, 20.0, 30.0))  # (x, y, z) to (10 - y, 20 + x, 30 + z)


def test_dicom_maps_the_activity_to_the_registered_ct(tmp_path):
    found = read(spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(SHIFT, "RIGID")])]))
    x, y, z = POINTS.T
    np.testing.assert_allclose(move(found.matrix, POINTS), np.column_stack([10 - y, 20 + x, 30 + z]), atol=1e-9)
    assert (found.kind, found.source, found.warnings) == ("rigid", "DICOM Spatial Registration reg.dcm", ())
    assert found.matrix.dtype == np.float64


def test_dicom_is_inverted_where_the_ct_was_registered_to_the_activity(tmp_path):
    """An item with the identity for the frame of the file itself, as many programs write, changes nothing."""
    items = [(PET, [(np.eye(4), "RIGID")]), (CT, [(SHIFT, "RIGID")])]
    found = read(spatial_registration(tmp_path / "reg.dcm", PET, items))
    np.testing.assert_allclose(move(SHIFT, move(found.matrix, POINTS)), POINTS, atol=1e-9)


def test_dicom_goes_through_a_third_frame(tmp_path):
    to_third = turned(30.0, (1.0, 2.0, 3.0), axis=0)
    items = [(PET, [(SHIFT, "RIGID")]), (CT, [(to_third, "RIGID")]), ("1.2.3.40", [(turned(5.0), "RIGID")])]
    path = spatial_registration(tmp_path / "reg.dcm", THIRD, items)
    there, back = read(path).matrix, read(path, CT, PET).matrix
    np.testing.assert_allclose(move(to_third, move(there, POINTS)), move(SHIFT, POINTS), atol=1e-9)
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-11)


def test_the_last_of_several_matrices_meets_the_points_first(tmp_path):
    about = np.array((50.0, 60.0, 70.0))
    there, back = turned(0.0, about), turned(0.0, -about)
    rows = [(there, "RIGID"), (turned(40.0), "RIGID"), (back, "RIGID")]
    found = read(spatial_registration(tmp_path / "reg.dcm", CT, [(PET, rows)]))
    np.testing.assert_allclose(move(found.matrix, about[None]), about[None], atol=1e-9)  # the point turned about
    (warning,) = found.warnings
    assert "3 matrices are multiplied in their order, as PS3.3 C.20.2.1.1 has it" in warning
    same = [(turned(10.0, axis=0), "RIGID"), (turned(20.0, axis=0), "RIGID")]
    found = read(spatial_registration(tmp_path / "same.dcm", CT, [(PET, same)]))
    np.testing.assert_allclose(found.matrix, turned(30.0, axis=0), atol=1e-12)
    assert found.warnings == ()


def sheared():
    matrix = np.eye(4)
    matrix[0, 1] = 0.2
    return matrix


@pytest.mark.parametrize(
    ("matrix", "declared", "kind"),
    [
        (SHIFT, "AFFINE", "rigid"),
        (np.diag([1.1, 0.9, 1.2, 1.0]) @ SHIFT, "RIGID_SCALE", "rigid-scale"),
        (turned(30.0) @ np.diag([1.1, 0.9, 1.2, 1.0]), "AFFINE", "rigid-scale"),
        (sheared(), "AFFINE", "affine"),
    ],
)
def test_the_kind_is_that_of_the_matrix(tmp_path, matrix, declared, kind):
    found = read(spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(matrix, declared)])]))
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-12)
    assert (found.kind, found.warnings) == (kind, ())


def test_a_rigid_matrix_of_few_digits_becomes_the_nearest_rotation(tmp_path):
    exact = turned(33.0, (1.0, 2.0, 3.0))
    path = spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(np.round(exact, 4), "RIGID")])])
    found = read(path)
    turn = found.matrix[:3, :3]
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(found.matrix, exact, atol=1e-4)
    assert found.kind == "rigid"
    (warning,) = found.warnings
    assert "off a rotation by" in warning
    assert "the nearest rotation is taken" in warning


MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
BAD_ROW = np.eye(4)
BAD_ROW[3] = 0.0, 0.0, 0.1, 1.0


@pytest.mark.parametrize(
    ("matrix", "declared", "message"),
    [
        (1.01 * np.eye(4) - np.diag([0, 0, 0, 0.01]), "RIGID", "orthonormal to 0.001, it is off by 0.0201"),
        (sheared(), "RIGID_SCALE", "its axes must be at right angles to 0.001, they are off by 0.196"),
        (MIRROR, "RIGID", "the determinant must be positive, got -1: the matrix mirrors"),
        (np.diag([0.0, 1.0, 1.0, 1.0]), "AFFINE", "the determinant must be positive, got 0"),
        (np.diag([2.5, 1.0, 1.0, 1.0]), "AFFINE", "scale factors must lie within 0.5 and 2, got 2.5, 1, 1"),
        (np.diag([0.4, 1.0, 1.0, 1.0]), "AFFINE", "scale factors must lie within 0.5 and 2, got 1, 1, 0.4"),
        (turned(0.0, (0.0, 10_000.0, 0.0)), "RIGID", "the translation must be below 10000 mm, got 10000 mm"),
        (BAD_ROW, "AFFINE", "the last row of a matrix must be 0 0 0 1, got [0.0, 0.0, 0.1, 1.0]"),
        (np.full((4, 4), np.nan), "AFFINE", "the 16 numbers of a matrix must be finite"),
        (np.diag([1e300, 1e300, 1e300, 1.0]), "AFFINE", "a scale at most 2"),
        (np.eye(4), "HOMOGENEOUS", "MatrixType must be one of RIGID, RIGID_SCALE, AFFINE, got 'HOMOGENEOUS'"),
        (np.eye(3), "RIGID", "is needed with 16 numbers, got 9"),
    ],
)
def test_matrices_that_no_patient_makes_are_refused(tmp_path, matrix, declared, message):
    path = spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(matrix, declared)])])
    assert message in refused(path)


def test_frames_that_the_file_does_not_register_are_named(tmp_path):
    path = spatial_registration(tmp_path / "reg.dcm", THIRD, [(PET, [(SHIFT, "RIGID")])])
    message = refused(path)
    assert f"no registration of the frame of reference {PET} (activity) to {CT} (CT)" in message
    assert f"reg.dcm registers {PET}, {THIRD}" in message
    assert "the activity image has none" in refused(path, None, CT)
    assert "the CT has none" in refused(path, PET, "")
    assert f"are in one frame of reference already, {CT}" in refused(path, CT, CT)


def test_ambiguous_items_are_refused(tmp_path):
    two = [(PET, [(SHIFT, "RIGID")]), (PET, [(np.eye(4), "RIGID")])]
    assert "has another matrix for the frame of reference" in refused(spatial_registration(tmp_path / "a.dcm", CT, two))
    moved = [(PET, [(SHIFT, "RIGID")]), (CT, [(turned(0.0, (0.0, 3.0, 4.0)), "RIGID")])]
    assert "moves its own frame of reference, 1.2.3.20, by 5 mm" in refused(
        spatial_registration(tmp_path / "b.dcm", CT, moved)
    )
    same = [(PET, [(SHIFT, "RIGID")])] * 2
    np.testing.assert_allclose(read(spatial_registration(tmp_path / "c.dcm", CT, same)).matrix, SHIFT, atol=1e-12)


def change(path, action):
    dataset = pydicom.dcmread(path)
    action(dataset)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda d: d.RegistrationSequence[0].pop("FrameOfReferenceUID"), "names images and no FrameOfReferenceUID"),
        (lambda d: d.pop("RegistrationSequence"), "has no RegistrationSequence"),
        (lambda d: d.RegistrationSequence[0].pop("MatrixRegistrationSequence"), "has no MatrixRegistrationSequence"),
        (
            lambda d: d.RegistrationSequence[0].MatrixRegistrationSequence.append(pydicom.Dataset()),
            "MatrixRegistrationSequence must have one item, got 2",
        ),
        (
            lambda d: d.RegistrationSequence[0].MatrixRegistrationSequence[0].pop("MatrixSequence"),
            "has no MatrixSequence",
        ),
        (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.3"), "is a Deformable Spatial Registration"),
        (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.2"), "no Spatial Registration (Modality REG)"),
    ],
)
def test_objects_that_are_not_read_are_refused(tmp_path, action, message):
    path = spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(SHIFT, "RIGID")])])
    assert message in refused(change(path, action))


def test_a_folder_may_hold_other_files(tmp_path):
    folder = tmp_path / "study"
    ct_series(folder, np.zeros((2, 3, 4)))
    spatial_registration(folder / "other.dcm", CT, [(THIRD, [(turned(9.0), "RIGID")])])
    assert "no registration of the frame of reference" in refused(folder)
    spatial_registration(folder / "mine.dcm", CT, [(PET, [(SHIFT, "RIGID")])])
    found = read(folder)
    np.testing.assert_allclose(found.matrix, SHIFT, atol=1e-12)
    assert (found.source, found.warnings) == ("DICOM Spatial Registration mine.dcm", ())
    spatial_registration(folder / "field.dcm", CT, [], sop_class="1.2.840.10008.5.1.4.1.1.66.3")
    (warning,) = read(folder).warnings
    assert "field.dcm: a deformable registration, left out" in warning
    spatial_registration(folder / "again.dcm", CT, [(PET, [(SHIFT, "RIGID")])])
    assert "one registration of the two frames of reference is needed, found again.dcm, mine.dcm" in refused(folder)


def test_a_chain_over_two_files_is_not_followed(tmp_path):
    folder = tmp_path / "study"
    spatial_registration(folder / "a.dcm", THIRD, [(PET, [(SHIFT, "RIGID")])])
    spatial_registration(folder / "b.dcm", CT, [(THIRD, [(SHIFT, "RIGID")])])
    message = refused(folder)
    assert "a chain over several files is not followed" in message
    assert f"a.dcm registers {PET}, {THIRD}; b.dcm registers {THIRD}, {CT}" in message


def test_dicom_that_is_something_else_or_damaged_is_refused(tmp_path):
    (ct, _) = ct_series(tmp_path / "ct", np.zeros((2, 3, 4)))
    assert "no Spatial Registration (Modality REG); modalities found: CT" in refused(ct)
    (tmp_path / "a.dcm").write_bytes(b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    assert "not readable as DICOM" in refused(tmp_path / "a.dcm")
    path = spatial_registration(tmp_path / "reg", CT, [(PET, [(SHIFT, "RIGID")])])  # found by its preamble
    np.testing.assert_allclose(read(path).matrix, SHIFT, atol=1e-12)
    whole = path.read_bytes()
    for size in range(132, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        refused(path)
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "nowhere.dcm")


def test_a_file_that_is_cut_within_its_matrices_is_refused(tmp_path):
    """pydicom takes the items of a sequence that are left for all of them, here one matrix of two."""
    path = tmp_path / "reg.dcm"
    spatial_registration(path, CT, [(PET, [(SHIFT, "RIGID"), (turned(10.0), "RIGID")])])
    whole = path.read_bytes()
    end = whole.index(b"1.0 ", whole.index(b"30.0")) + 2
    path.write_bytes(whole[:end])
    assert len(pydicom.dcmread(path).RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence) == 1
    assert "RegistrationSequence must have" in refused(path)


def test_the_sop_class_is_that_of_the_file_and_the_modality_may_be_odd(tmp_path):
    path = spatial_registration(tmp_path / "reg.dcm", CT, [(PET, [(SHIFT, "RIGID")])])
    edit(path, Modality="OT")
    assert pydicom.dcmread(path).SOPClassUID == REG
    np.testing.assert_allclose(read(path).matrix, SHIFT, atol=1e-12)


def euler():
    transform = sitk.Euler3DTransform()
    transform.SetCenter((10.0, -20.0, 300.0))
    transform.SetRotation(0.1, -0.2, 0.3)
    transform.SetTranslation((5.0, 6.0, -7.0))
    return transform


def versor():
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter((1.0, 2.0, 3.0))
    transform.SetRotation((1.0, 2.0, 3.0), 0.4)
    transform.SetTranslation((-4.0, 5.0, 6.0))
    return transform


def turn_only():
    transform = sitk.VersorTransform()
    transform.SetCenter((1.0, 2.0, 3.0))
    transform.SetRotation((0.0, 1.0, 3.0), -0.7)
    return transform


def similarity():
    transform = sitk.Similarity3DTransform()
    transform.SetRotation((1.0, -2.0, 3.0), 0.4)
    transform.SetCenter((100.0, 2.0, 3.0))
    transform.SetTranslation((-4.0, 5.0, 6.0))
    transform.SetScale(1.25)
    return transform


def affine():
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((1.1, 0.2, 0.0, -0.1, 0.9, 0.05, 0.0, 0.1, 1.05))
    transform.SetCenter((30.0, 20.0, 10.0))
    transform.SetTranslation((3.0, 2.0, 1.0))
    return transform


def scales():
    transform = sitk.ScaleTransform(3)
    transform.SetScale((0.8, 1.0, 1.5))
    transform.SetCenter((5.0, 6.0, 7.0))
    return transform


def scale_skew():
    transform = sitk.ScaleSkewVersor3DTransform()
    transform.SetRotation((1.0, 2.0, 3.0), 0.2)
    transform.SetScale((1.1, 0.9, 1.0))
    transform.SetSkew((0.01, 0.02, 0.0, 0.03, 0.0, 0.01))
    return transform


def composite():
    return sitk.CompositeTransform([euler(), affine(), sitk.TranslationTransform(3, (7.0, 8.0, 9.0))])


ITK = [
    (euler, "rigid"),
    (versor, "rigid"),
    (turn_only, "rigid"),
    (similarity, "rigid-scale"),
    (scales, "rigid-scale"),
    (affine, "affine"),
    (scale_skew, "affine"),
    (lambda: sitk.TranslationTransform(3, (7.0, 8.0, 9.0)), "rigid"),
    (lambda: sitk.Transform(3, sitk.sitkIdentity), "rigid"),
    (composite, "affine"),
    (lambda: sitk.CompositeTransform([euler(), versor()]), "rigid"),
]


@pytest.mark.parametrize("ending", ["tfm", "txt", "h5"])
@pytest.mark.parametrize(("make", "kind"), ITK)
def test_itk_transforms_are_inverted(tmp_path, make, kind, ending):
    """What SimpleITK calls TransformPoint goes from the CT to the activity, point by point."""
    path = tmp_path / f"t.{ending}"
    transform = make()
    sitk.WriteTransform(transform, str(path))
    found = read(path, None, None)
    moving = np.array([transform.TransformPoint(point.tolist()) for point in POINTS])
    np.testing.assert_allclose(move(found.matrix, moving), POINTS, atol=1e-8)
    assert found.kind == kind
    assert found.source.startswith("ITK ")
    assert found.source.endswith(f"t.{ending}, inverted")
    assert found.warnings == ()


def test_the_direction_of_itk_is_that_of_its_resampling(tmp_path):
    """A spot of the moving image is, resampled by the transform to the grid of the fixed one, where the matrix says."""
    grid = np.stack(np.meshgrid(*[np.arange(40.0)] * 3, indexing="ij"), axis=-1)
    spot = np.array((18.0, 23.0, 16.0))  # z, y, x
    moving = sitk.GetImageFromArray(np.exp(-((grid - spot) ** 2).sum(axis=-1) / 8.0))
    moving.SetSpacing((2.0, 2.0, 2.0))
    moving.SetOrigin((-30.0, -40.0, 100.0))
    transform = euler()
    transform.SetCenter((9.0, 0.0, 140.0))
    sitk.WriteTransform(transform, str(tmp_path / "t.tfm"))
    seen = sitk.GetArrayFromImage(sitk.Resample(moving, moving, transform, sitk.sitkBSpline))
    centre = (grid * seen[..., None]).sum(axis=(0, 1, 2)) / seen.sum()
    where = np.array(moving.TransformContinuousIndexToPhysicalPoint(centre[::-1].tolist()))
    was = np.array(moving.TransformContinuousIndexToPhysicalPoint(spot[::-1].tolist()))
    assert np.linalg.norm(where - was) > 5.0
    np.testing.assert_allclose(move(read(tmp_path / "t.tfm").matrix, was), where, atol=0.01)


def test_registering_two_images_gives_the_way_from_the_activity_to_the_ct(tmp_path):
    values = np.zeros((20, 20, 20))
    values[8:12, 6:14, 7:13] = 1.0
    fixed, moving = sitk.GetImageFromArray(values), sitk.GetImageFromArray(values)
    moving.SetOrigin((30.0, -20.0, 10.0))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 50)
    method.SetInitialTransform(
        sitk.CenteredTransformInitializer(
            fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
        )
    )
    method.SetInterpolator(sitk.sitkLinear)
    sitk.WriteTransform(method.Execute(fixed, moving), str(tmp_path / "t.h5"))
    np.testing.assert_allclose(read(tmp_path / "t.h5").matrix, turned(0.0, (-30.0, 20.0, -10.0)), atol=0.05)


def text(path, *lines):
    path.write_text("\n".join(("#Insight Transform File V1.0", *lines)) + "\n")
    return path


TRANSLATION = ("Transform: TranslationTransform_double_3_3", "Parameters: 1 2 3", "FixedParameters: ")


def test_what_ants_and_old_itk_write_is_read(tmp_path):
    ants = ("#Transform 0", "Transform: MatrixOffsetTransformBase_double_3_3")
    path = text(tmp_path / "a.txt", *ants, "Parameters: 1 0 0 0 1 0 0 0 1 7 8 9", "FixedParameters: 1 2 3", "")
    np.testing.assert_allclose(read(path).matrix, turned(0.0, (-7.0, -8.0, -9.0)), atol=1e-12)
    sitk.WriteTransform(euler(), str(tmp_path / "a.h5"))
    expected = read(tmp_path / "a.h5").matrix
    with h5py.File(tmp_path / "a.h5", "r+") as file:  # its names before ITK 5
        group = file["TransformGroup/0"]
        for kind in ("Parameters", "FixedParameters"):
            group.move(f"Transform{kind}", f"Tranform{kind}")
    np.testing.assert_array_equal(read(tmp_path / "a.h5").matrix, expected)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((*TRANSLATION, *TRANSLATION), "holds 2 transforms that are no composite"),
        (("Transform: CompositeTransform_double_3_3",), "holds no transform"),
        ((), "holds no transform"),
        ((*TRANSLATION, "Transform: CompositeTransform_double_3_3"), "a composite must be the first transform"),
        (("Transform: Euler2DTransform_double_2_2",), "must be of 3 dimensions, got 'Euler2DTransform_double_2_2'"),
        (("Transform: BSplineTransform_double_3_3",), "only linear transforms are read"),
        (("Transform: rm -rf",), "a damaged ITK transform file, whose transform is called 'rm -rf'"),
        (("Parameters: 1",), "'Parameters' stands in place of 'Transform'"),
        (TRANSLATION[:2], "must be followed by Parameters and FixedParameters, got ['Parameters']"),
        ((TRANSLATION[0], "Parameters: 1 2", TRANSLATION[2]), "must have 3 parameters and 0 fixed ones, got 2 and 0"),
        ((TRANSLATION[0], "Parameters: 1 2 nan", TRANSLATION[2]), "parameters must be finite"),
        ((TRANSLATION[0], "Parameters: 1 2 x", TRANSLATION[2]), "parameters must be numbers"),
        ((TRANSLATION[0], "Parameters: 1 2 30000", TRANSLATION[2]), "the translation must be below 10000 mm"),
        (
            ("Transform: Similarity3DTransform_double_3_3", "Parameters: 0.9 0.9 0 0 0 0 1", "FixedParameters: 0 0 0"),
            "the versor of Similarity3DTransform must be at most 1 long, got 1.27279",
        ),
        (TRANSLATION * 200, "a damaged ITK transform file"),
    ],
)
def test_itk_texts_that_are_not_read_are_refused(tmp_path, lines, message):
    assert message in refused(text(tmp_path / "t.tfm", *lines))


def test_transforms_of_itk_that_are_not_linear_are_refused(tmp_path):
    spline = sitk.BSplineTransformInitializer(sitk.Image(8, 8, 8, sitk.sitkFloat32), [2, 2, 2])
    field = sitk.DisplacementFieldTransform(sitk.Image([60, 60, 60], sitk.sitkVectorFloat64))
    small = sitk.DisplacementFieldTransform(sitk.Image([2, 2, 2], sitk.sitkVectorFloat64))
    for transform, name, message in [
        (spline, "s.tfm", "got BSplineTransform"),
        (spline, "s.h5", "got BSplineTransform"),
        (small, "d.h5", "got DisplacementFieldTransform"),
        (field, "d.h5", "displacement fields and B-splines are not read"),
        (sitk.CompositeTransform([euler(), spline]), "c.h5", "got BSplineTransform"),
        (sitk.Euler2DTransform(), "2.h5", "must be of 3 dimensions"),
    ]:
        sitk.WriteTransform(transform, str(tmp_path / name))
        assert message in refused(tmp_path / name)


def huge(group):
    del group["TransformParameters"]
    group.create_dataset("TransformParameters", (10**9,), "f8", chunks=(4,))


def elsewhere(group):
    del group["TransformParameters"]
    group["TransformParameters"] = h5py.ExternalLink("elsewhere.h5", "/x")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (huge, "TransformParameters must be one row of at most 16 values"),
        (elsewhere, "without TransformParameters"),
        (lambda group: group.pop("TransformParameters"), "must have 6 parameters and 3 or 4 fixed ones, got 0 and 4"),
        (lambda group: group.pop("TransformType"), "without TransformType"),
        (lambda group: group.parent.move("0", "1"), "a damaged ITK transform file, with 1 transforms"),
        (lambda group: group.file.pop("TransformGroup"), "holds no transform"),
    ],
)
def test_hostile_itk_hdf5_is_refused(tmp_path, action, message):
    path = tmp_path / "t.h5"
    sitk.WriteTransform(euler(), str(path))
    with h5py.File(path, "r+") as file:
        action(file["TransformGroup/0"])
    assert message in refused(path)


def test_a_text_of_sixteen_numbers_is_taken_as_it_stands(tmp_path):
    path = tmp_path / "matrix.txt"
    path.write_text("# activity to CT, LPS mm\n\n 0 -1 0 10\n1 0 0 20 # second\n0 0 1 30\n0 0 0 1\n")
    found = read(path, None, None)
    np.testing.assert_array_equal(found.matrix, np.round(SHIFT, 12))
    assert (found.kind, found.source, found.warnings) == ("rigid", "4 x 4 matrix matrix.txt", ())
    np.savetxt(path, turned(33.0, (1.0, 2.0, 3.0)), fmt="%.4f")
    found = read(path)
    assert found.kind == "rigid"
    assert "the nearest rotation is taken" in found.warnings[0]
    np.savetxt(path, sheared())
    np.testing.assert_array_equal(read(path).matrix, sheared())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "a matrix must be four rows of four numbers, got rows of 4, 4, 4"),
        ("", "got rows of none"),
        (" ".join("1" * 16), "got rows of 16"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 zero\n0 0 0 1", "nor four rows of four numbers"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 inf\n0 0 0 1", "must be finite"),
        ("-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "the matrix mirrors"),
        ("1" * 70_000, "70000 bytes are no matrix"),
    ],
)
def test_texts_that_are_no_matrix_are_refused(tmp_path, content, message):
    path = tmp_path / "matrix.txt"
    path.write_text(content)
    assert message in refused(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "flirt.mat"
    np.savetxt(path, np.eye(4))
    assert "those of FLIRT are in coordinates of their own" in refused(path)
    path = tmp_path / "image.bin"
    path.write_bytes(bytes(range(256)))
    assert "is no registration that is read: not DICOM or ITK" in refused(path)
