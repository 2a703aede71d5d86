public import DIGIdentity
public import DIGMultiformats
public import DIGSTUN

/// What a peer says about how it can be reached, signed by itself. A hint: a lie costs whoever believes it one failed attempt.
public struct PeerConnectionCapabilities: Hashable, Sendable {
    public static let domain = "dig-peer-connection-capabilities"
    /// A path, as RFC 0002 allows beside a multicodec.
    public static let payloadType = Array("/dig/capabilities".utf8)
    public static let maximumAddressCount = 32
    /// A longer address is left out: none that leads somewhere is as long.
    static let maximumAddressByteCount = 320
    /// Of a record without its signature.
    static let maximumByteCount = 16 * 1024
    public static let maximumMethodCount = 32
    /// How long a record is believed at most.
    public static let maximumTimeToLive: Duration = .seconds(24 * 3600)

    /// Where the peer can be reached, and how it came to the address.
    public struct Address: Hashable, Sendable {
        public var address: Multiaddr
        public var origin: AddressOrigin

        public init(_ address: Multiaddr, origin: AddressOrigin) {
            self.address = address
            self.origin = origin
        }
    }

    public var peer: PeerID
    /// Milliseconds of Unix time. Of two records the later one counts.
    public var issuedAt: UInt64
    public var timeToLive: Duration
    public var tier: ConnectionTier
    /// Serves as a circuit relay.
    public var relays: Bool
    public var addresses: [Address]
    public var mapping: NATMapping
    public var filtering: NATFiltering
    /// Methods that worked for this peer lately. Names that are not known here are left out.
    public var methods: [TraversalMethod]

    public init(
        peer: PeerID, issuedAt: UInt64, timeToLive: Duration = .seconds(3600), tier: ConnectionTier = .unknown, relays: Bool = false,
        addresses: [Address] = [], mapping: NATMapping = .unknown, filtering: NATFiltering = .unknown, methods: [TraversalMethod] = []
    ) {
        self.peer = peer
        self.issuedAt = issuedAt
        self.timeToLive = timeToLive
        self.tier = tier
        self.relays = relays
        self.addresses = addresses
        self.mapping = mapping
        self.filtering = filtering
        self.methods = methods
    }

    /// Whether the record may still be believed. One from the future is not, beyond what clocks differ by.
    ///
    /// - Parameter now: Milliseconds of Unix time.
    public func isCurrent(at now: UInt64) -> Bool {
        let allowance: UInt64 = 5 * 60 * 1000
        let life = UInt64(clamping: min(self.timeToLive, Self.maximumTimeToLive).components.seconds) * 1000
        let (end, overflow) = self.issuedAt.addingReportingOverflow(life)
        return (overflow || now <= end) && self.issuedAt <= now + allowance
    }

    /// How the peer came by the address at which it was reached.
    public func origin(of address: Multiaddr) -> AddressOrigin? {
        let address = address.removingPeerID()
        return self.addresses.first { $0.address.removingPeerID() == address }?.origin
    }

    /// Signs the record.
    ///
    /// - Throws: `IdentityError` with `.signerMismatch` if the key is not the peer's, or as `SignedEnvelope.seal`.
    public func sealed(with keyPair: KeyPair) throws(IdentityError) -> SignedEnvelope {
        guard self.peer == keyPair.peerID else {
            throw IdentityError(.signerMismatch, "only \(self.peer) can sign its capabilities, not \(keyPair.peerID)")
        }
        return try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: self.encoded, with: keyPair)
    }

    /// Opens an envelope with the capabilities of the peer that signed it.
    ///
    /// - Throws: `IdentityError` with `.invalidEnvelope`, `.invalidSignature`, `.invalidRecord` or `.signerMismatch`.
    public init(opening envelope: SignedEnvelope) throws(IdentityError) {
        try self.init(decoding: try envelope.open(domain: Self.domain, payloadType: Self.payloadType))
        guard self.peer.matches(envelope.publicKey) else {
            throw IdentityError(.signerMismatch, "\(envelope.publicKey.peerID) signed capabilities of \(self.peer)")
        }
    }
}
