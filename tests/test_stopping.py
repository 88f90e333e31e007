"""When work ends: by time, by a flag, and what Ctrl-C means while workers are busy."""

import signal
import subprocess
import sys
import threading

import pytest

from sklearn_eql.stopping import NEVER, Deadline, flag_of_interruption, interruption_ignored, interruption_noted


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _pythons_own_handler():
    """Whatever the runner of the tests has set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_a_deadline_passes_with_its_time(clock):
    deadline = Deadline(clock.time() + 1000)
    assert deadline.passed is None
    clock.advance(2000)
    assert deadline.passed == "max_time"
    assert NEVER.passed is None


def test_a_deadline_passes_as_soon_as_there_is_the_flag(tmp_path):
    deadline = Deadline(at=0.0, flag=str(tmp_path / "stop"))
    assert deadline.passed == "max_time"
    (tmp_path / "stop").touch()
    assert deadline.passed == "interrupted"


def test_the_first_ctrl_c_raises_the_flag_and_the_second_an_exception():
    with flag_of_interruption() as flag:
        assert not flag.exists()
        press_ctrl_c()
        assert flag.exists()
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert not flag.exists()


def test_a_handler_of_the_users_goes_on_as_it_did():
    heard = []
    signal.signal(signal.SIGINT, lambda signum, frame: heard.append(signum))
    with flag_of_interruption() as flag:
        press_ctrl_c()
        assert not flag.exists()
    assert heard == [signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_handlers_are_left_alone_outside_the_main_thread():
    seen = []

    def work():
        with flag_of_interruption() as flag, interruption_ignored():
            seen.extend([flag.exists(), signal.getsignal(signal.SIGINT)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, signal.default_int_handler]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not hand signals down")
def test_processes_started_while_interruption_is_ignored_ignore_it_for_good():
    ask = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"]
    with interruption_ignored():
        press_ctrl_c()
        child = subprocess.run(ask, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "True"


def test_the_first_ctrl_c_is_noted_and_the_second_is_an_exception():
    noted = []
    with interruption_noted(lambda: noted.append("pressed")):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert noted == ["pressed"]
