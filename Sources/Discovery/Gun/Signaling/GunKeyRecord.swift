import DIGIdentity
import DIGMultiformats

/// The X25519 key (RFC 7748) that messages for a peer are sealed to, signed by the peer.
///
/// The key is of one run: what was sealed to an earlier one nobody can open any more.
struct GunKeyRecord: Hashable, Sendable {
    static let domain = "dig-gun-key"
    static let payloadType = Array("/dig/gun/x25519".utf8)
    /// Of its soul.
    static let key: ExactText = "x25519"
    static let keyByteCount = 32
    static let maximumTextByteCount = 2_048
    /// Republished half as often.
    static let lifetime: Duration = .seconds(86_400)
    static let maximumClockSkew: Duration = .seconds(120)

    var peer: PeerID
    /// 32 bytes.
    var publicKey: [UInt8]
    /// Milliseconds since 1970; its state in the graph too.
    var timestampMilliseconds: UInt64

    init(peer: PeerID, publicKey: [UInt8], timestampMilliseconds: UInt64) {
        self.peer = peer
        self.publicKey = publicKey
        self.timestampMilliseconds = timestampMilliseconds
    }

    func isValid(at now: Double) -> Bool {
        let timestamp = Double(self.timestampMilliseconds)
        return timestamp <= now + Self.maximumClockSkew / .milliseconds(1) && now < timestamp + Self.lifetime / .milliseconds(1)
    }

    /// The payload is the key, then the time in eight bytes, big-endian. Whose it is the signature says.
    func text(signedWith keyPair: KeyPair) throws(IdentityError) -> String {
        let time = (0..<8).map { UInt8(truncatingIfNeeded: self.timestampMilliseconds >> (56 - 8 * $0)) }
        let envelope = try SignedEnvelope.seal(domain: Self.domain, payloadType: Self.payloadType, payload: self.publicKey + time, with: keyPair)
        return Base64URL.encode(envelope.encoded)
    }

    /// Nil for what is none, or not signed.
    init?(text: String) {
        guard text.utf8.count <= Self.maximumTextByteCount else { return nil }
        do {
            let envelope = try SignedEnvelope(decoding: Base64URL.decode(text))
            let payload = try envelope.open(domain: Self.domain, payloadType: Self.payloadType)
            guard payload.count == Self.keyByteCount + 8 else { return nil }
            let time = payload.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard time < 1 << 53 else { return nil }
            self.init(peer: envelope.publicKey.peerID, publicKey: Array(payload.prefix(Self.keyByteCount)), timestampMilliseconds: time)
        } catch {
            return nil
        }
    }
}
