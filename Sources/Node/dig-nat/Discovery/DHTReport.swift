import DIGCommandLine
import DIGDiscovery
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNet

/// What this node is in a DHT and what it holds.
struct DHTReport: Hashable, Sendable {
    var source: DiscoverySource
    var protocolID: String
    var mode: KademliaMode
    /// Nodes by how many bits their place shares with this node's, empty buckets too.
    var buckets: [Int]
    var statistics: KademliaStatistics

    init(source: DiscoverySource, protocolID: String, mode: KademliaMode, buckets: [Int], statistics: KademliaStatistics) {
        self.source = source
        self.protocolID = protocolID
        self.mode = mode
        self.buckets = buckets
        self.statistics = statistics
    }

    init(_ dht: KademliaService, source: DiscoverySource) {
        self.init(source: source, protocolID: dht.protocolID.rawValue, mode: dht.mode, buckets: dht.routingTable.map(\.count), statistics: dht.statistics)
    }

    private var modeName: String { self.mode == .server ? "server" : "client" }

    var text: String {
        let statistics = self.statistics
        let buckets = self.buckets.enumerated().filter { $0.element > 0 }.map { "\($0.offset): \($0.element)" }.joined(separator: ", ")
        return [
            "\(self.source.rawValue) (\(self.protocolID))",
            "  mode      \(self.modeName)\(self.mode == .server ? ", answers others" : ", asks only")",
            "  nodes     \(statistics.routingTableCount)\(buckets.isEmpty ? "" : ", by shared bits \(buckets)")",
            "  holds     \(statistics.providerRecordCount) provider records for \(statistics.providerKeyCount) keys, \(statistics.valueCount) values, \(statistics.letterCount) letters",
            "  provides  \(statistics.providedKeyCount) keys; records stored \(statistics.recordsProvided), not stored \(statistics.recordsNotProvided)",
            "  asked     \(statistics.requestsSent) questions in \(statistics.lookups) lookups, \(statistics.requestsFailed) without an answer",
            "  answered  \(statistics.requestsAnswered) questions, refused \(statistics.refusedStreams) streams, malformed \(statistics.malformedMessages)",
        ].joined(separator: "\n")
    }

    var event: JSONObject {
        let statistics = self.statistics
        return [
            "event": "dht", "by": .string(self.source.rawValue), "protocol": .string(self.protocolID), "mode": .string(self.modeName),
            "nodes": .integer(Int64(statistics.routingTableCount)),
            "buckets": .array(
                self.buckets.enumerated().filter { $0.element > 0 }.map {
                    .object(["sharedBits": .integer(Int64($0.offset)), "nodes": .integer(Int64($0.element))])
                }),
            "providerRecords": .integer(Int64(statistics.providerRecordCount)), "providerKeys": .integer(Int64(statistics.providerKeyCount)),
            "values": .integer(Int64(statistics.valueCount)), "letters": .integer(Int64(statistics.letterCount)),
            "provided": .integer(Int64(statistics.providedKeyCount)), "recordsProvided": .unsigned(statistics.recordsProvided),
            "recordsNotProvided": .unsigned(statistics.recordsNotProvided), "lookups": .unsigned(statistics.lookups),
            "requestsSent": .unsigned(statistics.requestsSent), "requestsFailed": .unsigned(statistics.requestsFailed),
            "requestsAnswered": .unsigned(statistics.requestsAnswered), "refusedStreams": .unsigned(statistics.refusedStreams),
            "malformedMessages": .unsigned(statistics.malformedMessages), "invalidSignatures": .unsigned(statistics.invalidSignatures),
            "wrongPeerRecords": .unsigned(statistics.wrongPeerRecords), "expiredRecords": .unsigned(statistics.expiredRecords),
            "refusedRecords": .unsigned(statistics.refusedRecords), "evictedRecords": .unsigned(statistics.evictedRecords),
        ]
    }
}
