import Foundation
import NIOCore
import NIOPosix

/// A web server that ends TLS and passes WebSockets on, as in front of a node at home.
final class Nginx: Sendable {
    struct Missing: Error, CustomStringConvertible {
        var description: String { "nginx is not installed: run `make setup`" }
    }

    let port: Int
    private let process: Process

    /// Returns when it accepts connections.
    init(certificate: TestCertificate, backend: UInt16) async throws {
        guard let executable = ["/usr/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"].first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw Missing()
        }
        // Free now; nobody else asks for it in the moment until nginx does.
        let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        self.port = probe.localAddress?.port ?? 0
        try await probe.close()
        let folder = certificate.directory.path
        let configuration = """
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log \(folder)/error.log;
            events {}
            http {
                access_log off;
                client_body_temp_path \(folder)/body;
                proxy_temp_path \(folder)/proxy;
                fastcgi_temp_path \(folder)/fastcgi;
                uwsgi_temp_path \(folder)/uwsgi;
                scgi_temp_path \(folder)/scgi;
                server {
                    listen 127.0.0.1:\(self.port) ssl;
                    ssl_certificate \(certificate.chain);
                    ssl_certificate_key \(certificate.privateKey);
                    location / {
                        proxy_pass http://127.0.0.1:\(backend);
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection "upgrade";
                        proxy_set_header Host $host;
                        proxy_set_header X-Forwarded-For $remote_addr;
                    }
                }
            }
            """
        let file = certificate.directory.appendingPathComponent("nginx.conf")
        try Data(configuration.utf8).write(to: file)
        self.process = Process()
        self.process.executableURL = URL(fileURLWithPath: executable)
        self.process.arguments = ["-e", "\(folder)/error.log", "-p", folder, "-c", file.path]
        // Not ours: should the test crash, whoever reads its output would wait for nginx.
        self.process.standardInput = FileHandle.nullDevice
        self.process.standardOutput = FileHandle.nullDevice
        self.process.standardError = FileHandle.nullDevice
        try self.process.run()
        let end = ContinuousClock.now + .seconds(20)
        while true {
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: self.port).get()
                try await channel.close()
                return
            } catch {
                guard ContinuousClock.now < end, self.process.isRunning else {
                    self.stop()
                    let log = (try? String(contentsOfFile: "\(folder)/error.log", encoding: .utf8)) ?? ""
                    throw Failure(description: "nginx did not start: \(log)")
                }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    struct Failure: Error, CustomStringConvertible { var description: String }

    /// At once: a signal that asks may be blocked in children of this process.
    func stop() {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
    }
}
