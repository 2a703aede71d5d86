import DIGContent
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAnnouncement

@Suite("Announcements")
struct ContentAnnouncementTests {
    static let now: UInt64 = 1_795_255_900_000
    static let key = RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [1])))

    let identity: KeyPair

    init() throws { self.identity = try KeyPair.generate() }

    private func announcement(_ change: (inout ContentAnnouncement) -> Void = { _ in }) -> ContentAnnouncement {
        var announcement = ContentAnnouncement(peer: self.identity.peerID, key: Self.key, timestampMilliseconds: Self.now)
        change(&announcement)
        return announcement
    }

    private func read(_ bytes: [UInt8], now: UInt64 = Self.now) throws(AnnouncementError) -> ContentAnnouncement {
        try ContentAnnouncement(decoding: bytes, nowMilliseconds: now)
    }

    @Test("say who has what, for every kind of key", arguments: [KeyAlgorithm.ed25519, .secp256k1])
    func roundTrip(_ algorithm: KeyAlgorithm) throws {
        let identity = try KeyPair.generate(algorithm)
        var announcement = ContentAnnouncement(peer: identity.peerID, key: Self.key, timestampMilliseconds: Self.now)
        #expect(try self.read(announcement.signed(with: identity).encoded) == announcement)
        announcement.port = 4001
        announcement.contentID = "é"
        announcement.isAvailable = false
        announcement.addresses = try [Multiaddr("/ip4/192.0.2.1/tcp/4001"), Multiaddr("/dns4/relay.example/tcp/443/wss")]
        #expect(try self.read(announcement.signed(with: identity).encoded) == announcement)
    }

    @Test("are refused with a bit changed or the end missing")
    func damage() throws {
        let bytes = try self.announcement { $0.contentID = "n" }.signed(with: self.identity).encoded
        for count in 0..<bytes.count { #expect(throws: AnnouncementError.self) { try self.read(Array(bytes.prefix(count))) } }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(throws: AnnouncementError.self) { try self.read(changed) }
        }
    }

    @Test("are believed in their time only")
    func time() throws {
        let bytes = try self.announcement().signed(with: self.identity).encoded
        #expect(try self.read(bytes, now: Self.now + 3_599_999).isAvailable)
        #expect(throws: AnnouncementError.expired) { try self.read(bytes, now: Self.now + 3_600_000) }
        #expect(try self.read(bytes, now: Self.now - 120_000).isAvailable)
        #expect(throws: AnnouncementError.fromTheFuture) { try self.read(bytes, now: Self.now - 120_001) }
        #expect(throws: AnnouncementError.fromTheFuture) { try self.read(bytes, now: 0) }
        #expect(throws: AnnouncementError.expired) { try self.read(bytes, now: .max) }
        let last = try self.announcement { $0.timestampMilliseconds = .max }.signed(with: self.identity).encoded
        #expect(throws: AnnouncementError.fromTheFuture) { try self.read(last) }
    }

    @Test("last as long as they say, from a minute to a day", arguments: [(Duration.zero, UInt64(60)), (.seconds(90), 90), (.seconds(1_000_000), 86_400)])
    func lifetime(said: Duration, seconds: UInt64) throws {
        let announcement = try self.read(self.announcement { $0.lifetime = said }.signed(with: self.identity).encoded)
        #expect(announcement.expiresAtMilliseconds == Self.now + seconds * 1000)
    }

    @Test("are signed by the peer they name, for this purpose, and by nobody else")
    func signer() throws {
        let other = try KeyPair.generate()
        #expect(throws: AnnouncementError.wrongPeer) { try self.announcement().signed(with: other) }
        let payload = try self.announcement().signed(with: self.identity).payload
        let foreign = try SignedEnvelope.seal(domain: ContentAnnouncement.domain, payloadType: ContentAnnouncement.payloadType, payload: payload, with: other)
        #expect(throws: AnnouncementError.wrongPeer) { try self.read(foreign.encoded) }
        let otherDomain = try SignedEnvelope.seal(domain: "dig-name-binding", payloadType: ContentAnnouncement.payloadType, payload: payload, with: self.identity)
        #expect(throws: AnnouncementError.invalidSignature) { try self.read(otherDomain.encoded) }
        let otherType = try SignedEnvelope.seal(domain: ContentAnnouncement.domain, payloadType: [1], payload: payload, with: self.identity)
        #expect(throws: AnnouncementError.malformed) { try self.read(otherType.encoded) }
    }

    @Test("have bounds: names, addresses, bytes")
    func bounds() throws {
        #expect(throws: AnnouncementError.limitExceeded) { try self.announcement { $0.contentID = String(repeating: "x", count: 257) }.signed(with: self.identity) }
        #expect(throws: AnnouncementError.limitExceeded) { try self.read([UInt8](repeating: 0, count: ContentAnnouncement.maximumByteCount + 1)) }
        let long = try Multiaddr("/dns4/" + [String](repeating: String(repeating: "a", count: 60), count: 4).joined(separator: ".") + "/tcp/1")
        let many = try self.announcement { $0.addresses = [Multiaddr](repeating: long, count: 40) }.signed(with: self.identity)
        #expect(try self.read(many.encoded).addresses.count == ContentAnnouncement.maximumAddressCount)
        let longest = try self.announcement { $0.contentID = String(repeating: "x", count: 256); $0.addresses = [Multiaddr](repeating: long, count: 16) }.signed(with: self.identity)
        #expect(longest.encoded.count <= ContentAnnouncement.maximumByteCount)
    }

    @Test("contents, names and plain SHA-256s have keys of their own")
    func keys() throws {
        let digest = SHA256Digest(hashing: [9])
        let keys = [
            RendezvousKey(ContentHash(digest: digest)), RendezvousKey(BindingKey.sha256(digest)), RendezvousKey(BindingKey.name("a")),
            RendezvousKey(BindingKey.name("b")), RendezvousKey(BindingKey.name("")),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(keys[0].bytes == digest.bytes)
        #expect(RendezvousKey(bytes: digest.bytes) == keys[0])
        #expect(RendezvousKey(bytes: Array(digest.bytes.dropLast())) == nil)
        // sha256("dig-name-v1\0a")
        #expect(Base16.encode(keys[2].bytes) == "e19df61f127a616fab23dbd7025567f5f50c0ec10b6ca54642e959146d9555da")
    }
}
