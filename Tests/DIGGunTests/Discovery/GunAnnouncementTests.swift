import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGGun

@Suite("Announcements in the graph")
struct GunAnnouncementTests {
    private static let now = 1_795_255_900_000.0
    private static let content = RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [1])))
    private static let other = RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [2])))

    private func announcement(_ identity: KeyPair, _ change: (inout ContentAnnouncement) -> Void = { _ in }) -> ContentAnnouncement {
        var announcement = ContentAnnouncement(
            peer: identity.peerID, key: Self.content, port: 80, contentID: "name", timestampMilliseconds: UInt64(Self.now),
            lifetime: .seconds(3_600))
        change(&announcement)
        return announcement
    }

    @Test("are read from the text that was written, and from no part of it")
    func roundTrip() throws {
        let identity = try KeyPair.generate()
        let announcement = self.announcement(identity)
        let text = try GunAnnouncementText.encode(announcement, signedWith: identity)
        #expect(GunAnnouncementText.decode(text, now: Self.now) == announcement)
        for count in 0..<text.utf8.count { #expect(GunAnnouncementText.decode(String(text.prefix(count)), now: Self.now) == nil) }
        for now in [-1, .infinity, .nan] { #expect(GunAnnouncementText.decode(text, now: now) == nil) }
    }

    @Test("a guard lets in only the owner's word at its time, for this hash and name")
    func guards() throws {
        let identity = try KeyPair.generate()
        let other = try KeyPair.generate()
        let namespace = GunNamespace.standard
        var graph = GunGraph(guards: namespace.guards)
        func write(_ announcement: ContentAnnouncement, by signer: KeyPair, key: PeerID, soul: String, state: Double? = nil, now: Double = Self.now) throws -> GunGraph.Outcome {
            let text = try GunAnnouncementText.encode(announcement, signedWith: signer)
            return graph.write(
                GunEntry(.text(text), state: state ?? Double(announcement.timestampMilliseconds)), to: ExactText("\(key)"), of: ExactText(soul), now: now)
        }
        let good = self.announcement(identity)
        let soul = namespace.content(good.key)
        #expect(try write(good, by: identity, key: other.peerID, soul: soul) == .forged)
        #expect(try write(good, by: identity, key: identity.peerID, soul: namespace.content(Self.other)) == .forged)
        #expect(try write(good, by: identity, key: identity.peerID, soul: soul + "0") == .forged)
        #expect(try write(good, by: identity, key: identity.peerID, soul: soul, state: Self.now - 1) == .forged)
        #expect(try write(good, by: identity, key: identity.peerID, soul: namespace.names("other")) == .forged)
        #expect(try write(good, by: identity, key: identity.peerID, soul: namespace.names("name")) == .taken)
        #expect(try write(good, by: identity, key: identity.peerID, soul: soul) == .taken)
        // Replayed with a newer state, or deleted by somebody.
        #expect(try write(good, by: identity, key: identity.peerID, soul: soul, state: Self.now + 5, now: Self.now + 10) == .forged)
        #expect(graph.write(GunEntry(.null, state: Self.now + 5), to: ExactText("\(identity.peerID)"), of: ExactText(soul), now: Self.now + 10) == .forged)
        // Ancient, and from the future.
        let ancient = self.announcement(other) { $0.timestampMilliseconds -= 3_600_001 }
        #expect(try write(ancient, by: other, key: other.peerID, soul: soul) == .forged)
        let future = self.announcement(other) { $0.timestampMilliseconds += 121_000 }
        #expect(try write(future, by: other, key: other.peerID, soul: soul) == .forged)
        let eternal = self.announcement(other) { $0.timestampMilliseconds -= 86_400_001; $0.lifetime = .seconds(1_000_000) }
        #expect(try write(eternal, by: other, key: other.peerID, soul: soul) == .forged)
    }

    @Test("a message for a mailbox is read by its recipient only, and only in its time")
    func sealed() throws {
        let record = Curve()
        let recipient = try KeyPair.generate().peerID
        let text = try GunSealedMessage.seal(Array("secret".utf8), to: record.publicKey, of: recipient, expires: UInt64(Self.now) + 60_000)
        #expect(try record.open(text, recipient, Self.now) == Array("secret".utf8))
        #expect(!text.contains("secret"))
        #expect(throws: GunSealedMessage.SealError.expired) { try record.open(text, recipient, Self.now + 60_000) }
        #expect(throws: GunSealedMessage.SealError.expired) { try record.open(text, recipient, Self.now - 700_000) }
        #expect(throws: GunSealedMessage.SealError.unreadable) { try Curve().open(text, recipient, Self.now) }
        #expect(throws: GunSealedMessage.SealError.unreadable) { try record.open(text, try KeyPair.generate().peerID, Self.now) }
        var bytes = try Base64URL.decode(text)
        for index in 9..<bytes.count {
            bytes[index] ^= 1
            #expect(throws: GunSealedMessage.SealError.self) { try record.open(Base64URL.encode(bytes), recipient, Self.now) }
            bytes[index] ^= 1
        }
        for count in 0..<text.utf8.count { #expect(throws: GunSealedMessage.SealError.self) { try record.open(String(text.prefix(count)), recipient, Self.now) } }
        #expect(throws: GunSealedMessage.SealError.tooLong) {
            try GunSealedMessage.seal([UInt8](repeating: 0, count: 24 * 1024 + 1), to: record.publicKey, of: recipient, expires: 1)
        }
    }
}
