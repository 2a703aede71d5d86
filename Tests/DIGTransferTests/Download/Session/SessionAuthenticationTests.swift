import DIGContent
import Testing

@testable import DIGTransfer

/// ``TransferError`` is equal by its code, so that a verdict is too.
@Suite("authentication within a session")
struct SessionAuthenticationTests {
    private let hashes = TransferRequest.getHashes(HashRequest(layer: 2, index: 0, count: 1, proofLayers: 0))
    private let listing = TransferRequest.getListing(offset: 0, byteCount: 1)
    private let failure = TransferError(.notAuthorized, "not this one")

    @Test("with nothing to prove, every refusal counts")
    func impossible() {
        var machine = SessionAuthentication(isPossible: false)
        machine.opened(1)
        #expect(machine.described(1, isAboutThePeer: true) == .report(refusal: nil))
        #expect(!machine.isRefused(1))
    }

    @Test("a peer that does not ask is not told, and describes a content once")
    func unasked() {
        var machine = SessionAuthentication(isPossible: true)
        machine.opened(1)
        machine.asked(self.hashes, handle: 1)
        #expect(machine.described(1, isAboutThePeer: false) == .report(refusal: nil))
        #expect(machine.described(1, isAboutThePeer: false) == .violation)
        #expect(machine.described(1, isAboutThePeer: true) == .violation)
        #expect(machine.described(2, isAboutThePeer: false) == .violation)
        #expect(machine.proven().isEmpty)
    }

    @Test("what was asked before is asked again once the peer is satisfied, and its next word counts")
    func proven() {
        var machine = SessionAuthentication(isPossible: true)
        for handle: UInt32 in 1...3 { machine.opened(handle) }
        machine.asked(self.hashes, handle: 2)
        #expect(machine.described(2, isAboutThePeer: true) == .prove)
        #expect(machine.described(1, isAboutThePeer: true) == .wait)
        #expect(machine.isRefused(1) && machine.isRefused(2) && !machine.isRefused(3))
        // It was not asked again yet.
        #expect(machine.described(2, isAboutThePeer: false) == .violation)
        machine.asked(self.listing, handle: 2)
        machine.asked(self.listing, handle: 3)
        let again = machine.proven()
        #expect(again.map(\.handle) == [1, 2])
        #expect(again.map(\.requests) == [[], [self.hashes, self.listing]])
        #expect(machine.isRefused(2))
        #expect(machine.described(2, isAboutThePeer: false) == .report(refusal: nil))
        #expect(!machine.isRefused(2))
        // More cannot be proven.
        #expect(machine.described(1, isAboutThePeer: true) == .report(refusal: nil))
        // It was asked before the peer knew who this is, and refused after it.
        #expect(machine.described(3, isAboutThePeer: true) == .askAgain([self.listing]))
        #expect(machine.isRefused(3))
        #expect(machine.described(3, isAboutThePeer: true) == .report(refusal: nil))
        // Nothing is asked a third time.
        machine.opened(4)
        #expect(machine.described(4, isAboutThePeer: true) == .report(refusal: nil))
    }

    @Test("a peer that is not satisfied refuses everything, with the reason")
    func failed() {
        var machine = SessionAuthentication(isPossible: true)
        for handle: UInt32 in 1...4 { machine.opened(handle) }
        #expect(machine.described(3, isAboutThePeer: true) == .prove)
        #expect(machine.described(1, isAboutThePeer: true) == .wait)
        #expect(machine.described(4, isAboutThePeer: true) == .wait)
        machine.released(4)
        #expect(machine.failed(self.failure) == [1, 3])
        #expect(!machine.isRefused(1) && !machine.isRefused(3))
        #expect(machine.described(2, isAboutThePeer: true) == .report(refusal: self.failure))
        #expect(machine.described(1, isAboutThePeer: true) == .violation)
    }
}
