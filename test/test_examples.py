#!/usr/bin/env python3
"""Runs each example for real and holds the README to them.

usage: test_examples.py SOURCE_ROOT PROGRAM...

Windows programs run through MESON_EXE_WRAPPER where there is one. Their output
goes to files: under Wine a program can't open a Unix pipe as its output.
"""

import atexit
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402

ROOT = sys.argv[1]
PROGRAMS = {os.path.basename(p).split(".")[0]: p for p in sys.argv[2:]}
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
IS_WINDOWS = PROGRAMS["echo_server"].endswith(".exe")

# Only so that a hanging test fails.
PATIENCE = 60

# In /tmp, since a socket's path has to be short.
WORK = tempfile.mkdtemp(prefix="ipcx-", dir=None if os.name == "nt" else "/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
atexit.register(shutil.rmtree, WORK, True)


class Program:
    """An example that runs. What it prints, errors too, is in a file."""

    count = 0

    def __init__(self, name, *args):
        Program.count += 1
        self.path = os.path.join(WORK, f"out{Program.count}")
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                WRAPPER + [PROGRAMS[name], *args],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def output(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def is_gone(self):
        return self.process.poll() is not None

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.output():
            assert not self.is_gone(), f"gone without {text!r}: {self.output()}"
            assert time.monotonic() < deadline, f"no {text!r}: {self.output()}"
            time.sleep(0.02)

    def wait(self):
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.is_gone():
            self.process.kill()
        self.process.wait()


def name_of(what):
    """A name that nobody else has, for Windows has one folder for all."""
    return f"ipc-example-{what}-{os.getpid()}"


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def examples():
    return [n for n in os.listdir(os.path.join(ROOT, "examples")) if n.endswith(".c")]


def statements(source):
    """Lines that end a statement, without declarations and what only says that
    a parameter isn't used."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    lines = [line for line in source.splitlines() if re.match(r"\s.*;$", line)]
    no_effect = re.compile(r"\s+(\(void\) |(?!return\b)\w+\*? \w+(\[\w+\])?;$)")
    return sum(1 for line in lines if not no_effect.match(line))


def echo_file(file, *mode):
    name = name_of("-".join(("file",) + mode))
    copy = os.path.join(WORK, "copy")
    with Program("echo_server", name, *mode) as server:
        server.wait_for("listening on ")
        with Program("demo_client", name, file, copy, *mode) as client:
            assert client.wait() == 0, client.output()
            said = client.output()
        assert not server.is_gone()
    with open(file, "rb") as sent, open(copy, "rb") as received:
        assert sent.read() == received.read()
    return said


def big_file():
    """More than a queue and the system's buffers hold, empty lines included."""
    path = os.path.join(WORK, "big")
    with open(path, "w", encoding="ascii", newline="\n") as file:
        for number in range(30000):
            file.write(f"{number} " + "x" * (number % 200) + "\n\n")
    return path


def test_lines_come_back_as_messages():
    said = echo_file(os.path.join(ROOT, "LICENSE"))
    sent = [line[2:] for line in said.splitlines() if line.startswith("> ")]
    back = [line[2:] for line in said.splitlines() if line.startswith("< ")]
    assert sent == back == read("LICENSE").splitlines()


def test_bytes_come_back():
    echo_file(os.path.join(ROOT, "LICENSE"), "raw")


def test_many_messages_come_back():
    echo_file(big_file())


def test_many_bytes_come_back():
    echo_file(big_file(), "raw")


def test_echo_client():
    name = name_of("echo")
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        with Program("echo_client", name, "one", "", "three words here") as client:
            assert client.wait() == 0, client.output()
            assert client.output().splitlines() == ["one", "", "three words here"]
        with Program("echo_client", name) as client:
            assert client.wait() == 0, client.output()
            assert client.output() == ""


def test_echo_client_without_a_server():
    with Program("echo_client", name_of("nobody"), "one") as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_echo_server_whose_name_is_taken():
    name = name_of("taken")
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        # Wine lets a second server make a "first" instance.
        if not (IS_WINDOWS and WRAPPER):
            with Program("echo_server", name) as second:
                assert second.wait() == 1
                assert "address already in use" in second.output()


def test_chat_of_three():
    name = name_of("chat")
    with Program("chat_server", name) as server:
        server.wait_for("listening")
        with Program("talk", name, "cy has gone", "ann") as ann:
            # Nobody tells ann that she is in; others that come do.
            while "eve has come" not in ann.output():
                with Program("echo_client", name, "eve") as eve:
                    assert eve.wait() == 0, eve.output()
            with Program("talk", name, "cy has gone", "bob", "good morning") as bob:
                ann.wait_for("bob: good morning")
                with Program("echo_client", name, "cy", "hello", "bye") as cy:
                    assert cy.wait() == 0, cy.output()
                assert bob.wait() == 0, bob.output()
            assert ann.wait() == 0, ann.output()
            heard = [line for line in ann.output().splitlines() if "eve" not in line]
            of_cy = ["cy has come", "cy: hello", "cy: bye", "cy has gone"]
            assert [line for line in heard if "cy" in line] == of_cy
            assert heard[:2] == ["bob has come", "bob: good morning"]
            assert [x for x in bob.output().splitlines() if "eve" not in x] == of_cy
        if not IS_WINDOWS:
            server.process.send_signal(signal.SIGINT)
            assert server.wait() == 0
            assert not os.path.exists(os.path.join(WORK, name + ".sock"))


def test_sources_are_short_and_portable():
    assert len(examples()) >= 3
    for name in examples():
        source = read("examples", name)
        assert len(source.splitlines()) < 80, name
        assert not re.search(r"^\s*#\s*if", source, re.MULTILINE), name
        included = re.findall(r"#include (\S+)", source)
        assert set(included) <= {"<ipc_channel.h>", "<stdio.h>", "<string.h>"}, name


def test_an_echo_server_is_15_statements_and_a_client_12():
    assert 5 < statements(read("examples", "echo_server.c")) <= 15
    assert 5 < statements(read("examples", "echo_client.c")) <= 12


def test_the_code_of_the_readme_is_the_examples():
    blocks = re.findall(r"^```c\n(.*?)^```", read("README.md"), re.DOTALL | re.MULTILINE)
    sources = [read("examples", name) for name in examples()]
    assert blocks
    for block in blocks:
        assert any(block in source for source in sources), block


def test_the_rules_of_the_readme_are_the_header_s():
    def words(text):
        return " ".join(re.sub(r"[*`]", "", text).split())
    header = read("include", "ipc_channel.h")
    rules = header[header.index("  1. "):header.index(" * Conventions")]
    assert words(rules).strip() in words(read("README.md"))


sys.exit(tap.run(dict(globals())))
