import Crypto
import CryptoExtras
import Foundation

/// A private key under a password, as Ethereum wallets export it (Web3 Secret Storage Definition, version 3).
///
///     derived key = scrypt or PBKDF2 of the password
///     | first 16 bytes: key of AES-128-CTR over the private key | second 16 bytes ‖ ciphertext → Keccak-256 = MAC |
///
/// What is read comes from elsewhere and decides how much memory and time opening takes, so every number has a limit:
/// see ``maximumMemoryByteCount`` and the constants beside it.
public struct EthereumKeystore: Hashable, Sendable {
    /// How a key is made from the password. Larger numbers make guessing more costly, and opening too.
    public enum KeyDerivation: Hashable, Sendable {
        /// RFC 7914: takes 128·blockSize·(cost + parallelization) bytes and time in proportion to cost·blockSize·parallelization.
        case scrypt(cost: Int, blockSize: Int, parallelization: Int)
        /// RFC 8018 §5.2 with HMAC-SHA-256.
        case pbkdf2(rounds: Int)

        /// What wallets use by default: 256 MiB, about a second.
        public static let standard = Self.scrypt(cost: 262_144, blockSize: 8, parallelization: 1)
        /// What wallets use on small devices: 4 MiB.
        public static let light = Self.scrypt(cost: 4096, blockSize: 8, parallelization: 6)
    }

    /// Ours: a keystore has some 500 bytes.
    public static let maximumByteCount = 16_384
    /// Ours: twice what wallets ask for.
    public static let maximumMemoryByteCount = 512 << 20
    /// Ours, of cost·blockSize·parallelization: eight times what wallets ask for.
    public static let maximumScryptWork = 1 << 24
    /// Ours: wallets use up to about a million.
    public static let maximumRounds = 10_000_000
    private static let maximumSaltByteCount = 256

    public let derivation: KeyDerivation
    /// The account as the file states it; it need not.
    public let address: EthereumAddress?
    let identifier: String
    let salt: [UInt8]
    let initializationVector: [UInt8]
    /// 1 to 32 bytes: some software left out leading zeros.
    let ciphertext: [UInt8]
    let mac: [UInt8]

    /// - Throws: ``IdentityError`` with `.invalidKeystore` if a part is out of range.
    init(
        derivation: KeyDerivation, address: EthereumAddress?, identifier: String, salt: [UInt8], initializationVector: [UInt8],
        ciphertext: [UInt8], mac: [UInt8]
    ) throws(IdentityError) {
        try Self.check(derivation)
        guard (1...Self.maximumSaltByteCount).contains(salt.count), initializationVector.count == 16, (1...32).contains(ciphertext.count),
            mac.count == 32, identifier.utf8.count <= 128
        else { throw IdentityError(.invalidKeystore, "a part of the keystore is too short or too long") }
        self.derivation = derivation
        self.address = address
        self.identifier = identifier
        self.salt = salt
        self.initializationVector = initializationVector
        self.ciphertext = ciphertext
        self.mac = mac
    }

    /// Puts a secp256k1 key under a password.
    ///
    /// - Parameter password: Its UTF-8 form counts, as it is.
    /// - Throws: ``IdentityError`` with `.unsupportedKey` for keys of other algorithms, `.invalidKeystore` if the derivation is beyond the limits.
    /// - Complexity: As ``open(password:)``.
    public init(sealing keyPair: KeyPair, password: String, derivation: KeyDerivation = .standard) throws(IdentityError) {
        let privateKey = try keyPair.secp256k1PrivateKey
        try Self.check(derivation)
        func random(_ count: Int) -> [UInt8] { SymmetricKey(size: .init(bitCount: 8 * count)).withUnsafeBytes { Array($0) } }
        let (salt, initializationVector) = (random(32), random(16))
        let derived = try Self.derivedKey(derivation, password: password, salt: salt)
        let ciphertext = try Self.crypt(privateKey, key: derived, initializationVector: initializationVector)
        try self.init(
            derivation: derivation, address: EthereumAddress(keyPair.publicKey), identifier: UUID().uuidString.lowercased(), salt: salt,
            initializationVector: initializationVector, ciphertext: ciphertext, mac: Self.mac(key: derived, ciphertext: ciphertext))
    }

    /// Gets the key out.
    ///
    /// - Throws: ``IdentityError`` with `.wrongPassword`, also if the file is damaged: the two look the same; `.keyMismatch` if the account stated is
    ///   that of another key; `.invalidPrivateKey`.
    /// - Complexity: Time and memory as ``derivation`` says, a second and 256 MiB for most files. Call it where that does no harm.
    public func open(password: String) throws(IdentityError) -> KeyPair {
        let derived = try Self.derivedKey(self.derivation, password: password, salt: self.salt)
        let expected = Self.mac(key: derived, ciphertext: self.ciphertext)
        // All bytes are compared whatever the first ones are.
        guard zip(expected, self.mac).reduce(0, { $0 | ($1.0 ^ $1.1) }) == 0 else {
            throw IdentityError(.wrongPassword, "the keystore does not open with this password")
        }
        let key = try Self.crypt(self.ciphertext, key: derived, initializationVector: self.initializationVector)
        let pair = try KeyPair(secp256k1PrivateKey: [UInt8](repeating: 0, count: 32 - key.count) + key)
        if let address, address != EthereumAddress(pair.publicKey) {
            throw IdentityError(.keyMismatch, "the keystore states the account \(address), and its key is that of another")
        }
        return pair
    }

    private static func check(_ derivation: KeyDerivation) throws(IdentityError) {
        switch derivation {
        case .pbkdf2(let rounds):
            guard (1...Self.maximumRounds).contains(rounds) else {
                throw IdentityError(.invalidKeystore, "\(rounds) rounds of PBKDF2 are outside of 1 to \(Self.maximumRounds)")
            }
        case .scrypt(let cost, let blockSize, let parallelization):
            // Each number first, so that no product overflows.
            guard (2...(1 << 24)).contains(cost), cost & (cost - 1) == 0, (1...1024).contains(blockSize), (1...1024).contains(parallelization),
                128 * blockSize * (cost + parallelization) <= Self.maximumMemoryByteCount, cost * blockSize * parallelization <= Self.maximumScryptWork
            else {
                throw IdentityError(
                    .invalidKeystore, "scrypt with cost \(cost), block size \(blockSize) and parallelization \(parallelization) is beyond the limits")
            }
        }
    }

    /// 32 bytes.
    private static func derivedKey(_ derivation: KeyDerivation, password: String, salt: [UInt8]) throws(IdentityError) -> [UInt8] {
        let password = Array(password.utf8)
        let key: SymmetricKey
        do {
            switch derivation {
            case .pbkdf2(let rounds):
                key = try KDF.Insecure.PBKDF2.deriveKey(from: password, salt: salt, using: .sha256, outputByteCount: 32, unsafeUncheckedRounds: rounds)
            case .scrypt(let cost, 1, let parallelization) where cost >= 1 << 16:
                key = try NarrowScrypt.deriveKey(password: password, salt: salt, cost: cost, parallelization: parallelization)
            case .scrypt(let cost, let blockSize, let parallelization):
                key = try KDF.Scrypt.deriveKey(
                    from: password, salt: salt, outputByteCount: 32, rounds: cost, blockSize: blockSize, parallelism: parallelization)
            }
        } catch {
            throw IdentityError(.invalidKeystore, "the key cannot be derived from the password: \(error)")
        }
        return key.withUnsafeBytes { Array($0) }
    }

    /// AES-128-CTR; encrypts and decrypts.
    private static func crypt(_ bytes: [UInt8], key: [UInt8], initializationVector: [UInt8]) throws(IdentityError) -> [UInt8] {
        do {
            return Array(
                try AES._CTR.encrypt(bytes, using: SymmetricKey(data: key[..<16]), nonce: AES._CTR.Nonce(nonceBytes: initializationVector)))
        } catch {
            throw IdentityError(.invalidKeystore, "the keystore cannot be decrypted: \(error)")
        }
    }

    private static func mac(key: [UInt8], ciphertext: [UInt8]) -> [UInt8] { Keccak256.hash(key[16..<32] + ciphertext) }
}
