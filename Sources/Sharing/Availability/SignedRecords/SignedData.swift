import DIGContent
public import DIGIdentity
import DIGMultiformats

/// A signed record in the seed's form: `{data: {…}, signature, publicKey, timestamp}`, in JSON.
///
/// What is signed are the bytes of `JSON.stringify({...data, timestamp})`: `data` with its keys in the order in which they came, and the time stamp at the
/// end unless `data` has it already. So the time stamp is always covered, and an implementation that puts it into `data` and signs that is understood as well
/// as one that keeps it outside. `algorithm`, if there is one, is in `data` and so covered too; without, the key is one of secp256k1.
///
/// Ed25519 signs the SHA-256 of these bytes; secp256k1 signs it too, 64 bytes r‖s; RSA is PSS over the bytes. Signatures of Ed25519 over the bytes themselves and
/// of secp256k1 in DER are accepted as well. Keys of P-256 have no name in this form.
public struct SignedData: Hashable, Sendable {
    /// Of the JSON text.
    public static let maximumByteCount = 16_384
    static let knownAlgorithms: [KeyAlgorithm] = [.secp256k1, .ed25519, .rsa]

    /// With the members as they came.
    let data: SeedJSON
    /// Hexadecimal.
    public let signature: String
    /// As the signer wrote it: hexadecimal, for RSA also PEM.
    public let publicKey: String
    /// Milliseconds since 1970.
    public let timestampMilliseconds: UInt64
    public let algorithm: KeyAlgorithm

    // MARK: JSON

    /// Reads a record. The signature is not checked.
    ///
    /// - Throws: ``AvailabilityError`` `.limitExceeded`, `.malformed` or `.unsupportedAlgorithm`.
    public init(json: [UInt8]) throws(AvailabilityError) {
        guard json.count <= Self.maximumByteCount else { throw .limitExceeded }
        guard let root = SeedJSON(parsing: json), let data = root["data"], case .object(let members) = data, let signature = root["signature"]?.string,
            let publicKey = root["publicKey"]?.string, let timestamp = root["timestamp"]?.integer, timestamp >= 0
        else { throw .malformed }
        // Two time stamps that differ leave open which counts.
        if let inner = data["timestamp"] { guard inner == .integer(timestamp) else { throw .malformed } }
        let name = data["algorithm"]
        if let outer = root["algorithm"] { guard outer == name else { throw .malformed } }
        if let name {
            guard let text = name.string else { throw .malformed }
            guard let algorithm = KeyAlgorithm(rawValue: text), Self.knownAlgorithms.contains(algorithm) else { throw .unsupportedAlgorithm }
            self.algorithm = algorithm
        } else {
            self.algorithm = .secp256k1
        }
        self.data = .object(members)
        self.signature = signature
        self.publicKey = publicKey
        self.timestampMilliseconds = UInt64(timestamp)
    }

    /// The JSON text, without spaces.
    public var json: [UInt8] {
        Array(
            SeedJSON.object([
                .init(key: "data", value: self.data), .init(key: "signature", value: .string(self.signature)), .init(key: "publicKey", value: .string(self.publicKey)),
                .init(key: "timestamp", value: .integer(Int64(clamping: self.timestampMilliseconds))),
            ]).text.utf8)
    }

    /// What the signature covers.
    public var signedBytes: [UInt8] { Array(Self.signedText(self.data, self.timestampMilliseconds).utf8) }

    private static func signedText(_ data: SeedJSON, _ timestamp: UInt64) -> String { Self.stamped(data, timestamp).text }

    private static func stamped(_ data: SeedJSON, _ timestamp: UInt64) -> SeedJSON {
        guard case .object(let members) = data, data["timestamp"] == nil else { return data }
        return .object(members + [.init(key: "timestamp", value: .integer(Int64(clamping: timestamp)))])
    }

    // MARK: Signing and checking

    /// Signs `data`; the time stamp goes into it, and the algorithm unless it is secp256k1.
    ///
    /// - Throws: ``AvailabilityError`` `.unsupportedAlgorithm` or `.limitExceeded`, or `IdentityError`.
    init(signing members: [SeedJSON.Member], timestampMilliseconds timestamp: UInt64, with keyPair: KeyPair) throws {
        guard Self.knownAlgorithms.contains(keyPair.algorithm) else { throw AvailabilityError.unsupportedAlgorithm }
        guard timestamp <= UInt64(SeedJSON.maximumInteger) else { throw AvailabilityError.limitExceeded }
        let algorithm = keyPair.algorithm == .secp256k1 ? [] : [SeedJSON.Member(key: "algorithm", value: .string(keyPair.algorithm.rawValue))]
        let data = Self.stamped(.object(members + algorithm), timestamp)
        let bytes = Array(data.text.utf8)
        let signature: [UInt8]
        switch keyPair.algorithm {
        case .ed25519: signature = try keyPair.sign(SHA256Digest(hashing: bytes).bytes)
        case .secp256k1:
            guard let compact = ECDSASignatureForm.compact(der: try keyPair.sign(bytes)) else { throw IdentityError(.signingFailed, "a signature that cannot be read") }
            signature = compact
        case .rsa, .ecdsa: signature = try keyPair.signRecord(bytes)
        }
        self.data = data
        self.signature = Base16.encode(signature)
        self.publicKey = Base16.encode(keyPair.publicKey.rawRepresentation)
        self.timestampMilliseconds = timestamp
        self.algorithm = keyPair.algorithm
        guard self.json.count <= Self.maximumByteCount else { throw AvailabilityError.limitExceeded }
    }

    /// The signer's key, once the signature is found right.
    ///
    /// - Throws: ``AvailabilityError`` `.unsupportedAlgorithm` if the key is not of the kind stated, or `.invalidSignature`.
    public func verifiedKey() throws(AvailabilityError) -> PublicKey {
        let identity: CryptoIdentity
        do { identity = try CryptoIdentity(publicKey: self.publicKey, algorithm: self.algorithm) } catch { throw .unsupportedAlgorithm }
        guard self.isSigned(by: identity.publicKey) else { throw .invalidSignature }
        return identity.publicKey
    }

    func isSigned(by key: PublicKey) -> Bool {
        guard key.algorithm == self.algorithm, let signature = Self.bytes(hexadecimal: self.signature) else { return false }
        let bytes = self.signedBytes
        switch key.algorithm {
        case .ed25519: return key.isValidSignature(signature, for: SHA256Digest(hashing: bytes).bytes) || key.isValidSignature(signature, for: bytes)
        case .secp256k1:
            let der = signature.count == 64 ? ECDSASignatureForm.der(compact: signature) : signature
            return der.map { key.isValidSignature($0, for: bytes) } ?? false
        case .rsa: return key.isValidRecordSignature(signature, for: bytes)
        case .ecdsa: return false
        }
    }

    static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
        guard digits.utf8.count.isMultiple(of: 2), digits.utf8.count <= 4_096 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in digits {
            guard character.isASCII, let digit = character.hexDigitValue else { return nil }
            if let known = high {
                bytes.append(known << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        return bytes
    }
}

/// Whether a record was signed by an identity (the seed's `verifySignedData`). The key in the record has to be the identity's own.
public func verifySignedData(_ signedData: SignedData, _ identity: CryptoIdentity) -> Bool {
    do throws(AvailabilityError) { return try signedData.verifiedKey() == identity.publicKey } catch { return false }
}
