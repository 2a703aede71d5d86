import DIGCommandLine
import DIGIdentity
import Foundation

/// A private key in a file, in any of the forms in which wallets, OpenSSL, OpenSSH and this software keep one.
struct KeyText: Hashable, Sendable {
    enum Form: Hashable, Sendable {
        case pem(String)
        /// Needs a password.
        case keystore(EthereumKeystore)
        /// Digits, without `0x`.
        case hexadecimal(String)
        case walletImportFormat(String)
        /// A key file of this software, or of another libp2p node.
        case keyFile([UInt8])
    }

    /// More than any of them has.
    static let maximumByteCount = 65_536

    var form: Form

    /// Recognizes the form by its beginning and length.
    ///
    /// - Throws: ``CommandFailure`` that says what the text looks like, and never what is in it.
    init(_ bytes: [UInt8], name: String) throws {
        func failure(_ what: String, next: String) -> CommandFailure { CommandFailure(.usage, "\(name) \(what)", next: next) }
        guard !bytes.isEmpty else { throw failure("is empty", next: "name a file with a private key") }
        guard bytes.count <= Self.maximumByteCount else { throw failure("is too long for a key", next: "name a file with one private key") }
        // In libp2p's form the first field is the kind of key; no text begins so.
        if bytes[0] == 0x08 {
            self.form = .keyFile(bytes)
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self)?.trimmingCharacters(in: .whitespacesAndNewlines) else {
            throw failure("holds no key in a form that is known", next: Self.forms)
        }
        if text.hasPrefix("{") {
            self.form = .keystore(try EthereumKeystore(json: text))
        } else if text.contains("-----BEGIN ") {
            self.form = .pem(text)
        } else if let digits = Self.digits(text) {
            self.form = .hexadecimal(digits)
        } else if [51, 52].contains(text.utf8.count), text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) {
            self.form = .walletImportFormat(text)
        } else if Self.looksLikeRecoveryPhrase(text) {
            throw failure("holds a recovery phrase, from which wallets make many keys", next: "export the private key of one account from the wallet, and import that")
        } else {
            throw failure("holds no key in a form that is known", next: Self.forms)
        }
    }

    private static let forms = "these are: hexadecimal, PEM, OpenSSH, a keystore (JSON), wallet import format, a key file of this software"

    private static func digits(_ text: String) -> String? {
        let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text[...]
        return digits.count >= 32 && digits.allSatisfy { $0.isASCII && $0.isHexDigit } ? String(digits) : nil
    }

    private static func looksLikeRecoveryPhrase(_ text: String) -> Bool {
        let words = text.split(whereSeparator: \.isWhitespace)
        return [12, 15, 18, 21, 24].contains(words.count) && words.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isLetter } }
    }

    /// Whether a password opens it.
    var needsPassword: Bool { if case .keystore = self.form { true } else { false } }

    /// In a few words: what it was recognized as.
    var words: String {
        switch self.form {
        case .pem(let text): text.contains("OPENSSH PRIVATE KEY") ? "an OpenSSH key" : "a PEM key"
        case .keystore: "a keystore"
        case .hexadecimal: "a key in hexadecimal"
        case .walletImportFormat: "a key in wallet import format"
        case .keyFile: "a key file"
        }
    }

    /// The key.
    ///
    /// - Parameters:
    ///   - algorithm: What hexadecimal digits are a key of: nothing in them says it.
    ///   - password: For a keystore.
    /// - Throws: `IdentityError`.
    /// - Complexity: A keystore takes a second and up to 512 MiB: that is what protects it.
    func keyPair(hexadecimalAs algorithm: KeyAlgorithm, password: String?) throws(IdentityError) -> KeyPair {
        switch self.form {
        case .pem(let text): return try KeyPair(pem: text)
        case .keystore(let keystore): return try keystore.open(password: password ?? "")
        case .walletImportFormat(let text): return try KeyPair(walletImportFormat: text)
        case .keyFile(let bytes): return try KeyPair(protobufEncoded: bytes)
        case .hexadecimal(let digits):
            guard algorithm == .ed25519 else {
                guard digits.utf8.count == 64 else {
                    throw IdentityError(.invalidPrivateKey, "a wallet's private key has 64 hexadecimal digits, not \(digits.utf8.count)")
                }
                return try KeyPair(secp256k1PrivateKey: digits)
            }
            guard let bytes = Self.bytes(digits), [32, 64].contains(bytes.count) else {
                throw IdentityError(.invalidPrivateKey, "an Ed25519 private key has 64 hexadecimal digits, or 128 with its public key")
            }
            let pair = try KeyPair(ed25519Seed: bytes.prefix(32))
            guard bytes.count == 32 || pair.publicKey.rawRepresentation == Array(bytes.suffix(32)) else {
                throw IdentityError(.keyMismatch, "the public key behind the private key is not its own")
            }
            return pair
        }
    }

    private static func bytes(_ digits: String) -> [UInt8]? {
        let values = digits.compactMap(\.hexDigitValue)
        guard values.count == digits.count, values.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

extension KeyText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { self.words }
    var debugDescription: String { self.words }
    var customMirror: Mirror { Mirror(self, children: ["form": self.words]) }
}
