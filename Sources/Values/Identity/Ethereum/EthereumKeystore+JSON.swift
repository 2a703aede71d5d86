import DIGMultiformats
import Foundation

extension EthereumKeystore {
    /// Reads a keystore file.
    ///
    /// - Throws: ``IdentityError`` with `.invalidKeystore` or `.unsupportedKey`.
    public init(json text: String) throws(IdentityError) {
        guard text.utf8.count <= Self.maximumByteCount else { throw IdentityError(.invalidKeystore, "the keystore is too long") }
        let file: File
        do { file = try JSONDecoder().decode(File.self, from: Data(text.utf8)) } catch {
            throw IdentityError(.invalidKeystore, "not a keystore in JSON")
        }
        guard file.version == 3 else { throw IdentityError(.unsupportedKey, "keystores of version \(file.version) are not read here, those of version 3 are") }
        let crypto = file.crypto
        guard crypto.cipher == "aes-128-ctr" else { throw IdentityError(.unsupportedKey, "the keystore's cipher is not aes-128-ctr") }
        let parameters = crypto.kdfparams
        guard (32...64).contains(parameters.dklen) else { throw IdentityError(.invalidKeystore, "the derived key has \(parameters.dklen) bytes") }
        // The first 32 bytes of a longer PBKDF2 or scrypt output are the shorter output, and no more are used.
        let derivation: KeyDerivation
        switch (crypto.kdf, parameters.n, parameters.r, parameters.p, parameters.c) {
        case ("scrypt", let n?, let r?, let p?, _): derivation = .scrypt(cost: n, blockSize: r, parallelization: p)
        case ("pbkdf2", _, _, _, let c?) where parameters.prf == "hmac-sha256": derivation = .pbkdf2(rounds: c)
        default: throw IdentityError(.unsupportedKey, "the keystore's key derivation is neither scrypt nor PBKDF2 with HMAC-SHA-256")
        }
        var address: EthereumAddress?
        if let text = file.address, !text.isEmpty {
            address = EthereumAddress(text)
            guard address != nil else { throw IdentityError(.invalidKeystore, "the keystore's account is no Ethereum address") }
        }
        try self.init(
            derivation: derivation, address: address, identifier: file.id ?? "", salt: Self.bytes(parameters.salt),
            initializationVector: Self.bytes(crypto.cipherparams.iv), ciphertext: Self.bytes(crypto.ciphertext), mac: Self.bytes(crypto.mac))
    }

    /// The keystore file, with the account in it.
    public var json: String {
        var parameters = File.Parameters(dklen: 32, salt: Base16.encode(self.salt))
        let name: String
        switch self.derivation {
        case .scrypt(let cost, let blockSize, let parallelization):
            name = "scrypt"
            (parameters.n, parameters.r, parameters.p) = (cost, blockSize, parallelization)
        case .pbkdf2(let rounds):
            name = "pbkdf2"
            (parameters.c, parameters.prf) = (rounds, "hmac-sha256")
        }
        let file = File(
            address: self.address.map { Base16.encode($0.bytes) },
            crypto: File.Crypto(
                cipher: "aes-128-ctr", cipherparams: .init(iv: Base16.encode(self.initializationVector)), ciphertext: Base16.encode(self.ciphertext),
                kdf: name, kdfparams: parameters, mac: Base16.encode(self.mac)),
            id: self.identifier, version: 3)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do { return String(decoding: try encoder.encode(file), as: UTF8.self) } catch {
            preconditionFailure("texts and whole numbers can be written as JSON: \(error)")
        }
    }

    private static func bytes(_ hexadecimal: String) throws(IdentityError) -> [UInt8] {
        guard let bytes = HexadecimalText.bytes(hexadecimal) else { throw IdentityError(.invalidKeystore, "a part of the keystore is not hexadecimal") }
        return bytes
    }

    /// The names are the definition's.
    private struct File: Codable {
        struct Crypto: Codable {
            struct CipherParameters: Codable {
                var iv: String
            }
            var cipher: String
            var cipherparams: CipherParameters
            var ciphertext: String
            var kdf: String
            var kdfparams: Parameters
            var mac: String
        }
        struct Parameters: Codable {
            var dklen: Int
            var salt: String
            var n: Int?
            var r: Int?
            var p: Int?
            var c: Int?
            var prf: String?
        }
        var address: String?
        var crypto: Crypto
        var id: String?
        var version: Int

        init(address: String?, crypto: Crypto, id: String, version: Int) {
            self.address = address
            self.crypto = crypto
            self.id = id
            self.version = version
        }

        private enum Key: String, CodingKey {
            case address, crypto, id, version
            /// Files of 2015 have a capital letter.
            case capitalCrypto = "Crypto"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            self.version = try container.decode(Int.self, forKey: .version)
            self.crypto = try container.decode(Crypto.self, forKey: container.contains(.crypto) ? .crypto : .capitalCrypto)
            self.address = try container.decodeIfPresent(String.self, forKey: .address)
            self.id = try container.decodeIfPresent(String.self, forKey: .id)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encodeIfPresent(self.address, forKey: .address)
            try container.encode(self.crypto, forKey: .crypto)
            try container.encodeIfPresent(self.id, forKey: .id)
            try container.encode(self.version, forKey: .version)
        }
    }
}
