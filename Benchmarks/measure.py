"""Runs processes and reads from the kernel what they took: seconds, CPU-seconds, memory."""
import os, signal, subprocess, threading, time
from dataclasses import dataclass

TICK = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something that makes the figures worthless; its text says what to do."""


@dataclass
class Usage:
    seconds: float
    cpu: float
    peak: int  # bytes resident
    idle: float = 0.0  # seconds spent on a timer before anything was done; not in `seconds`


def process_tree(pid):
    """`pid` and its descendants that are alive."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    todo += map(int, file.read().split())
        except OSError:
            pass  # ended meanwhile
    return found


def cpu_times(pid):
    """User and system seconds of `pid` and its living descendants."""
    user = system = 0
    for each in process_tree(pid):
        try:
            with open(f"/proc/{each}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICK, system / TICK


def cpu_seconds(pid):
    return sum(cpu_times(pid))


def peak_of(pid):
    """Highest resident size of one process since its `exec`."""
    # Not ru_maxrss: that one has the memory of the process that forked in it.
    try:
        with open(f"/proc/{pid}/status") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))
    except OSError:
        return 0


def peak_memory(pid):
    """The same of `pid` and its living descendants."""
    return sum(map(peak_of, process_tree(pid)))


def machine_busy_seconds():
    """Seconds that all cores together were not idle since boot; includes time the hypervisor gave to others."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def finish(process, deadline=1800, on_poll=None):
    """Waits for a process; returns what it used from now on in seconds, and in all in CPU and memory."""
    began, peak, done = time.monotonic(), 0, threading.Event()

    def poll():
        nonlocal peak
        while not done.is_set():
            peak = max(peak, peak_of(process.pid))
            if on_poll:
                on_poll()
            if time.monotonic() - began > deadline:
                os.kill(process.pid, signal.SIGKILL)
                return
            done.wait(0.02)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        # WNOWAIT: the pid stays taken until the poller is done with it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - began
    finally:
        done.set()
        poller.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(seconds, usage.ru_utime + usage.ru_stime, peak)


def run(command, work, environment=None, on_poll=None):
    """Runs a command to its end; returns its usage and its standard output."""
    with open(os.path.join(work, "stdout"), "w+") as output, open(os.path.join(work, "stderr"), "w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment)
        try:
            launch = time.monotonic() - began
            usage = finish(process, on_poll=on_poll and (lambda: on_poll(process.pid)))
        except BaseException:
            if process.returncode is None:
                process.kill()
                process.wait()
            raise
        usage.seconds += launch
        output.seek(0), errors.seek(0)
        text = output.read()
        if process.returncode != 0:
            raise Failure(f"{' '.join(command)}\n  ended with {process.returncode}: {(errors.read() or text)[-2000:]}")
        return usage, text


class Sender:
    """A process that serves until it is stopped."""

    def __init__(self, command, log, environment=None):
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        self.pid = self.process.pid

    def line(self):
        """Its next line of standard output."""
        line = self.process.stdout.readline()
        if not line:
            raise self.ended()
        return line

    def ignore_output(self):
        """Reads what it goes on to say, so that it never waits for somebody to."""
        threading.Thread(target=lambda: all(True for _ in self.process.stdout), daemon=True).start()

    def ended(self):
        code = self.process.wait()
        with open(self.log, errors="replace") as file:
            return Failure(f"{' '.join(self.process.args)}\n  ended with {code}: {file.read()[-2000:]}")

    def wait_until_idle(self, limit=300):
        """Returns when it has done what it had to prepare, so that the next figure is of the transfer only."""
        deadline, quiet = time.monotonic() + limit, 0
        before = cpu_seconds(self.pid)
        while quiet < 3:
            time.sleep(0.2)
            if self.process.poll() is not None:
                raise self.ended()
            now = cpu_seconds(self.pid)
            quiet = quiet + 1 if now - before <= 0.01 else 0
            before = now
            if time.monotonic() > deadline:
                raise Failure(f"{' '.join(self.process.args)}\n  is still busy after {limit} s")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
