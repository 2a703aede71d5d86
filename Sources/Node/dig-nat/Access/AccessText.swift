import DIGAccess
import DIGCommandLine
import DIGIdentity

/// Who may have a content, in the words of a person and of a program.
enum AccessText {
    /// Nil: everybody.
    static func words(_ access: ContentAccess) -> String? {
        switch access {
        case .everyone: nil
        case .trusted: "only trusted peers and those with a grant"
        case .only(let peers) where peers.isEmpty: "only those with a grant"
        case .only(let peers): "only \(peers.count == 1 ? "1 peer" : "\(peers.count) peers") and those with a grant"
        case .members(let ring): "only \(ring.members.count) members and those with a grant"
        }
    }

    static func json(_ access: ContentAccess) -> JSONValue {
        switch access {
        case .everyone: .object(["for": "everyone"])
        case .trusted: .object(["for": "trusted"])
        case .only(let peers): .object(["for": "only", "peers": .array(peers.map(\.description).sorted().map { .string($0) })])
        case .members(let ring): .object(["for": "members", "members": .array(ring.members.map { .string("\($0)") })])
        }
    }

    /// The members, one a line: a member key, or the peer id of a wallet's key, as first word; what follows is for people, as is what begins with `#`.
    ///
    /// - Throws: ``CommandFailure``.
    static func ring(fileAt path: String) throws -> MemberRing {
        let bytes = try InputFile.bytes(path, limit: self.maximumRingFileByteCount)
        guard bytes.count <= self.maximumRingFileByteCount, let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.usage, "\(path) is no list of members", next: self.ringForm)
        }
        var members: [MemberKey] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            guard let word = line.split(whereSeparator: \.isWhitespace).first, !word.hasPrefix("#") else { continue }
            guard let member = self.member(String(word)) else {
                throw CommandFailure(.usage, "\(path):\(index + 1): \"\(word.prefix(80))\" is no member key", next: self.ringForm)
            }
            // Whoever is there twice is a member once.
            if !members.contains(member) { members.append(member) }
        }
        do throws(IdentityError) { return try MemberRing(members) } catch {
            throw CommandFailure(.usage, message: "\(path): \(error)", advice: self.ringForm)
        }
    }

    private static func member(_ word: String) -> MemberKey? {
        if let member = MemberKey(word) { return member }
        do throws(IdentityError) {
            guard let key = try PeerID(word).publicKey else { return nil }
            return try MemberKey(key)
        } catch { return nil }
    }

    private static let maximumRingFileByteCount = 1 << 20
    private static let ringForm = "write one member key a line, as each member's \"dig-nat id\" prints it"
}
