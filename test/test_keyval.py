#!/usr/bin/env python3
"""Runs examples/keyval as people do: a daemon that is killed, restarted, and
kept from writing its file, with several clients.

usage: test_keyval.py KEYVALD KEYVALCTL IPC_CHANNEL
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import companion  # noqa: E402
import tap  # noqa: E402
from companion import (  # noqa: E402
    IS_WINDOWS, PATIENCE, WORK, WRAPPER, fresh, only_posix, wait_until)

KEYVALD, KEYVALCTL, COMPANION = sys.argv[1:]

NO_SUCH_KEY, NOT_SAVED, SHUTTING_DOWN, INVALID_PARAMS = 1, 2, -32000, -32602


class Program(companion.Program):
    """One that runs, and prints text."""

    def out(self):
        with open(self.out_path, encoding="utf-8") as file:
            return file.read()

    def values(self):
        """What it has printed, a line each; the last may not be whole yet."""
        lines = self.out().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close_stdin(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()


def start(name, folder):
    """A daemon. The name of one that was killed may need a moment on Windows,
    until its clients have noticed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        daemon = Program(KEYVALD, name, folder)
        try:
            wait_until(lambda: daemon.out() or daemon.is_gone(), "ready")
        except AssertionError:
            daemon.kill()
            raise
        if "ready" in daemon.out():
            return daemon
        assert IS_WINDOWS and "in use" in daemon.err(), daemon.err()
        assert time.monotonic() < deadline, daemon.err()


def run(name, *args, status=0):
    """The value that keyvalctl prints, or the error."""
    with Program(KEYVALCTL, name, *args) as program:
        assert program.wait() == status, (args, program.out(), program.err())
        if status == 0:
            return json.loads(program.out())
        return program.err()


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Kept:
    """A name, and a file in a folder of its own."""

    def __init__(self):
        self.name = fresh()
        self.folder = os.path.join(WORK, fresh())
        self.path = os.path.join(self.folder, self.name + ".json")
        self.temp = os.path.join(self.folder, self.name + ".tmp")
        os.mkdir(self.folder)

    def start(self):
        return start(self.name, self.folder)

    def run(self, *args, status=0):
        return run(self.name, *args, status=status)


class Peer:
    """The daemon's other end, as a program without the library speaks."""

    def __init__(self, name):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(PATIENCE)
        self.connection.connect(os.path.join(WORK, name + ".sock"))
        self.lines = self.connection.makefile("rb")

    def say(self, number, method, params):
        text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method,
                           "params": params})
        self.connection.sendall(text.encode() + b"\n")

    def hear(self):
        return json.loads(self.lines.readline())

    def ask(self, number, method, params):
        self.say(number, method, params)
        answer = self.hear()
        assert answer["id"] == number, answer
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.connection.close()


# ---- The commands ------------------------------------------------------------


def test_commands():
    kept = Kept()
    with kept.start():
        assert kept.run("list") == {}
        assert "no such key" in kept.run("get", "color", status=3)
        assert kept.run("set", "color", "red") is True
        assert kept.run("get", "color") == "red"
        assert kept.run("set", "color", '"dark red"') is True
        assert kept.run("set", "count", "-7") is True
        assert kept.run("list") == {"color": "dark red", "count": -7}
        assert kept.run("list", "co") == {"color": "dark red", "count": -7}
        assert kept.run("list", "col") == {"color": "dark red"}
        assert kept.run("list", "x") == {}
        assert kept.run("delete", "color") is True
        assert "no such key" in kept.run("delete", "color", status=3)
        assert "no such key" in kept.run("get", "color", status=3)
        assert read(kept.path) == {"count": -7}


def test_values_of_any_kind_outlive_a_restart():
    kept = Kept()
    values = {"null": None, "no": False, "one": 1, "large": 2**62, "half": 0.5,
              "text": "zwei \u20ac \n\"", "list": [1, [2, {}], None],
              "nothing": "", "object": {"a": {"b": [True]}}}
    with kept.start() as daemon:
        for key, value in values.items():
            assert kept.run("set", key, json.dumps(value)) is True
        assert kept.run("list") == values
        daemon.kill()
    assert read(kept.path) == values
    with kept.start():
        assert kept.run("list") == values
        assert kept.run("get", "null") is None


def test_wrong_calls():
    kept = Kept()
    assert run(kept.name, "get", "x", status=1)
    with kept.start() as daemon:
        for args in ("get",), ("set", "x"), ("delete",), ("sing",), (
                "get", "x", "y"), ("list", "a", "b"), ("set", "", "1"):
            kept.run(*args, status=2)
        assert "usage" in run("x", status=2)
        assert '"param": "value"' in kept.run("set", "x", status=2)
        assert not daemon.is_gone()
        assert kept.run("list") == {}
    assert not os.path.exists(kept.path)
    for args in (), ("x",), ("x", "y", "z"):
        with Program(KEYVALD, *args) as program:
            assert program.wait() == 2 and "usage" in program.err()


def test_words_that_are_not_what_they_seem():
    kept = Kept()
    with kept.start():
        kept.run("set", "a", '"x\\u0000y"')
        assert kept.run("get", "a") == "x\0y"
        if not IS_WINDOWS:
            # None of them may take the place of one that is no text.
            assert "UTF-8" in kept.run("delete", b"\xff", "a", status=2)
            assert "UTF-8" in kept.run("set", b"\xff", "a", "b", status=2)
            assert "UTF-8" in kept.run(b"\xff", status=2)
        assert kept.run("list") == {"a": "x\0y"}


@only_posix
def test_an_output_that_takes_nothing():
    if not os.path.exists("/dev/full"):
        raise unittest.SkipTest("there is no /dev/full here")
    kept = Kept()
    with kept.start(), open("/dev/full", "wb") as full:
        kept.run("set", "a", "1")
        result = subprocess.run([KEYVALCTL, kept.name, "get", "a"], stdout=full,
                                stderr=subprocess.PIPE, check=False)
        assert result.returncode == 1 and b"output" in result.stderr, result


# ---- Those who watch ---------------------------------------------------------


def watch(kept, *args):
    watcher = Program(KEYVALCTL, kept.name, "watch", *args)
    wait_until(lambda: watcher.values() or watcher.is_gone(), "the first line")
    return watcher


def test_watchers_are_told_in_order():
    kept = Kept()
    with kept.start():
        kept.run("set", "a1", "0")
        with watch(kept) as all_keys, watch(kept, "a") as some:
            told = []
            for number in range(4):
                for key in "a1", "b1":
                    kept.run("set", key, str(number))
                    told.append({"key": key, "value": number})
            kept.run("delete", "a1")
            kept.run("delete", "a1", status=3)
            told.append({"key": "a1"})
            wait_until(lambda: len(all_keys.values()) == 1 + len(told), told)
            of_a = [change for change in told if change["key"] == "a1"]
            wait_until(lambda: len(some.values()) == 1 + len(of_a), of_a)
            assert all_keys.values() == [{"a1": 0}] + told
            assert some.values() == [{"a1": 0}] + of_a
        # It has forgotten them.
        assert kept.run("set", "a1", "1") is True


def test_a_watch_outlives_its_daemon():
    kept = Kept()
    with Program(KEYVALCTL, kept.name, "watch") as watcher:
        with kept.start() as daemon:
            wait_until(watcher.values, "the first line")
            kept.run("set", "a", "1")
            wait_until(lambda: len(watcher.values()) == 2, "a change")
            daemon.kill()
        with open(kept.path, "w", encoding="utf-8") as file:
            json.dump({"b": 2}, file)
        with kept.start():
            wait_until(lambda: len(watcher.values()) == 3, "all there is")
            kept.run("set", "c", "3")
            wait_until(lambda: len(watcher.values()) == 4, "another change")
            assert watcher.values() == [
                {}, {"key": "a", "value": 1}, {"b": 2}, {"key": "c", "value": 3}]


# ---- The name and the file ---------------------------------------------------


def test_one_daemon_a_name():
    if IS_WINDOWS and WRAPPER:
        raise unittest.SkipTest("Wine lets a second server have a pipe's name")
    kept = Kept()
    with kept.start() as daemon:
        with Program(KEYVALD, kept.name, WORK) as second:
            assert second.wait() == 1
            assert "in use" in second.err()
            assert f"process {daemon.process.pid}:" in second.err()
        assert kept.run("set", "a", "1") is True


def test_names_that_are_paths():
    """Two of them could have the same file."""
    folder = os.path.join(WORK, fresh())
    os.mkdir(folder)
    for name in os.path.join(WORK, "x.sock"), "\\\\.\\pipe\\x":
        with Program(KEYVALD, name, folder) as daemon:
            assert daemon.wait() == 2
            assert "no path" in daemon.err()
    assert os.listdir(folder) == []


def test_bad_files_stay_as_they_are():
    kept = Kept()
    for content in "", "{", '{"a": 1', "[1]", "7", "{} {}", "\0":
        with open(kept.path, "w", encoding="utf-8") as file:
            file.write(content)
        with Program(KEYVALD, kept.name, kept.folder) as daemon:
            assert daemon.wait() == 1, content
            assert kept.path in daemon.err(), daemon.err()
        with open(kept.path, encoding="utf-8") as file:
            assert file.read() == content
    os.remove(kept.path)
    os.mkdir(kept.path)
    with Program(KEYVALD, kept.name, kept.folder) as daemon:
        assert daemon.wait() == 1
    os.rmdir(kept.path)
    with kept.start():
        assert kept.run("list") == {}


def test_a_folder_that_is_missing_or_none():
    kept = Kept()
    with open(kept.path, "w", encoding="utf-8"):
        pass
    for folder in os.path.join(kept.folder, "missing"), kept.path:
        with Program(KEYVALD, fresh(), folder) as daemon:
            assert daemon.wait() == 1, folder
            assert folder in daemon.err(), daemon.err()
            assert "ready" not in daemon.out()


def test_what_a_kill_has_left_is_written_over():
    kept = Kept()
    with open(kept.temp, "w", encoding="utf-8") as file:
        file.write('{"half": "of ' + "x" * 1000)
    with kept.start():
        assert kept.run("list") == {}
        assert kept.run("set", "a", "1") is True
        assert read(kept.path) == {"a": 1}
    assert os.listdir(kept.folder) == [kept.name + ".json"]


def test_writes_that_fail():
    kept = Kept()
    with kept.start() as daemon:
        kept.run("set", "a", "1")
        os.mkdir(kept.temp)
        assert f'"code": {NOT_SAVED}' in kept.run("set", "a", "2", status=1)
        kept.run("set", "b", "2", status=1)
        kept.run("delete", "a", status=1)
        assert kept.run("list") == {"a": 1} == read(kept.path)
        os.rmdir(kept.temp)
        kept.run("set", "c", "3")
        assert kept.run("list") == {"a": 1, "c": 3} == read(kept.path)
        shutil.rmtree(kept.folder)
        assert f'"code": {NOT_SAVED}' in kept.run("set", "d", "4", status=1)
        assert kept.run("list") == {"a": 1, "c": 3}
        os.mkdir(kept.folder)
        kept.run("delete", "c")
        assert kept.run("list") == {"a": 1} == read(kept.path)
        assert not daemon.is_gone()


class Setter:
    """Sets one value after the other, by the companion as a bare connection;
    `acked` are the answers, `sent` what has left."""

    WINDOW = 5

    def __init__(self, name, key):
        self.key = key
        self.sent = self.acked = 0
        self.tool = Program(COMPANION, "connect", name, "--frame", "none",
                            stdin=subprocess.PIPE)

    def look(self):
        answers = self.tool.values()
        self.acked = len(answers)
        assert [answer.get("id") for answer in answers] == list(
            range(1, self.acked + 1)), answers
        assert all(answer.get("result") is True for answer in answers), answers

    def work(self):
        self.look()
        try:
            while self.sent - self.acked < self.WINDOW:
                self.sent += 1
                text = json.dumps({
                    "jsonrpc": "2.0", "id": self.sent, "method": "set",
                    "params": [self.key, [self.sent, "x" * (self.sent % 97)]]})
                self.tool.process.stdin.write(text.encode() + b"\n")
                self.tool.process.stdin.flush()
        except OSError:
            pass  # the daemon is gone

    def finish(self):
        self.tool.close_stdin()
        self.tool.wait()
        self.look()


def storm(kept, rounds, seed):
    """Each of the values that were acknowledged, or one that was sent later, is
    there after the kill."""
    chance = random.Random(seed)
    for number in range(rounds):
        setters = []
        with kept.start() as daemon:
            try:
                for client in range(4):
                    setters.append(Setter(kept.name, f"key {number} {client}"))
                enough = chance.randint(20, 120)
                deadline = time.monotonic() + PATIENCE
                while sum(setter.acked for setter in setters) < enough:
                    assert time.monotonic() < deadline, "no answers"
                    assert not daemon.is_gone(), daemon.err()
                    for setter in setters:
                        setter.work()
                daemon.kill()
                for setter in setters:
                    setter.finish()
            finally:
                for setter in setters:
                    setter.tool.__exit__()
        there = read(kept.path)
        for setter in setters:
            value = there.get(setter.key, [0])[0]
            assert setter.acked <= value <= setter.sent, (
                setter.key, setter.acked, value, setter.sent)
    with kept.start():
        assert kept.run("list") == there


def test_kills_in_a_storm():
    storm(Kept(), 5, 1)


# ---- As others speak ---------------------------------------------------------


@only_posix
def test_a_peer_without_the_library():
    kept = Kept()
    with kept.start(), Peer(kept.name) as peer:
        methods = peer.ask("a", "rpc.discover", {})["result"]["methods"]
        assert {method["name"]: [param["name"] for param in method["params"]]
                for method in methods} == {
            "get": ["key"], "set": ["key", "value"], "delete": ["key"],
            "list": ["prefix"], "watch": ["prefix"]}
        assert peer.ask(1, "watch", {"prefix": "a"})["result"] == {}
        assert peer.ask(2, "set", {"key": "a\u00e9", "value": None}) == {
            "jsonrpc": "2.0", "id": 2, "result": True}
        assert peer.hear() == {"jsonrpc": "2.0", "method": "changed",
                               "params": {"key": "a\u00e9", "value": None}}
        for number, params in enumerate([
                {"key": 1, "value": 1}, {"key": "a"}, {"value": 1}, ["", 1], [],
                ["a", 1, 2], {"key": "a", "value": 1, "more": 1}, ["a\0b", 1]]):
            error = peer.ask(number, "set", params)["error"]
            assert error["code"] == INVALID_PARAMS, (params, error)
        assert peer.ask(8, "watch", {"prefix": 8})["error"]["code"] == INVALID_PARAMS
        assert peer.ask(9, "list", [])["result"] == {"a\u00e9": None}
        # Another prefix takes the place of the first.
        assert peer.ask(10, "watch", ["b"])["result"] == {}
        assert peer.ask(11, "delete", ["a\u00e9"])["result"] is True
        assert peer.ask(12, "set", ["c", "\0"])["result"] is True
    with kept.start(), Peer(kept.name) as peer:
        assert peer.ask(1, "list", [])["result"] == {"c": "\0"}


@only_posix
def test_one_who_watches_and_does_not_read_is_hung_up_on():
    kept = Kept()
    with kept.start() as daemon, Peer(kept.name) as slow, Peer(kept.name) as peer:
        assert slow.ask(1, "watch", [])["result"] == {}
        for number in range(30):
            params = ["k", str(number) + "x" * (4 << 20)]
            assert peer.ask(number, "set", params)["result"] is True
        told = []
        while True:
            line = slow.lines.readline()
            if not line.endswith(b"\n"):
                break
            told.append(json.loads(line)["params"]["value"].rstrip("x"))
        assert told == [str(number) for number in range(len(told))]
        assert len(told) < 30
        assert not daemon.is_gone()


def read_fifo(path, count):
    """So many JSON texts that are written to it, by one writer or by several."""
    text, texts = "", []
    deadline = time.monotonic() + PATIENCE
    fd = os.open(path, os.O_RDONLY)  # waits for a writer
    try:
        while len(texts) < count:
            assert time.monotonic() < deadline, (texts, text)
            part = os.read(fd, 1 << 16)
            text += part.decode()
            with contextlib.suppress(ValueError):
                value, end = json.JSONDecoder().raw_decode(text)
                texts.append(value)
                text = text[end:]
                continue
            if not part:
                time.sleep(0.005)
        assert text == ""
        return texts
    finally:
        os.close(fd)


@only_posix
def test_changes_wait_together_and_nobody_else_does():
    """The write of the file blocks where it is a FIFO that nobody reads, and
    fails, since a FIFO can't be synced."""
    kept = Kept()
    with kept.start(), Peer(kept.name) as peer, Peer(kept.name) as other:
        assert peer.ask(0, "set", ["a", 0])["result"] is True
        os.mkfifo(kept.temp)
        peer.say(1, "set", ["a", 1])
        for number in range(2, 50):
            peer.say(number, "set", [f"k{number}", number])
        peer.say(50, "delete", ["k2"])
        assert peer.ask(51, "get", ["k3"])["error"]["code"] == NO_SUCH_KEY
        assert other.ask(1, "list", [])["result"] == {"a": 0}
        assert read_fifo(kept.temp, 2) == [
            {"a": 1}, {"a": 0, **{f"k{n}": n for n in range(3, 50)}}]
        for number in range(1, 51):
            answer = peer.hear()
            assert answer["id"] == number, answer
            assert answer["error"]["code"] == NOT_SAVED, answer
        os.remove(kept.temp)
        assert peer.ask(60, "set", ["b", 1])["result"] is True
        assert read(kept.path) == {"a": 0, "b": 1}


@only_posix
def test_an_end_in_good_order():
    """Not before all is written, and the name is kept until then."""
    for number in signal.SIGINT, signal.SIGTERM:
        kept = Kept()
        with kept.start() as daemon, Peer(kept.name) as peer:
            os.mkfifo(kept.temp)
            peer.say(1, "set", ["a", 1])
            peer.ask(0, "list", [])
            daemon.process.send_signal(number)
            refused = 2
            while True:
                peer.say(refused, "set", [f"k{refused}", 1])
                peer.say(0, "get", ["a"])
                answer = peer.hear()
                if answer["id"] != 0:
                    break
                refused += 1  # this one came before the signal
            assert answer["id"] == refused
            assert answer["error"]["code"] == SHUTTING_DOWN
            assert peer.hear()["error"]["code"] == NO_SUCH_KEY
            with Peer(kept.name) as late:
                assert late.ask(1, "list", [])["result"] == {}
            read_fifo(kept.temp, 1 if refused == 2 else 2)
            for early in range(1, refused):
                answer = peer.hear()
                assert answer["id"] == early
                assert answer["error"]["code"] == NOT_SAVED
            assert daemon.wait() == 0
        assert not os.path.exists(os.path.join(WORK, kept.name + ".sock"))
    kept = Kept()
    with kept.start() as daemon:
        kept.run("set", "a", "1")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert read(kept.path) == {"a": 1}


sys.exit(tap.run(dict(globals())))
