public import DIGContent
public import DIGIdentity

/// A host's signed permission to have some of its contents: who shows it is let in.
///
/// On the wire a `SignedEnvelope` over the protobuf `AccessTokenRecord`; in a link the text ``text``. A token with a ``holder`` is of use to that peer
/// alone. One without is as good as money: whoever sees it can use it, until it is over or revoked, so it is shown to its own host only.
public struct AccessToken: Hashable, Sendable {
    /// Separates these signatures from all others.
    public static let domain = "dig-access-token"
    /// The envelope's payload type.
    public static let payloadType = Array("/dig/access-token".utf8)
    /// Contents in one token.
    public static let maximumContentCount = 32
    /// The longest encoded envelope.
    public static let maximumByteCount = 4096
    /// Ours: how far the host's clock, when it signed, may be ahead of the clock it is checked by.
    public static let maximumClockSkewMilliseconds: UInt64 = 120_000
    /// What the text begins with.
    public static let textPrefix = "dig-token-"

    public let id: AccessTokenID
    /// Where it is good; who signed it.
    public let host: PeerID
    /// For what. Empty: everything the host shares. A folder stands for the files in it.
    public let contents: Set<ContentHash>
    /// Who may use it. Nil: whoever has it.
    public let holder: PeerID?
    /// Unix time by the host's clock.
    public let issuedMilliseconds: UInt64
    /// Unix time by the host's clock; from then on it is worthless.
    public let expiresMilliseconds: UInt64
    /// What goes over the wire.
    public let envelope: SignedEnvelope

    /// Signs a token.
    ///
    /// - Throws: ``AccessError`` with `.malformed` if there are too many contents or it ends before it begins; `.unavailable` if the key can't sign.
    public init(
        id: AccessTokenID = AccessTokenID(), contents: Set<ContentHash>, holder: PeerID? = nil, issuedMilliseconds: UInt64, expiresMilliseconds: UInt64,
        signedBy host: KeyPair
    ) throws(AccessError) {
        guard contents.count <= Self.maximumContentCount, issuedMilliseconds < expiresMilliseconds else { throw .malformed }
        self.id = id
        self.host = host.peerID
        self.contents = contents
        self.holder = holder
        self.issuedMilliseconds = issuedMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
        let payload = Self.payload(id: id, host: host.peerID, contents: contents, holder: holder, issued: issuedMilliseconds, expires: expiresMilliseconds)
        do {
            self.envelope = try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: payload, with: host)
        } catch {
            throw .unavailable
        }
    }

    /// Reads a token and checks that the host it names signed it. Whether it is still good, ``check(nowMilliseconds:)`` says.
    ///
    /// - Throws: ``AccessError`` with `.tokenInvalid`.
    public init(verifying envelope: SignedEnvelope) throws(AccessError) {
        let payload: [UInt8]
        do { payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType) } catch { throw .tokenInvalid }
        (self.id, self.host, self.contents, self.holder, self.issuedMilliseconds, self.expiresMilliseconds) = try Self.fields(of: payload)
        guard self.host.matches(envelope.publicKey), self.issuedMilliseconds < self.expiresMilliseconds else { throw .tokenInvalid }
        self.envelope = envelope
    }

    /// As ``init(verifying:)``, for the encoded envelope.
    public init(decoding bytes: some Collection<UInt8>) throws(AccessError) {
        guard bytes.count <= Self.maximumByteCount else { throw .tokenInvalid }
        let envelope: SignedEnvelope
        do { envelope = try SignedEnvelope(decoding: bytes) } catch { throw .tokenInvalid }
        try self.init(verifying: envelope)
    }

    public var encoded: [UInt8] { self.envelope.encoded }

    /// Whether it is good for `content`.
    public func covers(_ content: ContentHash) -> Bool { self.contents.isEmpty || self.contents.contains(content) }

    /// Looks at the times.
    ///
    /// - Throws: ``AccessError`` with `.tokenExpired` or `.tokenNotYetValid`.
    public func check(nowMilliseconds now: UInt64) throws(AccessError) {
        guard now < self.expiresMilliseconds else { throw .tokenExpired }
        guard self.issuedMilliseconds <= now || self.issuedMilliseconds - now <= Self.maximumClockSkewMilliseconds else { throw .tokenNotYetValid }
    }
}
