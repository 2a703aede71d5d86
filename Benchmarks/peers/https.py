"""curl over HTTPS from nginx: TLS 1.3, AES-256-GCM, one connection, nothing verified but the cipher's tags."""
import os, re, shutil, socket, subprocess, time

from measure import Failure, Sender, run

CONFIGURATION = """
{user}
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        root {root};
        keepalive_requests 100000;
        ssl_certificate {directory}/certificate.pem;
        ssl_certificate_key {directory}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
    }}
}}
"""


def nginx():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class HTTPS:
    name = "https"
    title = "curl ← nginx, HTTPS"
    encrypted, verified = "TLS 1.3 AES-256-GCM", "–"

    @staticmethod
    def missing():
        absent = [package for tool, package in ((nginx(), "nginx-light"), (shutil.which("curl"), "curl"),
                                                (shutil.which("openssl"), "openssl")) if not tool]
        return f"Debian packages: {' '.join(absent)}" if absent else None

    @staticmethod
    def version():
        said = subprocess.run([nginx(), "-v"], capture_output=True, text=True).stderr
        curl = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout
        return f"{said.strip().partition(': ')[2]}, {' '.join(curl.split()[:2])}, " + " ".join(re.findall(r"OpenSSL/\S+", curl))

    def prepare(self, source, directory):
        self.directory = directory
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", f"{directory}/key.pem", "-out", f"{directory}/certificate.pem"],
            check=True, capture_output=True)

    def start(self, source):
        self.source = source
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = f"{self.directory}/nginx.conf"
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(user="user root;" if os.getuid() == 0 else "", directory=self.directory,
                                            port=self.port, root=os.path.dirname(source)))
        sender = Sender([nginx(), "-p", self.directory, "-c", path, "-e", f"{self.directory}/error.log", "-g", "daemon off;"],
                        f"{self.directory}/nginx.log")
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return sender
            except OSError:
                if sender.process.poll() is not None:
                    raise sender.ended()
                if time.monotonic() > deadline:
                    sender.stop()
                    raise Failure(f"nginx does not accept connections; see {self.directory}")
                time.sleep(0.02)

    def receive(self, output, work):
        """Start of the process to its end. A folder goes through one connection."""
        name = os.path.basename(self.source)
        command = ["curl", "-q", "--silent", "--show-error", "--fail", "--noproxy", "*", "--http1.1",
                   "--cacert", f"{self.directory}/certificate.pem"]
        url = f"https://127.0.0.1:{self.port}/{name}"
        if os.path.isdir(self.source):
            os.makedirs(output)
            with open(f"{work}/curl.conf", "w") as file:
                for entry in sorted(os.listdir(self.source)):
                    file.write(f'url = "{url}/{entry}"\noutput = "{output}/{entry}"\n')
            command += ["--config", f"{work}/curl.conf"]
        else:
            command += ["--output", output, url]
        return run(command, work)[0]
