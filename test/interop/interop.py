"""What the conversations with other programs share: the programs, their output,
and the way from one to the other: straight, or through ipc-channel relay.

The script that imports this is called with INTEROP_PEER COMPANION [MORE...].
Windows programs run through MESON_EXE_WRAPPER where there is one. Output goes to
files: under Wine a program can't open a Unix pipe as its output.
"""

import atexit
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import tap  # noqa: E402

PEER, COMPANION, *MORE = map(os.path.abspath, sys.argv[1:])
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
IS_WINDOWS = PEER.endswith(".exe")
DEPS = os.environ.get("IPC_CHANNEL_DEPS") or os.path.join(
    HERE, "..", "..", "build", "deps")

# Only so that a hanging test fails.
PATIENCE = 60

# In /tmp, since a socket's path has to be short.
WORK = tempfile.mkdtemp(prefix="ipci-", dir=None if os.name == "nt" else "/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
atexit.register(shutil.rmtree, WORK, True)

TESTS = {}
counter = 0


def fresh():
    """The system's name of an endpoint that nobody has."""
    global counter
    counter += 1
    if IS_WINDOWS:
        return rf"\\.\pipe\ipc-interop-{os.getpid()}-{counter}"
    return os.path.join(WORK, f"s{counter}")


def needs(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f"{program} isn't installed: ./dev peers")


class Program:
    """One that runs; `out` and `err` are what it has printed so far."""

    def __init__(self, *command, stdin=subprocess.DEVNULL, **more):
        global counter
        counter += 1
        self.command = command
        self.paths = [os.path.join(WORK, f"{kind}{counter}") for kind in ("out", "err")]
        with open(self.paths[0], "wb") as out, open(self.paths[1], "wb") as err:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=out, stderr=err, **more)

    def bytes_of(self, number):
        with open(self.paths[number], "rb") as file:
            return file.read()

    out = property(lambda self: self.bytes_of(0).decode("utf-8", "replace"))
    err = property(lambda self: self.bytes_of(1).decode("utf-8", "replace"))

    def story(self):
        name = " ".join(self.command)[:200]
        return f"{name}: {self.out[-1000:]} / {self.err[-1000:]}"

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.out and text not in self.err:
            assert self.process.poll() is None, f"gone without {text!r}: {self.story()}"
            assert time.monotonic() < deadline, f"no {text!r}: {self.story()}"
            time.sleep(0.01)
        return self

    def fine(self):
        """Ends well; returns its output."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"goes on: {self.story()}") from None
        assert status == 0, f"{status}: {self.story()}"
        return self.out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def peer(role, framing, where, *steps):
    """This library's end; see interop_peer.c."""
    program = Program(*WRAPPER, PEER, role, framing, where, *steps)
    return program.wait_for("listening") if role == "serve" else program


class Way:
    """From a client to a server, which listens already."""

    def __init__(self, is_relayed):
        self.is_relayed = is_relayed

    @contextlib.contextmanager
    def to(self, server):
        """The endpoint that the client is to connect to."""
        if not self.is_relayed:
            yield server
            return
        front = fresh()
        with Program(*WRAPPER, COMPANION, "relay", front, server) as relay:
            relay.wait_for("READY")
            yield front
            assert relay.process.poll() is None, relay.story()
            assert "ipc-channel: " not in relay.err, relay.story()


def conversation(talk):
    """A test that is two: straight, and through the relay."""
    name = talk.__name__
    TESTS[f"test_{name}"] = lambda: talk(Way(False))
    TESTS[f"test_{name}_through_a_relay"] = lambda: talk(Way(True))
    return talk


def test(function):
    TESTS[function.__name__] = function
    return function


def run():
    sys.exit(tap.run(TESTS))
