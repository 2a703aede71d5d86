public import DIGContent
public import DIGIdentity

/// "This peer does not have what it claims to have": what a peer signs about another.
///
///     let envelope = try report.signed(with: identity)
///     let heard = try AvailabilityReport(verifying: envelope, nowMilliseconds: now)
///
/// On the wire it is a ``DIGIdentity/SignedEnvelope`` over the protobuf `Report`. The algorithm is part of the key, the key is what the reporter's peer id
/// is made from, and the domain makes the signature worthless for anything else.
public struct AvailabilityReport: Hashable, Sendable {
    /// What the reporter has met with. Numbers that are not known here are read as ``other``.
    public enum Reason: UInt32, Hashable, Sendable, CaseIterable, Codable {
        case other = 0
        /// The peer says that it does not have it.
        case notFound = 1
        /// The peer could not prove that it has it.
        case noProof = 2
        /// The peer gave something else.
        case corruptData = 3
        /// The peer could not be reached.
        case unreachable = 4

        /// As the seed's records say it.
        public var text: String {
            switch self {
            case .other: "Content unavailable"
            case .notFound: "Content not found"
            case .noProof: "Content not proven"
            case .corruptData: "Content corrupt"
            case .unreachable: "Peer unreachable"
            }
        }

        /// The reason with this ``text``; ``other`` for any that is not known.
        public init(text: String) { self = Self.allCases.first { $0.text == text } ?? .other }
    }

    /// Separates these signatures from all others.
    public static let domain = "dig-availability-report"
    /// The envelope's payload type.
    public static let payloadType = Array("/dig/availability-report".utf8)
    /// Of ``detail`` in UTF-8.
    public static let maximumDetailByteCount = 256
    /// Of the encoded envelope; an RSA key of 8,192 bits and its signature have room in it.
    public static let maximumByteCount = 4_096
    /// How far another's clock may be ahead.
    public static let maximumClockSkew: Duration = .seconds(120)
    /// Ours: an older report is refused whatever the half-life is.
    public static let maximumAge: Duration = .seconds(86_400)

    /// Who says so, and signs it.
    public var reporter: PeerID
    /// Of whom.
    public var reported: PeerID
    /// What it is said not to have.
    public var content: ContentHash
    /// What was met with.
    public var reason: Reason
    /// For a person.
    public var detail: String?
    /// When it was signed, milliseconds since 1970.
    public var timestampMilliseconds: UInt64

    public init(reporter: PeerID, reported: PeerID, content: ContentHash, reason: Reason = .notFound, detail: String? = nil, timestampMilliseconds: UInt64) {
        self.reporter = reporter
        self.reported = reported
        self.content = content
        self.reason = reason
        self.detail = detail
        self.timestampMilliseconds = timestampMilliseconds
    }

    /// - Throws: ``AvailabilityError`` with `.expired`, `.fromTheFuture` or `.aboutItself`.
    func check(nowMilliseconds now: UInt64) throws(AvailabilityError) {
        guard self.timestampMilliseconds <= now.adding(Self.maximumClockSkew.millisecondCount) else { throw .fromTheFuture }
        guard now.since(self.timestampMilliseconds) < Self.maximumAge.millisecondCount else { throw .expired }
        guard self.reporter != self.reported else { throw .aboutItself }
    }
}
