"""What the tests of ipc-channel have in common: running it as people do, in
processes, with files, pipes and terminals.

The program is the first argument. Windows programs run through
MESON_EXE_WRAPPER where there is one. Their output goes to files: under Wine a
program can't open a Unix pipe as its output.
"""

import atexit
import contextlib
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
IS_WINDOWS = PROGRAM.endswith(".exe")

# Only so that a hanging test fails.
PATIENCE = 60

(FINE, FAILED, USAGE, ABSENT, REFUSED, BUSY, DENIED, TIMED_OUT, BAD_FRAME,
 ERROR_REPLY) = range(10)

# In /tmp, since a socket's path has to be short.
WORK = tempfile.mkdtemp(prefix="ipct-", dir=None if os.name == "nt" else "/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
atexit.register(shutil.rmtree, WORK, True)

counter = 0


def fresh():
    global counter
    counter += 1
    return f"ipc-companion-{os.getpid()}-{counter}"


def work_file(content=b""):
    path = os.path.join(WORK, fresh())
    with open(path, "wb") as file:
        file.write(content)
    return path


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def only_posix(test):
    def run_test():
        if IS_WINDOWS:
            raise unittest.SkipTest("needs POSIX sockets, signals or terminals")
        test()
    return run_test


class Program:
    """A running program. `stdin` is bytes, which it gets as a file, or anything
    that Popen takes."""

    def __init__(self, program, *args, stdin=b"", **more):
        self.out_path, self.err_path = work_file(), work_file()
        with contextlib.ExitStack() as files:
            if isinstance(stdin, bytes):
                stdin = files.enter_context(open(work_file(stdin), "rb"))
            for name, path in ("stdout", self.out_path), ("stderr", self.err_path):
                if more.get(name) is None:
                    more[name] = files.enter_context(open(path, "wb"))
            self.process = subprocess.Popen(WRAPPER + [program, *args],
                                            stdin=stdin, **more)
        self.stdin = self.process.stdin

    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read()

    def err(self):
        with open(self.err_path, encoding="utf-8") as file:
            return file.read()

    def is_gone(self):
        return self.process.poll() is not None

    def ready(self, word="READY"):
        def has_said():
            assert not self.is_gone(), (self.process.returncode, self.err())
            return word in self.err() or word.encode() in self.out()
        wait_until(has_said, word)
        return self

    def prints(self, text):
        wait_until(lambda: text in self.out() or self.is_gone(), text)
        assert text in self.out(), (self.out()[-200:], self.err())

    def wait(self):
        return self.process.wait(PATIENCE)

    def says(self, status, *words):
        """Ends with this status and one line with these words."""
        assert self.wait() == status, (self.process.returncode, self.err())
        lines = [x for x in self.err().splitlines() if not x.startswith("READY")]
        assert len(lines) == 1, self.err()
        assert lines[0].startswith("ipc-channel: "), lines
        for word in words:
            assert word in lines[0], (word, lines)

    def fine(self):
        assert self.wait() == FINE, (self.process.returncode, self.err())
        return self.out()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.is_gone():
            self.process.kill()
        self.process.wait()
        if self.stdin is not None:
            with contextlib.suppress(OSError):
                self.stdin.close()


class Tool(Program):
    """A running ipc-channel."""

    def __init__(self, *args, **more):
        super().__init__(PROGRAM, *args, **more)


def run(*args, **more):
    with Tool(*args, **more) as tool:
        tool.wait()
        return tool


NO_PACKETS = "this system keeps no packets apart"


@functools.cache
def has_packets():
    """Whether the system does, and this build knows how: nobody is there."""
    program = run("connect", fresh(), "--frame=packet")
    status = program.wait()
    assert status == ABSENT or NO_PACKETS in program.err(), (status, program.err())
    return status == ABSENT


def state(name):
    return json.loads(run("info", name, "--json").fine())["state"]


def text(lines=3000):
    """Lines of many lengths, empty ones among them."""
    return b"".join(b"%d " % i + b"x" * (i * 7 % 900) + b"\n\n" for i in range(lines))
