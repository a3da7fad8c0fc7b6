#!/usr/bin/env python3
"""Tests of ipc-channel relay: what passes, who leaves, and what it shows of it.

usage: test_companion_relay.py PROGRAM
"""

import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    IS_WINDOWS, PATIENCE, REFUSED, USAGE, WORK, Tool, fresh, only_posix, run, text,
    wait_until)


# ---- relay -------------------------------------------------------------------


class Relayed:
    """A relay between a client and a server of this test's own, as sockets."""

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.behind = os.path.join(WORK, fresh())
        self.front = os.path.join(WORK, fresh())
        self.listener.bind(self.behind)
        self.listener.listen()
        self.listener.settimeout(PATIENCE)
        self.tool = Tool("relay", self.front, self.behind).ready()
        self.sockets = [self.listener]
        return self

    def __exit__(self, *_):
        self.tool.__exit__()
        for one in self.sockets:
            one.close()

    def client(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(self.front)
        self.sockets.append(client)
        return client

    def accept(self):
        server = self.listener.accept()[0]
        server.settimeout(PATIENCE)
        self.sockets.append(server)
        return server

    def pair(self):
        client = self.client()
        return client, self.accept()


def drain(source):
    data = bytearray()
    while True:
        part = source.recv(1 << 16)
        if not part:
            return bytes(data)
        data += part


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(x.split()[1]) for x in file if x.startswith("VmRSS"))


def exchange(ends):
    """Sends random bytes from each end to its opposite at the same time."""
    sums, failures = {}, []

    def send(number, end):
        data = random.Random(number).randbytes(10 << 20)
        sums["sent", number] = hashlib.sha256(data).hexdigest()
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)

    def receive(number, end):
        sums["got", number] = hashlib.sha256(drain(end)).hexdigest()

    def guard(work, *args):
        try:
            work(*args)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guard, args=(work, number, end))
               for number, end in enumerate(ends) for work in (send, receive)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    for number in range(len(ends)):
        assert sums["sent", number] == sums["got", number ^ 1]


@only_posix
def test_relay_bytes_both_ways():
    with Relayed() as relayed:
        exchange(relayed.pair())


@only_posix
def test_relay_two_clients():
    with Relayed() as relayed:
        exchange(relayed.pair() + relayed.pair())


@only_posix
def test_relay_half_close():
    with Relayed() as relayed:
        client, server = relayed.pair()
        client.sendall(b"request")
        client.shutdown(socket.SHUT_WR)
        assert drain(server) == b"request"
        server.sendall(b"reply" * 100000)
        server.shutdown(socket.SHUT_WR)
        assert drain(client) == b"reply" * 100000
        # The other way round.
        client, server = relayed.pair()
        server.shutdown(socket.SHUT_WR)
        assert drain(client) == b""
        client.sendall(b"late")
        client.close()
        assert drain(server) == b"late"


@only_posix
def test_relay_a_server_that_answers_early():
    with Relayed() as relayed:
        client, server = relayed.pair()
        server.sendall(b"no" * 50000)
        server.close()
        assert drain(client) == b"no" * 50000
        # And one that leaves with our bytes unread.
        client, server = relayed.pair()
        client.sendall(b"x" * 1000)
        server.recv(1)
        server.sendall(b"enough")
        server.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                client.sendall(b"x" * 1000)
        assert client.recv(100) == b"enough"


@only_posix
def test_relay_a_client_that_leaves():
    with Relayed() as relayed:
        client, server = relayed.pair()
        client.close()
        try:
            while True:
                server.sendall(b"x" * 100000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client, server = relayed.pair()
        client.sendall(b"still serves")
        assert server.recv(100) == b"still serves"


@only_posix
def test_relay_slow_reader():
    with Relayed() as relayed:
        client, server = relayed.pair()
        pid = relayed.tool.process.pid
        before = resident_kib(pid) if os.path.exists(f"/proc/{pid}") else None
        # Fill it until it takes no more for a while.
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError, socket.timeout):
            while True:
                sent += client.send(b"y" * 65536)
                assert sent < 8 << 20, "no back-pressure"
        assert sent > 100000
        if before is not None:
            assert resident_kib(pid) - before < 8 << 10
        client.settimeout(PATIENCE)
        client.shutdown(socket.SHUT_WR)
        assert drain(server) == b"y" * sent


@only_posix
def test_relay_nobody_behind():
    front = os.path.join(WORK, fresh())
    with Tool("relay", front, fresh()).ready() as relay:
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(front)
                assert client.recv(1) == b""
        assert not relay.is_gone()
        assert relay.err().count("absent") == 2


def test_relay_to_itself():
    """Each of its connections would be one more client of it."""
    name = fresh()
    run("relay", name, name).says(USAGE, name, "lead to itself")
    if not IS_WINDOWS:
        path = os.path.join(WORK, name + ".sock")
        run("relay", path, name).says(USAGE, "to itself")


def test_relay_to_itself_by_another_spelling():
    """Each client is hung up on, rather than met again and again."""
    name = fresh()
    other = name.upper()  # to a pipe it is the same
    if not IS_WINDOWS:
        other = os.path.join(WORK, fresh())
        os.symlink(os.path.join(WORK, name + ".sock"), other)
    with Tool("relay", name, other, "--monitor").ready() as relay:
        for number in b"1", b"2":
            assert run("connect", name, "--frame=none").out() == b""
            relay.prints(b" #" + number + b" closed")
        assert relay.err().count("leads back") == 2
        assert not relay.is_gone() and b"#3" not in relay.out()


def test_relay_of_our_own():
    name, front = fresh(), fresh()
    content = text()
    with Tool("listen", name, "--echo").ready():
        with Tool("relay", front, name).ready() as relay:
            with Tool("connect", front, stdin=content) as one:
                with Tool("connect", front, stdin=b"two\n" + content) as two:
                    assert one.fine() == content
                    assert two.fine() == b"two\n" + content
            assert not relay.is_gone()
            assert relay.err() == ""


def test_relay_bytes_of_our_own():
    name, front = fresh(), fresh()
    content = random.Random(2).randbytes(2 << 20)
    with Tool("listen", name, "--echo", "--frame=none").ready():
        with Tool("relay", front, name).ready():
            client = run("connect", front, "--frame=none", stdin=content)
            assert client.fine() == content


def test_relay_nobody_behind_our_own():
    front = fresh()
    with Tool("relay", front, fresh()).ready() as relay:
        run("connect", front).says(REFUSED, "refused")
        wait_until(lambda: "absent" in relay.err(), "the cause")


# ---- relay --monitor ---------------------------------------------------------


def dumped(lines, direction):
    """The bytes that a monitor has shown of one direction."""
    data, is_ours = bytearray(), False
    for line in lines.splitlines():
        if line[:1] == b"2" and b"Z #" in line:
            is_ours = b" #1 " + direction + b" " in line
        elif is_ours and b"  " in line:
            offset, rest = line.split(b"  ", 1)
            assert int(offset, 16) == len(data), line
            shown = bytes.fromhex(rest[:48].decode())
            printable = bytes(b if 32 <= b < 127 else 46 for b in shown)
            assert rest[48:].strip() == b"|" + printable + b"|", line
            data += shown
    return bytes(data)


def test_monitor():
    name, front = fresh(), fresh()
    content = bytes(range(256)) + b"hello"
    with Tool("listen", name, "--echo", "--frame=none").ready():
        with Tool("relay", front, name, "--monitor").ready() as relay:
            with Tool("connect", front, "--frame=none", stdin=subprocess.PIPE) as client:
                client.stdin.write(content)
                client.stdin.flush()
                client.prints(content)
            relay.prints(b" closed, > 261 bytes, < 261 bytes")
            shown = relay.out()
            assert shown.startswith(b"READY") and b" #1 opened" in shown
            assert dumped(shown, b">") == dumped(shown, b"<") == content
            assert b" #1 > end" in shown
            # The next one has the next number.
            with Tool("connect", front, "--frame=none", stdin=subprocess.PIPE):
                relay.prints(b" #2 opened")
            assert not relay.is_gone()


@only_posix
def test_monitor_whose_output_is_closed():
    name, front = fresh(), fresh()
    with Tool("listen", name, "--echo").ready():
        reader, writer = os.pipe()
        with Tool("relay", front, name, "--monitor", stdout=writer) as relay:
            os.close(writer)
            assert os.read(reader, 100) == b"READY\n"
            os.close(reader)
            for _ in range(3):
                assert run("connect", front, stdin=b"hi\n").fine() == b"hi\n"
            assert relay.err().count("without the monitor") == 1
            relay.process.terminate()
            assert relay.wait() == 0


@only_posix
def test_monitor_whose_output_is_not_read():
    name, front, content = fresh(), fresh(), os.urandom(8 << 20)
    with Tool("listen", name, "--echo", "--frame=none").ready():
        reader, writer = os.pipe()
        with Tool("relay", front, name, "--monitor", stdout=writer) as relay:
            os.close(writer)
            assert os.read(reader, 6) == b"READY\n"
            client = run("connect", front, "--frame=none", stdin=content)
            assert client.fine() == content
            # Now that somebody reads, it tells what was left out.
            with open(reader, "rb", buffering=0) as file:
                shown = file.read(1 << 20)
                assert b" #1 opened" in shown
                with Tool("connect", front, "--frame=none", stdin=subprocess.PIPE) as one:
                    tail = b""
                    while b" left out: " not in tail:
                        one.stdin.write(b"x")
                        one.stdin.flush()
                        tail = tail[-100:] + file.read(1 << 16)
                assert b"too slow" in tail + file.read(1 << 10)
                # It ends though nobody reads any more.
                relay.process.terminate()
                assert relay.wait() == 0


sys.exit(tap.run(dict(globals())))
