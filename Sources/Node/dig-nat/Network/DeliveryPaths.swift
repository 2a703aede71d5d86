import DIGCommandLine
import DIGIdentity
import DIGTraversal
import Synchronization

/// Over which paths the bytes of a transfer came: what each peer has given, looked at from time to time, and the path it had then.
///
/// What came between two looks counts for the path at the second, so that the figures around a change of the path are off by what a look misses.
struct DeliveryPaths {
    private struct Route: Hashable {
        var method: TraversalMethod
        var words: String
    }

    private var given: [PeerID: UInt64] = [:]
    private var routes: [PeerID: Route] = [:]
    private var byteCounts: [Route: UInt64] = [:]

    /// - Parameters:
    ///   - byteCount: All that the peer has given so far.
    ///   - path: How the connection goes; nil if there is none any more: then what is new came as before.
    mutating func look(at peer: PeerID, byteCount: UInt64, path: ConnectionPath?) {
        if let path { self.routes[peer] = Route(method: path.method, words: PathDescription.text(path)) }
        let before = self.given[peer] ?? 0
        guard byteCount > before, let route = self.routes[peer] else { return }
        self.given[peer] = byteCount
        self.byteCounts[route, default: 0] += byteCount - before
    }

    /// The path that carried most comes first.
    private var sorted: [(route: Route, byteCount: UInt64)] {
        self.byteCounts.map { (route: $0.key, byteCount: $0.value) }.sorted { ($1.byteCount, $0.route.words) < ($0.byteCount, $1.route.words) }
    }

    /// `relayed`, or `18.8 MiB TCP through the NAT, 1.20 MiB relayed`; nil if nothing came.
    var text: String? {
        var sums: [(words: String, byteCount: UInt64)] = []
        for (route, byteCount) in self.sorted {
            if let index = sums.firstIndex(where: { $0.words == route.words }) { sums[index].byteCount += byteCount } else { sums.append((route.words, byteCount)) }
        }
        guard sums.count != 1 else { return sums[0].words }
        return sums.isEmpty ? nil : sums.map { "\(ByteCount.text($0.byteCount)) \($0.words)" }.joined(separator: ", ")
    }

    /// For the `finished` event.
    var json: JSONValue {
        .array(
            self.sorted.map { route, byteCount in
                .object([
                    "path": .string(route.words), "layer": .string(route.method.rawValue), "direct": .boolean(!route.method.isRelayed), "bytes": .unsigned(byteCount),
                ])
            })
    }
}

/// ``DeliveryPaths`` of a transfer under way, looked at by one task and read by another.
final class DeliveryLog: Sendable {
    private let log = Mutex(DeliveryPaths())

    var paths: DeliveryPaths { self.log.withLock { $0 } }

    func look(at peer: PeerID, byteCount: UInt64, path: ConnectionPath?) {
        self.log.withLock { $0.look(at: peer, byteCount: byteCount, path: path) }
    }
}
