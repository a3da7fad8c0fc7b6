#!/usr/bin/env python3
"""Tests of ipc-channel: its command line, how it finds a server, and talks.

usage: test_companion.py PROGRAM
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    ABSENT, BAD_FRAME, BUSY, DENIED, IS_WINDOWS, PATIENCE, PROGRAM, REFUSED,
    TIMED_OUT, WORK, Tool, fresh, only_posix, run, state, text, work_file)


# ---- The command line --------------------------------------------------------


def test_help_and_version():
    overview = run("--help").fine()
    assert b"usage: ipc-channel COMMAND" in overview and overview.count(b"\n") <= 90
    for args in ["-h"], ["help"], ["help", "--help"]:
        assert run(*args).fine() == overview
    for command in "listen", "connect", "relay", "info", "wait", "call", "bench":
        own = run("help", command).fine()
        assert run(command, "x", "--help", "--wrong").fine() == own != overview
        assert run(command, "-h").fine() == own
    assert b"usage: ipc-channel relay" in run("relay", "--help").fine()
    for args in ["--version"], ["wait", "x", "--version"]:
        assert run(*args).fine().startswith(b"ipc-channel 0.")


def test_wrong_usage():
    wrong = [
        [], ["sing"], ["help", "sing"], ["listen"], ["connect"], ["relay", "a"], ["info"],
        ["wait", "--timeout", "5"], ["listen", "a", "b"], ["relay", "a", "b", "c"],
        ["listen", "a", "--loud"], ["listen", "a", "--wait"], ["connect", "a", "-x"],
        ["connect", "a", "--echo"], ["info", "a", "--frame", "none"],
        ["listen", "a", "--frame"], ["listen", "a", "--frame", "lines"],
        ["listen", "a", "--frame=lines"], ["listen", "a", "--echo=1"],
        ["connect", "a", "--timeout"], ["connect", "a", "--timeout", "0"],
        ["connect", "a", "--timeout", "-1"], ["connect", "a", "--timeout", "5s"],
        ["connect", "a", "--timeout", "99999999999999999999"],
        ["listen", "a", "--max-instances", "0"], ["listen", "a", "--", "--echo"],
    ]
    for args in wrong:
        tool = run(*args)
        tool.says(2, "--help")
        assert tool.out() == b"", args


def test_names_that_are_none():
    too_long = "n" * 300 if IS_WINDOWS else "/tmp/" + "n" * 200
    for name in ["", "a/b", ".hidden", "a:b", "a\tb", too_long]:
        for command in [["listen"], ["connect"], ["info", "--json"], ["wait"]]:
            run(*command, "--", name).says(2, name)
    run("relay", fresh(), "a*b").says(2, "a*b")


# ---- Finding the server ------------------------------------------------------


def test_absent():
    run("connect", fresh()).says(ABSENT, "absent")
    run("connect", fresh(), "--frame", "none").says(ABSENT, "absent")


def test_absent_until_the_timeout():
    began = time.monotonic()
    run("connect", fresh(), "--wait", "--timeout", "300").says(
        TIMED_OUT, "timed out after 300 ms", "nobody")
    run("wait", fresh(), "--timeout=300").says(
        TIMED_OUT, "timed out after 300 ms", "nobody")
    assert time.monotonic() - began >= 0.6


def test_wait_for_a_server_to_come():
    name = fresh()
    with Tool("connect", name, "--wait", "--timeout", "60000", stdin=b"hi\n") as client:
        with Tool("wait", "--timeout", "60000", name) as waiting:
            with Tool("listen", name, "--echo").ready():
                assert waiting.fine() == b""
                assert client.fine() == b"hi\n"


def test_busy():
    name = fresh()
    with Tool("listen", name, "--max-instances", "1", "--echo").ready() as server:
        with Tool("connect", name, stdin=subprocess.PIPE) as first:
            first.stdin.write(b"first\n")
            first.stdin.flush()
            server.prints(b"first")
            run("connect", name, "--timeout", "400").says(
                BUSY, "timed out after 400 ms", "busy")
            with Tool("connect", name, "--timeout", "60000", stdin=b"next\n") as later:
                first.stdin.close()
                assert first.fine() == b"first\n"
                assert later.fine() == b"next\n"


def runs_as(user):
    """Whether that user may run the program: not below a private home, say."""
    try:
        return subprocess.run([PROGRAM, "--version"], user=user, check=False,
                              stdout=subprocess.DEVNULL).returncode == 0
    except PermissionError:
        return False


def open_terminal():
    try:
        return os.openpty()
    except OSError as why:
        raise unittest.SkipTest(f"no terminals here: {why}") from why


@only_posix
def test_denied():
    name = os.path.join(WORK, fresh())
    if os.geteuid() == 0:
        # A server of somebody who is neither us nor the superuser.
        os.chmod(WORK, 0o711)
        folder = os.path.join(WORK, fresh())
        os.mkdir(folder)
        os.chown(folder, 65534, 65534)
        name = os.path.join(folder, "s")
        if not runs_as(65534):
            raise unittest.SkipTest("nobody else may run the program here")
        with Tool("listen", name, user=65534).ready():
            run("connect", name).says(DENIED, "denied")
    else:
        with Tool("listen", name).ready():
            os.chmod(name, 0)
            run("connect", name).says(DENIED, "denied")
            run("wait", name, "--timeout", "100").says(DENIED, "denied")


def test_bad_frame():
    name = fresh()
    with Tool("listen", name, "--frame", "none", stdin=b"HTTP/1.1 400\r\n" * 9).ready():
        run("connect", name).says(BAD_FRAME, "bad frame")


@only_posix
def test_refused():
    path = os.path.join(WORK, fresh())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with Tool("connect", path) as client:
            listener.accept()[0].close()
            client.says(REFUSED, "refused")


def test_no_hello():
    name = fresh()
    with Tool("listen", name, "--frame", "none", stdin=subprocess.PIPE).ready():
        run("connect", name, "--timeout", "300").says(TIMED_OUT, "hello")


@only_posix
def test_listen_where_it_can_not():
    name = fresh()
    with Tool("listen", name).ready():
        run("listen", name).says(1, "already")
    run("listen", "/nowhere/at/all").says(ABSENT, "directory")
    run("listen", work_file()).says(1, "not a socket")


# ---- info --------------------------------------------------------------------


def test_info():
    name = fresh()
    facts = json.loads(run("info", "--json", name).fine())
    assert facts["state"] == "absent" and facts["name"] == name
    assert facts["pid"] is None and facts["user"] is None
    assert facts["os_name_length"] == len(facts["os_name"]) <= facts["os_name_limit"]
    with Tool("listen", name).ready() as server:
        facts = json.loads(run("info", name, "--json").fine())
        assert facts["state"] == "live"
        assert facts["os_name"] in server.err()
        if not IS_WINDOWS:
            assert facts["pid"] == server.process.pid
            assert facts["user"] == str(os.getuid())
        plain = run("info", name).fine().decode()
        assert "live" in plain and facts["os_name"] in plain
        assert str(facts["os_name_limit"]) in plain


@only_posix
def test_stale_and_foreign():
    name = fresh()
    with Tool("listen", name).ready() as server:
        server.process.kill()
        server.wait()
        assert state(name) == "stale"
        run("wait", name, "--timeout", "100").says(TIMED_OUT, "died")
        run("connect", name).says(ABSENT, "absent")
    with Tool("listen", name).ready():
        assert state(name) == "live"
    assert state(work_file()) == "foreign"
    run("wait", work_file()).says(1, "not a socket")


@only_posix
def test_a_server_that_is_told_to_end_gives_its_name_back():
    for number in signal.SIGTERM, signal.SIGINT:
        name = fresh()
        with Tool("listen", name).ready() as server:
            with Tool("connect", name, stdin=subprocess.PIPE) as client:
                client.stdin.write(b"here\n")
                client.stdin.flush()
                server.prints(b"here")
                server.process.send_signal(number)
                server.fine()
                client.says(1, "left")
        assert state(name) == "absent"


# ---- Talking -----------------------------------------------------------------


def echo(content, *options):
    name = fresh()
    with Tool("listen", name, "--echo", *options).ready() as server:
        assert run("connect", name, *options, stdin=content).fine() == content
        assert not server.is_gone()
        assert server.out() == content


def test_lines_come_back():
    echo(text())


def test_bytes_come_back():
    echo(text(), "--frame", "none")


def test_every_byte_comes_back():
    echo(bytes(range(256)) * 1000, "--frame", "none")


def test_empty_lines_and_a_last_line_without_newline():
    name = fresh()
    with Tool("listen", "--echo", name).ready():
        for content in b"", b"\n", b"\n\n\n", b"a\r\n\0\n":
            assert run("connect", name, stdin=content).fine() == content
        assert run("connect", name, stdin=b"a\n\nlast").fine() == b"a\n\nlast\n"


def test_stdin_of_every_kind():
    name = fresh()
    with Tool("listen", name, "--echo").ready():
        client = run("connect", name, stdin=subprocess.DEVNULL)
        assert client.fine() == b""
        with Tool("connect", name, stdin=subprocess.PIPE) as client:
            for part in b"by ", b"and by\n", b"two\nthr", b"ee":
                client.stdin.write(part)
                client.stdin.flush()
            client.prints(b"by and by\n")
            client.stdin.close()
            assert client.fine() == b"by and by\ntwo\nthree\n"


@only_posix
def test_standard_descriptors_that_are_closed():
    name = fresh()
    with Tool("listen", name, "--once", stdin=b"hi\n").ready():
        with Tool("connect", name, preexec_fn=lambda: os.close(0)) as client:
            assert client.fine() == b"hi\n"
    with Tool("listen", name, "--once", stdin=b"hi\n").ready():
        with Tool("connect", name, preexec_fn=lambda: os.close(1)) as client:
            client.says(1, "standard output")
    with Tool("listen", name, "--once", stdin=b"hi\n").ready():
        with Tool("connect", name, preexec_fn=lambda: os.closerange(0, 3)) as client:
            assert client.wait() == 1


def once(*options):
    name, there, back = fresh(), text(400), text(700)
    with Tool("listen", name, "--once", *options, stdin=back).ready() as server:
        assert run("connect", name, *options, stdin=there).fine() == back
        assert server.fine() == there
    assert state(name) == "absent"


def test_once():
    once()


@only_posix
def test_once_in_bytes():
    once("--frame", "none")


def test_bytes_one_way():
    """On Windows an end of the input becomes an end by and by."""
    name, content = fresh(), random.Random(1).randbytes(3 << 20)
    with Tool("listen", name, "--once", "--frame=none", stdin=b"").ready() as server:
        run("connect", name, "--frame=none", stdin=content).fine()
        assert server.fine() == content


def test_lines_go_to_all_clients():
    name = fresh()
    with Tool("listen", name, stdin=subprocess.PIPE).ready() as server:
        # Nobody is there yet: this waits for the first.
        server.stdin.write(b"early\n")
        server.stdin.flush()
        with Tool("connect", name, stdin=b"one is here\n") as one:
            server.prints(b"one is here\n")
            one.prints(b"early\n")
            with Tool("connect", name, stdin=b"two is here\n") as two:
                server.prints(b"two is here\n")
                server.stdin.write(b"to all\n")
                server.stdin.flush()
                one.prints(b"to all\n")
                two.prints(b"to all\n")
                two.process.kill()
                two.wait()
            server.stdin.write(b"to one\n")
            server.stdin.close()
            assert one.fine() == b"early\nto all\nto one\n"
        assert run("connect", name, stdin=b"late\n").fine() == b""
        server.prints(b"late\n")
        assert not server.is_gone()


def test_a_line_that_is_too_long():
    name, limit = fresh(), 16 << 20
    with Tool("listen", name).ready() as server:
        content = b"before\n" + b"x" * limit + b"\n"
        run("connect", name, stdin=content).fine()
        server.prints(content)
        run("connect", name, stdin=b"then\n" + b"x" * (limit + 1)).says(1, str(limit))
        server.prints(content + b"then\n")


def test_the_server_dies_amid_a_transfer():
    for options in ["--frame=native"], ["--frame=none"]:
        name = fresh()
        with Tool("listen", name, *options).ready() as server:
            with Tool("connect", name, *options, stdin=subprocess.PIPE) as client:
                client.stdin.write(b"some\n")
                client.stdin.flush()
                server.prints(b"some\n")
                server.process.kill()
                server.wait()
                with contextlib.suppress(BrokenPipeError):
                    client.stdin.write(b"more\n" * 1000)
                    client.stdin.flush()
                client.says(1, "left")


def test_the_client_dies_amid_a_transfer():
    name = fresh()
    with Tool("listen", name, "--once", stdin=b"").ready() as server:
        with Tool("connect", name, stdin=subprocess.PIPE) as client:
            client.stdin.write(b"some\n")
            client.stdin.flush()
            server.prints(b"some\n")
            client.process.kill()
            client.wait()
        server.says(1, "left")


@only_posix
def test_a_reader_that_leaves():
    name = fresh()
    with Tool("listen", name, "--once", stdin=text()).ready():
        reader, writer = os.pipe()
        os.close(reader)
        client = run("connect", name, stdout=writer)
        os.close(writer)
        client.says(1, "standard output")


@only_posix
def test_a_slow_reader_of_our_output():
    name, content = fresh(), text(20000)
    with Tool("listen", name, "--once", stdin=content).ready() as server:
        reader, writer = os.pipe()
        with Tool("connect", name, stdout=writer) as client:
            os.close(writer)
            first = os.read(reader, 100)
            assert not server.is_gone()
            with open(reader, "rb") as file:
                assert first + file.read() == content
            client.fine()
        server.fine()


# ---- Terminals ---------------------------------------------------------------


def read_terminal(fd, until):
    seen, deadline = b"", time.monotonic() + PATIENCE
    while until not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(fd, 4096)
    return seen


@only_posix
def test_terminal():
    name = fresh()
    ours, theirs = open_terminal()
    with Tool("listen", name, "--echo").ready():
        with Tool("connect", name, stdin=theirs, stdout=theirs) as client:
            os.write(ours, b"typed\n")
            read_terminal(ours, b"typed\r\ntyped\r\n")
            os.write(ours, b"\4")
            client.fine()
            assert client.err() == ""
    os.close(ours)
    os.close(theirs)


@only_posix
def test_progress_on_a_terminal_only():
    name = fresh()
    ours, theirs = open_terminal()
    with Tool("listen", name, "--echo").ready():
        with Tool("connect", name, stdin=subprocess.PIPE, stderr=theirs) as client:
            seen = threading.Event()

            def feed():
                while not seen.is_set():
                    client.stdin.write(b"x" * 1000 + b"\n")
                    client.stdin.flush()
                    time.sleep(0.001)
                client.stdin.close()
            feeder = threading.Thread(target=feed)
            feeder.start()
            try:
                line = read_terminal(ours, b"/s")
                assert b"KiB" in line or b"MiB" in line, line
            finally:
                seen.set()
                feeder.join()
            client.fine()
        read_terminal(ours, b" " * 40 + b"\r")
    os.close(ours)
    os.close(theirs)


sys.exit(tap.run(dict(globals())))
