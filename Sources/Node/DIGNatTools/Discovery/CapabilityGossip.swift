import DIGGossipSub
import DIGNet
import DIGTraversal
import Logging
import ServiceLifecycle
import Synchronization

/// Tells everybody how this node can be reached, and hears it of others: signed records in a topic of gossipsub.
final class CapabilityGossip: Service {
    static let topic = "dig-peer-connection-capabilities"
    /// Ours. A record is believed for longer, so that one that is lost does no harm.
    private static let interval: Duration = .seconds(600)
    private static let patience: Duration = .seconds(5)

    private let gossip: GossipSub
    private let traversal: NATTraversalManager
    private let records: AsyncStream<GossipMessage>
    private let told = Mutex<[UInt8]>([])
    private let logger: Logger

    /// - Returns: Nil without gossip.
    init?(_ gossip: GossipSub?, traversal: NATTraversalManager, logger: Logger) throws {
        guard let gossip else { return nil }
        self.gossip = gossip
        self.traversal = traversal
        self.logger = logger
        // What does not verify is not passed on, and whoever sends it is scored.
        self.records = try gossip.subscribe(Self.topic) { message in
            switch traversal.learn(capabilities: message.data) {
            case .taken: .accept
            case .known: .ignore
            case .invalid: .reject
            }
        }
    }

    func run() async throws {
        let changes = self.traversal.environmentChanges
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    // The validator has taken them in already.
                    for await _ in self.records {}
                }
                group.addTask {
                    for await _ in changes {
                        self.tell(isChange: true)
                        // Changes come in flocks.
                        do { try await Task.sleep(for: Self.patience) } catch { return }
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        self.tell(isChange: false)
                        do { try await Task.sleep(for: Self.interval) } catch { return }
                    }
                }
            }
        }
    }

    private func tell(isChange: Bool) {
        do {
            let record = try self.traversal.publicCapabilities()
            let isKnown = self.told.withLock { told in
                defer { told = record }
                return told == record
            }
            guard !isKnown || !isChange else { return }
            _ = try self.gossip.publish(record, to: Self.topic)
        } catch {
            self.logger.debug("capabilities are not told", metadata: ["dig.node.error": "\(error)"])
        }
    }
}
