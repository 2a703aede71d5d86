import DIGContent
import DIGIdentity
import Foundation
import SwiftProtobuf
import Testing

@testable import DIGAvailability

@Suite("Signed reports")
struct AvailabilityReportTests {
    let identity: KeyPair
    let report: AvailabilityReport
    let envelope: SignedEnvelope

    init() throws {
        self.identity = try KeyPair(ed25519Seed: [UInt8](repeating: 7, count: 32))
        self.report = AvailabilityReport(
            reporter: self.identity.peerID, reported: Scene.peer(1), content: Scene.content(1), reason: .corruptData, detail: "block 3", timestampMilliseconds: Scene.now)
        self.envelope = try self.report.signed(with: self.identity)
    }

    private func resealed(domain: String = AvailabilityReport.domain, type: [UInt8] = AvailabilityReport.payloadType, by key: KeyPair? = nil, _ change: (inout Dig_Availability_V1_Report) -> Void) throws
        -> [UInt8]
    {
        var message = try Dig_Availability_V1_Report(serializedBytes: self.envelope.payload)
        change(&message)
        return try SignedEnvelope.seal(domain: domain, payloadType: type, payload: message.serializedBytes(), with: key ?? self.identity).encoded
    }

    private func refusal(_ bytes: [UInt8], now: UInt64 = Scene.now) -> AvailabilityError? {
        do {
            _ = try AvailabilityReport(decoding: bytes, nowMilliseconds: now)
            return nil
        } catch { return error }
    }

    @Test("comes back as it was signed, with keys of every kind", arguments: [KeyAlgorithm.ed25519, .secp256k1, .ecdsa])
    func roundTrip(algorithm: KeyAlgorithm) throws {
        #expect(try AvailabilityReport(decoding: self.envelope.encoded, nowMilliseconds: Scene.now) == self.report)
        let identity = try KeyPair.generate(algorithm)
        var report = self.report
        report.reporter = identity.peerID
        report.detail = nil
        #expect(try AvailabilityReport(verifying: report.signed(with: identity), nowMilliseconds: Scene.now) == report)
    }

    @Test("no part of a report is one, and no bit may change")
    func prefixes() {
        let bytes = self.envelope.encoded
        for count in 0..<bytes.count { #expect(self.refusal(Array(bytes.prefix(count))) != nil, "\(count)") }
        for position in stride(from: 0, to: bytes.count, by: 1) {
            var changed = bytes
            changed[position] ^= 0x01
            #expect(self.refusal(changed) != nil, "\(position)")
        }
    }

    @Test("each field out of range has its reason")
    func ranges() throws {
        #expect(self.refusal(try self.resealed { _ in }) == nil)
        #expect(self.refusal(try self.resealed { $0.content.removeLast() }) == .malformed)
        #expect(self.refusal(try self.resealed { $0.reporter = .init() }) == .malformed)
        #expect(self.refusal(try self.resealed { $0.reported = .init([1, 2, 3]) }) == .malformed)
        #expect(self.refusal(try self.resealed { $0.detail = String(repeating: "x", count: 257) }) == .limitExceeded)
        #expect(self.refusal(try self.resealed { $0.reported = $0.reporter }) == .aboutItself)
        #expect(self.refusal(try self.resealed { $0.timestampMs = Scene.now + 120_001 }) == .fromTheFuture)
        #expect(self.refusal(try self.resealed { $0.timestampMs = Scene.now + 120_000 }) == nil)
        #expect(self.refusal(try self.resealed { $0.timestampMs = .max }) == .fromTheFuture)
        #expect(self.refusal(try self.resealed { $0.timestampMs = Scene.now - 24 * Scene.hour }) == .expired)
        #expect(self.refusal(try self.resealed { $0.timestampMs = 0 }) == .expired)
        #expect(self.refusal(try self.resealed(domain: "dig-content-announcement") { _ in }) == .invalidSignature)
        #expect(self.refusal(try self.resealed(type: Array("/dig/content-announcement".utf8)) { _ in }) == .malformed)
        #expect(self.refusal(try self.resealed(by: KeyPair.generate()) { _ in }) == .wrongPeer)
        #expect(self.refusal([UInt8](repeating: 0, count: AvailabilityReport.maximumByteCount + 1)) == .limitExceeded)
        let strange = try AvailabilityReport(decoding: try self.resealed { $0.reason = 99 }, nowMilliseconds: Scene.now)
        #expect(strange.reason == .other)
    }

    @Test("is signed by its author only, and about another only")
    func signing() throws {
        #expect(throws: AvailabilityError.wrongPeer) { _ = try self.report.signed(with: KeyPair.generate()) }
        var own = self.report
        own.reported = own.reporter
        #expect(throws: AvailabilityError.aboutItself) { _ = try own.signed(with: self.identity) }
        var long = self.report
        long.detail = String(repeating: "x", count: 257)
        #expect(throws: AvailabilityError.limitExceeded) { _ = try long.signed(with: self.identity) }
    }
}
