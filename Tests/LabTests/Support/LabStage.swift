#if os(Linux)
import DIGNATLab
import Foundation
import Testing

/// Every test of this target: one after the other, each in a lab of its own. They measure time, and one internet on a machine is enough.
@Suite("The product in the lab", .serialized)
enum InLab {}

/// A lab in which `dig-nat` runs.
struct LabStage: Sendable {
    let lab: Lab

    /// 20 ms from a home to the core: 40 ms there and back to a public host, 80 ms to another home.
    static let line = LinkPlan(delay: .milliseconds(20))
    /// The lab's public addresses are from the ranges for documentation, and there is no public network in it.
    static let environment = ["DIG_NAT_DOCUMENTATION_ADDRESSES": "true", "DIG_NAT_PUBLIC_DHT": "false"]

    /// Builds a lab, runs `body` and takes it down. Nothing may be left of it.
    ///
    /// Needs root; says so in one line otherwise, and does nothing.
    static func with(
        relays: Int = 1, hosts: [String] = [], homes: [HomePlan], name: String = #function, _ body: @Sendable (LabStage) async throws -> Void
    ) async throws {
        guard Lab.isPermitted else { return print("LabTests: \(name) needs root: not run") }
        let names = (0..<relays).map { $0 == 0 ? "relay" : "relay-\($0 + 1)" } + hosts
        let plan = LabPlan(publicHosts: names.map { PublicHostPlan($0) }, homes: homes)
        let id = try await Lab.with(plan, options: LabOptions(title: name)) { lab in
            try await body(LabStage(lab: lab))
            return lab.id
        }
        #expect(LabTrace.namespaces(of: id) == [])
        #expect(LabTrace.processes(of: id) == [])
    }

    static func home(_ name: String, _ nat: NATKind, hosts: Int = 1, upnp: Bool = false) -> HomePlan {
        HomePlan(name, nat: nat, hostCount: hosts, upnp: upnp, link: self.line)
    }

    // MARK: Nodes

    /// Starts `dig-nat` on a host.
    func start(_ arguments: [String], on host: String, environment: [String: String] = [:]) async throws -> LabProcess {
        try await self.lab.host(host).start(["dig-nat"] + arguments, environment: Self.environment.merging(environment) { $1 })
    }

    /// Starts a relay on a public host.
    func relay(on host: String = "relay") async throws -> Relay {
        let address = "/ip4/\(try await self.lab.host(host).ipv4)/tcp/4001"
        let process = try await self.start(["node", "--json", "--serve-relay", "always", "--no-local-discovery", "--listen", address], on: host)
        let listening = try await process.event("listening") { $0.addresses?.isEmpty == false }
        let ownAddress = try #require(listening.addresses?.first { $0.hasPrefix(address) })
        return Relay(host: host, address: ownAddress, process: process)
    }

    /// Starts a node on a public host that helps peers to find each other, and does not relay.
    func meetingPlace(on host: String, options: [String] = []) async throws -> Relay {
        let address = "/ip4/\(try await self.lab.host(host).ipv4)/tcp/4001"
        let process = try await self.start(
            ["node", "--json", "--serve-relay", "never", "--serve-dht", "always", "--no-local-discovery", "--listen", address] + options, on: host)
        let listening = try await process.event("listening") { $0.addresses?.isEmpty == false }
        return Relay(host: host, address: try #require(listening.addresses?.first { $0.hasPrefix(address) }), process: process)
    }

    /// Shares a file on a host.
    func share(
        _ sample: LabFile, on host: String, relays: [Relay] = [], options: [String] = [], environment: [String: String] = [:]
    ) async throws -> Sharer {
        let path = "\(try await self.folder(of: host))/shared.bin"
        try sample.data.write(to: URL(fileURLWithPath: path))
        let process = try await self.start(
            ["share", "--json"] + relays.flatMap { ["--relay", $0.address] } + options + [path], on: host, environment: environment)
        let listening = try await process.event("listening")
        let shared = try await process.event("shared")
        return Sharer(
            process: process, peer: try #require(listening.peer), link: try #require(shared.link), contentHash: try #require(shared.contentHash))
    }

    /// Begins to get what `reference` names.
    func get(
        _ reference: String, on host: String, relays: [Relay] = [], options: [String] = [], environment: [String: String] = [:]
    ) async throws -> Getter {
        let output = "\(try await self.folder(of: host))/got-\(UInt32.random(in: 0 ... .max)).bin"
        let process = try await self.start(
            ["get", "--json", "-o", output] + relays.flatMap { ["--relay", $0.address] } + options + [reference], on: host, environment: environment)
        return Getter(process: process, output: output)
    }

    /// A host's home, made if nothing has run there yet.
    func folder(of host: String) async throws -> String {
        let folder = try await self.lab.host(host).folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    // MARK: Routers

    /// Lets a home's router speak one protocol of port mapping alone.
    func restrictPortMapping(of home: String, to origin: String) async throws {
        // The first byte of NAT-PMP is 0, that of PCP 2; SSDP asks at 1900.
        let blocked: [String: [String]] = [
            "upnp": ["udp dport 5351"], "nat-pmp": ["udp dport 1900", "udp dport 5351 @th,64,8 2"], "pcp": ["udp dport 1900", "udp dport 5351 @th,64,8 0"],
        ]
        let rules = try #require(blocked[origin]).map { "iifname \"lan*\" \($0) drop" }.joined(separator: "\n")
        let table = "table inet restricted { chain input { type filter hook input priority -10; policy accept;\n\(rules)\n}\n}\n"
        let process = try await self.lab.start(["nft", table], on: "\(home)-gw")
        let output = try await process.wait(timeout: .seconds(10))
        try #require(output.exit.isSuccess, "\(output.standardError)")
    }
}

/// A node on a public host that the others name.
struct Relay: Sendable {
    let host: String
    /// With its peer id.
    let address: String
    let process: LabProcess
}

/// A node that shares one file.
struct Sharer: Sendable {
    let process: LabProcess
    let peer: String
    let link: String
    let contentHash: String
}
#endif
