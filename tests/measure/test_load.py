"""The share of the processor that others take."""

import multiprocessing
import time

import pytest

from tradeoffs.measure.load import STAT, OtherLoad, doubt_about, reading, share_of_others


def test_share_is_what_others_worked_of_all_cores():
    # two cores for ten seconds: twelve seconds of work, five of them ours
    assert share_of_others((100.0, 50.0, 3.0), (110.0, 62.0, 8.0), cores=2) == pytest.approx(7 / 20)
    assert share_of_others((0.0, 0.0, 0.0), (10.0, 5.0, 6.0), cores=2) == 0  # clocks tick coarsely
    assert share_of_others(None, None, cores=2) is None


def spin(stop) -> None:
    while not stop.is_set():
        pass


@pytest.mark.skipif(not STAT.exists(), reason="only Linux says how busy it is")
def test_another_process_shows():
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    other = context.Process(target=spin, args=(stop,))
    other.start()
    try:
        time.sleep(1)  # until it spins
        with OtherLoad() as load:
            time.sleep(1)
    finally:
        stop.set()
        other.join()
    assert load.share > 0.02 and reading() is not None


def test_times_taken_beside_other_work_are_doubted():
    steady = {"1": {"disturbed": False}}
    assert doubt_about({}) is None
    assert doubt_about({"batches": steady, "other_load": 0.05}) is None
    assert "took 40% of the processor" in doubt_about({"batches": steady, "other_load": 0.4})
    assert "spread over more" in doubt_about({"batches": {"1": {"disturbed": True}}, "other_load": None})
