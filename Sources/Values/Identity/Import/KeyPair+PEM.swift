import Foundation

extension KeyPair {
    /// Takes a private key as OpenSSL, OpenSSH and others store it, not encrypted.
    ///
    /// | begins with | content |
    /// |---|---|
    /// | `PRIVATE KEY` | PKCS#8 (RFC 5958): RSA, Ed25519, secp256k1, P-256 |
    /// | `EC PRIVATE KEY`, also behind `EC PARAMETERS` | SEC 1 (RFC 5915): secp256k1, P-256 |
    /// | `RSA PRIVATE KEY` | PKCS#1 (RFC 8017 appendix A.1.2) |
    /// | `OPENSSH PRIVATE KEY` | OpenSSH, `PROTOCOL.key`: `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` |
    ///
    /// - Throws: ``IdentityError`` with `.encryptedKey`, `.unsupportedKey`, `.invalidPrivateKey`, or for the public key that may be stored with it
    ///   `.invalidPublicKey` or `.keyMismatch`.
    public init(pem text: String) throws(IdentityError) {
        let blocks = try PEMBlock.all(in: text, code: .invalidPrivateKey).filter { $0.label != "EC PARAMETERS" }
        guard let block = blocks.first, blocks.count == 1 else {
            throw IdentityError(.invalidPrivateKey, "the text has \(blocks.count) keys in it, and not one")
        }
        // RFC 1421 §4.6.1.1: how older software marks a key that is encrypted.
        let isEncrypted = block.headers.contains { $0.hasPrefix("Proc-Type:") && $0.contains("ENCRYPTED") }
        switch block.label {
        case _ where isEncrypted, "ENCRYPTED PRIVATE KEY":
            throw IdentityError(.encryptedKey, "the private key is encrypted; make a copy that is not, and delete it afterwards: openssl pkey -in FILE -out COPY")
        case "PRIVATE KEY": self = try KeyDER.privateKey(pkcs8: block.bytes)
        case "EC PRIVATE KEY": self = try KeyDER.privateKey(sec1: block.bytes)
        case "RSA PRIVATE KEY": try self.init(rsaDER: block.bytes)
        case "OPENSSH PRIVATE KEY": self = try OpenSSHKey.privateKey(block.bytes)
        case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
            throw IdentityError(.invalidPrivateKey, "this is not the private key: it begins with \(block.label)")
        default:
            throw IdentityError(.unsupportedKey, "a key that begins with \"\(block.label.prefix(40))\" is not read here")
        }
    }
}

extension PublicKey {
    /// Takes a public key as OpenSSL stores it: `PUBLIC KEY` (RFC 5280 §4.1) or `RSA PUBLIC KEY` (RFC 8017 appendix A.1.1).
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` or `.invalidPublicKey`.
    public init(pem text: String) throws(IdentityError) {
        let blocks = try PEMBlock.all(in: text, code: .invalidPublicKey)
        guard let block = blocks.first, blocks.count == 1 else {
            throw IdentityError(.invalidPublicKey, "the text has \(blocks.count) keys in it, and not one")
        }
        switch block.label {
        case "PUBLIC KEY": self = try KeyDER.publicKey(spki: block.bytes)
        case "RSA PUBLIC KEY": self = try KeyDER.publicKey(pkcs1: block.bytes)
        default: throw IdentityError(.invalidPublicKey, "a public key does not begin with \"\(block.label.prefix(40))\"")
        }
    }

    /// Takes a line of `authorized_keys` or a `.pub` file: type, base 64, and a comment that is ignored (RFC 4253 §6.6, RFC 8709 §4).
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` or `.invalidPublicKey`.
    public init(openSSH line: String) throws(IdentityError) {
        guard line.utf8.count <= PEMBlock.maximumByteCount else { throw IdentityError(.invalidPublicKey, "the text is too long for a key") }
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, let data = Data(base64Encoded: String(words[1])) else {
            throw IdentityError(.invalidPublicKey, "not a line with an OpenSSH public key")
        }
        self = try OpenSSHKey.publicKey(Array(data), type: String(words[0]))
    }
}
