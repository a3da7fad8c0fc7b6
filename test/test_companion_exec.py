#!/usr/bin/env python3
"""Tests of ipc-channel --exec: a command in the place of standard input and
output.

usage: test_companion_exec.py PROGRAM
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    ABSENT, IS_WINDOWS, PATIENCE, PROGRAM, WORK, Tool, fresh, only_posix, run, text,
    wait_until, work_file)


def command(posix, windows):
    return windows if IS_WINDOWS else posix


def ourselves(*args):
    """A command that runs this very program, with quotes around its path."""
    program = PROGRAM
    if IS_WINDOWS and os.name != "nt":
        program = "Z:" + PROGRAM.replace("/", "\\")
    return f'"{program}" {" ".join(args)}'


# ---- On both systems ---------------------------------------------------------


def test_a_client_is_answered_by_a_command():
    name = fresh()
    says_hello = command("echo hello; echo again", "echo hello&echo again")
    with Tool("listen", name, "--exec", says_hello).ready() as server:
        for _ in range(2):
            client = run("connect", name, stdin=b"")
            assert client.fine().split() == [b"hello", b"again"]
        assert server.out() == b"" and server.err().count("\n") == 1


def test_the_status_of_the_command():
    name = fresh()
    with Tool("listen", name, "--echo").ready():
        for status in 0, 1, 77:
            client = run("connect", name, "--exec", f"exit {status}")
            assert client.wait() == status and client.err() == ""
    run("connect", fresh(), "--exec", "exit 5").says(ABSENT, "absent")
    name = fresh()
    with Tool("listen", name, "--once", "--exec", "exit 9").ready() as server:
        assert run("connect", name).fine() == b""
        assert server.wait() == 9


def test_the_environment_of_the_command():
    name = fresh()
    shows = command('echo "$IPC_CHANNEL_NAME $IPC_CHANNEL_PEER_PID"',
                    "echo %IPC_CHANNEL_NAME% %IPC_CHANNEL_PEER_PID%")
    with Tool("listen", name, "--exec", shows).ready():
        with Tool("connect", name) as client:
            shown_name, pid = client.fine().split()
            assert shown_name == name.encode() and int(pid) > 0
            assert IS_WINDOWS or int(pid) == client.process.pid


def test_a_command_with_quotes():
    name = fresh()
    with Tool("listen", name, "--exec", 'echo "two  words"').ready():
        shown = command(b"two  words", b'"two  words"')
        assert run("connect", name).fine().strip() == shown


def test_a_command_between_two_names():
    behind, front, content = fresh(), fresh(), text(800)
    with Tool("listen", behind, "--echo").ready():
        passes_on = ourselves("connect", behind)
        with Tool("listen", front, "--exec", passes_on).ready() as server:
            with Tool("connect", front, stdin=content) as one:
                with Tool("connect", front, stdin=b"two\n" + content) as two:
                    assert one.fine() == content
                    assert two.fine() == b"two\n" + content
            assert not server.is_gone() and server.err().count("\n") == 1


def test_forms_for_a_command():
    behind, front = fresh(), fresh()
    with Tool("listen", behind, "--echo").ready() as echo:
        passes_on = ourselves("connect", behind)
        with Tool("listen", front, "--input=hex", "--output=hex",
                  "--exec", passes_on).ready():
            client = run("connect", front, "--input=quoted", "--output=quoted",
                         stdin=b'"a\\nb"\n""\n"\\377"\n')
            assert client.fine() == b'"a\\nb"\n""\n"\\377"\n'
        assert echo.out() == b"610a62\n\nff\n"


def test_a_client_that_leaves_ends_the_command():
    behind, front = fresh(), fresh()
    with Tool("listen", behind, "--output=json").ready() as far:
        passes_on = ourselves("connect", behind)
        with Tool("listen", front, "--once", "--exec", passes_on).ready() as server:
            with Tool("connect", front, stdin=subprocess.PIPE) as client:
                client.stdin.write(b"here\n")
                client.stdin.flush()
                far.prints(b"here")
                client.process.kill()
                client.wait()
            assert server.wait() != 0
            assert "left" in server.err()


def test_wrong_usage():
    run("listen", "a", "--exec", "true", "--echo").says(2, "--echo and --exec")
    run("listen", "a", "--exec=").says(2, "--exec takes a command")
    run("listen", "a", "--exec").says(2, "--exec takes a value")
    run("relay", "a", "b", "--exec", "true").says(2, "no such option")


def test_a_line_of_the_command_that_is_none():
    name = fresh()
    with Tool("listen", name, "--once", "--input=hex", "--exec", "echo zz").ready() as one:
        run("connect", name)
        one.says(1, "the command's output: line 1: ")


# ---- What takes a shell of POSIX ---------------------------------------------


@only_posix
def test_bytes_through_a_command():
    name, content = fresh(), random.Random(1).randbytes(8 << 20)
    with Tool("listen", name, "--frame=none", "--exec", "cat").ready():
        client = run("connect", name, "--frame=none", stdin=content)
        assert client.fine() == content
        file = work_file(content)
        client = run("connect", name, "--frame=none", "--exec",
                     f"cat {file} & head -c {len(content)} | cmp - {file} && wait")
        assert client.fine() == b""


@only_posix
def test_lines_through_a_command():
    for frame in "native", "length=u32be", "nul":
        name, content = fresh(), text()
        with Tool("listen", name, "--frame", frame, "--exec", "tr a-z A-Z").ready():
            client = run("connect", name, "--frame", frame, stdin=content)
            assert client.fine() == content.upper(), frame


@only_posix
def test_a_last_line_without_a_newline():
    name = fresh()
    with Tool("listen", name, "--exec", "printf 'a\\nb'").ready():
        assert run("connect", name).fine() == b"a\nb\n"


@only_posix
def test_a_command_that_does_not_read():
    name, content = fresh(), text()
    with Tool("listen", name, "--exec", "exec <&-; echo ready; echo done").ready():
        with Tool("connect", name, stdin=content) as client:
            client.wait()
            assert client.out() == b"ready\ndone\n"


@only_posix
def test_a_command_that_ends_its_output_first():
    name = fresh()
    path = work_file()
    with Tool("listen", name, "--once", "--exec",
              f"echo bye; exec >&-; cat > {path}; exit 3").ready() as server:
        with Tool("connect", name, stdin=subprocess.PIPE) as client:
            client.prints(b"bye\n")
            client.stdin.write(b"still heard\n")
            client.stdin.close()
            assert client.fine() == b"bye\n"
        assert server.wait() == 3
    with open(path, "rb") as file:
        assert file.read() == b"still heard\n"


@only_posix
def test_a_command_that_a_signal_ends():
    name = fresh()
    with Tool("listen", name, "--echo").ready():
        client = run("connect", name, "--exec", "kill -9 $$")
        assert client.wait() == 128 + signal.SIGKILL


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@only_posix
def test_a_command_that_ignores_the_end_is_told_to_leave():
    for trap in "", "trap '' TERM; ":
        name = fresh()
        ignores = trap + "echo $$ >&2; echo here; while :; do sleep 1; done"
        with Tool("listen", name, "--exec", ignores).ready() as server:
            with Tool("connect", name, stdin=subprocess.PIPE) as client:
                client.prints(b"here")
                pid = int(server.err().split()[-1])
                assert lives(pid)
                client.process.kill()
            wait_until(lambda: not lives(pid), "the end of the command")
            assert not server.is_gone()


@only_posix
def test_a_client_that_leaves_a_command_that_does_not_read():
    name = fresh()
    path = os.path.join(WORK, name)
    # Blocked by what it says, and with more to read than fits anywhere.
    blocked = "echo $$ >&2; exec cat /dev/zero"
    with Tool("listen", path, "--frame=none", "--exec", blocked).ready() as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.settimeout(0.5)
            try:
                while True:
                    client.send(bytes(1 << 16))
            except socket.timeout:
                pass
            wait_until(lambda: server.err().split()[-1].isdigit(), "its start")
            pid = int(server.err().split()[-1])
            assert lives(pid)
        wait_until(lambda: not lives(pid), "the end of the command")
        assert not server.is_gone() and "left" in server.err()


@only_posix
def test_a_server_that_ends_takes_its_commands_along():
    name = fresh()
    with Tool("listen", name, "--exec", "echo $$ >&2; echo here; cat").ready() as server:
        with Tool("connect", name, stdin=subprocess.PIPE) as client:
            client.prints(b"here")
            pid = int(server.err().split()[-1])
            server.process.terminate()
            assert server.wait() == 0
            assert not lives(pid)


@only_posix
def test_a_reader_that_is_slow_slows_the_command():
    name, total = fresh(), 64 << 20
    path = os.path.join(WORK, name)
    with Tool("listen", path, "--frame=none", "--once", "--exec",
              f"head -c {total} /dev/zero").ready() as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(path)
            got = len(client.recv(1))
            if os.path.exists(f"/proc/{server.process.pid}"):
                with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
                    peak = next(x for x in file if x.startswith("VmRSS"))
                assert int(peak.split()[1]) < 48 << 10
            assert not server.is_gone()
            while part := client.recv(1 << 20):
                got += len(part)
            assert got == total
        assert server.fine() == b""


@only_posix
def test_a_command_that_is_slow_slows_the_sender():
    name, content = fresh(), bytes(48 << 20)
    path, gate = os.path.join(WORK, name), os.path.join(WORK, fresh())
    os.mkfifo(gate)
    with Tool("listen", path, "--frame=none", "--once", "--exec",
              f"read x < {gate}; wc -c >&2").ready() as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.settimeout(0.5)
            sent = 0
            try:
                while sent < len(content):
                    sent += client.send(content[:1 << 16])
            except socket.timeout:
                pass
            assert 0 < sent < 16 << 20, "no back-pressure"
            with open(gate, "w", encoding="ascii") as file:
                file.write("go\n")
            client.settimeout(PATIENCE)
            client.sendall(content[sent:])
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        assert server.wait() == 0
        assert server.err().split()[-1] == str(len(content))


@only_posix
def test_many_clients_at_a_time():
    name, failures = fresh(), []
    with Tool("listen", name, "--exec", "sort").ready():
        def one(number):
            content = b"%d\nb\na\n" % number
            shown = run("connect", name, stdin=content).fine()
            if shown != b"".join(sorted(content.splitlines(True))):
                failures.append(shown)
        threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures


sys.exit(tap.run(dict(globals())))
