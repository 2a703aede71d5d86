public import DIGIdentity
public import DIGMultiformats

/// One attempt to reach a peer by one method, and what came of it: what `why` shows.
public struct AttemptRecord: Hashable, Sendable, CustomStringConvertible {
    /// What came of it.
    public enum Outcome: Hashable, Sendable {
        case succeeded
        /// In a person's words.
        case failed(String)
        /// Another method was faster.
        case overtaken
        /// It was ended while nothing was known of its outcome; why, in a person's words. Neither a success nor a failure.
        case unfinished(String)
    }

    public var peer: PeerID
    public var method: TraversalMethod
    /// Where to: the addresses tried, or the one that answered. At most ``maximumAddressCount``.
    public var addresses: [Multiaddr]
    /// Milliseconds of Unix time.
    public var startedAt: UInt64
    public var duration: Duration
    public var outcome: Outcome
    /// The network this node was in, see ``NetworkFingerprint``.
    public var network: NetworkFingerprint
    /// For a punch that was agreed on without a connection: the backend of signaling, such as `gun` or `dht`.
    public var signaling: String?

    public static let maximumAddressCount = 16

    public init(
        peer: PeerID, method: TraversalMethod, addresses: [Multiaddr], startedAt: UInt64, duration: Duration, outcome: Outcome, network: NetworkFingerprint,
        signaling: String? = nil
    ) {
        self.peer = peer
        self.method = method
        self.addresses = Array(addresses.prefix(Self.maximumAddressCount))
        self.startedAt = startedAt
        self.duration = duration
        self.outcome = outcome
        self.network = network
        self.signaling = signaling
    }

    public var description: String {
        let seconds = Double(self.duration.components.seconds) + Double(self.duration.components.attoseconds) * 1e-18
        let time = "\((seconds * 1000).rounded() / 1000) s"
        return switch self.outcome {
        case .succeeded: "\(self.method.rawValue): connected in \(time)\(self.signaling.map { ", agreed on over \($0)" } ?? "")"
        case .failed(let cause): "\(self.method.rawValue): \(cause) (\(time))"
        case .overtaken: "\(self.method.rawValue): given up after \(time), another method was faster"
        case .unfinished(let cause): "\(self.method.rawValue): not over after \(time): \(cause)"
        }
    }
}
