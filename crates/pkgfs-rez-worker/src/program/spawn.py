"""Answers pkgfs's questions about packages where a system cannot fork.

One JSON object a line on standard input, one a line on standard output, the first a greeting. Each
question is answered by a process of its own, which was started before and has rez loaded; the next
is made ready meanwhile. What a definition does to its process ends with the answer, and so does
every process that it started. Ends with its standard input, in the midst of anything, and takes all
of that with it. The first argument is the program of those processes.
"""
import json
import os
import queue
import subprocess
import sys
import threading
import time

# How often a process that may have died without a word is looked at, in seconds.
LOOK = 0.02
# What this interpreter was told to leave out, its children leave out, too.
FLAGS = [("ignore_environment", "-E"), ("no_user_site", "-s"), ("no_site", "-S")]


class Answerer:
    """A process that answers one question."""

    def __init__(self):
        flags = [flag for name, flag in FLAGS if getattr(sys.flags, name)]
        self.process = subprocess.Popen(
            [sys.executable] + flags + ["-c", sys.argv[1]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.bond = bind(self.process)
        self.said = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.said.put(line)
        self.said.put(b"")

    def line(self, until=None):
        """What it says next; nothing once it has ended, and None when it is late."""
        ended = False
        while True:
            try:
                return self.said.get(timeout=LOOK)
            except queue.Empty:
                if until is not None and time.monotonic() > until:
                    return None
                # What it said is read before its end is believed: others may hold its pipe.
                if ended:
                    return b""
                ended = self.process.poll() is not None

    def ask(self, question):
        until = time.monotonic() + question["seconds"]
        try:
            self.process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
            self.process.stdin.close()
        except OSError:
            return {"died": True}
        said = self.line(until)
        if said is None:
            return {"late": True}
        return json.loads(said) if said.endswith(b"\n") else {"died": True}


def send(told):
    line = told if isinstance(told, bytes) else json.dumps(told).encode("ascii") + b"\n"
    while line:
        line = line[os.write(1, line):]


def listen(asked):
    """Passes questions on, and ends everything when nobody is there to ask any."""
    buffered = b""
    while True:
        more = os.read(0, 1 << 16)
        if not more:
            end_all()
            os._exit(0)
        *lines, buffered = (buffered + more).split(b"\n")
        for line in lines:
            asked.put(json.loads(line))


# Processes that there may be.
ANSWERERS = []


def end_all():
    for answerer in list(ANSWERERS):
        end(answerer.bond)


def ready():
    answerer = Answerer()
    ANSWERERS.append(answerer)
    return answerer


def main():
    adopt_orphans()
    asked = queue.Queue()
    answerer = ready()
    threading.Thread(target=listen, args=(asked,), daemon=True).start()
    greeting = answerer.line()
    if not greeting:
        os._exit(1)
    send(greeting)
    greeted = True
    while True:
        question = asked.get()
        # That it is not ready yet is nothing the definition took.
        if not greeted and not answerer.line():
            reply = {"died": True}
            following = ready()
        else:
            following = ready()
            reply = answerer.ask(question)
        end(answerer.bond, but=following.process.pid)
        ANSWERERS.remove(answerer)
        answerer, greeted = following, False
        send(dict(reply, id=question["id"]))


main()
