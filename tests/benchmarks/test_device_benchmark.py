"""The benchmark of a device runs without one, and keeps to its time."""

import importlib
import signal
import time

import pytest
import torch

SECTIONS = ("structures", "profile", "pairs", "generations", "trials", "training", "laws")


@pytest.fixture
def device():
    return importlib.import_module("device")


@pytest.fixture
def bench(device):
    return device.Bench(torch.device("cpu"), quick=True, laws=False, until=time.time() + 1000)


@pytest.mark.parametrize("section", ["structures", "profile", "pairs", "generations"])
def test_a_section_prints_what_its_header_says(device, bench, section):
    measured, _, header = device.SECTIONS[section]
    rows = list(measured(bench))
    assert rows
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_ends_when_its_time_is_up(device, bench, section):
    bench.until = time.time() - 1
    assert tuple(device.SECTIONS) == SECTIONS
    if section != "profile":  # of which a part says little
        assert not list(device.SECTIONS[section][0](bench))


@pytest.fixture
def alarm(device):
    before = signal.signal(signal.SIGALRM, device._time_is_up)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers of processes are those of POSIX")
@pytest.mark.usefixtures("alarm")
def test_a_slow_row_ends_when_the_time_of_its_section_is_up(device, bench, monkeypatch, capsys):
    def slow(bench):
        yield ("first",)
        while True:
            time.sleep(0.01)

    monkeypatch.setitem(device.SECTIONS, "pairs", (slow, 1.0, ("row",)))
    bench.until = time.time() + 0.2
    device.show("pairs", bench)
    shown = capsys.readouterr().out
    assert "| first |" in shown
    assert "(time was up)" in shown


def test_an_error_is_printed_and_ends_its_section_only(device, bench, monkeypatch, capsys):
    def broken(bench):
        yield ("first",)
        raise RuntimeError("no such kernel")

    monkeypatch.setitem(device.SECTIONS, "pairs", (broken, 1.0, ("row",)))
    device.show("pairs", bench)
    assert "RuntimeError: no such kernel" in capsys.readouterr().out


def test_more_structures_than_are_distinct_differ_in_their_starts(monkeypatch):
    structures = importlib.import_module("_structures")
    monkeypatch.setattr(structures, "_DISTINCT", 20)
    found = structures.structures_of(structures.problem_of(50), 30)
    assert len(found) == 30
    assert found[25].key == found[5].key
    assert structures.bytes_per_step(found[:1], 50) > 0
