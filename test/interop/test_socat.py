#!/usr/bin/env python3
"""socat, on streams and on packets: what it is given comes back through an echo
of this library's.

usage: test_socat.py INTEROP_PEER COMPANION
"""

import os
import random
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import Program, conversation, fresh, needs, peer, test  # noqa: E402

# Waits for the other direction after the end of one.
SOCAT = ["socat", "-d", "-d", "-t", str(interop.PATIENCE)]

CONTENT = random.Random(1).randbytes(6 << 20)


def content_file():
    path = os.path.join(interop.WORK, "content")
    with open(path, "wb") as file:
        file.write(CONTENT)
    return path


def socat(*args):
    needs("socat")
    with open(content_file(), "rb") as content:
        return Program(*SOCAT, "-", *args, stdin=content)


def comes_back(program):
    program.fine()
    assert program.bytes_of(0) == CONTENT, len(program.bytes_of(0))


@conversation
def socat_server(way):
    where = fresh()
    with socat(f"UNIX-LISTEN:{where}") as other:
        other.wait_for("listening on")
        with way.to(where) as front, peer("join", "raw", front) as ours:
            comes_back(other)
            ours.fine()


@conversation
def socat_client(way):
    where = fresh()
    needs("socat")
    with peer("serve", "raw", where) as ours, way.to(where) as front:
        with socat(f"UNIX-CONNECT:{front}") as other:
            comes_back(other)
            ours.fine()


# ---- Packets -----------------------------------------------------------------


def packets():
    """socat's option for them, where the system and this build have them."""
    needs("socat")
    with Program(interop.PEER, "serve", "packets", fresh()) as ours:
        while not ours.out:
            if ours.process.poll() is not None:
                assert "not supported" in ours.err, ours.err
                raise unittest.SkipTest("no packets: this build has none")
            time.sleep(0.01)
    return f"type={int(socket.SOCK_SEQPACKET)}"


@test
def test_socat_server_of_packets():
    where, kind = fresh(), packets()
    with socat(f"UNIX-LISTEN:{where},{kind}") as other:
        other.wait_for("listening on")
        with peer("join", "packets", where) as ours:
            comes_back(other)
            ours.fine()


@test
def test_socat_client_of_packets():
    where, kind = fresh(), packets()
    with peer("serve", "packets", where) as ours:
        with socat(f"UNIX-CONNECT:{where},{kind}") as other:
            comes_back(other)
            ours.fine()


@test
def test_the_relay_is_for_streams():
    """Who has packets is told so at either of its ends."""
    where, front, kind = fresh(), fresh(), packets()
    with peer("serve", "packets", where), Program(
            interop.COMPANION, "relay", front, where) as relay:
        relay.wait_for("READY")
        with socat(f"UNIX-CONNECT:{front},{kind}") as other:
            assert other.process.wait(interop.PATIENCE) == 1
            assert "Protocol wrong type" in other.err, other.err
        subprocess.run(["socat", "-u", f"UNIX-CONNECT:{front}", "-"], check=True,
                       stdout=subprocess.DEVNULL, timeout=interop.PATIENCE)
        relay.wait_for("one side has packets and the other has not")


interop.run()
