import ArgumentParser
import DIGCommandLine
import DIGDiscovery
import DIGKademlia
import DIGNatTools

/// What the commands about the DHT understand.
struct DHTOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Which DHT: dht or public-dht. (default: each that is on)", valueName: "name"))
    var by: String?

    @Option(help: ArgumentHelp("How long to wait for first nodes, and then for answers.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(10))

    func validate() throws {
        if let by = self.by, ![DiscoverySource.dht, .publicDHT].map(\.rawValue).contains(by) { throw ValidationError("--by takes dht or public-dht.") }
        if !(Duration.milliseconds(100)...Duration.seconds(3600)).contains(self.timeout.duration) { throw ValidationError("--timeout takes 100ms to 1h.") }
    }

    /// The DHTs that are meant and on.
    ///
    /// - Throws: ``CommandFailure`` if none is.
    func services(of network: NetworkManager) throws -> [(source: DiscoverySource, dht: KademliaService)] {
        let all: [(source: DiscoverySource, dht: KademliaService?)] = [(.dht, network.discovery.dht), (.publicDHT, network.discovery.publicDHT)]
        let chosen = all.filter { self.by == nil || self.by == $0.source.rawValue }.compactMap { entry in entry.dht.map { (source: entry.source, dht: $0) } }
        guard !chosen.isEmpty else {
            throw CommandFailure(.usage, "\(self.by ?? "every DHT") is switched off", next: "switch it on with --dht or --public-dht")
        }
        return chosen
    }

    private static let lookInterval: Duration = .milliseconds(100)

    /// Waits until some node is known.
    ///
    /// - Returns: Whether one is.
    func waitForNodes(_ dht: KademliaService) async throws -> Bool {
        let end = ContinuousClock.now + self.timeout.duration
        while dht.statistics.routingTableCount == 0 {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: Self.lookInterval)
        }
        return true
    }

    /// Does the same in each DHT at once, when it knows nodes. What fails in one does not keep the others.
    ///
    /// - Parameter body: Returns whether it has found what was looked for.
    /// - Throws: ``CommandFailure`` if nothing was found in any.
    func inEach(
        of network: NetworkManager, console: Console, orThrow what: String, _ body: @escaping @Sendable (DiscoverySource, KademliaService) async throws -> Bool
    ) async throws {
        let services = try self.services(of: network)
        let outcomes = try await withThrowingTaskGroup(of: (CommandStatus, String).self) { group in
            for (source, dht) in services {
                group.addTask {
                    guard try await self.waitForNodes(dht) else { return (.unreachable, "\(source.words): no node is known") }
                    do {
                        return try await body(source, dht) ? (.success, "") : (.notFound, "\(source.words): \(what)")
                    } catch let error as KademliaError {
                        return (.unreachable, "\(source.words): \(error)")
                    }
                }
            }
            var outcomes: [(CommandStatus, String)] = []
            for try await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        guard !outcomes.contains(where: { $0.0 == .success }) else { return }
        let status: CommandStatus = outcomes.contains { $0.0 == .notFound } ? .notFound : .unreachable
        throw CommandFailure(
            status, status == .notFound ? what : "no node of the DHT answers", details: outcomes.map(\.1).sorted(),
            next: "name a first contact with --bootstrap, or give it longer with --timeout")
    }
}
