#!/usr/bin/env python3
"""Runs the black-box scenarios and the configuration language cases, and holds the results against the lists of
expected failures: anything that fails and is not listed is a regression, anything listed that passes has to leave
its list.

    conformance.py SUITE-DIRECTORY SERVER-BINARY [--all-delays]

All scenarios run as they are; then those that show media on its way run again with each directive of MORE, or all of
them with --all-delays.
"""
import json
import os
import subprocess
import sys
import tempfile

# What another way of sending could spoil: live media, HTTP, callbacks.
SENDING = ["l*", "h*", "n*"]
# Blocks and what is added to them; without it media leaves at once and, where the system allows it, through io_uring.
MORE = [("rtmp", "send_delay,40ms"), ("rtmp", "send_delay,auto"), ("events", "delivery,writev")]

# Scenarios that let two clients race and note whose callback comes first: either may. What the one says -> what the
# other says.
RACES = {"h05_ts": ('"pa=t=1"', '"pa="')}

HERE = os.path.dirname(os.path.abspath(__file__))


def expected(name):
    """name -> reason; a line is `NAME  REASON`, `#` begins a comment."""
    out = {}
    with open(os.path.join(HERE, name)) as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                key, _, reason = line.partition(" ")
                out[key] = reason.strip()
    return out


def judge(what, total, failed, listed):
    """-> number of surprises"""
    regressions = sorted(set(failed) - set(listed))
    surprises = sorted(set(listed) - set(failed))
    for name in regressions:
        print("REGRESSION %s %s\n%s" % (what, name, failed[name]))
    for name in surprises:
        print("NO LONGER FAILS %s %s: take it off the list" % (what, name))
    print("%s: %d run, %d pass, %d fail as expected" % (
        what, total, total - len(failed), len(set(failed) & set(listed))))
    return len(regressions) + len(surprises)


def scenarios(suite, server, names=(), more=None):
    command = os.path.abspath(server) + " -p {prefix} -c {conf}"
    if more:
        wrapper = os.path.join(HERE, "with_directive.py")
        command = " ".join([sys.executable, wrapper, *more, command])
    listed = expected("expected-scenarios.txt")
    results = run_scenarios(suite, command, list(names))
    listed = {name: reason for name, reason in listed.items() if not names or name in results}
    failed = failures(results)
    # The scenarios watch clocks: on a busy machine one may miss its moment. A failure counts when it repeats twice.
    for attempt in "second", "third":
        again = [n for n in failed if n not in listed]
        if not again:
            break
        repeated = run_scenarios(suite, command, again, jobs=1)
        for name in again:
            if name not in failures(repeated):
                print("passed at the %s try: %s" % (attempt, name))
                del failed[name]
    return len(results), failed, listed


def failures(results):
    """name -> what failed"""
    out = {}
    for name, result in results.items():
        bad = [text for text in result.get("failed") or [] if not either_may_win(name, text)]
        if bad:
            out[name] = "\n".join(bad)
    return out


def either_may_win(name, text):
    """Whether a failed check (`FAIL NAME`, `want ...`, `got ...`, a line each) differs only by the result of a race."""
    one, other = RACES.get(name, (None, None))
    lines = [line.strip() for line in text.splitlines()]
    if one is None or [line.split(" ")[0] for line in lines] != ["FAIL", "want", "got"]:
        return False
    want, got = (line.partition(" ")[2].strip() for line in lines[1:])
    return one in want and want.replace(one, other) == got


def run_scenarios(suite, command, names, jobs=3):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        args = [sys.executable, os.path.join(suite, "run.py"), "--server", command, "--json", out.name,
                "-j", str(jobs)]
        if names:
            args += ["--scenario"] + names
        subprocess.run(args, stdout=subprocess.DEVNULL)
        return json.load(open(out.name))


def cases(suite, server):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        args = [sys.executable, os.path.join(suite, "conf_cases.py"), "--server", server, "--json", out.name]
        text = subprocess.run(args, stdout=subprocess.PIPE, text=True).stdout
        bad = json.load(open(out.name))
    total = int(text.strip().splitlines()[-1].split("/")[1].split()[0])
    return total, {b["name"]: "    " + b["why"] for b in bad}, expected("expected-cases.txt")


def main():
    suite, server = sys.argv[1:3]
    repeated = () if "--all-delays" in sys.argv[3:] else SENDING
    wrong = judge("configuration cases", *cases(suite, server))
    wrong += judge("scenarios", *scenarios(suite, server))
    for more in MORE:
        wrong += judge("scenarios with %s" % more[1].replace(",", " "), *scenarios(suite, server, repeated, more))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
