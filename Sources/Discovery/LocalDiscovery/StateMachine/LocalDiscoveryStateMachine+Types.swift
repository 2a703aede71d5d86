import DIGIdentity
import DIGMultiformats
import NIOCore

extension LocalDiscoveryStateMachine {
    /// One interface and address family; the owner of the sockets gives the numbers.
    struct InterfaceID: Hashable, Comparable, Sendable {
        var rawValue: Int
        static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    /// Where a datagram came from.
    struct Source: Hashable, Sendable {
        var address: SocketAddress
        /// The address is one of this machine's own.
        var isThisMachine: Bool
        /// The address is one of the link (RFC 6762 §11): of a network of the interface, or this machine's own.
        var isOnLink: Bool

        var port: UInt16? { self.address.port.flatMap { UInt16(exactly: $0) } }
    }

    enum Destination: Hashable, Sendable {
        case group
        /// The group, from a port of our own, where unicast answers are heard.
        case groupForUnicast
        /// One who asked for a unicast answer (RFC 6762 §5.4), or a simple resolver that sent from a port of its own (§6.7).
        case unicast(Source)
    }

    enum Output: Hashable, Sendable {
        case send(DNSMessage, on: InterfaceID, to: Destination)
        /// A peer appeared, was refreshed, changed its addresses or, with none, left.
        case report(DiscoveredPeer)
        /// A peer has the content, at these addresses; with none, it has it no longer or left.
        case reportHolder(DiscoveredPeer, of: LocalKey)
    }

    /// What has been asked of us.
    struct Answers: OptionSet, Hashable, Sendable {
        var rawValue: UInt8
        static let services = Self(rawValue: 1)
        static let pointer = Self(rawValue: 2)
        static let instance = Self(rawValue: 4)
        static let host = Self(rawValue: 8)
    }

    /// An answer to one asker.
    struct UnicastAnswer: Hashable, Sendable {
        var to: Source
        var wanted: Answers
        var contents: [LocalKey]
        var identifier: UInt16
        /// What a simple resolver asked; nil for others, who are not sent their question.
        var repeatedQuestions: [DNSQuestion]?
        var at: Instant
    }

    struct Interface {
        var isLoopback: Bool
        var nextQuery: Instant
        var lastQuery: Instant?
        var queryInterval: Duration
        var announcementsLeft: Int
        var nextAnnouncement: Instant
        var pendingAnswers: Answers = []
        var pendingContents: [LocalKey] = []
        var answerAt: Instant?
        var lastResponse: Instant?
        var unicastAnswers: [UnicastAnswer] = []
        /// Start of the second in which `unicastCount` answers were asked for.
        var unicastWindow: Instant?
        var unicastCount = 0
        var hasAnsweredByUnicast = false
    }

    /// One `<peer-name>._p2p._udp.local`.
    struct Entry {
        /// `nil` until its TXT record is known.
        var peer: PeerID?
        var addresses: [Multiaddr] = []
        var name: String?
        var answersForContents = false
        var interface: InterfaceID
        var expires: Instant
        /// When half of its life is over: from then on it is not listed as known (RFC 6762 §7.1).
        var halfLife: Instant
        /// When to ask again, `nil` once that is done.
        var refreshAt: Instant?
        var isTextQueried = false
    }

    /// A content that is looked for.
    struct ContentQuestion {
        var nextAt: Instant
        var interval: Duration
        var lastAsked: Instant?
        /// The next question asks for unicast answers.
        var isFirst = true
        /// The instances that have it.
        var holders: [DNSName: Holder] = [:]
        /// What was reported of whom.
        var reported: [PeerID: [Multiaddr]] = [:]
    }

    /// An instance that has said that it has a content.
    struct Holder {
        var expires: Instant
        /// From then on it is not listed as known.
        var halfLife: Instant
    }

    // MARK: Names

    /// libp2p discovery/mdns, "Definitions".
    static let serviceName = DNSName(["_p2p", "_udp", "local"])
    static let hostDomain = DNSName(["p2p", "local"])
    /// RFC 6763 §9.
    static let servicesName = DNSName(["_services", "_dns-sd", "_udp", "local"])
    /// libp2p discovery/mdns, "Response": the key of a TXT attribute. Keys have no case (RFC 6763 §6.4).
    static let attributeKey = "dnsaddr="
    /// Ours: answers for contents, in this way. Others ignore attributes that they do not know (RFC 6763 §6.4).
    static let contentsAttribute = "dig=1"
    /// Ours: what the node calls itself.
    static let nameAttributeKey = "name="
    /// Ours: bytes of that name.
    static let maximumNameByteCount = 63

    // MARK: Times

    /// RFC 6762 §5.2, §6: answers to a question that several may answer, and first queries, come 20 to 120 ms later.
    static let responseDelay: ClosedRange<Duration> = .milliseconds(20) ... .milliseconds(120)
    /// RFC 6762 §7.2: longer if more known answers are to follow.
    static let truncatedResponseDelay: ClosedRange<Duration> = .milliseconds(400) ... .milliseconds(500)
    /// RFC 6762 §6: a record goes to the group at most once a second.
    static let minimumResponseInterval: Duration = .seconds(1)
    /// RFC 6762 §5.2.
    static let initialQueryInterval: Duration = .seconds(1)
    /// RFC 6762 §8.3: two announcements, a second apart.
    static let announcementCount = 2
    static let announcementInterval: Duration = .seconds(1)
    /// RFC 6762 §10.1: a record taken back lives for one second more.
    static let goodbyeLifetime: Duration = .seconds(1)
    /// RFC 6762 §6.7: what a simple resolver may keep.
    static let unicastLifetimeSeconds: UInt32 = 10
    /// Ours: how long an instance that has told its name only is remembered.
    static let nameOnlyLifetime: Duration = .seconds(10)
    /// Ours: nobody's records are believed for longer, whatever they say. RFC 6762 §10 recommends 75 min at most.
    static let maximumLifetime: Duration = .seconds(4500)
    /// Ours: who shares a content later is found after this time at most. Less than half of ``LocalDiscoveryConfiguration/recordLifetime``, so that
    /// each record is asked for again before it is over.
    static let maximumContentQuestionInterval: Duration = .seconds(30)
    /// Ours: between two packets of contents that are taken back.
    static let takeBackInterval: Duration = .milliseconds(100)

    // MARK: Limits

    /// Ours: answers by unicast in a second, on one interface. A source address can be forged.
    static let maximumUnicastResponsesPerSecond = 50
    /// Ours: what a response may take, so that it fits into one packet everywhere (RFC 6762 §17; IPv6 guarantees 1,280).
    static let maximumResponseByteCount = 1200
    /// Ours: known answers in one query, about a kilobyte.
    static let maximumKnownAnswerCount = 20
    /// Ours: the addresses of how many instances are asked for by name in one query.
    static let maximumTextQuestionCount = 8
    /// Ours: contents in one question and in one answer; what is beyond is not answered.
    static let maximumContentsPerMessage = 8
    /// Ours: contents that are looked for at once.
    static let maximumContentQuestionCount = 64
    /// Ours: contents of which it is remembered that somebody was told of them. Of further ones nothing is taken back: they end by themselves.
    static let maximumToldCount = 1024
}
