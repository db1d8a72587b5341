"""What ends a command that runs until Ctrl-C, and what no longer does."""

import signal

import pytest

from setup.interruption import ignore_further_signals, signals_interrupt

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", ENDING)
def test_every_ending_signal_interrupts_as_ctrl_c_does(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        signal.raise_signal(number)


def test_nothing_interrupts_what_is_taken_down_and_all_is_as_before_then() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with signals_interrupt():
        ignore_further_signals()
        for number in ENDING:
            signal.raise_signal(number)
    assert [signal.getsignal(number) for number in ENDING] == before
