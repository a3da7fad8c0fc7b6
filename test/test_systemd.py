#!/usr/bin/env python3
"""Socket activation by the real thing: systemd-socket-activate starts the
example when its first client comes.

usage: test_systemd.py ACTIVATED ECHO_CLIENT
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402

ACTIVATED, ECHO_CLIENT = sys.argv[1:]
SUPERVISOR = shutil.which("systemd-socket-activate")

# Only so that a hanging test fails.
PATIENCE = 60

# Short, since a socket's path is.
WORK = tempfile.mkdtemp(prefix="ipcs-", dir="/tmp")
atexit.register(shutil.rmtree, WORK, True)

# It passes no variable on that it isn't told to.
PASSED = [name for name in os.environ if name.endswith("SAN_OPTIONS")]


class Supervisor:
    """systemd-socket-activate, which listens on these sockets."""

    def __init__(self, sockets, options=(), names=()):
        if SUPERVISOR is None:
            raise unittest.SkipTest("no systemd-socket-activate")
        self.paths = [os.path.join(WORK, socket) for socket in sockets]
        command = [SUPERVISOR, *options]
        for path in self.paths:
            command += ["-l", path]
        for name in PASSED:
            command += ["-E", name]
        self.log = tempfile.TemporaryFile(dir=WORK)
        self.process = subprocess.Popen(
            command + [ACTIVATED, *names], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE
        while not all(os.path.exists(path) for path in self.paths):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def program(self):
        """What the process is by now: the supervisor becomes the program."""
        return os.path.basename(os.readlink(f"/proc/{self.process.pid}/exe"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        for path in self.paths:
            os.unlink(path)  # which nobody else has done


def say(path, *messages):
    """What comes back for them."""
    client = subprocess.run(
        [ECHO_CLIENT, path, *messages], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    said = client.stdout.decode()
    assert client.returncode == 0, said
    return said.splitlines()


def test_one_socket():
    with Supervisor(["one"]) as supervisor:
        path, = supervisor.paths
        assert supervisor.program() != "activated"
        for _ in range(3):
            assert say(path, "hello", "", "again") == ["hello", "", "again"]
        assert supervisor.program() == "activated", supervisor.said()


def test_two_sockets():
    with Supervisor(["one", "two"]) as supervisor:
        for path in reversed(supervisor.paths):
            assert say(path, "hello") == ["hello"]


def test_two_sockets_with_names():
    options = ["--fdname=control:data"]
    with Supervisor(["c", "d"], options, ["data", "control"]) as supervisor:
        control, data = supervisor.paths
        assert say(control, " 1") == ["control 1"]
        assert say(data, " 2", " 3") == ["data 2", "data 3"]
        assert say(control, " 4") == ["control 4"]


def test_a_name_that_was_not_passed():
    with Supervisor(["x"], ["--fdname=x"], ["y"]) as supervisor:
        client = subprocess.Popen(
            [ECHO_CLIENT, supervisor.paths[0], "hello"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        assert supervisor.process.wait(PATIENCE) == 1
        assert "no such file" in supervisor.said()
        client.wait(PATIENCE)


def test_a_connection_each():
    with Supervisor(["each"], ["--accept"]) as supervisor:
        path, = supervisor.paths
        for number in range(3):
            assert say(path, "hello", str(number)) == ["hello", str(number)]
        assert supervisor.program() != "activated"


sys.exit(tap.run(dict(globals())))
