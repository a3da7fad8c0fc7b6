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
import socket
import subprocess
import sys
import tempfile
import time
import unittest

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

    def wait_for(self, text, times=1):
        deadline = time.monotonic() + PATIENCE
        while self.output().count(text) < times:
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


def test_foreign_loop():
    """The program's own clock ticks before, between and after the clients."""
    name = name_of("foreign")
    own = "foreign_loop_win32" if IS_WINDOWS else "foreign_loop_poll"
    with Program(own, name) as server:
        server.wait_for("listening on ")
        server.wait_for("tick")
        for _ in range(3):
            with Program("echo_client", name, "one", "three words here") as client:
                assert client.wait() == 0, client.output()
                assert client.output().splitlines() == ["one", "three words here"]
        ticks = server.output().count("tick")
        server.wait_for((ticks + 1) * "tick\n")
        with Program("echo_client", name, "stop") as client:
            assert client.wait() == 0, client.output()
        assert server.wait() == 0, server.output()


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


def test_pull_client():
    name = name_of("pull")
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        with Program("pull_client", name, "one", "", "three words here") as client:
            assert client.wait() == 0, client.output()
            assert client.output().splitlines() == ["one", "", "three words here"]


def test_pull_client_without_a_server():
    with Program("pull_client", name_of("nobody"), "one") as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_pull_client_without_an_answer():
    name = name_of("silent")
    with Program("chat_server", name) as server:  # with nobody else in it
        server.wait_for("listening")
        with Program("pull_client", name, "ann", "hello?") as client:
            assert client.wait() == 1
            assert "timed out" in client.output()


def test_requests():
    name = name_of("request")
    with Program("request_server", name) as server:
        server.wait_for("listening")
        with Program("request_client", name, "wait", "one", "get") as client:
            assert client.wait() == 0, client.output()
            said = client.output().splitlines()
        assert said[0] == "connected"
        assert sorted(said[1:]) == ["get: one", "one: set", "wait: one"], said
    with Program("request_client", name, "get") as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_requests_outlive_their_server():
    name = name_of("outlive")
    with Program("request_server", name) as server:
        server.wait_for("listening")
        with Program("request_client", name, "wait") as client:
            client.wait_for("connected")
            server.process.kill()
            server.wait()
            client.wait_for("lost: ")
            with Program("request_server", name) as second:
                second.wait_for("listening")
                # Nobody tells when its request has come anew.
                while not client.is_gone():
                    with Program("request_client", name, "news") as other:
                        assert other.wait() == 0, other.output()
                        assert "news: set" in other.output()
                assert client.wait() == 0, client.output()
                said = client.output().splitlines()
            assert [line[:4] for line in said] == ["conn", "lost", "conn", "wait"]
            assert said[-1] == "wait: news"


def test_blocking_client_and_server():
    name = name_of("blocking")
    with Program("blocking_server", name) as server:
        server.wait_for("listening on ")
        for message in ["one", "", "three words here"]:
            with Program("blocking_client", name, message) as client:
                assert client.wait() == 0, client.output()
                assert client.output().splitlines() == [message]
        # Without a loop or with one, the other side is the same.
        with Program("echo_client", name, "one", "", "two") as client:
            assert client.wait() == 0, client.output()
            assert client.output().splitlines() == ["one", "", "two"]


def test_blocking_clients_are_served_one_after_the_other():
    name = name_of("queue")
    with Program("blocking_server", name) as server:
        server.wait_for("listening on ")
        clients = [Program("blocking_client", name, str(n)) for n in range(5)]
        for number, client in enumerate(clients):
            assert client.wait() == 0, client.output()
            assert client.output().splitlines() == [str(number)]


def test_blocking_client_without_a_server():
    with Program("blocking_client", name_of("nobody")) as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_a_blocking_server_is_stopped():
    name = name_of("stop")
    with Program("blocking_server", name) as server:
        server.wait_for("listening on ")
        for last in ["again", "stop"]:
            with Program("blocking_client", name, last) as client:
                assert client.wait() == 0, client.output()
                assert client.output().splitlines() == [last]
        assert server.wait() == 0, server.output()


def test_blocking_calls():
    name = name_of("call")
    with Program("request_server", name) as server:
        server.wait_for("listening")
        with Program("blocking_call", name, "one", "get", "two", "get") as client:
            assert client.wait() == 0, client.output()
            said = client.output().splitlines()
        assert said == ["one: set", "get: one", "two: set", "get: two"]
    with Program("blocking_call", name, "get") as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_records_go_and_come_as_there_is_room():
    name = name_of("ready")
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        for count in ["1", "5000"]:  # the last are more than a queue holds
            with Program("readiness", name, count) as client:
                assert client.wait() == 0, client.output()
                assert f"{count} records sent, {count} came back" in client.output()
        assert not server.is_gone()
    with Program("readiness", name_of("nobody")) as client:
        assert client.wait() == 1
        assert "no such file" in client.output()


def test_one_client_at_a_time():
    name = name_of("one")
    with Program("one_at_a_time", name, "2500") as server:
        server.wait_for("listening")
        with Program("talk", name, "never", "first of ann") as ann:
            server.wait_for("first of ann")
            with Program("echo_client", name, "all", "of", "bob") as bob:
                # Ann has her turn until she has been silent for too long.
                assert ann.wait() == 1, ann.output()
                assert bob.wait() == 0, bob.output()
        with Program("echo_client", name, "bye", "quit", "unheard") as client:
            client.wait()
        assert server.wait() == 0, server.output()
        assert server.output().splitlines() == [
            "listening", "first of ann", "(silent for too long)",
            "all", "of", "bob", "bye", "told to quit"]


def test_one_at_a_time_and_nobody():
    with Program("one_at_a_time", name_of("alone"), "100", "200") as server:
        assert server.wait() == 0, server.output()
        assert server.output().splitlines() == ["listening", "nobody has come"]


def readings(subscriber):
    """The numbers it printed; they only rise while the publisher is one."""
    return [int(line) for line in subscriber.output().split() if line.isdigit()]


def test_a_slow_subscriber_misses_readings_and_others_do_not():
    name = name_of("readings")
    with Program("publisher", name, "1") as server:
        server.wait_for("listening")
        with Program("subscriber", name, "50", "3600000") as slow:
            slow.wait_for("connected")
            slow.wait_for("\n", 2)
            # More than the system, its read buffer and its queue hold.
            with Program("subscriber", name, "400") as fast:
                assert fast.wait() == 0, fast.output()
                got = readings(fast)
            assert len(got) == 400 and got == sorted(set(got))
            assert len(readings(slow)) == 1
            slow.process.kill()
            slow.wait()
        server.wait_for("has left", 2)
        assert re.search(r"sent, [1-9]\d* dropped", server.output())


def test_a_subscriber_waits_for_its_publisher_and_for_the_next():
    name = name_of("wait")
    with Program("subscriber", name, "100", "5") as client:
        with Program("publisher", name, "1") as first:
            client.wait_for("connected")
            first.wait_for("listening")
            client.wait_for("\n", 2)
            first.process.kill()
            first.wait()
            client.wait_for("lost")
            with Program("publisher", name, "1") as second:
                assert client.wait() == 0, client.output()
                assert not second.is_gone()
    said = [line for line in client.output().splitlines() if not line.isdigit()]
    assert said == ["connected", "lost, looking for another", "connected"], said
    assert len(readings(client)) == 100


def test_a_subscriber_knows_whom_to_trust():
    name = name_of("trust")
    with Program("publisher", name, "1") as server:
        server.wait_for("listening")
        stranger = "S-1-5-7" if IS_WINDOWS else str(os.getuid() + 1)
        with Program("subscriber", name, "1", "0", stranger) as client:
            assert client.wait() == 1, client.output()
            assert "permission denied" in client.output()
        if not IS_WINDOWS:
            with Program("subscriber", name, "1", "0", str(os.getuid())) as client:
                assert client.wait() == 0, client.output()


def test_workers_post_from_their_threads():
    name = name_of("workers")
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        with Program("worker_threads", name) as client:
            assert client.wait() == 0, client.output()
            assert client.output().splitlines() == ["10000 answers"]
        assert not server.is_gone()
        if not IS_WINDOWS:
            # An interrupt ends it in order; before the handler is there, at
            # once.
            with Program("worker_threads", name) as client:
                client.process.send_signal(signal.SIGINT)
                assert client.wait() in (0, -signal.SIGINT), client.output()


def test_a_pair_between_threads():
    with Program("pair_threads") as program:
        assert program.wait() == 0, program.output()
        assert program.output().splitlines() == [
            f"{i} squared is {i * i}" for i in range(1, 6)]


def test_activated_by_nobody():
    for names in [(), ("x",), ("x", "y")]:
        with Program("activated", *names) as server:
            assert server.wait() == 1
            why = "not supported" if IS_WINDOWS else "no such file"
            if sys.platform == "darwin" and not names:
                why = "invalid argument"  # launchd has names alone
            assert why in server.output(), server.output()


def shell_echo(words, path):
    """`echo WORDS > PATH`, as somebody types it there."""
    if IS_WINDOWS:
        command = WRAPPER + ["cmd", "/c", f"echo {words} > {path}"]
    else:
        command = ["sh", "-c", f"echo {words} > '{path}'"]
    subprocess.run(command, check=True, timeout=PATIENCE,
                   stdin=subprocess.DEVNULL)


def test_a_mailbox_that_a_shell_writes_to():
    name = os.path.join(WORK, "mailbox")
    path = name
    if IS_WINDOWS:
        name = name_of("mailbox")
        path = "\\\\.\\pipe\\" + name
    with Program("mailbox", name) as program:
        program.wait_for(f"reading {name}\n")
        for number, command in enumerate(["reload", "two words", "reload", "quit"]):
            shell_echo(command, path)
            if number == 0:
                program.wait_for("reload\n")
        assert program.wait() == 0, program.output()
        assert program.output().splitlines()[1:] == [
            "reload", "two words", "reload", "quit"]
        assert not os.path.exists(name)


def test_a_mailbox_where_a_letter_lies():
    if IS_WINDOWS:
        return  # a pipe's name is no file's
    path = os.path.join(WORK, "letter")
    with open(path, "w", encoding="ascii") as file:
        file.write("dear")
    with Program("mailbox", path) as program:
        assert program.wait() == 1
        assert "file already exists" in program.output()
    with open(path, encoding="ascii") as file:
        assert file.read() == "dear"


LANGUAGE_SERVER = r"""
import json, sys
def read():
    size = None
    while True:
        line = sys.stdin.buffer.readline().strip()
        if not line:
            break
        name, value = line.split(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return json.loads(sys.stdin.buffer.read(size))
def answer(result, id):
    body = json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode()
    out = b"Content-Type: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    for i in range(len(out)):
        sys.stdout.buffer.write(out[i:i + 1])
        sys.stdout.buffer.flush()
answer({"capabilities": {"long": "x" * 70000}}, read()["id"])
answer(None, read()["id"])
assert read()["method"] == "exit"
"""


def test_language_client():
    if IS_WINDOWS:
        raise unittest.SkipTest("there is no language server for Wine")
    with Program("language_client", sys.executable, "-c", LANGUAGE_SERVER) as client:
        assert client.wait() == 0, client.output()
        first, second, end = client.output().splitlines()
        assert first.startswith('70'), first
        assert '"result": {"capabilities"' in first, first
        assert second.endswith('"result": null}'), second
        assert end == "ended with 0, signal 0"


def test_language_client_of_a_real_server():
    if IS_WINDOWS or shutil.which("clangd") is None:
        raise unittest.SkipTest("there is no clangd")
    with Program("language_client", "clangd") as client:
        assert client.wait() == 0, client.output()
        assert '"capabilities"' in client.output()
        assert client.output().endswith("ended with 0, signal 0\n")


def test_a_filter_on_its_standard_streams():
    with Program("language_client", PROGRAMS["stdio_filter"]) as client:
        assert client.wait() == 0, client.output()
        first, second, third, end = client.output().splitlines()
        assert 'you said {"jsonrpc":"2.0","id":1,' in first, first
        assert 'you said {"jsonrpc":"2.0","id":2,' in second, second
        assert '"method":"exit"' in third, third
        assert end == "ended with 0, signal 0"


def test_a_filter_in_a_pipeline():
    if WRAPPER:
        raise unittest.SkipTest("a Unix pipe is none for a program under Wine")
    said = b"Content-Length: 5\r\n\r\nhello" + b"Content-Length: 0\r\n\r\n"
    done = subprocess.run([PROGRAMS["stdio_filter"]], input=said + said, timeout=PATIENCE,
                          stdout=subprocess.PIPE, check=True)
    told = (b"Content-Length: 14\r\n\r\nyou said hello"
            b"Content-Length: 9\r\n\r\nyou said ")
    assert done.stdout == told + told, done.stdout
    cut = subprocess.run([PROGRAMS["stdio_filter"]], input=said[:-3], timeout=PATIENCE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert cut.returncode == 1, cut
    assert cut.stdout == told[:told.index(b"hello") + 5], cut.stdout
    with open(os.devnull, "rb") as nothing:
        file = subprocess.run([PROGRAMS["stdio_filter"]], stdin=nothing, timeout=PATIENCE,
                              stderr=subprocess.PIPE, check=False)
    assert file.returncode == 1 and b"stream 0: " in file.stderr, file


def test_workers_without_a_server():
    with Program("worker_threads", name_of("nobody")) as client:
        assert client.wait() == 1
        assert client.output().splitlines() == ["0 answers"]


def test_run_child():
    name = name_of("child")
    client = PROGRAMS["echo_client"]
    with Program("echo_server", name) as server:
        server.wait_for("listening on ")
        with Program("run_child", "", client, name, "one", "two") as parent:
            assert parent.wait() == 0, parent.output()
            said = parent.output().splitlines()
            assert said == ["one", "two", "ended with 0, signal 0"], said
    with Program("run_child", "", client, name, "one") as parent:
        assert parent.wait() == 1, parent.output()
        assert "no such file" in parent.output()
        assert parent.output().endswith("ended with 1, signal 0\n")


def test_run_child_feeds_it():
    if not IS_WINDOWS:
        with Program("run_child", "a text\n", "cat") as parent:
            assert parent.wait() == 0, parent.output()
            assert parent.output() == "a text\nended with 0, signal 0\n"
    with Program("run_child", "a text\n", "no such program") as parent:
        assert parent.wait() == 1
        assert "no such file" in parent.output()


def fnv1a(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def directory_of_files(count):
    """With what each of its files is to be told with; and a directory in it."""
    path = tempfile.mkdtemp(dir=WORK)
    os.mkdir(os.path.join(path, "not a file"))
    told = set()
    for number in range(count):
        data = os.urandom(number * number * 50)
        file = f"{path}/file {number}"
        with open(file, "wb") as out:
            out.write(data)
        told.add(f"{fnv1a(data)}  {file}")
    return path, told


def hashes_of(program):
    """The lines it printed, which a progress line stands between."""
    lines = re.split(r"[\r\n]+", program.output())
    return [line for line in lines if re.match(r"[0-9a-f]{16}  ", line)]


def test_hash_files():
    for count in [0, 1, 40]:
        path, told = directory_of_files(count)
        with Program("hash_files", path, PROGRAMS["hash_worker"]) as parent:
            assert parent.wait() == 0, parent.output()
            said = parent.output()
        assert sorted(hashes_of(parent)) == sorted(told), said
        for number in range(1, count + 1):
            assert f"{number} of {count} files" in said
        assert said.endswith(f"\n{count} files hashed\n"), said


def test_hash_files_of_workers_that_die():
    """They wait for what comes out of a pipe; the next ones get it."""
    if IS_WINDOWS:
        return
    path, told = directory_of_files(20)
    pipes = [f"{path}/pipe {number}" for number in range(2)]
    for pipe in pipes:
        os.mkfifo(pipe)
        told.add(f"{fnv1a(b'at last')}  {pipe}")
    with Program("hash_files", path, PROGRAMS["hash_worker"]) as parent:
        parent.wait_for("20 of 22 files")
        workers = subprocess.run(
            ["pgrep", "-P", str(parent.process.pid)], check=True,
            stdout=subprocess.PIPE, text=True).stdout.split()
        assert len(workers) == 4, workers
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)
        parent.wait_for("lost a worker", 4)
        for pipe in pipes:
            with open(pipe, "wb") as out:
                out.write(b"at last")
        assert parent.wait() == 0, parent.output()
    assert sorted(hashes_of(parent)) == sorted(told), parent.output()


def test_hash_files_without_a_worker():
    path, _ = directory_of_files(1)
    for args in [(path, "no such program"), (path + "/none", "no matter")]:
        with Program("hash_files", *args) as parent:
            assert parent.wait() == 1
            assert "no such file" in parent.output()
    with Program("hash_worker") as worker:
        assert worker.wait() == 1
        assert "not a worker: no such file" in worker.output()


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


def ask_http(path, *pieces):
    """The server's whole answer to a request that comes in these pieces."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(path)
        for piece in pieces:
            client.send(piece)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_http_server():
    """curl is its client in interop/test_curl.py; this one is worse."""
    if IS_WINDOWS:
        raise unittest.SkipTest("interop/test_node.py is its client there")
    name = name_of("http")
    get = b"GET / HTTP/1.1\r\nHost: me\r\r\n\rX: y\r\n\r\n"
    with Program("http_server", name) as server:
        server.wait_for("listening on ")
        path = os.path.join(WORK, name + ".sock")
        whole = ask_http(path, get)
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
        assert whole.endswith(b"\r\n\r\n<!DOCTYPE html>\n<p>It runs.</p>\n")
        assert ask_http(path, *[bytes([byte]) for byte in get]) == whole
        assert ask_http(path, get[:-1], get[-1:]) == whole
        # One answer, whatever comes behind the request.
        assert ask_http(path, get + b"more") == whole
        for wrong in b"POST / HTTP/1.1", b"GETTY", b"\0":
            assert ask_http(path, wrong).startswith(b"HTTP/1.1 405 ")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(path)
            client.send(get[:-1])
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        assert ask_http(path, get) == whole


def test_service_clock():
    if "service_server" not in PROGRAMS:
        raise unittest.SkipTest("built without jansson")
    name = name_of("clock")
    with Program("service_server", name) as server:
        server.wait_for("listening")
        with Program("service_client", name, "86400000") as client:
            assert client.wait() == 0, client.output()
            assert client.output() == "was set: 86400000\nit runs\n"
        with Program("service_client", name, '"noon"') as client:
            assert client.wait() == 1
            assert "Invalid params" in client.output()
            assert "is a string, not an integer" in client.output()
        assert not server.is_gone()


def test_sources_are_short_and_portable():
    assert len(examples()) >= 3
    for name in examples():
        source = read("examples", name)
        assert len(source.splitlines()) < 80, name
        assert not re.search(r"^\s*#\s*if", source, re.MULTILINE), name
        if name.startswith("foreign_loop_"):
            continue  # its subject is what one system has
        included = re.findall(r"#include (\S+)", source)
        assert set(included) <= {"<ipc_channel.h>", "<ipc_service.h>", "<stdio.h>",
                                 "<string.h>"}, name


def test_a_daemon_and_its_client_are_under_300_lines():
    lines = 0
    for name in "keyvald.c", "keyvalctl.c":
        source = read("examples", "keyval", name)
        lines += len(source.splitlines())
        assert not re.search(r"^\s*#\s*if", source, re.MULTILINE), name
        assert set(re.findall(r"#include (\S+)", source)) <= {
            "<ipc_service.h>", "<stdio.h>", "<string.h>"}, name
    assert lines < 300, lines


def test_an_echo_server_is_15_statements_and_a_client_12():
    assert 5 < statements(read("examples", "echo_server.c")) <= 15
    assert 5 < statements(read("examples", "echo_client.c")) <= 12


def test_a_blocking_client_is_15_lines():
    source = read("examples", "blocking_client.c")
    body = source[source.index("int main"):]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15


def test_the_code_of_the_readme_is_the_examples():
    blocks = re.findall(r"^```c\n(.*?)^```", read("README.md"), re.DOTALL | re.MULTILINE)
    sources = [read("examples", name) for name in examples()]
    assert blocks
    for block in blocks:
        assert any(block in source for source in sources), block


def functions_of(cell):
    """Those that a cell names; `_that` has the object of the one before it."""
    named, before = [], ""
    for word in re.findall(r"`(\w+)`", cell):
        if word.startswith("_"):
            word = before + word
        else:
            before = re.match(r"ipc_(\w+_options|[a-z]+)", word).group()
        named.append(word)
    return named


def test_the_examples_that_the_readme_names_show_the_functions():
    header = read("include", "ipc_channel.h") + read("include", "ipc_service.h")
    rows = [line.split("|")[1:-1] for line in read("README.md").splitlines()
            if line.startswith("|") and "(examples/" in line]
    assert len(rows) >= 8
    for what, named, files in rows:
        paths = re.findall(r"\((examples/[\w/]+\.c)\)", files)
        shown = "".join(read(*path.split("/")) for path in paths)
        assert functions_of(named), what
        for function in functions_of(named):
            assert re.search(rf"\b{function}\b", header), function
            assert re.search(rf"\b{function}\(", shown), (what, function)


def test_the_rules_of_the_readme_are_the_header_s():
    def words(text):
        return " ".join(re.sub(r"[*`]", "", text).split())
    header = read("include", "ipc_channel.h")
    rules = header[header.index("  1. "):header.index(" * Conventions")]
    assert words(rules).strip() in words(read("README.md"))


sys.exit(tap.run(dict(globals())))
