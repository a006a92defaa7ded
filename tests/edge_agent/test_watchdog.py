"""systemd hears that a service works, from the loop that does the work and from nowhere else."""

from __future__ import annotations

import os
import socket

import pytest
from camera_stand_ins import HandClock

from edge_agent.watchdog import Watchdog


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("" if request.param == "abstract" else str(tmp_path / "notify"))
        ear.setblocking(False)
        yield Ear(ear)


class Ear:
    def __init__(self, ear):
        self.ear = ear
        name = ear.getsockname()
        self.address = name if isinstance(name, str) else "@" + name[1:].decode()

    def heard(self):
        words = []
        while True:
            try:
                words.append(self.ear.recv(99).decode())
            except BlockingIOError:
                return words


def watchdog(systemd, **more):
    return Watchdog.of({"NOTIFY_SOCKET": systemd.address, **more}, os.getpid())


def test_it_says_that_a_service_is_ready_works_and_ends(systemd):
    dog = watchdog(systemd, WATCHDOG_USEC="8000000")
    dog.ready()
    dog.beat(100.0)
    dog.stopping()
    assert systemd.heard() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_it_speaks_four_times_in_what_systemd_allows_however_fast_the_loop(systemd):
    dog = watchdog(systemd, WATCHDOG_USEC="8000000")
    for frame in range(100):
        dog.beat(100 + frame * 0.2)
    assert len(systemd.heard()) == 10


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}])
def test_without_a_time_allowed_only_the_start_and_the_end_are_told(systemd, more):
    dog = watchdog(systemd, **more)
    dog.ready()
    dog.beat(100.0)
    assert systemd.heard() == ["READY=1"]


def test_a_time_that_is_allowed_to_another_process_is_not_ours(systemd):
    for pid, heard in ((os.getpid(), ["WATCHDOG=1"]), (os.getppid(), [])):
        watchdog(systemd, WATCHDOG_USEC="8000000", WATCHDOG_PID=str(pid)).beat(0.0)
        assert systemd.heard() == heard


def test_who_waits_for_a_camera_says_meanwhile_that_it_works(systemd):
    clock, waits = HandClock(), []

    def wait(seconds):
        waits.append(seconds)
        clock.pass_by(seconds)

    watchdog(systemd, WATCHDOG_USEC="16000000").through(wait, clock.monotonic)(30.0)
    assert sum(waits) == pytest.approx(30)
    assert max(waits) <= 4
    assert len(systemd.heard()) == 8


def test_who_is_told_to_stop_waits_no_longer():
    waits = []
    pause = Watchdog(None, 8.0).through(lambda s: waits.append(s) or True, HandClock().monotonic)
    pause(30.0)
    assert waits == [2.0]


def test_without_systemd_a_wait_is_one_wait():
    clock, waits = HandClock(), []

    def wait(seconds):
        waits.append(seconds)
        clock.pass_by(seconds)

    Watchdog.of({}, 1).through(wait, clock.monotonic)(30.0)
    assert waits == [30.0]


def test_systemd_that_does_not_listen_holds_nobody_up(tmp_path):
    Watchdog(None, None).ready()
    gone = Watchdog(str(tmp_path / "gone"), 1.0)
    gone.ready()
    gone.beat(1.0)


def test_systemd_that_is_slow_to_listen_holds_nobody_up(systemd):
    dog = watchdog(systemd, WATCHDOG_USEC="4")
    for now in range(1000):  # more than its queue holds
        dog.beat(float(now))
    assert systemd.heard()
