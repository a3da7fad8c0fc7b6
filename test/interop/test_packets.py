#!/usr/bin/env python3
"""Linux: the packet framing against SOCK_SEQPACKET sockets of other programs, in
both roles. They know nothing of the library.

usage: test_packets.py PACKET_ECHO
"""

import array
import atexit
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import tap  # noqa: E402

PACKET_ECHO = sys.argv[1]

# Only so that a hanging test fails.
PATIENCE = 60

WORK = tempfile.mkdtemp(prefix="ipcp-", dir="/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
programs = []


def stop():
    for program in programs:
        program.kill()
        program.wait()
    shutil.rmtree(WORK, True)


def start(role, name):
    program = subprocess.Popen([PACKET_ECHO, role, name], stdout=subprocess.PIPE)
    programs.append(program)
    return program


def path_of(name):
    return name if name[0] == "/" else os.path.join(WORK, name + ".sock")


def serve(name):
    program = start("serve", name)
    assert program.stdout.readline() == b"listening ok\n"
    return program


def connect(path, kind=socket.SOCK_SEQPACKET):
    client = socket.socket(socket.AF_UNIX, kind)
    client.settimeout(PATIENCE)
    client.connect(path)
    return client


def accept(name):
    """A server of ours, with the library's client."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.settimeout(PATIENCE)
        server.bind(path_of(name))
        server.listen(1)
        program = start("connect", name)
        peer, _ = server.accept()
    os.unlink(path_of(name))
    peer.settimeout(PATIENCE)
    assert program.stdout.readline() == b"connected ok\n"
    return peer, program


def exchange(peer):
    """Packets come back one for one, alone and many at a time."""
    sizes = [1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 131040, 1]
    for size in sizes:
        packet = os.urandom(size)
        peer.send(packet)
        assert peer.recv(1 << 20) == packet
    for _ in range(50):
        packets = [os.urandom(random.randint(1, 2000)) for _ in range(30)]
        for packet in packets:
            peer.send(packet)
        for packet in packets:
            assert peer.recv(1 << 20) == packet


def descriptors(program):
    return len(os.listdir(f"/proc/{program.pid}/fd"))


def test_a_client():
    server = serve("one")
    with connect(path_of("one")) as peer:
        exchange(peer)
    assert server.stdout.readline() == b"end ok\n"


def test_a_server():
    peer, program = accept("two")
    with peer:
        exchange(peer)
    assert program.stdout.readline() == b"end ok\n"
    assert program.wait(PATIENCE) == 0


def test_the_end_of_one_direction():
    serve("three")
    with connect(path_of("three")) as peer:
        peer.send(b"last")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b"last"
        assert peer.recv(100) == b""


def test_an_empty_packet_is_the_end():
    server = serve("four")
    with connect(path_of("four")) as peer:
        peer.send(b"before")
        peer.send(b"")
        peer.send(b"after")
        assert server.stdout.readline() == b"end ok\n"
        # What came after was never read: Linux says so once, ahead of the rest.
        try:
            assert peer.recv(100) == b"before"
        except ConnectionResetError:
            assert peer.recv(100) == b"before"
        try:
            assert peer.recv(100) == b""
        except ConnectionResetError:
            pass


def test_descriptors_are_dropped():
    server = serve("five")
    with connect(path_of("five")) as peer:
        peer.send(b"x")
        assert peer.recv(100) == b"x"
        before = descriptors(server)
        files = array.array("i", [0] * 50)
        for _ in range(20):
            peer.sendmsg([b"with"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            assert peer.recv(100) == b"with"
        assert descriptors(server) == before


def test_the_wrong_kind():
    serve("six")
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        try:
            connect(path_of("six"), kind)
            raise AssertionError("connected")
        except OSError as error:
            assert error.errno == 91, error  # EPROTOTYPE
    with connect(path_of("six")) as peer:
        exchange(peer)


def test_servers_of_the_wrong_kind():
    expected = {socket.SOCK_STREAM: b"connected EPROTOTYPE\n",
                socket.SOCK_DGRAM: b"connected ENOTSOCK\n"}
    for kind, answer in expected.items():
        with socket.socket(socket.AF_UNIX, kind) as server:
            server.bind(path_of("seven"))
            if kind == socket.SOCK_STREAM:
                server.listen(1)
            assert start("connect", "seven").stdout.readline() == answer
            if kind == socket.SOCK_STREAM:
                server.setblocking(False)
                try:  # the look has disturbed nobody
                    server.accept()
                    raise AssertionError("accepted")
                except BlockingIOError:
                    pass
        os.unlink(path_of("seven"))


def test_an_abstract_name():
    serve("@" + WORK)
    with connect("\0" + WORK) as peer:
        exchange(peer)


def test_socat():
    if shutil.which("socat") is None:
        raise unittest.SkipTest("no socat here")
    serve("eight")
    address = f"UNIX-CONNECT:{path_of('eight')},type={int(socket.SOCK_SEQPACKET)}"
    socat = subprocess.Popen(["socat", "-", address], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    programs.append(socat)
    socat.stdin.write(b"to and fro\n")
    socat.stdin.flush()
    assert socat.stdout.readline() == b"to and fro\n"


atexit.register(stop)
sys.exit(tap.run(dict(globals())))
