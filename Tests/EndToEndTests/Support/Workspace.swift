import DIGContent
import DIGMultiformats
import Foundation
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A directory with everything that one test's processes see: homes, data, what is shared, where it goes.
///
///     base/home  base/nodes/<node>  base/source  base/downloads  base/outside
final class Workspace: Sendable {
    let base: String
    var source: String { self.base + "/source" }
    var downloads: String { self.base + "/downloads" }
    /// Nothing may change here.
    var outside: String { self.base + "/outside" }

    static let sentinel = "not to be touched"

    /// Holders, which run until the test is over.
    private let holders = Mutex<[DigNatProcess]>([])

    init() throws {
        self.base = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().appendingPathComponent("dig-e2e-\(UUID().uuidString.prefix(8))").path
        for name in ["home", "nodes", "source", "downloads", "outside"] {
            try FileManager.default.createDirectory(atPath: self.base + "/" + name, withIntermediateDirectories: true)
        }
        try Data(Self.sentinel.utf8).write(to: URL(fileURLWithPath: self.outside + "/sentinel"))
    }

    deinit {
        self.holders.withLock { $0 }.forEach { $0.signal(SIGKILL) }
        try? FileManager.default.removeItem(atPath: self.base)
    }

    // MARK: Files

    /// A file to share; its directories are made.
    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to path: String) throws -> String {
        let url = URL(fileURLWithPath: path.hasPrefix("/") ? path : self.source + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
        return url.path
    }

    /// As ``write(_:to:)``, unless it is there: what is shared must not change.
    func path(of bytes: [UInt8], _ name: String) throws -> String {
        let path = self.source + "/" + name
        return Self.read(path) == bytes ? path : try self.write(bytes, to: name)
    }

    static func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

    /// As `#expect(read(path) == bytes)`, which would print both and look for the differences.
    static func expect(_ path: String, holds bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        guard let actual = self.read(path) else {
            Issue.record("there is no file \(path)", sourceLocation: sourceLocation)
            return
        }
        self.expect(actual, is: bytes, path, sourceLocation: sourceLocation)
    }

    static func expect(_ actual: [UInt8], is bytes: [UInt8], _ name: String = "the output", sourceLocation: SourceLocation = #_sourceLocation) {
        guard actual != bytes else { return }
        let difference = zip(actual, bytes).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(actual.count, bytes.count)
        Issue.record("\(name) has \(actual.count) bytes and should have \(bytes.count); they differ from \(difference) on", sourceLocation: sourceLocation)
    }

    static func names(in directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    /// Names in the download directory, hidden ones too.
    var downloaded: [String] { Self.names(in: self.downloads) }

    /// What is begun and not finished.
    var partial: [String] { self.downloaded.filter { $0.hasSuffix(".part") } }

    /// Nothing beside the download directory was made, changed or removed.
    func expectNothingElseTouched(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(Self.names(in: self.base) == ["downloads", "home", "nodes", "outside", "source"], sourceLocation: sourceLocation)
        #expect(Self.names(in: self.outside) == ["sentinel"], sourceLocation: sourceLocation)
        #expect(Self.read(self.outside + "/sentinel") == Array(Self.sentinel.utf8), sourceLocation: sourceLocation)
        #expect(Self.names(in: self.base + "/home") == [], sourceLocation: sourceLocation)
    }

    // MARK: Processes

    func environment(_ changes: [String: String] = [:]) -> [String: String] {
        var environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.base + "/home", "LC_ALL": "C.UTF-8",
            "XDG_STATE_HOME": self.base + "/home/.local/state", "XDG_CONFIG_HOME": self.base + "/home/.config", "DIG_NAT_LISTEN": "/ip4/127.0.0.1/tcp/0",
            "DIG_NAT_LOCAL_DISCOVERY": "false", "DIG_NAT_PORT_MAPPING": "false",
            // Each test switches on what it is about.
            "DIG_NAT_PUBLIC_DHT": "false", "DIG_NAT_DHT": "false", "DIG_NAT_PEX": "false", "DIG_NAT_GOSSIP": "false",
        ]
        for (name, value) in changes { environment[name] = value.isEmpty ? nil : value }
        return environment
    }

    /// Commands that have commands.
    private static let groups: [String: Set<String>] = [
        "id": ["import", "sign", "verify"], "records": ["export", "verify"], "trust": ["add", "rm", "ls"], "grant": ["ls", "revoke"],
    ]

    func data(of node: String) -> String { self.base + "/nodes/" + node }

    /// Starts a command of the node.
    func start(
        _ node: String, _ arguments: [String], json: Bool = true, environment: [String: String] = [:], launcher: [String] = [],
        observer: (@Sendable (Data) -> Void)? = nil
    ) throws -> DigNatProcess {
        var all = arguments
        // Behind the command, which may have two words.
        let words = arguments.count > 1 && Self.groups[arguments[0]]?.contains(arguments[1]) == true ? 2 : 1
        all.insert(contentsOf: ["--data-dir", self.data(of: node)] + (json ? ["--json"] : []), at: words)
        return try DigNatProcess(
            all, environment: self.environment(environment), workingDirectory: self.downloads, launcher: launcher, observer: observer)
    }

    /// Runs a command to its end.
    func run(
        _ node: String, _ arguments: [String], json: Bool = true, environment: [String: String] = [:], launcher: [String] = [],
        within limit: Duration = .seconds(60)
    ) async throws -> DigNatProcess.State {
        let process = try self.start(node, arguments, json: json, environment: environment, launcher: launcher)
        return try await process.end(within: limit)
    }

    /// A holder and the link it printed.
    struct Holder: Sendable {
        let process: DigNatProcess
        let link: ShareLink

        /// The holder's own address.
        var address: Multiaddr { get throws { try #require(self.link.peers.first) } }

        var port: UInt16 {
            get throws {
                for case .tcp(let port) in try self.address.components { return port }
                throw DigNatProcess.Failure(description: "no port in \(self.link)")
            }
        }
    }

    /// Shares until the process ends.
    func share(_ node: String, _ arguments: [String], environment: [String: String] = [:], launcher: [String] = []) async throws -> Holder {
        let process = try self.start(node, ["share"] + arguments, environment: environment, launcher: launcher)
        self.holders.withLock { $0.append(process) }
        let shared = try await process.event("shared")
        return Holder(process: process, link: try ShareLink(parsing: try #require(shared["link"].string)))
    }
}

extension ShareLink {
    /// The same content, from other peers.
    func with(peers: [Multiaddr]) throws -> ShareLink {
        try ShareLink(
            contentHash: self.contentHash, kind: self.kind, size: self.size, root: self.root, name: self.name, sha256: self.sha256, peers: peers)
    }

    /// All that proves or describes is left out.
    func bare(peers: [Multiaddr]? = nil, name: String? = nil) throws -> ShareLink {
        try ShareLink(contentHash: self.contentHash, kind: self.kind, name: name, peers: peers ?? self.peers)
    }
}

extension DigNatProcess.State {
    /// Asserts a failure with its exit code and message, as seen with `--json`.
    func expectFailure(_ code: Int32, _ texts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.exitCode == code, "\(self)", sourceLocation: sourceLocation)
        let error = self.events.last { $0.event == "error" } ?? .null
        #expect(error["exit"].number == Double(code), "\(self)", sourceLocation: sourceLocation)
        let message = ([error["message"].string ?? ""] + error["details"].array.compactMap(\.string) + [error["next"].string ?? ""]).joined(separator: "\n")
        for text in texts { #expect(message.contains(text), "\(self)", sourceLocation: sourceLocation) }
    }

    func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.exitCode == 0, "\(self)", sourceLocation: sourceLocation)
    }

    /// The event of a finished `get`.
    var finished: JSON { self.first("finished") ?? .null }
}
