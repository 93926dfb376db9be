"""Kernels in pieces: the same bits as one run, and a run that was stopped goes on."""

import numpy as np
import pytest

import mcdose
from mcdose import kernel_pieces
from mcdose.kernel_pieces import forget_pieces, point_kernel_in_pieces
from mcdose.point_kernel import BATCH, dose_point_kernel

EDGES = [0.0, 1.0, 3.0, 12.0]


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(kernel_pieces, "PIECE", 2 * BATCH)


def test_pieces_are_one_run(small_pieces, tmp_path):
    kernel, files = point_kernel_in_pieces("Y-90", shell_edges_mm=EDGES, histories=20_000, seed=3, folder=tmp_path)
    whole = dose_point_kernel("Y-90", shell_edges_mm=EDGES, histories=5 * BATCH, seed=3)
    assert kernel.histories == 5 * BATCH
    np.testing.assert_array_equal(kernel.energy_mev, whole.energy_mev)
    np.testing.assert_allclose(kernel.standard_error_mev, whole.standard_error_mev, rtol=1e-4)
    assert [path.name for path in files] == ["00000000-8192.h5", "00000002-12288.h5"]  # no batch is left alone
    np.testing.assert_allclose((kernel.deviations_mev**2).sum(axis=0), (whole.deviations_mev**2).sum(axis=0), rtol=3.0)
    forget_pieces(files)
    assert list(tmp_path.iterdir()) == []
    forget_pieces(files)


def test_a_stopped_run_goes_on(small_pieces, tmp_path):
    heard = []

    def stop(done, total):
        heard.append((done, total))
        return done < 3 * BATCH

    with pytest.raises(mcdose.Cancelled, match="pieces that are whole are kept"):
        point_kernel_in_pieces(1.0, histories=5 * BATCH, folder=tmp_path, progress=stop)
    (folder,) = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == [f"00000000-{2 * BATCH}.h5"]
    assert heard == [(k * BATCH, 5 * BATCH) for k in (0, 1, 2, 2, 3)]
    heard.clear()
    kernel, files = point_kernel_in_pieces(
        1.0, histories=5 * BATCH, folder=tmp_path, progress=lambda *at: heard.append(at)
    )
    assert {path.parent for path in files} == {folder}
    assert heard[0] == (2 * BATCH, 5 * BATCH)
    np.testing.assert_array_equal(kernel.energy_mev, dose_point_kernel(1.0, histories=5 * BATCH).energy_mev)


def test_other_questions_have_other_pieces(small_pieces, tmp_path):
    folders = set()
    for changes in ({}, {"seed": 1}, {"density_g_cm3": 2.0}, {"medium": "lung"}, {"shell_edges_mm": [0.0, 1.0]}):
        folders.add(point_kernel_in_pieces(1.0, histories=BATCH, folder=tmp_path, **changes)[1][0].parent)
    folders.add(point_kernel_in_pieces(1.1, histories=BATCH, folder=tmp_path)[1][0].parent)
    assert len(folders) == 6


def test_a_damaged_piece_is_made_again(small_pieces, tmp_path, caplog):
    kernel, files = point_kernel_in_pieces(1.0, histories=5 * BATCH, folder=tmp_path)
    files[0].write_bytes(files[0].read_bytes()[:500])
    again, _ = point_kernel_in_pieces(1.0, histories=5 * BATCH, folder=tmp_path)
    np.testing.assert_array_equal(again.energy_mev, kernel.energy_mev)
    assert "a piece is simulated again" in caplog.text


def test_a_folder_that_takes_no_files_is_no_reason_to_fail(small_pieces, tmp_path, caplog):
    (tmp_path / "file").touch()
    kernel, files = point_kernel_in_pieces(1.0, histories=5 * BATCH, folder=tmp_path / "file")
    assert kernel.histories == 5 * BATCH
    assert "cannot be kept" in caplog.text
    forget_pieces(files)
