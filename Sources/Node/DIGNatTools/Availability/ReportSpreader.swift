import DIGAvailability
import DIGDiscovery
import DIGIdentity
import Logging

/// Tells reports of this node to connected peers at once, and to everybody else by gossip.
struct ReportSpreader: ReportTransport {
    let exchange: AvailabilityExchange
    /// Nil without gossip.
    let gossip: GossipMechanism?
    let logger: Logger

    func send(_ report: AvailabilityReport, envelope: SignedEnvelope) async throws -> Int {
        var heardCount = 0
        if let gossip = self.gossip {
            do { heardCount = try gossip.publish(envelope) } catch {
                self.logger.debug("a report is not published", metadata: ["dig.availability.error": "\(error)"])
            }
        }
        // The same peers, as a rule.
        return max(heardCount, try await self.exchange.send(report, envelope: envelope))
    }
}
