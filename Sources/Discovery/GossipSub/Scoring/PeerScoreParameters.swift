public import DIGIdentity

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What makes up the score of a peer (gossipsub v1.1, "Peer Scoring"). It is this node's own opinion and told to nobody.
public struct PeerScoreParameters: Sendable {
    /// For the topics in it; ``defaultTopic`` for the others that this node has subscribed to.
    public var topics: [String: TopicScoreParameters] = [:]
    public var defaultTopic = TopicScoreParameters()
    /// All topics together give no more than this. 0: any amount.
    public var topicScoreCap = 50.0

    // MARK: P₅, what the application thinks

    /// Asked often and under a lock: it must answer at once and must not call the service.
    public var applicationScore: (@Sendable (PeerID) -> Double)?
    public var applicationScoreWeight = 1.0

    // MARK: P₆, peers at one address

    /// Not positive; for the square of how many more there are than ``colocationThreshold``. Addresses that are not on the public internet,
    /// and relayed peers, do not count.
    public var colocationWeight = -5.0
    /// Peers at one IPv4 address, or in one IPv6 /64.
    public var colocationThreshold = 10

    // MARK: P₇, misbehaviour

    /// Not positive; for the square of what is above ``behaviourPenaltyThreshold``.
    public var behaviourPenaltyWeight = -10.0
    public var behaviourPenaltyDecay = Self.decay(over: .seconds(600))
    /// Offences that are forgiven: messages cross on the way.
    public var behaviourPenaltyThreshold = 6.0

    // MARK: Time

    public var decayInterval: Duration = .seconds(1)
    /// Below, a number is 0.
    public var decayToZero = 0.01
    /// How long a peer that has left with a bad score is remembered.
    public var retention: Duration = .seconds(3600)
    /// Peers that have left and are remembered. Beyond, the first that left are forgotten.
    public var maximumRetainedPeers = 4096

    public init() {}

    /// The factor that takes 1 to 1 % in `duration`, applied once in `interval`.
    public static func decay(over duration: Duration, interval: Duration = .seconds(1)) -> Double {
        guard duration > interval, interval > .zero else { return 0.01 }
        return pow(0.01, interval / duration)
    }

    func topic(_ name: String) -> TopicScoreParameters { self.topics[name] ?? self.defaultTopic }

    var isValid: Bool {
        (Array(self.topics.values) + [self.defaultTopic]).allSatisfy(\.isValid) && self.topicScoreCap >= 0 && self.applicationScoreWeight >= 0
            && self.colocationWeight <= 0 && self.colocationThreshold >= 1 && self.behaviourPenaltyWeight <= 0
            && self.behaviourPenaltyDecay > 0 && self.behaviourPenaltyDecay < 1 && self.decayInterval > .zero && self.decayToZero > 0
    }
}
