#!/usr/bin/env python3
"""Python's asyncio and multiprocessing.connection, which this test itself is
the user of.

usage: test_python.py INTEROP_PEER COMPANION
"""

import asyncio
import contextlib
import multiprocessing.connection
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import conversation, fresh, peer  # noqa: E402

# More than all buffers on the way hold.
BYTES = 24 << 20

# The longest line, of which asyncio keeps two.
LARGEST = 4 << 20


# ---- asyncio -----------------------------------------------------------------


async def is_stuck(writer):
    """Whether what was written stays where it is."""
    try:
        await asyncio.wait_for(writer.drain(), 0.3)
        return False
    except asyncio.TimeoutError:
        return True


async def bytes_come_back(reader, writer):
    """Nothing is read before nothing can be written any more."""
    content = random.Random(1).randbytes(BYTES)
    at = 0
    while not await is_stuck(writer):
        assert at < BYTES, "nothing has held the writer up"
        writer.write(content[at:at + (1 << 18)])
        at += 1 << 18

    async def write_the_rest():
        writer.write(content[at:])
        writer.write_eof()
    rest = asyncio.create_task(write_the_rest())
    got = await reader.read(-1)  # up to the end, which comes after all
    await rest
    assert got == content, (len(got), "bytes")


async def lines_come_back(reader, writer):
    lines = [b"%d " % i + b"x" * (i * 7 % 900) + b"\n" for i in range(3000)]
    lines += [b"\n", b"\r\n", b"\0\n", b"y" * (3 << 20) + b"\n", b"z\n"]
    writer.writelines(lines)
    for line in lines:
        assert await reader.readline() == line, line[:80]
    writer.write_eof()
    assert await reader.read() == b""


async def prefixed_messages_come_back(reader, writer):
    messages = [random.Random(size).randbytes(size)
                for size in [*range(300), 65535, 65536, 65537, 5 << 20, 1]]
    for message in messages:
        writer.write(len(message).to_bytes(4, "little") + message)
    for message in messages:
        size = int.from_bytes(await reader.readexactly(4), "little")
        assert await reader.readexactly(size) == message, len(message)
    writer.write_eof()
    assert await reader.read() == b""


async def contents_come_back(reader, writer):
    bodies = [b"x" * size for size in [0, 1, 10000, 3 << 20, 5]]
    for body in bodies:
        writer.write(b"Content-Type: x\r\ncontent-length: %d\r\n\r\n%s"
                     % (len(body), body))
    for body in bodies:
        header = await reader.readuntil(b"\r\n\r\n")
        assert header == b"Content-Length: %d\r\n\r\n" % len(body), header
        assert await reader.readexactly(len(body)) == body
    writer.write_eof()
    assert await reader.read() == b""


async def finished(talk, reader, writer):
    try:
        await asyncio.wait_for(talk(reader, writer), interop.PATIENCE)
    finally:
        writer.close()


async def serve(way, framing, talk):
    where, done = fresh(), asyncio.get_running_loop().create_future()

    async def accepted(reader, writer):
        try:
            done.set_result(await finished(talk, reader, writer))
        except BaseException as error:
            done.set_exception(error)
    server = await asyncio.start_unix_server(accepted, where, limit=LARGEST)
    async with server:
        with way.to(where) as front, peer("join", framing, front) as ours:
            await asyncio.wait_for(done, interop.PATIENCE)
            ours.fine()


async def join(way, framing, talk):
    where = fresh()
    with peer("serve", framing, where) as ours, way.to(where) as front:
        await finished(
            talk, *await asyncio.open_unix_connection(front, limit=LARGEST))
        ours.fine()


@conversation
def asyncio_server_of_bytes(way):
    asyncio.run(serve(way, "raw", bytes_come_back))


@conversation
def asyncio_client_of_bytes(way):
    asyncio.run(join(way, "raw", bytes_come_back))


@conversation
def asyncio_server_of_lines(way):
    asyncio.run(serve(way, "lines", lines_come_back))


@conversation
def asyncio_client_of_lines(way):
    asyncio.run(join(way, "lines", lines_come_back))


@conversation
def asyncio_server_of_length_prefixes(way):
    asyncio.run(serve(way, "little32", prefixed_messages_come_back))


@conversation
def asyncio_client_of_length_prefixes(way):
    asyncio.run(join(way, "little32", prefixed_messages_come_back))


@conversation
def asyncio_server_of_content_lengths(way):
    asyncio.run(serve(way, "content-length", contents_come_back))


@conversation
def asyncio_client_of_content_lengths(way):
    asyncio.run(join(way, "content-length", contents_come_back))


# ---- multiprocessing.connection ----------------------------------------------

# Its messages are 4 bytes of length, big endian, and the rest, often a pickle.


def hear(connection):
    assert connection.poll(interop.PATIENCE), "nothing comes"
    return connection.recv_bytes()


def messages_come_back(connection):
    for size in [0, 1, 16384, 16385, 65536, 3 << 20, 2]:
        message = random.Random(size).randbytes(size)
        sender = threading.Thread(
            target=connection.send_bytes, args=[message], daemon=True)
        sender.start()
        assert hear(connection) == message, size
        sender.join(interop.PATIENCE)
    for thing in [None, "text", {"a": [1, 2.5, b"3"]}, list(range(100000))]:
        connection.send(thing)
        assert connection.poll(interop.PATIENCE)
        assert connection.recv() == thing


def a_reader_that_waits_holds_the_writer_up(connection):
    messages = [bytes([number]) * (1 << 20) for number in range(BYTES >> 20)]
    sent = []

    def send():
        for message in messages:
            connection.send_bytes(message)
            sent.append(message)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    before = -1
    while len(sent) > before:
        before = len(sent)
        time.sleep(0.3)
    assert before < len(messages), "nothing has held the writer up"
    for message in messages:
        assert hear(connection) == message
    sender.join(interop.PATIENCE)


def talk(connection):
    messages_come_back(connection)
    a_reader_that_waits_holds_the_writer_up(connection)


@conversation
def multiprocessing_listener(way):
    where = fresh()
    with multiprocessing.connection.Listener(where, "AF_UNIX") as listener:
        with way.to(where) as front, peer("join", "big32", front) as ours:
            with listener.accept() as connection:
                talk(connection)
            ours.fine()


@conversation
def multiprocessing_client(way):
    where = fresh()
    with peer("serve", "big32", where) as ours, way.to(where) as front:
        with multiprocessing.connection.Client(front, "AF_UNIX") as connection:
            talk(connection)
        ours.fine()


def echo(listener):
    with listener.accept() as connection, contextlib.suppress(EOFError):
        while True:
            connection.send_bytes(connection.recv_bytes())


@conversation
def multiprocessing_of_both_ends_with_a_key(way):
    """Both prove that they know it, which nobody between them may notice; this
    library's end doesn't know how to."""
    where, key = fresh(), os.urandom(16)
    with multiprocessing.connection.Listener(
            where, "AF_UNIX", authkey=key) as listener:
        server = threading.Thread(target=echo, args=[listener], daemon=True)
        server.start()
        with way.to(where) as front:
            with multiprocessing.connection.Client(
                    front, "AF_UNIX", authkey=key) as connection:
                messages_come_back(connection)
            server.join(interop.PATIENCE)


interop.run()
