import Crypto
import DIGIdentity
import DIGNet
import Testing

@testable import DIGNoise

@Suite("libp2p Noise handshake")
struct NoiseHandshakeStateMachineTests {
    @Test("proves both identities and agrees on the hash", arguments: [KeyAlgorithm.ed25519, .secp256k1])
    func success(algorithm: KeyAlgorithm) throws {
        let dialer = try KeyPair.generate(algorithm)
        let listener = try KeyPair.generate(algorithm)
        var initiator = NoiseHandshakeStateMachine(role: .dialer, identity: dialer, expecting: listener.peerID, muxers: [])
        var responder = NoiseHandshakeStateMachine(role: .listener, identity: listener, expecting: dialer.peerID, muxers: [])
        let first = try #require(try initiator.started())
        #expect(try responder.started() == nil)
        #expect(first.count == 32)
        let second = try #require(try responder.received(first).sent)
        let atInitiator = try initiator.received(second)
        let third = try #require(atInitiator.sent)
        let atResponder = try responder.received(third)
        let dialed = try #require(atInitiator.session).channel
        let accepted = try #require(atResponder.session).channel

        #expect(dialed.remotePeer == listener.peerID)
        #expect(dialed.remotePublicKey == listener.publicKey)
        #expect(accepted.remotePeer == dialer.peerID)
        #expect(accepted.remotePublicKey == dialer.publicKey)
        #expect(dialed.handshakeHash == accepted.handshakeHash)
        #expect(dialed.handshakeHash.count == 32)
        #expect(dialed.earlyMuxer == nil && accepted.earlyMuxer == nil)
        #expect(throws: NoiseError.unexpectedMessage) { try initiator.received(second) }
        #expect(throws: NoiseError.unexpectedMessage) { try responder.received(third) }
    }

    @Test("chooses the initiator's first multiplexer that both have", arguments: [
        (["/yamux/1.0.0"], ["/yamux/1.0.0"], "/yamux/1.0.0"),
        (["/b", "/a"], ["/a", "/b"], "/b"),
        (["/x", "/a"], ["/b", "/a"], "/a"),
        ([], ["/a"], nil),
        (["/a"], [], nil),
        ([], [], nil),
    ] as [([String], [String], String?)])
    func muxers(initiatorMuxers: [String], responderMuxers: [String], expected: String?) throws {
        var pair = try MachinePair(
            initiatorMuxers: initiatorMuxers.map { ProtocolID($0) }, responderMuxers: responderMuxers.map { ProtocolID($0) })
        _ = try pair.responder.started()
        let second = try #require(try pair.responder.received(pair.initiator.firstMessage()).sent)
        let atInitiator = try pair.initiator.received(second)
        let atResponder = try pair.responder.received(try #require(atInitiator.sent))
        #expect(try #require(atInitiator.session).channel.earlyMuxer?.rawValue == expected)
        #expect(try #require(atResponder.session).channel.earlyMuxer?.rawValue == expected)
    }

    @Test("fails when both name multiplexers and none is common")
    func noCommonMuxer() throws {
        var pair = try MachinePair(initiatorMuxers: ["/a"], responderMuxers: ["/b"])
        _ = try pair.responder.started()
        let second = try #require(try pair.responder.received(pair.initiator.firstMessage()).sent)
        #expect(throws: NoiseError.noCommonMuxer) { try pair.initiator.received(second) }
    }

    @Test("the initiator refuses another peer than the one dialed and sends nothing")
    func wrongResponder() throws {
        let stranger = try KeyPair.generate()
        var initiator = NoiseHandshakeStateMachine(
            role: .dialer, identity: try KeyPair.generate(), expecting: try KeyPair.generate().peerID, muxers: [])
        var responder = NoiseHandshakeStateMachine(role: .listener, identity: stranger, expecting: nil, muxers: [])
        _ = try responder.started()
        let second = try #require(try responder.received(initiator.firstMessage()).sent)
        #expect(throws: NoiseError.peerMismatch) { try initiator.received(second) }
        #expect(throws: NoiseError.self) { try initiator.received(second) }
    }

    @Test("the responder refuses another peer than the one expected")
    func wrongInitiator() throws {
        var initiator = NoiseHandshakeStateMachine(role: .dialer, identity: try KeyPair.generate(), expecting: nil, muxers: [])
        var responder = NoiseHandshakeStateMachine(
            role: .listener, identity: try KeyPair.generate(), expecting: try KeyPair.generate().peerID, muxers: [])
        _ = try responder.started()
        let second = try #require(try responder.received(initiator.firstMessage()).sent)
        let third = try #require(try initiator.received(second).sent)
        #expect(throws: NoiseError.peerMismatch) { try responder.received(third) }
    }

    // MARK: Altered messages

    @Test("no flipped bit of the first message goes unnoticed")
    func firstMessage() throws {
        let pair = try MachinePair()
        var started = pair.initiator
        let first = try #require(try started.started())
        for bit in 0..<first.count * 8 {
            var initiator = started
            var responder = pair.responder
            _ = try responder.started()
            // Nothing protects the key in it: the responder's answer is the first thing that cannot be opened.
            guard let second = try responder.received(Self.flipping(bit, of: first)).sent else { continue }
            #expect(throws: NoiseError.decryptionFailed) { try initiator.received(second) }
        }
    }

    @Test("no flipped bit of the second and third message goes unnoticed")
    func laterMessages() throws {
        var pair = try MachinePair(initiatorMuxers: ["/yamux/1.0.0"], responderMuxers: ["/yamux/1.0.0"])
        _ = try pair.responder.started()
        let second = try #require(try pair.responder.received(pair.initiator.firstMessage()).sent)
        for bit in 0..<second.count * 8 {
            var initiator = pair.initiator
            #expect(throws: NoiseError.self, "bit \(bit) of the second message") { try initiator.received(Self.flipping(bit, of: second)) }
        }
        let third = try #require(try pair.initiator.received(second).sent)
        for bit in 0..<third.count * 8 {
            var responder = pair.responder
            #expect(throws: NoiseError.self, "bit \(bit) of the third message") { try responder.received(Self.flipping(bit, of: third)) }
        }
        _ = try pair.responder.received(third)
    }

    @Test("no message is taken when cut or made longer")
    func truncated() throws {
        var pair = try MachinePair()
        _ = try pair.responder.started()
        let first = try #require(try pair.initiator.started())
        for length in 0..<first.count {
            var responder = pair.responder
            #expect(throws: NoiseError.truncated) { try responder.received(Array(first.prefix(length))) }
        }
        let second = try #require(try pair.responder.received(first).sent)
        for message in (0..<second.count).map({ Array(second.prefix($0)) }) + [second + [0]] {
            var initiator = pair.initiator
            #expect(throws: NoiseError.self) { try initiator.received(message) }
        }
        let third = try #require(try pair.initiator.received(second).sent)
        for message in (0..<third.count).map({ Array(third.prefix($0)) }) + [third + [0]] {
            var responder = pair.responder
            #expect(throws: NoiseError.self) { try responder.received(message) }
        }
        #expect(throws: NoiseError.tooLong) { try pair.responder.received([UInt8](repeating: 0, count: 8193)) }
    }

    private static func flipping(_ bit: Int, of bytes: [UInt8]) -> [UInt8] {
        var copy = bytes
        copy[bit / 8] ^= 1 << (bit % 8)
        return copy
    }

    // MARK: False proofs

    /// A responder that sends whatever payload it is given, properly encrypted.
    private func answer(with payload: (_ staticKey: [UInt8]) throws -> [UInt8]) throws -> NoiseError? {
        let owner = try KeyPair.generate()
        var initiator = NoiseHandshakeStateMachine(role: .dialer, identity: owner, expecting: nil, muxers: ["/yamux/1.0.0"])
        let staticKey = HandshakeState.PrivateKey()
        var responder = HandshakeState(isInitiator: false, staticKey: staticKey, ephemeralKey: .init())
        _ = try responder.readMessage(initiator.firstMessage())
        let second = try responder.writeMessage(payload: payload(Array(staticKey.publicKey.rawRepresentation)))
        do {
            _ = try initiator.received(second)
            return nil
        } catch {
            return error
        }
    }

    private func payload(key: KeyPair, signer: KeyPair, signed: [UInt8]) throws -> [UInt8] {
        try NoiseHandshakePayload(identityKey: key.publicKey.protobufEncoded, identitySignature: signer.sign(signed), muxers: []).encoded()
    }

    @Test("a proper proof is taken")
    func properProof() throws {
        let key = try KeyPair.generate()
        #expect(try self.answer { try self.payload(key: key, signer: key, signed: NoiseHandshakePayload.signedBytes(staticKey: $0)) } == nil)
    }

    @Test("a signature by another key is refused")
    func otherSigner() throws {
        let key = try KeyPair.generate()
        let other = try KeyPair.generate()
        let error = try self.answer { try self.payload(key: key, signer: other, signed: NoiseHandshakePayload.signedBytes(staticKey: $0)) }
        #expect(error == .invalidSignature)
    }

    @Test("a signature of another static key, or without the prefix, is refused")
    func otherStaticKey() throws {
        let key = try KeyPair.generate()
        let other = Array(HandshakeState.PrivateKey().publicKey.rawRepresentation)
        #expect(
            try self.answer { _ in try self.payload(key: key, signer: key, signed: NoiseHandshakePayload.signedBytes(staticKey: other)) }
                == .invalidSignature)
        #expect(try self.answer { try self.payload(key: key, signer: key, signed: $0) } == .invalidSignature)
    }

    @Test("a payload without key or signature, or that is none, is refused")
    func malformedPayload() throws {
        let key = try KeyPair.generate()
        #expect(try self.answer { _ in [] } == .invalidPayload)
        #expect(try self.answer { _ in [0x0a] } == .invalidPayload)
        #expect(try self.answer { _ in [0x0a, 0x00] } == .invalidPayload)
        #expect(try self.answer { _ in [0x12, 0x00] } == .invalidPayload)
        #expect(
            try self.answer { staticKey in
                let signature = try key.sign(NoiseHandshakePayload.signedBytes(staticKey: staticKey))
                return try NoiseHandshakePayload(identityKey: [1, 2, 3], identitySignature: signature, muxers: []).encoded()
            } == .invalidIdentityKey)
    }

    @Test("a peer that answers with the initiator's own messages is refused")
    func reflected() throws {
        var initiator = NoiseHandshakeStateMachine(role: .dialer, identity: try KeyPair.generate(), expecting: nil, muxers: [])
        let first = try #require(try initiator.started())
        #expect(throws: NoiseError.self) { try initiator.received(first) }
    }
}
