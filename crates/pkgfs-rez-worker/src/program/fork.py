"""Answers pkgfs's questions about packages.

One JSON object a line on standard input, one a line on standard output, the first a greeting. Each
question is answered by a fork of this process, which has rez loaded: what a definition does to its
process (an exit, a changed environment, an imported module) ends with the answer, and so does every
process that it started. Ends with its standard input, in the midst of anything, and takes all of
that with it.
"""
import select
import sys
import time

# How often a fork that may have died without a word is looked at, in milliseconds.
LOOK = 20


def ask_a_fork(question):
    """What a fork answers; None where pkgfs is gone."""
    until = time.monotonic() + question["seconds"]
    read, write = os.pipe()
    fork = os.fork()
    if fork == 0:
        try:
            answering = os.getpid()
            for descriptor in (QUESTIONS, ANSWERS, read):
                os.close(descriptor)
            reply = answer(question)
            # A definition that forks comes back here twice, and who lost its parent has ours.
            if os.getpid() == answering:
                send(write, reply)
        finally:
            os._exit(0)
    os.close(write)
    waiting = select.poll()
    waiting.register(QUESTIONS, 0)
    waiting.register(read, select.POLLIN)
    said, ended = b"", False
    try:
        while not said.endswith(b"\n"):
            if time.monotonic() > until:
                return {"late": True}
            ready = dict(waiting.poll(LOOK))
            if QUESTIONS in ready:
                return None
            if read in ready:
                more = os.read(read, 1 << 16)
                if not more:
                    break
                said += more
            elif ended:
                break
            else:
                # What it said is read before its end is believed.
                look = os.WEXITED | os.WNOHANG | os.WNOWAIT
                ended = os.waitid(os.P_PID, fork, look) is not None
        return json.loads(said) if said.endswith(b"\n") else {"died": True}
    finally:
        os.close(read)
        end_forks()


def end_forks():
    """Kills what the fork was and what it started: orphans become children of this process."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for child in children():
                    os.kill(child, signal.SIGKILL)
                os.waitpid(-1, 0)
        except ChildProcessError:
            return
        except ProcessLookupError:
            pass


def main():
    adopt_orphans()
    # Loaded here once, and not by every fork.
    make_ready()
    for question in lines():
        reply = ask_a_fork(question)
        if reply is None:
            break
        send(ANSWERS, dict(reply, id=question["id"]))
    os._exit(0)


main()
