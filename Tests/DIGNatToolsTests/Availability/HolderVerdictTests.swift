import DIGAvailability
import DIGContent
import DIGGossipSub
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGNatTools
@testable import DIGTransfer

@Suite("What a node makes of what it meets with")
struct HolderVerdictTests {
    private func verdict(_ code: TransferError.Code, isClaimed: Bool = true, isOnline: Bool = true) -> HolderVerdict {
        HolderVerdict(failure: code, isClaimed: isClaimed, isOnline: isOnline)
    }

    @Test("who claims and does not have it is reported; who never claimed it is not")
    func missing() {
        #expect(self.verdict(.notFound) == .report(.notFound))
        #expect(self.verdict(.notFound, isClaimed: false) == .nothing)
    }

    @Test("who gives something else is reported, whatever it claims", arguments: [TransferError.Code.corruptChunk, .corruptHashes, .contentMismatch])
    func corrupt(_ code: TransferError.Code) {
        for isClaimed in [true, false] {
            for isOnline in [true, false] { #expect(self.verdict(code, isClaimed: isClaimed, isOnline: isOnline) == .report(.corruptData)) }
        }
    }

    @Test("who is gone is held responsible only if this node is connected with others")
    func gone() {
        #expect(self.verdict(.disconnected) == .experience(.dropped) && self.verdict(.stalled) == .experience(.dropped))
        #expect(self.verdict(.disconnected, isOnline: false) == .nothing && self.verdict(.stalled, isOnline: false) == .nothing)
        #expect(self.verdict(.protocolViolation) == .experience(.failed))
    }

    @Test(
        "what a peer may refuse, and what is no fault of its, has no consequence",
        arguments: [TransferError.Code.refused, .authenticationRequired, .notAuthorized, .unsupportedLayer, .diskFull, .bindingMismatch, .malformedListing, .isFolder])
    func noFault(_ code: TransferError.Code) { #expect(self.verdict(code) == .nothing) }

    private func statistics(_ peer: PeerID, _ byteCount: UInt64) -> PeerStatistics {
        PeerStatistics(
            peer: peer, verifiedByteCount: byteCount, rate: 0, roundTrip: nil, outstandingChunkCount: 0, windowChunkCount: 0, stallCount: 0, isStalled: false, isConnected: true)
    }

    @Test("each is credited with what it gave, in the time in which it could")
    func credits() throws {
        let peers = try (0..<4).map { _ in try KeyPair.generate().peerID }
        let start = ContinuousClock.now
        var delivery = Delivery(start: start)
        delivery.arrived(peers[0], now: start - .seconds(5))
        delivery.arrived(peers[1], now: start + .seconds(6))
        delivery.arrived(peers[1], now: start + .seconds(9))
        let given = [self.statistics(peers[0], 1_000), self.statistics(peers[1], 300), self.statistics(peers[2], 0), self.statistics(peers[1], 200), self.statistics(peers[3], 1)]
        let credits = delivery.credits(given, now: start + .seconds(10))
        #expect(credits.count == 3)
        for (peer, byteCount, seconds) in [(peers[0], UInt64(1_000), 10), (peers[1], 500, 4), (peers[3], 1, 10)] {
            let credit = credits.first { $0.peer == peer }
            #expect(credit?.byteCount == byteCount && credit?.duration == .seconds(seconds))
        }
    }

    @Test("addresses are remembered for so many peers, the latest")
    func addresses() throws {
        var addresses = HolderAddresses()
        let peers = try (0...HolderAddresses.maximumCount).map { number in
            try PeerID(bytes: [0x12, 0x20, UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)] + [UInt8](repeating: 7, count: 30))
        }
        for peer in peers { addresses.note([try Multiaddr("/ip4/127.0.0.1/tcp/1")], of: peer) }
        #expect(addresses.count <= HolderAddresses.maximumCount)
        #expect(addresses[peers[0]].isEmpty && !addresses[peers[peers.count - 1]].isEmpty)
        addresses.note([], of: peers[peers.count - 1])
        #expect(!addresses[peers[peers.count - 1]].isEmpty)
        addresses.note(try (1...20).map { try Multiaddr("/ip4/127.0.0.1/tcp/\($0)") }, of: peers[1])
        #expect(addresses[peers[1]].count == HolderAddresses.maximumAddressCount)
    }

    @Test("gossip passes a report on once, whichever way it came first")
    func gossip() throws {
        let key = try KeyPair.generate()
        func report(_ number: UInt64) throws -> SignedEnvelope {
            try AvailabilityReport(reporter: key.peerID, reported: KeyPair.generate().peerID, content: ContentHash(digest: SHA256Digest(hashing: [1])), timestampMilliseconds: number).signed(with: key)
        }
        var reports = GossipReports()
        let (first, second) = (try report(1), try report(2))
        #expect(reports.verdict(on: first, refusal: nil, isKnown: false) == .accept)
        #expect(reports.verdict(on: first, refusal: .replayed, isKnown: true) == .ignore)
        #expect(reports.verdict(on: second, refusal: .replayed, isKnown: true) == .accept)
        #expect(reports.verdict(on: second, refusal: .replayed, isKnown: true) == .ignore)
        #expect(reports.verdict(on: try report(3), refusal: .replayed, isKnown: false) == .ignore)
        for error in AvailabilityError.allCases where error != .replayed {
            let isFault = [.malformed, .limitExceeded, .unsupportedAlgorithm, .invalidSignature, .wrongPeer, .aboutItself].contains(error)
            #expect(reports.verdict(on: first, refusal: error, isKnown: false) == (isFault ? .reject : .ignore))
        }
    }
}
