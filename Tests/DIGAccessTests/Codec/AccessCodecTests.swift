import DIGContent
import DIGIdentity
import Foundation
import NIOCore
import SwiftProtobuf
import Testing

@testable import DIGAccess

@Suite("Access messages")
struct AccessCodecTests {
    let key: KeyPair
    let peer: PeerID

    init() throws {
        self.key = try KeyPair.generate()
        self.peer = try KeyPair.generate().peerID
    }

    /// Decodes every strict prefix: none may trap, and none may be taken for the whole.
    func prefixes<Value: Equatable>(_ bytes: ByteBuffer, _ value: Value, _ decode: (ByteBuffer) throws(AccessError) -> Value) throws {
        #expect(try decode(bytes) == value)
        for count in 0..<bytes.readableBytes {
            let prefix = try #require(bytes.getSlice(at: bytes.readerIndex, length: count))
            do throws(AccessError) {
                let decoded = try decode(prefix)
                #expect(decoded != value, "\(count) bytes")
            } catch {
                #expect(error == .malformed)
            }
        }
        // What later versions add is skipped.
        var longer = bytes
        longer.writeBytes([0xf8, 0x07, 0x01])
        #expect(try decode(longer) == value)
    }

    @Test("hello")
    func hello() throws {
        for hello in [
            AccessHello(peer: self.peer), AccessHello(peer: self.peer, content: hash(1), ringDigest: [UInt8](repeating: 3, count: 32)),
        ] { try self.prefixes(AccessCodec.encode(hello), hello, AccessCodec.decodeHello) }
    }

    @Test("challenge: the seed's three fields, and a question for members")
    func challenge() throws {
        let challenge = AccessChallenge(nonce: [UInt8](repeating: 5, count: 32), timestampMilliseconds: 1_635_789_123_456, host: self.peer)
        for message in [
            AccessChallengeMessage(challenge: challenge),
            AccessChallengeMessage(challenge: challenge, membership: .init(nonce: [UInt8](repeating: 6, count: 32), expiresMilliseconds: 7)),
        ] { try self.prefixes(AccessCodec.encode(message), message, AccessCodec.decodeChallenge) }
    }

    @Test("response: the seed's four fields, and what else there is to show")
    func response() throws {
        var response = AccessResponse(nonce: [UInt8](repeating: 5, count: 32), timestampMilliseconds: 9)
        try self.prefixes(AccessCodec.encode(response), response, AccessCodec.decodeResponse)
        response.identity = .init(peer: self.key.peerID, publicKey: self.key.publicKey, signature: [1, 2, 3])
        response.tokens = [[1], [2, 3]]
        response.membershipProof = [9, 9]
        try self.prefixes(AccessCodec.encode(response), response, AccessCodec.decodeResponse)
    }

    @Test("verdict, with every refusal that a host can have")
    func verdict() throws {
        var verdict = AccessVerdict()
        try self.prefixes(AccessCodec.encode(verdict), verdict) { bytes throws(AccessError) in try AccessCodec.decodeVerdict(bytes) }
        verdict = AccessVerdict(
            refusal: .notTrusted, identity: self.peer, isTrusted: true, isMember: true, tokens: [AccessTokenID(), AccessTokenID()], expiresMilliseconds: 77)
        try self.prefixes(AccessCodec.encode(verdict), verdict, AccessCodec.decodeVerdict)
        for error in AccessError.allCases {
            let decoded = try AccessCodec.decodeVerdict(AccessCodec.encode(AccessVerdict(refusal: error))).refusal
            // What only a client finds out is none of a host's, but a refusal all the same.
            let isClients = [.wrongHost, .unsupported, .nothingToProve].contains(error)
            #expect(decoded == (isClients ? .unavailable : error))
        }
    }

    @Test("a refusal that is not known is a refusal")
    func unknownRefusal() throws {
        #expect(try AccessCodec.decodeVerdict(ByteBuffer(bytes: [0x08, 0x7f])).refusal == .unavailable)
    }

    @Test("each field out of range is malformed")
    func fields() throws {
        func expect<Wire: Message>(_ decode: (ByteBuffer) throws(AccessError) -> some Any, _ name: String, _ change: (inout Wire) -> Void, from wire: Wire) throws {
            var wire = wire
            change(&wire)
            let bytes = ByteBuffer(bytes: try wire.serializedBytes() as [UInt8])
            #expect(throws: AccessError.malformed, "\(name)") { _ = try decode(bytes) }
        }
        let hello = try Dig_Access_V1_Hello(serializedBytes: Array(AccessCodec.encode(AccessHello(peer: self.peer, content: hash(1))).readableBytesView))
        try expect(AccessCodec.decodeHello, "no peer", { $0.peerID = "" }, from: hello)
        try expect(AccessCodec.decodeHello, "no peer id", { $0.peerID = "nobody" }, from: hello)
        try expect(AccessCodec.decodeHello, "a long peer id", { $0.peerID = String(repeating: "1", count: 200) }, from: hello)
        try expect(AccessCodec.decodeHello, "31 bytes", { $0.contentHash.removeLast() }, from: hello)
        try expect(AccessCodec.decodeHello, "33 bytes of ring", { $0.ringDigest = Data(count: 33) }, from: hello)

        let message = AccessChallengeMessage(
            challenge: AccessChallenge(nonce: [UInt8](repeating: 5, count: 32), timestampMilliseconds: 1, host: self.peer),
            membership: .init(nonce: [UInt8](repeating: 6, count: 32), expiresMilliseconds: 7))
        let challenge = try Dig_Access_V1_Challenge(serializedBytes: Array(AccessCodec.encode(message).readableBytesView))
        try expect(AccessCodec.decodeChallenge, "31 bytes of nonce", { $0.challenge.removeLast() }, from: challenge)
        try expect(AccessCodec.decodeChallenge, "no host", { $0.hostID = "" }, from: challenge)
        try expect(AccessCodec.decodeChallenge, "31 bytes for members", { $0.membership.nonce.removeLast() }, from: challenge)

        var answer = AccessResponse(nonce: [UInt8](repeating: 5, count: 32), timestampMilliseconds: 9)
        answer.identity = .init(peer: self.key.peerID, publicKey: self.key.publicKey, signature: [1])
        let response = try Dig_Access_V1_Response(serializedBytes: Array(AccessCodec.encode(answer).readableBytesView))
        try expect(AccessCodec.decodeResponse, "33 bytes of nonce", { $0.challenge.append(0) }, from: response)
        try expect(AccessCodec.decodeResponse, "no signature", { $0.identity.signature = Data() }, from: response)
        try expect(AccessCodec.decodeResponse, "a long signature", { $0.identity.signature = Data(count: 1025) }, from: response)
        try expect(AccessCodec.decodeResponse, "no key", { $0.identity.publicKey = Data() }, from: response)
        try expect(AccessCodec.decodeResponse, "a key of nonsense", { $0.identity.publicKey = Data([1, 2, 3]) }, from: response)
        try expect(AccessCodec.decodeResponse, "nobody's key", { $0.identity.peerID = "x" }, from: response)
        try expect(AccessCodec.decodeResponse, "nine tokens", { $0.tokens = (0..<9).map { _ in Data([1]) } }, from: response)
        try expect(AccessCodec.decodeResponse, "an empty token", { $0.tokens = [Data()] }, from: response)
        try expect(AccessCodec.decodeResponse, "a long token", { $0.tokens = [Data(count: 4097)] }, from: response)
        try expect(AccessCodec.decodeResponse, "long tokens", { $0.tokens = (0..<5).map { _ in Data(count: 4000) } }, from: response)
        try expect(AccessCodec.decodeResponse, "a long proof", { $0.membershipProof = Data(count: 8226) }, from: response)

        let verdict = try Dig_Access_V1_Verdict(serializedBytes: Array(AccessCodec.encode(AccessVerdict(identity: self.peer)).readableBytesView))
        try expect(AccessCodec.decodeVerdict, "nobody", { $0.identity = "x" }, from: verdict)
        try expect(AccessCodec.decodeVerdict, "15 bytes of token", { $0.tokens = [Data(count: 15)] }, from: verdict)
        try expect(AccessCodec.decodeVerdict, "nine tokens", { $0.tokens = (0..<9).map { _ in Data(count: 16) } }, from: verdict)
    }

    @Test("a message above the limit is not even looked at")
    func tooLong() {
        let bytes = ByteBuffer(repeating: 0, count: AccessLimits.maximumMessageByteCount + 1)
        #expect(throws: AccessError.malformed) { try AccessCodec.decodeHello(bytes) }
    }
}
