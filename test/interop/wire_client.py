#!/usr/bin/env python3
"""A client of docs/wire-format.md, in another language than the library.

usage: wire_client.py SOCKET <INPUT: each line is a message; prints the answers.
"""
import select, socket, struct, sys

PING, PONG, TAKEN = 0x01, 0x02, 0x03
MESSAGE, FIN, FIN_ACK, REQUEST, REPLY = 0x80, 0x81, 0x82, 0x83, 0x84
HELLO = struct.pack("<4sBBHII", b"\x89IPC", 1, 0xFF, 0, 16 << 20, 0)


def frame(kind, payload=b""):
    return struct.pack("<IBxxx", len(payload), kind) + payload


def talk(path, messages):
    """Returns the server's messages and how many of ours it has taken."""
    out = bytearray(HELLO + b"".join(frame(MESSAGE, m) for m in messages) + frame(FIN))
    got, answers, taken, ended, greeted = bytearray(), [], None, False, False
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        server.setblocking(False)  # read while writing: the server may wait for us
        while taken is None or not ended:
            readable, writable, _ = select.select([server], [server] if out else [], [])
            if writable:
                del out[:server.send(out)]
            if not readable:
                continue
            got += server.recv(1 << 16) or sys.exit("the connection broke")
            if not greeted and len(got) >= 16:
                if got[:6] != b"\x89IPC\x01\x00":
                    sys.exit(f"no, or refused: {got[:16].hex(' ')}")
                greeted = True
                del got[:16]
            while greeted and len(got) >= 8:
                size, kind = struct.unpack_from("<IB", got)
                if len(got) < 8 + size:
                    break
                payload = bytes(got[8:8 + size])
                del got[:8 + size]
                if kind == MESSAGE:
                    answers.append(payload)
                elif kind == FIN:
                    ended, out = True, out + frame(FIN_ACK, struct.pack("<Q", len(answers)))
                elif kind == FIN_ACK:
                    taken = struct.unpack("<Q", payload)[0]
                elif kind == PING:
                    out += frame(PONG, payload)
                elif kind & 0x80:
                    sys.exit(f"a frame that must be understood: {kind:#x}")
        server.sendall(out)
    return answers, taken


if __name__ == "__main__":
    replies, count = talk(sys.argv[1], sys.stdin.buffer.read().splitlines())
    sys.stdout.buffer.writelines(reply + b"\n" for reply in replies)
    print(f"{count} taken, {len(replies)} came back", file=sys.stderr)
