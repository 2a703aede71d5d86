import Foundation
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

#if os(Linux)
/// A home, a router with miniupnpd, and the internet: three network namespaces.
///
/// ```
/// home 192.168.77.2 ── lan 192.168.77.1  router  wan 11.0.0.2 ── 11.0.0.3 internet
///      2a00:1:77::2       2a00:1:77::1            2a00:1:99::2   2a00:1:99::3
/// ```
final class RouterNamespaces: Sendable {
    static let requirement = "needs root, iproute2, nftables and miniupnpd (Debian: miniupnpd-nftables)"

    static let isPossible: Bool = {
        guard geteuid() == 0, ["ip", "nft", "miniupnpd"].allSatisfy({ RouterNamespaces.run("which", $0) }) else { return false }
        let name = "portmap-\(UUID().uuidString.prefix(8))"
        guard RouterNamespaces.run("ip", "netns", "add", name) else { return false }
        return RouterNamespaces.run("ip", "netns", "del", name)
    }()

    struct Failure: Error, CustomStringConvertible { var description: String }

    let home: String
    let router: String
    let internet: String
    let folder: String

    /// - Parameter settings: Further lines of miniupnpd.conf.
    init(settings: String = "") throws {
        let id = UUID().uuidString.prefix(6).lowercased()
        self.home = "portmap-\(id)-home"
        self.router = "portmap-\(id)-router"
        self.internet = "portmap-\(id)-net"
        self.folder = FileManager.default.temporaryDirectory.appendingPathComponent("portmap-\(id)").path
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        for name in [self.home, self.router, self.internet] {
            try Self.must("ip", "netns", "add", name)
            try Self.must("ip", "-n", name, "link", "set", "lo", "up")
        }
        try Self.must("ip", "-n", self.router, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", self.home)
        try Self.must("ip", "-n", self.router, "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", self.internet)
        for (name, device, ip4, ip6) in [
            (self.home, "eth0", "192.168.77.2/24", "2a00:1:77::2/64"), (self.router, "lan", "192.168.77.1/24", "2a00:1:77::1/64"),
            (self.router, "wan", "11.0.0.2/24", "2a00:1:99::2/64"), (self.internet, "eth0", "11.0.0.3/24", "2a00:1:99::3/64"),
        ] {
            try Self.must("ip", "-n", name, "addr", "add", ip4, "dev", device)
            try Self.must("ip", "-n", name, "-6", "addr", "add", ip6, "dev", device, "nodad")
            try Self.must("ip", "-n", name, "link", "set", device, "up")
        }
        try Self.must("ip", "-n", self.home, "route", "add", "default", "via", "192.168.77.1")
        try Self.must("ip", "-n", self.home, "-6", "route", "add", "default", "via", "2a00:1:77::1")
        try Self.must("ip", "-n", self.internet, "-6", "route", "add", "2a00:1:77::/64", "via", "2a00:1:99::2")
        try Self.must("ip", "netns", "exec", self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        let rules = """
            table inet portmap {
              chain miniupnpd { }
              chain prerouting_miniupnpd { }
              chain postrouting_miniupnpd { }
              chain input { type filter hook input priority 0; policy accept; }
              chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; iifname "lan" accept; meta l4proto ipv6-icmp accept; jump miniupnpd; }
              chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
              chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; oifname "wan" meta nfproto ipv4 masquerade; }
            }

            """
        try rules.write(toFile: "\(self.folder)/rules.nft", atomically: true, encoding: .utf8)
        try Self.must("ip", "netns", "exec", self.router, "nft", "-f", "\(self.folder)/rules.nft")
        let configuration = """
            ext_ifname=wan
            listening_ip=lan
            http_port=5000
            enable_natpmp=yes
            enable_upnp=yes
            secure_mode=yes
            min_lifetime=2
            upnp_table_name=portmap
            upnp_nat_table_name=portmap
            upnp_forward_chain=miniupnpd
            upnp_nat_chain=prerouting_miniupnpd
            upnp_nat_postrouting_chain=postrouting_miniupnpd
            \(settings)
            allow 1024-65535 192.168.77.0/24 1024-65535
            deny 0-65535 0.0.0.0/0 0-65535

            """
        try configuration.write(toFile: "\(self.folder)/miniupnpd.conf", atomically: true, encoding: .utf8)
    }

    deinit {
        for name in [self.home, self.router, self.internet] { Self.run("ip", "netns", "del", name) }
        try? FileManager.default.removeItem(atPath: self.folder)
    }

    @discardableResult
    static func run(_ words: String...) -> Bool { Self.run(words) == 0 }

    private static func run(_ words: [String]) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }

    static func must(_ words: String...) throws {
        guard Self.run(words) == 0 else { throw Failure(description: "failed: " + words.joined(separator: " ")) }
    }

    /// A running miniupnpd.
    final class Daemon: @unchecked Sendable {
        // Only started and stopped, by one test.
        private let process: Process
        init(_ process: Process) { self.process = process }
        func stop() {
            guard self.process.isRunning else { return }
            // It inherits blocked signals from this process: SIGTERM would not end it.
            kill(self.process.processIdentifier, SIGKILL)
            self.process.waitUntilExit()
        }
        deinit { self.stop() }
    }

    /// Returns when the daemon listens.
    func startDaemon() async throws -> Daemon {
        let startsBefore = self.startCount
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ip", "netns", "exec", self.router, "miniupnpd", "-d", "-f", "\(self.folder)/miniupnpd.conf", "-P", "\(self.folder)/miniupnpd.pid"]
        let log = "\(self.folder)/miniupnpd.log"
        if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        handle.seekToEndOfFile()
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        let daemon = Daemon(process)
        let deadline = ContinuousClock.now + .seconds(10)
        while self.startCount == startsBefore {
            guard .now < deadline, process.isRunning else { throw Failure(description: "miniupnpd did not start:\n\(self.log)") }
            try await Task.sleep(for: .milliseconds(20))
        }
        return daemon
    }

    /// How often a daemon has said that it listens for everything.
    private var startCount: Int { self.log.split(separator: "\n").count { $0.contains("Listening for NAT-PMP/PCP traffic") } }

    /// Deletes the rules that a daemon has left.
    func forget() throws {
        for chain in ["miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"] {
            try Self.must("ip", "netns", "exec", self.router, "nft", "flush", "chain", "inet", "portmap", chain)
        }
    }

    var log: String { (try? String(contentsOfFile: "\(self.folder)/miniupnpd.log", encoding: .utf8)) ?? "" }

    /// An event loop whose thread, and so whose sockets, are in a namespace.
    static func eventLoops(in namespace: String) async throws -> MultiThreadedEventLoopGroup {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await group.next().submit {
            let descriptor = open("/var/run/netns/\(namespace)", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Failure(description: "no namespace \(namespace)") }
            defer { close(descriptor) }
            // setns(2) is not in the module map. 0x40000000 is CLONE_NEWNET.
            guard let symbol = dlsym(nil, "setns") else { throw Failure(description: "no setns") }
            let setns = unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)
            guard setns(descriptor, 0x4000_0000) == 0 else { throw Failure(description: "setns: errno \(errno)") }
        }.get()
        return group
    }
}
#endif
