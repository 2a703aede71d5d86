"""`dig-nat share` → `dig-nat get`, the executables as a person runs them."""
import json, os, re, shutil, tempfile, time, urllib.parse

from measure import Failure, Sender, Usage, cpu_seconds, peak_memory, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXECUTABLE = os.environ.get("DIG_NAT", os.path.join(ROOT, ".build/release/dig-nat"))


def environment(directory):
    """Loopback only, and nothing from the person's own configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIG_NAT_")}
    return kept | {
        "HOME": directory, "XDG_CONFIG_HOME": directory, "XDG_DATA_HOME": directory,
        "DIG_NAT_LISTEN": "/ip4/127.0.0.1/tcp/0", "DIG_NAT_LOCAL_DISCOVERY": "false",
        "DIG_NAT_PUBLIC_DHT": "false", "DIG_NAT_DHT": "false", "DIG_NAT_PEX": "false", "DIG_NAT_GOSSIP": "false",
    }


class DigNat:
    name = "dig-nat"
    title = "dig-nat"
    encrypted, verified = "Noise", "SHA-256 tree"

    @staticmethod
    def missing():
        if not os.access(EXECUTABLE, os.X_OK):
            return f"{EXECUTABLE}: run `make release`, or name the executable in $DIG_NAT"

    @staticmethod
    def version():
        return None

    def prepare(self, source, directory):
        self.directory = directory

    def share(self, source):
        """Starts to share with an empty data directory; returns the sender and its link."""
        data = tempfile.mkdtemp(dir=self.directory)
        sender = Sender([EXECUTABLE, "share", "--data-dir", data, "--json", source], data + ".log", environment(data))
        try:
            while True:
                event = json.loads(sender.line())
                if event.get("event") == "shared":
                    sender.ignore_output()
                    return sender, event["link"]
        except BaseException:
            sender.stop()
            raise

    def time_to_share(self, source):
        """From the start of the process to the link."""
        began = time.monotonic()
        sender, _ = self.share(source)
        try:
            return Usage(time.monotonic() - began, cpu_seconds(sender.pid), peak_memory(sender.pid))
        finally:
            sender.stop()

    def start(self, source):
        sender, self.link = self.share(source)
        if re.search(r"/ip4/(?!127\.)|/ip6/(?!::1/)|/dns", urllib.parse.unquote(self.link)):
            sender.stop()
            raise Failure(f"dig-nat listens beyond loopback, against what it was told: {self.link}")
        return sender

    def command(self, output):
        data = tempfile.mkdtemp(dir=self.directory)
        command = [EXECUTABLE, "get", "--data-dir", data, "--json", self.link, "-o", output]
        return command, environment(data), lambda: shutil.rmtree(data, ignore_errors=True)

    def receive(self, output, work):
        """Start of the process to its end."""
        command, variables, clean = self.command(output)
        try:
            return run(command, work, variables)[0]
        finally:
            clean()
