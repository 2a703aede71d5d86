import DIGIdentity
import DIGMultiformats
import Foundation
import SwiftProtobuf
import Testing

@testable import DIGKademlia

@Suite("Signed records of the DHT")
struct StatementCodecTests {
    let keyPair: KeyPair

    init() throws { self.keyPair = try KeyPair(ed25519Seed: (0..<32).map { UInt8($0) }) }

    @Test("provider statements: what was signed is read, payload pinned")
    func provider() throws {
        let statement = ProviderStatement(
            provider: self.keyPair.peerID, key: [1, 2], sequence: 3, expiresAtMilliseconds: 300, addresses: [address(1, 2, 3, 4)], isWithdrawn: true)
        let envelope = try statement.sealed(with: self.keyPair)
        #expect(envelope.payload == [0x0a, 2, 1, 2, 0x10, 3, 0x18, 0xac, 2, 0x22, 8, 4, 1, 2, 3, 4, 6, 0x0f, 0xa1, 0x28, 1])
        #expect(envelope.payloadType == Array("/dig/provider/1.0.0".utf8))
        #expect(try ProviderStatement(opening: envelope.encoded) == statement)
        #expect(throws: IdentityError.self) { _ = try statement.sealed(with: try KeyPair.generate()) }
    }

    @Test("signed values: what was signed is read, payload pinned")
    func value() throws {
        let value = SignedValue(owner: self.keyPair.peerID, key: [1], sequence: 2, expiresAtMilliseconds: 3, value: [4])
        let bytes = try value.sealed(with: self.keyPair)
        #expect(try SignedValue(opening: bytes) == value)
        #expect(try SignedEnvelope(decoding: bytes).payload == [0x0a, 1, 1, 0x10, 2, 0x18, 3, 0x22, 1, 4])
    }

    @Test("letters: what was signed is read, payload pinned")
    func letter() throws {
        let recipient = try KeyPair.generate().peerID
        let letter = Letter(
            sender: self.keyPair.peerID, recipient: recipient, sequence: 2, expiresAtMilliseconds: 3, encapsulatedKey: [5], ciphertext: [6])
        let bytes = try letter.sealed(with: self.keyPair)
        #expect(try Letter(opening: bytes) == letter)
        #expect(
            try SignedEnvelope(decoding: bytes).payload
                == [0x0a, UInt8(recipient.bytes.count)] + recipient.bytes + [0x10, 2, 0x18, 3, 0x22, 1, 5, 0x2a, 1, 6])
        var long = letter
        long.ciphertext = Array(repeating: 1, count: Letter.maximumByteCount)
        #expect(throws: IdentityError.self) { _ = try long.sealed(with: self.keyPair) }
    }

    @Test("no strict prefix of a record and no changed byte is believed")
    func damage() throws {
        let records: [([UInt8], @Sendable ([UInt8]) throws -> Void)] = [
            (
                try ProviderStatement(
                    provider: self.keyPair.peerID, key: [1, 2], sequence: 3, expiresAtMilliseconds: 300, addresses: [address(1, 2, 3, 4)]
                ).sealed(with: self.keyPair).encoded, { _ = try ProviderStatement(opening: $0) }
            ),
            (
                try SignedValue(owner: self.keyPair.peerID, key: [1], sequence: 2, expiresAtMilliseconds: 3, value: [4]).sealed(with: self.keyPair),
                { _ = try SignedValue(opening: $0) }
            ),
            (
                try Letter(
                    sender: self.keyPair.peerID, recipient: self.keyPair.peerID, sequence: 2, expiresAtMilliseconds: 3, encapsulatedKey: [5],
                    ciphertext: [6]
                ).sealed(with: self.keyPair), { _ = try Letter(opening: $0) }
            ),
        ]
        for (bytes, open) in records {
            try open(bytes)
            for length in 0..<bytes.count { #expect(throws: IdentityError.self) { try open(Array(bytes.prefix(length))) } }
            for index in bytes.indices {
                var changed = bytes
                changed[index] ^= 1
                #expect(throws: IdentityError.self) { try open(changed) }
            }
        }
    }

    @Test("fields out of range are refused: no number, no key, a key too long, too many addresses")
    func ranges() throws {
        func seal(_ type: [UInt8], _ domain: String, _ payload: [UInt8]) throws -> [UInt8] {
            try SignedEnvelope.seal(domain: domain, payloadType: type, payload: payload, with: self.keyPair).encoded
        }
        var statement = Dig_Kad_Wire_ProviderStatement()
        func refused() throws {
            let bytes = try seal(ProviderStatement.payloadType, ProviderStatement.domain, try statement.serializedBytes())
            #expect(throws: IdentityError(.invalidRecord, "")) { _ = try ProviderStatement(opening: bytes) }
        }
        statement.key = .init([1])
        try refused()
        statement.sequence = 1
        statement.key = .init()
        try refused()
        statement.key = .init(repeating: 1, count: 81)
        try refused()
        statement.key = .init([1])
        statement.addrs = .init(repeating: .init(address(1, 2, 3, 4).bytes), count: 17)
        try refused()

        var value = Dig_Kad_Wire_ValueStatement()
        value.key = .init([1])
        for (key, sequence) in [([UInt8](), UInt64(1)), ([1], 0), (Array(repeating: 1, count: 257), 1)] {
            value.key = .init(key)
            value.sequence = sequence
            let bytes = try seal(SignedValue.payloadType, SignedValue.domain, try value.serializedBytes())
            #expect(throws: IdentityError(.invalidRecord, "")) { _ = try SignedValue(opening: bytes) }
        }
        // A statement is no value: the domains differ.
        let other = try seal(SignedValue.payloadType, ProviderStatement.domain, [0x0a, 1, 1, 0x10, 1])
        #expect(throws: IdentityError(.invalidSignature, "")) { _ = try SignedValue(opening: other) }
    }

    @Test("bundles hold 32 letters at most, none too long, and bytes that are no bundle hold none")
    func bundles() {
        let letters = (0..<40).map { [UInt8](repeating: 1, count: $0 == 3 ? Letter.maximumByteCount + 1 : 3) }
        #expect(LetterBundle.decode(LetterBundle.encode(letters))?.count == 31)
        #expect(LetterBundle.decode([0x0a]) == nil)
        #expect(LetterBundle.decode([]) == [])
    }
}
