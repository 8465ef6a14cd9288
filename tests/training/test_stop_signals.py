import multiprocessing
import os
import signal
import threading

import pytest

from tradeoffs.training.stop_signals import StopSignals


@pytest.fixture
def signals():
    signals = StopSignals()
    yield signals
    signals.forget()


def test_the_first_is_noted_and_the_second_acts(signals, capfd):
    signals.listen()
    os.kill(os.getpid(), signal.SIGINT)
    assert signals.received == signal.SIGINT
    assert "once more stops at once" in capfd.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_forked_worker_takes_no_notice_of_ctrl_c(signals, capfd):
    def worker() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise SystemExit(0 if signals.received is None else 1)

    signals.listen()
    process = multiprocessing.get_context("fork").Process(target=worker)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert capfd.readouterr().err == ""


def test_a_job_of_a_queue_goes_there_again_after_its_checkpoint(signals):
    answers = []
    former = [signal.signal(signal.SIGUSR2, lambda number, _: answers.append(number)), signal.getsignal(signal.SIGTERM)]
    signals.listen()
    os.kill(os.getpid(), signal.SIGTERM)  # its end is near
    assert (signals.wants_checkpoint, signals.received) == (True, None)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert (signals.received, answers) == (signal.SIGUSR2, [])
    signals.requeue()
    assert answers == [signal.SIGUSR2]
    os.kill(os.getpid(), signal.SIGTERM)  # as SLURM does then
    for number, handler in zip((signal.SIGUSR2, signal.SIGTERM), former, strict=True):
        signal.signal(number, handler)


def test_other_threads_do_not_listen(signals):
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=signals.listen)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
