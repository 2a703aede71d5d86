import Crypto
import Foundation
import NIOCore
import Testing

@testable import DIGNoise

@Suite("Published vectors for Noise_XX_25519_ChaChaPoly_SHA256")
struct NoiseVectorTests {
    private struct File: Decodable {
        var vectors: [Vector]
    }

    private struct Vector: Decodable {
        struct Message: Decodable {
            var payload: String
            var ciphertext: String
        }
        var init_prologue: String
        var init_static: String
        var init_ephemeral: String
        var resp_prologue: String
        var resp_static: String
        var resp_ephemeral: String
        var handshake_hash: String?
        var messages: [Message]
    }

    @Test("give the same bytes in both roles", arguments: ["cacophony-xx", "snow-xx"])
    func vectors(file: String) throws {
        let url = try #require(Bundle.module.url(forResource: file, withExtension: "json", subdirectory: "Fixtures"))
        let vectors = try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).vectors
        #expect(!vectors.isEmpty)
        for vector in vectors { try self.check(vector) }
    }

    private func check(_ vector: Vector) throws {
        var initiator = try self.state(
            isInitiator: true, staticKey: vector.init_static, ephemeralKey: vector.init_ephemeral, prologue: vector.init_prologue)
        var responder = try self.state(
            isInitiator: false, staticKey: vector.resp_static, ephemeralKey: vector.resp_ephemeral, prologue: vector.resp_prologue)

        for (index, message) in vector.messages.prefix(3).enumerated() {
            let payload = try self.bytes(message.payload)
            let ciphertext = try self.bytes(message.ciphertext)
            if index.isMultiple(of: 2) {
                #expect(try initiator.writeMessage(payload: payload) == ciphertext)
                #expect(try responder.readMessage(ciphertext) == payload)
            } else {
                #expect(try responder.writeMessage(payload: payload) == ciphertext)
                #expect(try initiator.readMessage(ciphertext) == payload)
            }
        }
        #expect(initiator.isComplete && responder.isComplete)
        #expect(initiator.handshakeHash == responder.handshakeHash)
        if let hash = vector.handshake_hash { #expect(try initiator.handshakeHash == self.bytes(hash)) }

        var (initiatorOut, initiatorIn) = initiator.split()
        var (responderOut, responderIn) = responder.split()
        for (index, message) in vector.messages.enumerated().dropFirst(3) {
            let payload = try self.bytes(message.payload)
            let ciphertext = try self.bytes(message.ciphertext)
            let isFromInitiator = index.isMultiple(of: 2)
            let sealed = isFromInitiator ? try Self.sealed(payload, by: &initiatorOut) : try Self.sealed(payload, by: &responderOut)
            var opened = ByteBuffer()
            let frame = ByteBuffer(bytes: ciphertext)
            if isFromInitiator { try responderIn.open(frame, into: &opened) } else { try initiatorIn.open(frame, into: &opened) }
            #expect(Array(sealed.readableBytesView) == ciphertext)
            #expect(Array(opened.readableBytesView) == payload)
        }
    }

    private static func sealed(_ payload: [UInt8], by state: inout CipherState) throws -> ByteBuffer {
        var sealed = ByteBuffer()
        try state.beginFrame()
        try state.seal(ByteBuffer(bytes: payload), into: &sealed)
        try state.endFrame(into: &sealed)
        return sealed
    }

    private func state(isInitiator: Bool, staticKey: String, ephemeralKey: String, prologue: String) throws -> HandshakeState {
        HandshakeState(
            isInitiator: isInitiator, staticKey: try .init(rawRepresentation: self.bytes(staticKey)),
            ephemeralKey: try .init(rawRepresentation: self.bytes(ephemeralKey)), prologue: try self.bytes(prologue))
    }

    private func bytes(_ hex: String) throws -> [UInt8] {
        let digits = try hex.map { try #require($0.hexDigitValue) }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
