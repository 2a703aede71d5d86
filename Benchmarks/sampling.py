"""Where the time of one get goes: on-CPU samples by category, and for each thread whether it ran, could have run, or slept."""
import glob, os, re, shutil, signal, subprocess, time
from dataclasses import dataclass, field

from measure import Failure, Sender, cpu_times, process_tree, run

FREQUENCY = 999
CATEGORIES = ("crypto", "hashing", "disk", "socket", "copies", "memory", "scheduling", "runtime", "code", "kernel")
LEGEND = {
    "crypto": "the record cipher (libcrypto), user side",
    "hashing": "SHA-256 of blocks and tree",
    "disk": "file reads and writes, with the kernel's copies",
    "socket": "TCP, with the kernel's copies and its soft interrupts",
    "copies": "memcpy, memmove, memset in the process",
    "memory": "allocation, page faults, mapping",
    "scheduling": "wake-ups, locks, epoll",
    "runtime": "reference counting and the rest of Swift's and C's runtime libraries",
    "code": "our own code, SwiftNIO and SQLite",
    "kernel": "anything else in the kernel",
}

# The first rule that fits the innermost frame that any rule fits. Kernel frames are looked at from the inside out,
# so that a page fault taken inside a socket read is memory, and a wake-up inside a send is scheduling.
KERNEL = [(category, re.compile(pattern)) for category, pattern in (
    ("disk", r"shmem_|ext4_|xfs_|btrfs_|filemap_|iomap_|^vfs_|generic_perform_write|sys_p?(read|write)|blk_"),
    ("socket", r"^_*(tcp|udp|inet6?|ip6?|sock|skb|net|netif|dev|nf|loopback|sk)_|sys_(recv|send)|softirq"),
    ("memory", r"page_fault|do_anonymous|sys_(mmap|munmap|madvise|brk|mprotect)|exit_mmap"),
    ("scheduling", r"futex|epoll|ep_poll|^_*schedule|try_to_wake|wake_up|eventfd|sys_poll|nanosleep"),
)]
USER = [(category, re.compile(pattern, re.I)) for category, pattern in (
    ("copies", r"^_*(mem(cpy|move|set|pcpy)|bcopy)"),
    ("memory", r"malloc|calloc|realloc|^_*(cfree|free)(@|$)|_int_free|posix_memalign|swift_slowAlloc|swift_slowDealloc|^unlink_chunk|sysmalloc|systrim|^_*madvise"),
    ("hashing", r"dig_?sha|CDIGSHA|sha256|sha512_block|^compress$"),
    ("crypto", r"chacha|poly1305|^poly_hash|aes_|aesni|gcm|ghash|curve25519|x25519|ed25519|CCryptoBoringSSL|s6Crypto"),
    ("scheduling", r"pthread_(mutex|cond|rwlock)|lll_lock|epoll|eventfd|sched_yield|syscall"),
    ("runtime", r"^_*swift_|^swift::|RefCount|^_?\$ss|objc_|dl_"),
)]
#: A frame without a name inside these (labels in assembly) is told by who called it.
CALLERS = [(category, pattern) for category, pattern in USER if category in ("hashing", "crypto")]


@dataclass
class Threads:
    """What the scheduler says of each thread of a process tree between two looks."""
    names: dict = field(default_factory=dict)
    first: dict = field(default_factory=dict)
    last: dict = field(default_factory=dict)

    def look(self, pid):
        for process in process_tree(pid):
            for directory in glob.glob(f"/proc/{process}/task/*"):
                thread = int(os.path.basename(directory))
                try:
                    with open(directory + "/schedstat") as file:
                        ran, waited, _ = map(int, file.read().split())
                    with open(directory + "/comm") as file:
                        self.names[thread] = file.read().strip()
                except (OSError, ValueError):
                    continue
                self.last[thread] = (ran / 1e9, waited / 1e9)

    def begin(self, pid):
        self.look(pid)
        self.first = dict(self.last)

    def spent(self):
        """Thread → (seconds on a CPU, seconds ready but without a CPU), busiest first."""
        spent = {}
        for thread, last in self.last.items():
            first = self.first.get(thread, (0, 0))
            spent[thread] = (last[0] - first[0], last[1] - first[1])
        return dict(sorted(spent.items(), key=lambda item: -item[1][0]))


@dataclass
class Profile:
    """One process: CPU-seconds by category, in all and of its busiest thread."""
    threads: Threads
    seconds: float
    user: float
    system: float
    samples: dict = field(default_factory=dict)  # thread → category → seconds
    symbols: dict = field(default_factory=dict)  # (category, symbol) → seconds

    def categories(self, thread=None):
        total = dict.fromkeys(CATEGORIES, 0.0)
        for each, categories in self.samples.items():
            if thread is None or each == thread:
                for category, seconds in categories.items():
                    total[category] += seconds
        return total


def obstacle():
    """Why perf can't be used, or nil."""
    if not shutil.which("perf"):
        return "perf is not installed (Debian package linux-perf)"
    tried = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-g", "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode:
        return "perf may not record here; root may, or after `sysctl kernel.perf_event_paranoid=1`"


def classify(frames):
    """Category and name of a sample; its frames are (symbol, object), innermost first."""
    if not frames:
        return "code", "[unknown]"
    symbol, where = frames[0]
    if "[kernel" in where or where.startswith("[") and where != "[vdso]" and where != "[unknown]":
        kernel = [name for name, place in frames if place.startswith("[") and place not in ("[vdso]", "[unknown]")]
        for name in kernel:
            for category, pattern in KERNEL:
                if pattern.search(name):
                    return category, symbol
        return "kernel", symbol
    for category, pattern in USER:
        if pattern.search(symbol):
            return category, symbol
    if symbol == "[unknown]" or symbol.startswith((".L", "L$")):
        for name, _ in frames[1:6]:
            for category, pattern in CALLERS:
                if pattern.search(name):
                    return category, name
    # The assembly of the cipher has no symbols.
    if "libcrypto" in where:
        return "crypto", symbol
    if re.search(r"libswift|libc\.so|libm\.so|libgcc|ld-linux|\[vdso\]", where):
        return "runtime", symbol
    return "code", symbol


FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \(([^()]*(?:\([^()]*\))?)\)$")


def read_samples(path, profile):
    # Events that end exactly when the process does can be cut; what can be read is.
    text = subprocess.run(["perf", "script", "-i", path, "--no-inline", "-F", "tid,period,ip,sym,dso"],
                          capture_output=True, text=True, errors="replace").stdout
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line.strip()]
        if not lines:
            continue
        header = lines[0].split()
        thread, seconds = int(header[0]), int(header[1].rstrip(":")) / 1e9
        frames = [match.groups() for match in map(FRAME.match, lines[1:]) if match]
        category, symbol = classify(frames)
        of_thread = profile.samples.setdefault(thread, {})
        of_thread[category] = of_thread.get(category, 0) + seconds
        profile.symbols[category, symbol] = profile.symbols.get((category, symbol), 0) + seconds


def profile_get(peer, source, output, work, use_perf):
    """One get with perf on both sides, or without. Returns the profiles of sender and receiver."""
    sender = peer.start(source)
    recorder = None
    try:
        sender.wait_until_idle()
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-g"]
        sending, receiving, receiver_times, seen = Threads(), Threads(), (0.0, 0.0), []
        command, variables, clean = peer.command(output)
        if use_perf:
            recorder = Sender(record + ["-o", f"{work}/sender.data", "-p", str(sender.pid)], f"{work}/perf.log")
            while not os.path.exists(f"{work}/sender.data"):
                if recorder.process.poll() is not None:
                    raise recorder.ended()
                time.sleep(0.02)
            time.sleep(0.5)
            command = record + ["-o", f"{work}/receiver.data", "--", *command]
        before = cpu_times(sender.pid)
        sending.begin(sender.pid)

        def look(pid):
            nonlocal receiver_times
            for each in process_tree(pid):
                try:
                    if os.path.basename(os.readlink(f"/proc/{each}/exe")) == "perf":
                        continue  # the parent of what it records
                except OSError:
                    continue
                seen.append(time.monotonic())
                receiving.look(each)
                receiver_times = max(receiver_times, cpu_times(each))
            sending.look(sender.pid)

        try:
            run(command, work, variables, on_poll=look)
        finally:
            clean()
        after = cpu_times(sender.pid)
        if not seen:
            raise Failure("the receiver was done before it was seen; take a larger file")
        ran = seen[-1] - seen[0]
        if use_perf:
            recorder.process.send_signal(signal.SIGINT)
            recorder.process.wait(timeout=60)
        profiles = [Profile(sending, ran, after[0] - before[0], after[1] - before[1]),
                    Profile(receiving, ran, *receiver_times)]
        if use_perf:
            for side, profile in zip(("sender", "receiver"), profiles):
                read_samples(f"{work}/{side}.data", profile)
                if not profile.samples:
                    raise Failure(f"perf recorded nothing of the {side}")
        return profiles
    finally:
        if recorder:
            recorder.stop()
        sender.stop()


def readable(symbols):
    """Swift's names as people write them, where the Swift tools are at hand."""
    if not shutil.which("swift"):
        return symbols
    result = subprocess.run(["swift", "demangle", "--compact", "--simplified"], input="\n".join(symbols), capture_output=True, text=True)
    lines = result.stdout.split("\n")[:len(symbols)]
    return lines if result.returncode == 0 and len(lines) == len(symbols) else symbols
