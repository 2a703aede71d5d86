import DIGAccess
import DIGCommandLine
import DIGIdentity
import DIGMultiformats

/// Whom a person means.
enum PeerText {
    /// A peer id, or an address that ends with one.
    ///
    /// - Throws: ``CommandFailure``.
    static func peer(_ text: String) throws -> PeerID {
        if let peer = self.read(text) { return peer }
        throw CommandFailure(.usage, "\"\(text)\" is no peer id", next: "copy it from \"dig-nat id\" at the other side, or from a link, after /p2p/")
    }

    /// As ``peer(_:)``, or the beginning of the id of one of `known`.
    ///
    /// - Throws: ``CommandFailure``; with the ids that it could be if there are several.
    static func peer(_ text: String, among known: Set<PeerID>) throws -> PeerID {
        let meant = self.read(text)
        if let meant, known.contains(meant) { return meant }
        let matches = text.isEmpty ? [] : known.map(\.description).filter { $0.hasPrefix(text) }.sorted()
        if matches.count == 1 { return try self.peer(matches[0]) }
        guard matches.isEmpty else {
            throw CommandFailure(.usage, "\(matches.count) peers have an id that begins with \"\(text)\"", details: matches, next: "name the one you mean by more of its id")
        }
        // Text that is shorter than any id can still be read as one.
        guard let meant, text.hasPrefix("/") || text.count >= self.minimumIDLength else {
            throw CommandFailure(.usage, "\"\(text)\" is no peer id, and no peer that was tried has an id that begins so", next: "copy it from a link, after /p2p/")
        }
        return meant
    }

    /// `Qm…`, the shortest form that is in use, has 46 digits.
    private static let minimumIDLength = 46

    /// As ``peer(_:)``, or the name of a trusted peer.
    static func peer(_ text: String, in store: some AccessStore) async throws -> PeerID {
        if let peer = self.read(text) { return peer }
        let named = try await store.trustedPeers().filter { $0.name == text }
        if named.count == 1 { return named[0].peer }
        guard named.isEmpty else {
            throw CommandFailure(.usage, "\(named.count) trusted peers are called \"\(text)\"", details: named.map { "\($0.peer)" }, next: "name the one you mean by its id")
        }
        throw CommandFailure(.notFound, "\"\(text)\" is no peer id, and no trusted peer is called so", next: "see who is trusted with: dig-nat trust ls")
    }

    private static func read(_ text: String) -> PeerID? {
        if text.hasPrefix("/") {
            guard let address = try? Multiaddr(text) else { return nil }
            return address.peerID
        }
        do throws(IdentityError) { return try PeerID(text) } catch { return nil }
    }

    /// A public key: hexadecimal (secp256k1), `ALGORITHM:HEXADECIMAL`, an OpenSSH line, PEM, or a file with one of these.
    ///
    /// - Throws: ``CommandFailure``.
    static func publicKey(_ text: String) throws -> PublicKey {
        var text = text
        if !text.contains("-----BEGIN"), !text.contains(" "), !text.contains(":"), MemberKey(text) == nil {
            let bytes = try InputFile.bytes(text, limit: KeyText.maximumByteCount)
            guard let content = String(validating: bytes, as: UTF8.self) else { throw CommandFailure(.usage, "\(text) holds no public key", next: Self.keyForms) }
            text = content
        }
        text = text.split(whereSeparator: \.isNewline).joined(separator: "\n")
        do throws(IdentityError) {
            if text.contains("PRIVATE KEY") { throw IdentityError(.invalidPublicKey, "that is a private key, which is nobody else's to have") }
            if text.contains("-----BEGIN") { return try PublicKey(pem: text) }
            if text.hasPrefix("ssh-") || text.hasPrefix("ecdsa-") { return try PublicKey(openSSH: text) }
            if let colon = text.firstIndex(of: ":"), let algorithm = KeyAlgorithm(rawValue: String(text[..<colon])) {
                let digits = text[text.index(after: colon)...]
                guard let bytes = try? Base16.decode(String(digits).lowercased()) else { throw IdentityError(.invalidPublicKey, "not hexadecimal") }
                return try PublicKey(algorithm, rawRepresentation: bytes)
            }
            guard let key = MemberKey(text) else { throw IdentityError(.invalidPublicKey, "not a public key in a form that is known") }
            return try PublicKey(secp256k1: key.bytes)
        } catch {
            throw CommandFailure(.usage, message: "the public key cannot be read: \(error)", advice: self.keyForms)
        }
    }

    private static let keyForms = "give PEM, a line of OpenSSH, or hexadecimal of a secp256k1 key, or a file with it"
}
