#!/usr/bin/env python3
"""What ipc-channel says of itself is the same everywhere: in --help, which is
held against the program itself, in the man page and in the completions.

usage: test_companion_texts.py PROGRAM SOURCE_ROOT
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    ERROR_REPLY, FAILED, FINE, PROGRAM, USAGE, WORK, fresh, run)

TOOLS = os.path.join(sys.argv[2], "tools")
BASH = os.path.join(TOOLS, "completions/ipc-channel.bash")
ZSH = os.path.join(TOOLS, "completions/_ipc-channel")
FISH = os.path.join(TOOLS, "completions/ipc-channel.fish")
PAGE = os.path.join(TOOLS, "ipc-channel.1")
COMMON = {"--help", "--version"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def help_of(*command):
    return run(*command, "--help").fine().decode().replace("\r\n", "\n")


def commands():
    return re.findall(r"^  ([a-z]+) [ \[A-Z]", help_of(), re.MULTILINE)


def described():
    """Those that have options, and that this build has."""
    return [x for x in commands() if x != "help" and
            "not in this build" not in help_of(x)]


def options(command):
    """Each with the name of its value, or ""."""
    found = re.findall(r"^  (--[a-z-]+)(?: ([A-Z]+))?", help_of(command),
                       re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


def framings():
    """The words, without what follows a '='."""
    part = help_of("connect").split("FRAMING, ")[1].split("FORM is")[0]
    found = re.findall(r"^  ((?:[a-z-]+, )*[a-z-]+)", part, re.MULTILINE)
    return {word for words in found for word in words.split(", ")}


def forms():
    part = help_of("connect").split("FORM is one of\n")[1].split("\n\n")[0]
    return set(re.findall(r"^  ([a-z]+) ", part, re.MULTILINE))


def needs(*programs):
    for program in programs:
        if shutil.which(program) is not None:
            return program
    raise unittest.SkipTest(f"there is no {' and no '.join(programs)} here")


# ---- The program itself ------------------------------------------------------


def test_help_is_about_the_program():
    assert len(commands()) == 8, commands()
    for command in described():
        own = options(command)
        assert own, command
        for option, value in own.items():
            if value:
                run(command, "x", option).says(USAGE, f"{option} takes a value")
            else:
                run(command, "x", option + "=1").says(USAGE, "takes no value")
        run(command, "x", "--help-").says(USAGE, "no such option")
        run("help", command, "x").says(USAGE, "one argument too many: 'x'")
    for command in "connect", "listen":
        # A name that is none, so that nothing else happens.
        for framing in framings() - {"delimiter"}:
            run(command, "a/b", "--frame", framing).says(USAGE, "a/b")
        for form in forms():
            run(command, "a/b", "--output", form).says(USAGE, "a/b")


def test_help_that_nobody_gets():
    if not os.path.exists("/dev/full") or PROGRAM.endswith(".exe"):
        raise unittest.SkipTest("there is no /dev/full here")
    for words in ["--help"], ["--version"], ["listen", "--help"], ["help", "info"]:
        with open("/dev/full", "wb") as full:
            run(*words, stdout=full).says(FAILED, "standard output")


def statuses(text, pattern):
    return [int(x) for x in re.findall(pattern, text, re.MULTILINE)]


def test_exit_statuses():
    wanted = list(range(FINE, ERROR_REPLY + 1))
    assert statuses(help_of(), r"^  (\d)  ") == wanted
    part = read(PAGE).split(".Sh EXIT STATUS")[1].split(".Sh ")[0]
    assert statuses(part, r"^\.It (\d)$") == wanted


# ---- The man page ------------------------------------------------------------


def synopses():
    """What stands behind each command in the synopsis."""
    part = read(PAGE).split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    found = {}
    for one in part.split(".Nm\n.Cm ")[1:]:
        command, rest = one.split("\n", 1)
        found[command] = re.findall(r"\bFl -([a-z-]+)(?: Ar ([A-Z]+))?", rest)
    return found


def test_man_page():
    assert set(synopses()) == set(commands())
    for command in described():
        shown = {"--" + option: value for option, value in synopses()[command]}
        assert shown == options(command), command
    page = read(PAGE)
    part = page.split(".Sh DESCRIPTION")[1].split(".Sh ")[0]
    assert re.findall(r"^\.Ss (.*)$", part, re.MULTILINE) == commands()
    part = page.split(".Sh OPTIONS")[1].split(".Ss ")[0]
    listed = re.findall(r"^\.It .*Fl -([a-z-]+)", part, re.MULTILINE)
    everything = {x for found in synopses().values() for x, _ in found}
    assert len(set(listed)) == len(listed)
    assert set(listed) == everything | {x[2:] for x in COMMON}
    part = page.split(".Ss Framings")[1].split(".Ss ")[0]
    items = re.findall(r"^\.It Cm (.*)$", part, re.MULTILINE)
    assert {word for item in items
            for word in item.split(" Ns ")[0].split(" , ")} == framings()
    part = page.split(".Ss Forms")[1].split(".Sh ")[0]
    assert set(re.findall(r"^\.It Cm (.*)$", part, re.MULTILINE)) == forms()


def test_man_page_is_well_formed():
    if needs("mandoc", "groff") == "mandoc":
        lint = ["mandoc", "-Tlint", "-Wwarning", PAGE]
    else:
        lint = ["groff", "-ww", "-mandoc", "-Tascii", "-z", PAGE]
    result = subprocess.run(lint, stdout=subprocess.PIPE, check=False,
                            stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0 and result.stdout == "", result.stdout


# ---- bash --------------------------------------------------------------------


def complete(*words):
    """What bash offers for the last of the words."""
    words = [part for word in words for part in re.split("(?<!^)(=)", word)]
    while words[-1] == "" and len(words) > 1 and words[-2] == "=":
        words.pop()
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
              'compopt() { :; }\n'
              '_ipc_channel; printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(
        [needs("bash"), "-c", script, "bash", BASH, "ipc-channel", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, text=True)
    return set(result.stdout.splitlines()) - {""}


def test_bash_commands_and_options():
    assert complete("") == set(commands()) | COMMON
    assert complete("l") == {"listen"}
    assert complete("help", "") == set(commands()) - {"help"}
    for command in described():
        own = options(command)
        assert complete(command, "-") == set(own) | COMMON, command
        assert complete(command, "x", "--t") == {"--timeout"} & set(own)
        for option, value in own.items():
            offered = complete(command, "x", option, "")
            if value in ("MS", "N"):
                assert offered == set(), (command, option, offered)
            elif not value:
                assert offered == complete(command, "x", ""), (command, option)


def test_bash_values():
    for command in "listen", "connect", "call", "bench":
        if command not in described():
            continue
        wanted = framings() - ({"none"} if command in ("call", "bench") else set())
        for words in ["--frame", ""], ["--frame="]:
            found = complete(command, "x", *words)
            assert {x.rstrip("=") for x in found} == wanted, found
        assert complete(command, "--frame", "new") == {"newline"}
        assert complete(command, "--frame=new") == {"newline"}
        lengths = complete(command, "--frame=length=")
        for length in lengths:
            run(command, "a/b", "m", "--frame=length=" + length).says(USAGE)
        assert complete(command, "--frame", "length=u8") == {"u8"} < lengths
    for command in "listen", "connect":
        assert complete(command, "--output=") == forms()
        assert complete(command, "--input", "") == forms() - {"json"}
        assert "true" in complete(command, "x", "--exec", "tru")


def test_bash_names():
    name = fresh()
    if not hasattr(socket, "AF_UNIX"):
        raise unittest.SkipTest("names are no files here")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(WORK, name + ".sock"))
        for words in (["connect"], ["wait", "--timeout", "5"], ["info", "--json"],
                      ["relay", "x"], ["relay", "system", ":", "x"],
                      ["connect", "--frame=none"],
                      ["connect", "--frame", "none"]):
            assert name in complete(*words, ""), words
            assert complete(*words, name[:-1]) >= {name}, words
        for words in ["relay", "--monitor"], ["wait", "x"], ["listen"]:
            assert complete(*words, "") == set(), words
        path = os.path.join(WORK, name + ".sock")
        for words in ["connect"], ["relay"], ["listen"]:
            assert path in complete(*words, WORK + "/"), words


# ---- zsh and fish ------------------------------------------------------------


def test_zsh():
    text = read(ZSH)
    part = text.split("commands=(\n")[1].split("\n  )")[0]
    assert re.findall(r"'([a-z]+):", part) == commands()
    branches = dict(re.findall(r"^    ([a-z]+)\)\n(.*?)^      ;;", text,
                               re.MULTILINE | re.DOTALL))
    assert set(branches) == set(commands())
    for command in described():
        shown = dict(re.findall(r"'(?:\(--[a-z-]+\))?(--[a-z-]+)(=?)\[",
                                branches[command]))
        own = options(command)
        assert set(shown) == set(own), command
        assert {x for x in shown if shown[x]} == {x for x in own if own[x]}
    for form, count in ("raw quoted hex json", 2), ("raw quoted hex", 2):
        assert text.count(f":({form})'") == count and set(form.split()) <= forms()
    plain = text.split("framings=(")[1].split(")")[0].split()
    assert set(plain) | {"length", "delimiter"} == framings()


def test_fish():
    text = read(FISH)
    lines = re.findall(r"^complete -c ipc-channel -n '?([^']*?)'? -l (\S+)( -x)?",
                       text, re.MULTILINE)
    for command in described():
        shown = {"--" + option: bool(value) for where, option, value in lines
                 if command in where.split()[1:]}
        assert shown == {x: bool(value) for x, value in options(command).items()}, command
    found = re.findall(r"__ipc_channel_has_no_command -a (\S+)", text)
    assert found == commands()
    plain = text.split("for framing in ")[1].split("\n")[0].split()
    assert {x.rstrip("=") for x in plain} | {"none", "length"} == framings()
    for form in re.findall(r"-x -a '(raw [^']*)'", text):
        assert set(form.split()) in (forms(), forms() - {"json"})


def test_fish_names():
    """Those of servers, and of files only what may be a name."""
    fish = needs("fish")
    if not hasattr(socket, "AF_UNIX"):
        raise unittest.SkipTest("names are no files here")

    def shown(line):
        result = subprocess.run(
            [fish, "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"',
             FISH, "ipc-channel " + line], cwd=WORK,
            stdout=subprocess.PIPE, check=True, text=True)
        return {x.split("\t")[0] for x in result.stdout.splitlines()}

    name = fresh()
    path = os.path.join(WORK, name + ".sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        files = set(os.listdir(WORK))
        for line in "connect ", "info --json ", "relay x ", "wait ", "call ":
            assert name in shown(line) and not shown(line) & files, line
        assert not shown("listen ") & files
        for line in "connect ", "listen ", "relay x ":
            assert path in shown(line + WORK + "/"), line


def test_zsh_takes_it():
    result = subprocess.run([needs("zsh"), "-n", ZSH], stderr=subprocess.PIPE,
                            check=False, text=True)
    assert result.returncode == 0 and result.stderr == "", result.stderr


def test_fish_takes_it():
    fish = needs("fish")
    subprocess.run([fish, "--no-execute", FISH], check=True)
    for command in described():
        result = subprocess.run(
            [fish, "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"',
             FISH, f"ipc-channel {command} --"],
            stdout=subprocess.PIPE, check=True, text=True)
        shown = {line.split("\t")[0].rstrip("=") for line in result.stdout.splitlines()}
        assert shown == set(options(command)) | COMMON, (command, shown)


sys.exit(tap.run(dict(globals())))
