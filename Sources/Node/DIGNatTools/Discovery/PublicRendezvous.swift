import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNet
import DIGSwarm
import Logging
import ServiceLifecycle

/// Nodes of one DHT find their first contacts in the public one: those that serve are providers of a key that stands for the network.
final class PublicRendezvous: Service {
    /// Ours: what counts as enough nodes known.
    private static let enough = 8
    private static let interval: Duration = .seconds(60)
    private static let maximumInterval: Duration = .seconds(1800)
    private static let dialTimeout: Duration = .seconds(15)

    private let key: [UInt8]
    private let publicDHT: KademliaService
    private let dht: KademliaService
    private let swarm: Swarm
    private let logger: Logger

    init(network: ProtocolID, publicDHT: KademliaService, dht: KademliaService, swarm: Swarm, logger: Logger) {
        self.key = KademliaMechanism.key(of: RendezvousKey(.name("dig-nat-tools network \(network.rawValue)")))
        self.publicDHT = publicDHT
        self.dht = dht
        self.swarm = swarm
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var wait = Self.interval
            while !Task.isCancelled {
                do {
                    if self.publicDHT.statistics.routingTableCount == 0 { try await self.publicDHT.bootstrap() }
                    try await self.meet()
                    wait = Self.interval
                } catch {
                    self.logger.debug("nobody is met in the public DHT", metadata: ["dig.node.error": "\(error)"])
                    wait = min(wait * 2, Self.maximumInterval)
                }
                do { try await Task.sleep(for: wait) } catch { return }
            }
        }
    }

    private func meet() async throws {
        if self.dht.mode == .server {
            // The service says it again by itself from then on.
            try await self.publicDHT.provide(self.key)
        }
        guard self.dht.statistics.routingTableCount < Self.enough else { return }
        var options = DialOptions()
        options.source = .stranger
        options.timeout = Self.dialTimeout
        for await provider in self.publicDHT.findProviders(of: self.key, limit: 4 * Self.enough) {
            guard self.dht.statistics.routingTableCount < Self.enough else { return }
            do { _ = try await self.swarm.connect(to: provider.peer, addresses: provider.addresses, options: options) } catch is CancellationError {
                return
            } catch {
                self.logger.debug("a node of this network is not there", metadata: ["dig.node.peer": "\(provider.peer)", "dig.node.error": "\(error)"])
            }
        }
    }
}
