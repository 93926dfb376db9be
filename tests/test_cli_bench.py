"""`mcdose bench` runs, and its figures go together."""

import json

import pytest

from mcdose.bench import EnergyMeter
from mcdose.cli import main
from mcdose.devices import devices


def test_bench_as_json(capsys):
    assert main(["bench", "--quick", "--json", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    (row,) = json.loads(captured.out)["devices"]
    assert row["device"] == "cpu"
    assert row["first_call_seconds"] > 0.0
    for run in row["runs"].values():
        assert run["range"][0] <= run["histories_per_second"] <= run["range"][1]
        assert run["flights_per_second"] == pytest.approx(run["histories_per_second"] * run["flights_per_history"])
        assert run["ns_per_flight"] * run["flights_per_second"] == pytest.approx(1e9)
        assert 10.0 < run["flights_per_history"] < 20.0
        assert run["joules_per_million_histories"] is None  # the CPU's is not read
    for run in row["convolution"].values():
        assert 0.0 < run["seconds"] < 60.0
    tumours = row["demo_tumours_1_percent"]
    assert tumours["histories"] > 1e7
    assert (tumours["reached"] is None) == (not tumours["measured"])


def test_bench_in_words(capsys):
    assert main(["bench", "--quick", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    for word in ("histories/s", "ns/flight", "demo phantom", "first call", "1 % in the voxels", "convolution, water"):
        assert word in captured.out
    assert "measuring cpu" in captured.err


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_bench_of_a_device_that_is_not_there(capsys, device):
    assert main(["bench", "--quick", "--device", device]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert repr(device) in captured.err


def test_energy_is_told_of_gpus_only():
    assert EnergyMeter(devices()[0]).joules() is None
