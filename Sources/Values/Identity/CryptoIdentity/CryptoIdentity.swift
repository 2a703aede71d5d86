/// Signs and checks with keys in text form, such as those of a blockchain wallet.
///
/// Made with a private key it signs; made without, it only checks. RSA signatures are PSS with SHA-256 (RFC 8017 §8.1),
/// those of the other algorithms are as in libp2p (see ``KeyPair/sign(_:)``).
public struct CryptoIdentity: Sendable {
    public let publicKey: PublicKey
    /// The form of the text that ``sign(_:)`` returns and ``publicKeyText`` has.
    public let outputEncoding: OutputEncoding
    private let keyPair: KeyPair?

    public var algorithm: KeyAlgorithm { self.publicKey.algorithm }
    /// Whether there is a private key.
    public var canSign: Bool { self.keyPair != nil }

    /// Reads keys.
    ///
    /// - Parameters:
    ///   - privateKey: Empty for an identity that only checks. Ed25519: the seed, or seed and public key, in hexadecimal.
    ///     secp256k1: hexadecimal with or without `0x`. RSA and ECDSA: DER in hexadecimal. All: PEM, as ``KeyPair/init(pem:)`` reads it.
    ///   - publicKey: May be empty when there is a private key. secp256k1: compressed or not. All: PEM, as ``PublicKey/init(pem:)`` reads it.
    ///   - algorithm: What both keys are for.
    ///   - outputEncoding: The form of signatures.
    /// - Throws: ``IdentityError`` with `.invalidPrivateKey`, `.invalidPublicKey` or, if the two do not belong together,
    ///   `.keyMismatch`.
    public init(
        privateKey: String = "", publicKey: String = "", algorithm: KeyAlgorithm, outputEncoding: OutputEncoding = .hex
    ) throws(IdentityError) {
        let keyPair = privateKey.isEmpty ? nil : try KeyPair(algorithm, text: privateKey)
        let stated = publicKey.isEmpty ? nil : try PublicKey(algorithm, text: publicKey)
        guard let key = stated ?? keyPair?.publicKey else {
            throw IdentityError(.invalidPublicKey, "an identity needs a private or a public key")
        }
        if let keyPair, keyPair.publicKey != key {
            throw IdentityError(.keyMismatch, "the public key does not belong to the private key")
        }
        self.publicKey = key
        self.keyPair = keyPair
        self.outputEncoding = outputEncoding
    }

    public init(keyPair: KeyPair, outputEncoding: OutputEncoding = .hex) {
        self.publicKey = keyPair.publicKey
        self.keyPair = keyPair
        self.outputEncoding = outputEncoding
    }

    /// Signs bytes.
    ///
    /// - Throws: ``IdentityError`` with `.noPrivateKey` or `.signingFailed`.
    public func sign(_ data: some Collection<UInt8>) throws(IdentityError) -> String {
        guard let keyPair = self.keyPair else {
            throw IdentityError(.noPrivateKey, "this identity has no private key: it can check signatures, not make them")
        }
        return self.outputEncoding.text(of: try keyPair.signRecord(data))
    }

    /// Signs the UTF-8 form of a text.
    public func sign(_ text: String) throws(IdentityError) -> String { try self.sign(Array(text.utf8)) }

    /// Whether `signature` was made over `data` with the private counterpart of `publicKey`, a key of ``algorithm``.
    ///
    /// - Parameters:
    ///   - signature: In the form of ``outputEncoding``. What cannot be read is not valid.
    ///   - publicKey: In a form that ``init(privateKey:publicKey:algorithm:outputEncoding:)`` takes.
    public func verify(_ data: some Collection<UInt8>, signature: String, publicKey: String) -> Bool {
        do throws(IdentityError) {
            return self.verify(data, signature: signature, publicKey: try PublicKey(self.algorithm, text: publicKey))
        } catch {
            return false
        }
    }

    /// Whether `signature` is that of a text's UTF-8 form.
    public func verify(_ text: String, signature: String, publicKey: String) -> Bool {
        self.verify(Array(text.utf8), signature: signature, publicKey: publicKey)
    }

    /// Whether `signature` was made over `data` by this identity, or by `publicKey` if one is given.
    public func verify(_ data: some Collection<UInt8>, signature: String, publicKey: PublicKey? = nil) -> Bool {
        guard let signature = self.outputEncoding.bytes(of: signature) else { return false }
        return (publicKey ?? self.publicKey).isValidRecordSignature(signature, for: data)
    }

    /// The SHA-256 of the public key.
    public var nodeID: NodeID { self.publicKey.nodeID }
    /// ``nodeID`` as text: 64 hexadecimal digits.
    public func getNodeId() -> String { self.nodeID.description }
    /// The public key as such, in the form of ``outputEncoding``.
    public var publicKeyText: String { self.outputEncoding.text(of: self.publicKey.rawRepresentation) }
    /// The same identity on Ethereum; `nil` unless the key is secp256k1.
    public var ethereumAddress: String? { self.publicKey.ethereumAddress }
}

extension CryptoIdentity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "\(self.algorithm.rawValue) identity \(self.nodeID)\(self.canSign ? "" : ", verify only")" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": self.publicKey]) }
}
