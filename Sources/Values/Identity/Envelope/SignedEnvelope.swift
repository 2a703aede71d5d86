import DIGMultiformats

/// Bytes with the signature of a peer, valid for one purpose only (libp2p RFC 0002).
///
/// The signature covers a domain that is not in the envelope, so that what was signed for one purpose is worthless for
/// another. An envelope decoded is not yet one to believe: read its content through ``open(domain:payloadType:)``.
public struct SignedEnvelope: Hashable, Sendable {
    /// Ours: the longest envelope that is read.
    public static let maximumByteCount = 65_536
    /// Ours: a type is a multicodec, with a path in some cases.
    public static let maximumPayloadTypeByteCount = 128

    /// The key of whoever signed.
    public let publicKey: PublicKey
    /// A multicodec, or a path that starts with "/", that says what the payload is.
    public let payloadType: [UInt8]
    /// Not to be believed before ``verify(domain:)``.
    public let payload: [UInt8]
    public let signature: [UInt8]

    init(publicKey: PublicKey, payloadType: [UInt8], payload: [UInt8], signature: [UInt8]) {
        self.publicKey = publicKey
        self.payloadType = payloadType
        self.payload = payload
        self.signature = signature
    }

    /// Signs `payload` for the purpose `domain`.
    ///
    /// - Throws: ``IdentityError`` with `.invalidEnvelope` if it would be longer than can be read, or `.signingFailed`.
    public static func seal(
        domain: String, payloadType: [UInt8], payload: [UInt8], with keyPair: KeyPair
    ) throws(IdentityError) -> SignedEnvelope {
        guard payloadType.count <= Self.maximumPayloadTypeByteCount else {
            throw IdentityError(.invalidEnvelope, "a payload type of \(payloadType.count) bytes is too long")
        }
        let signature = try keyPair.sign(Self.signedBytes(domain: domain, payloadType: payloadType, payload: payload))
        let envelope = SignedEnvelope(
            publicKey: keyPair.publicKey, payloadType: payloadType, payload: payload, signature: signature)
        guard envelope.encoded.count <= Self.maximumByteCount else {
            throw IdentityError(.invalidEnvelope, "a payload of \(payload.count) bytes is too long")
        }
        return envelope
    }

    /// Checks the signature.
    ///
    /// - Throws: ``IdentityError`` with `.invalidSignature`.
    public func verify(domain: String) throws(IdentityError) {
        let signed = Self.signedBytes(domain: domain, payloadType: self.payloadType, payload: self.payload)
        guard self.publicKey.isValidSignature(self.signature, for: signed) else {
            throw IdentityError(.invalidSignature, "the envelope's signature is not valid in the domain \(domain)")
        }
    }

    /// The payload, once type and signature are found right.
    ///
    /// - Throws: ``IdentityError`` with `.invalidEnvelope` for another type or `.invalidSignature`.
    public func open(domain: String, payloadType: [UInt8]) throws(IdentityError) -> [UInt8] {
        guard self.payloadType == payloadType else {
            throw IdentityError(.invalidEnvelope, "the envelope holds something of another type")
        }
        try self.verify(domain: domain)
        return self.payload
    }

    /// RFC 0002, "Signature Production / Verification": each part behind its length.
    private static func signedBytes(domain: String, payloadType: [UInt8], payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in [Array(domain.utf8), payloadType, payload] {
            UnsignedVarint.encode(UInt64(part.count), into: &bytes)
            bytes += part
        }
        return bytes
    }
}
