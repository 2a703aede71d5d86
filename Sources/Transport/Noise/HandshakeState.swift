import Crypto

/// Writes and reads the three messages of `Noise_XX_25519_ChaChaPoly_SHA256` (Noise §5.3, §7.5).
struct HandshakeState: Sendable {
    typealias PrivateKey = Curve25519.KeyAgreement.PrivateKey
    typealias PublicKey = Curve25519.KeyAgreement.PublicKey

    static let protocolName = "Noise_XX_25519_ChaChaPoly_SHA256"
    private static let keyLength = 32

    private enum Token {
        case e, s, ee, es, se
    }

    private static let messages: [[Token]] = [[.e], [.e, .ee, .s, .es], [.s, .se]]

    private var symmetric = SymmetricState(protocolName: Self.protocolName)
    private let isInitiator: Bool
    private let staticKey: PrivateKey
    private let ephemeralKey: PrivateKey
    private(set) var remoteStaticKey: PublicKey?
    private var remoteEphemeralKey: PublicKey?
    private var messageCount = 0

    init(isInitiator: Bool, staticKey: PrivateKey, ephemeralKey: PrivateKey, prologue: [UInt8] = []) {
        self.isInitiator = isInitiator
        self.staticKey = staticKey
        self.ephemeralKey = ephemeralKey
        self.symmetric.mixHash(prologue)
    }

    var isComplete: Bool { self.messageCount == Self.messages.count }

    /// Valid once complete (Noise §11.2).
    var handshakeHash: [UInt8] { self.symmetric.hash }

    mutating func writeMessage(payload: [UInt8]) throws(NoiseError) -> [UInt8] {
        var message: [UInt8] = []
        for token in try self.nextMessage(fromInitiator: self.isInitiator) {
            switch token {
            case .e:
                let key = Array(self.ephemeralKey.publicKey.rawRepresentation)
                self.symmetric.mixHash(key)
                message += key
            case .s:
                message += try self.symmetric.encryptAndHash(Array(self.staticKey.publicKey.rawRepresentation))
            case .ee, .es, .se:
                try self.mixSharedSecret(token)
            }
        }
        return message + (try self.symmetric.encryptAndHash(payload))
    }

    /// - Returns: The payload.
    mutating func readMessage(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
        var rest = message[...]
        func take(_ count: Int) throws(NoiseError) -> ArraySlice<UInt8> {
            guard rest.count >= count else { throw .truncated }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        for token in try self.nextMessage(fromInitiator: !self.isInitiator) {
            switch token {
            case .e:
                let key = try take(Self.keyLength)
                self.remoteEphemeralKey = try Self.publicKey(key)
                self.symmetric.mixHash(key)
            case .s:
                let sealed = try take(Self.keyLength + (self.symmetric.hasKey ? CipherState.tagLength : 0))
                self.remoteStaticKey = try Self.publicKey(self.symmetric.decryptAndHash(sealed))
            case .ee, .es, .se:
                try self.mixSharedSecret(token)
            }
        }
        return try self.symmetric.decryptAndHash(rest)
    }

    /// The states for sending and receiving, once complete.
    func split() -> (outbound: CipherState, inbound: CipherState) {
        let (first, second) = self.symmetric.split()
        return self.isInitiator ? (first, second) : (second, first)
    }

    private mutating func nextMessage(fromInitiator: Bool) throws(NoiseError) -> [Token] {
        guard !self.isComplete, (self.messageCount.isMultiple(of: 2)) == fromInitiator else { throw .unexpectedMessage }
        defer { self.messageCount += 1 }
        return Self.messages[self.messageCount]
    }

    private mutating func mixSharedSecret(_ token: Token) throws(NoiseError) {
        // The first letter is the initiator's key, the second the responder's.
        let usesOwnStatic = self.isInitiator ? token == .se : token == .es
        let usesRemoteStatic = self.isInitiator ? token == .es : token == .se
        let remoteKey = usesRemoteStatic ? self.remoteStaticKey : self.remoteEphemeralKey
        // The pattern sends each key before the token that needs it.
        guard let remoteKey else { throw .unexpectedMessage }

        let secret: SymmetricKey
        do {
            secret = try (usesOwnStatic ? self.staticKey : self.ephemeralKey).sharedSecretFromKeyAgreement(with: remoteKey)
                .withUnsafeBytes { SymmetricKey(data: $0) }
        } catch {
            throw .lowOrderKey
        }
        // RFC 7748 §6.1: without a branch on secret bits.
        guard secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0 else { throw .lowOrderKey }
        self.symmetric.mixKey(secret)
    }

    private static func publicKey(_ bytes: some Sequence<UInt8>) throws(NoiseError) -> PublicKey {
        do {
            return try PublicKey(rawRepresentation: Array(bytes))
        } catch {
            throw .truncated
        }
    }
}
