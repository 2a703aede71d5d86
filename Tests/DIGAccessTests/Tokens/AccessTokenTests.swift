import DIGContent
import DIGIdentity
import DIGMultiformats
import Foundation
import SwiftProtobuf
import Testing

@testable import DIGAccess

@Suite("Access tokens")
struct AccessTokenTests {
    let host: KeyPair
    let holder: PeerID

    init() throws {
        self.host = try KeyPair.generate()
        self.holder = try KeyPair.generate().peerID
    }

    func token(_ contents: Set<ContentHash> = [hash(1), hash(2)], holder: PeerID? = nil) throws -> AccessToken {
        try AccessToken(contents: contents, holder: holder, issuedMilliseconds: 1_000_000, expiresMilliseconds: 2_000_000, signedBy: self.host)
    }

    /// As the host would sign it, with any field wrong.
    func seal(with key: KeyPair? = nil, domain: String = AccessToken.domain, _ change: (inout Dig_Access_V1_AccessTokenRecord) -> Void) throws -> [UInt8] {
        var record = Dig_Access_V1_AccessTokenRecord()
        record.id = Data(repeating: 1, count: 16)
        record.host = Data(self.host.peerID.bytes)
        record.contents = [Data(hash(1).digest.bytes)]
        record.issued = 1
        record.end = 2
        change(&record)
        return try SignedEnvelope.seal(
            domain: domain, payloadType: AccessToken.payloadType, payload: record.serializedBytes() as [UInt8], with: key ?? self.host
        ).encoded
    }

    @Test("come back from bytes and text as they were", arguments: KeyAlgorithm.allCases)
    func roundTrip(_ algorithm: KeyAlgorithm) throws {
        let host = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        for (contents, holder) in [(Set([hash(1)]), self.holder), ([], nil), (Set((0..<32).map { hash($0) }), nil)] as [(Set<ContentHash>, PeerID?)] {
            let token = try AccessToken(contents: contents, holder: holder, issuedMilliseconds: 1, expiresMilliseconds: 99, signedBy: host)
            #expect(try AccessToken(decoding: token.encoded) == token)
            #expect(try AccessToken(parsing: token.text) == token)
            #expect(token.contents == contents && token.holder == holder && token.host == host.peerID)
            #expect(token.text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122) || $0 == 45 || $0 == 95 })
        }
    }

    @Test("the text of an ordinary token is short enough for a link")
    func length() throws {
        let text = try self.token([hash(1)], holder: self.holder).text
        #expect(text.hasPrefix("dig-token-"))
        #expect(text.utf8.count < 450, "\(text.utf8.count)")
    }

    @Test("every strict prefix and every changed bit is refused")
    func damaged() throws {
        let bytes = try self.token(holder: self.holder).encoded
        for count in 0..<bytes.count {
            #expect(throws: AccessError.tokenInvalid) { try AccessToken(decoding: bytes.prefix(count)) }
        }
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << UInt8(index % 8)
            #expect(throws: AccessError.tokenInvalid, "byte \(index)") { try AccessToken(decoding: changed) }
        }
    }

    @Test("text that is damaged, padded or of another kind is refused")
    func damagedText() throws {
        let text = try self.token().text
        let bad = [
            "", "dig-token-", String(text.dropLast()), text + "A", text + "=", " " + text, text.uppercased(), "dig-token-" + String(repeating: "A", count: 9000),
            text.replacingOccurrences(of: "dig-token-", with: "dig-token_"), String(text.dropFirst(10)), "dig-token-ü",
        ]
        for text in bad { #expect(throws: AccessError.tokenInvalid, "\(text)") { try AccessToken(parsing: text) } }
        // The last character has bits to spare: only one of the ways to write them counts.
        let last = try #require(text.last)
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" where other != last {
            #expect(AccessToken(String(text.dropLast()) + String(other)) == nil)
        }
    }

    @Test("each field out of range is refused, however well it is signed")
    func fields() throws {
        let changes: [(String, (inout Dig_Access_V1_AccessTokenRecord) -> Void)] = [
            ("id of 15 bytes", { $0.id = Data(repeating: 1, count: 15) }), ("id of 17 bytes", { $0.id = Data(repeating: 1, count: 17) }), ("no id", { $0.id = Data() }),
            ("no host", { $0.host = Data() }), ("host of nonsense", { $0.host = Data([1, 2, 3]) }),
            ("a content of 31 bytes", { $0.contents = [Data(repeating: 1, count: 31)] }), ("an empty content", { $0.contents = [Data()] }),
            ("a content twice", { $0.contents += $0.contents }), ("33 contents", { $0.contents = (0..<33).map { Data(hash(UInt8($0)).digest.bytes) } }),
            ("holder of nonsense", { $0.holder = Data([9]) }), ("ends as it begins", { $0.end = 1 }), ("ends before it begins", { $0.issued = 3 }),
        ]
        #expect(throws: Never.self) { try AccessToken(decoding: self.seal { _ in }) }
        for (name, change) in changes {
            let bytes = try self.seal(change)
            #expect(throws: AccessError.tokenInvalid, "\(name)") { try AccessToken(decoding: bytes) }
        }
    }

    @Test("a token in another host's name, or signed for another purpose, is none")
    func signer() throws {
        let other = try KeyPair.generate()
        #expect(throws: AccessError.tokenInvalid) { try AccessToken(decoding: self.seal(with: other) { _ in }) }
        #expect(throws: AccessError.tokenInvalid) { try AccessToken(decoding: self.seal(domain: "dig-name-binding") { _ in }) }
    }

    @Test("is good from its beginning, give or take two minutes of clock, to just before its end")
    func times() throws {
        let token = try self.token()
        #expect(throws: Never.self) { try token.check(nowMilliseconds: 1_999_999) }
        #expect(throws: AccessError.tokenExpired) { try token.check(nowMilliseconds: 2_000_000) }
        #expect(throws: AccessError.tokenExpired) { try token.check(nowMilliseconds: .max) }
        #expect(throws: Never.self) { try token.check(nowMilliseconds: 880_000) }
        #expect(throws: AccessError.tokenNotYetValid) { try token.check(nowMilliseconds: 879_999) }
    }

    @Test("covers what it names, or everything")
    func covers() throws {
        #expect(try self.token([hash(1)]).covers(hash(1)))
        #expect(try !self.token([hash(1)]).covers(hash(2)))
        #expect(try self.token([]).covers(hash(2)))
    }

    @Test("too many contents, or an end before the beginning, are refused when it is made")
    func making() throws {
        #expect(throws: AccessError.malformed) {
            try AccessToken(contents: Set((0..<33).map { hash($0) }), issuedMilliseconds: 1, expiresMilliseconds: 2, signedBy: self.host)
        }
        #expect(throws: AccessError.malformed) { try AccessToken(contents: [], issuedMilliseconds: 2, expiresMilliseconds: 2, signedBy: self.host) }
    }

    @Test("ids are written in 32 hexadecimal digits")
    func ids() throws {
        let id = AccessTokenID()
        #expect(AccessTokenID("\(id)") == id)
        #expect(AccessTokenID("\(id)".uppercased()) == id)
        for text in ["", "\(id)0", String("\(id)".dropLast()), String(repeating: "g", count: 32)] { #expect(AccessTokenID(text) == nil) }
        #expect(AccessTokenID() != id)
    }
}
