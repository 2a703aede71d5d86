import DIGKademlia
import DIGPeerExchange
import DIGSwarm
import ServiceLifecycle

/// Notices when every first contact, of this node and of its DHTs, was tried in vain, so that nobody waits for a first peer that does not come: a
/// search of a machine without a network ends at once.
final class FirstContactWatch: Service {
    /// Ours: how long peers of the local network, if it is looked at, have to answer and be connected to. They do so in less than half of it.
    private static let localPatience: Duration = .seconds(1)

    private let exchange: PeerExchange
    private let bootstrap: BootstrapConnections
    private let dhts: [KademliaService]
    private let looksAround: Bool
    private let swarm: Swarm

    /// - Parameter looksAround: There is discovery in the local network.
    init(exchange: PeerExchange, bootstrap: BootstrapConnections, dhts: [KademliaService], looksAround: Bool, swarm: Swarm) {
        self.exchange = exchange
        self.bootstrap = bootstrap
        self.dhts = dhts
        self.looksAround = looksAround
        self.swarm = swarm
    }

    func run() async throws {
        let start = ContinuousClock.now
        await cancelWhenGracefulShutdown {
            await self.bootstrap.hasTriedAll()
            for dht in self.dhts { await dht.waitUntilJoined() }
            if self.looksAround { try? await Task.sleep(until: start + Self.localPatience, clock: .continuous) }  // Ends early when it is cancelled.
            guard !Task.isCancelled, self.swarm.connections.isEmpty else { return }
            self.exchange.nobodyIsExpected()
        }
    }
}
