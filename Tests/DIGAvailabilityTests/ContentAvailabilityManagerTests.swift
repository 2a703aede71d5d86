import DIGAnnouncement
import DIGContent
import DIGIdentity
import Foundation
import Logging
import Synchronization
import Testing

@testable import DIGAvailability

@Suite("Manager of availability", .timeLimit(.minutes(2)))
struct ContentAvailabilityManagerTests {
    /// Everything around one manager.
    final class Surroundings: AvailabilityAnnouncer, PossessionProver, ReportTransport {
        struct State {
            var announced: [(ContentAnnouncement, SignedEnvelope)] = []
            var sent: [SignedEnvelope] = []
            var asked: [PeerID] = []
            /// Who has what it says; others answer that they do not; a peer in `silent` does not answer.
            var honest: Set<PeerID> = []
            var silent: Set<PeerID> = []
            var isOffline = false
        }
        struct Unreachable: Error {}

        let state = Mutex(State())
        let time = ManualClock(Scene.now)

        func announce(_ announcement: ContentAnnouncement, envelope: SignedEnvelope) async throws { self.state.withLock { $0.announced.append((announcement, envelope)) } }
        func send(_ report: AvailabilityReport, envelope: SignedEnvelope) async throws -> Int {
            self.state.withLock { $0.sent.append(envelope) }
            return 1
        }
        func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool {
            let (isHonest, isSilent, isOffline) = self.state.withLock { state in
                state.asked.append(peer)
                return (state.honest.contains(peer), state.silent.contains(peer), state.isOffline)
            }
            if isOffline { throw CancellationError() }
            if isSilent { try await self.time.clock.sleep(.seconds(1_000_000)) }
            return isHonest
        }
    }

    let surroundings = Surroundings()
    let content = Scene.content(0)

    private func manager(_ store: any AvailabilityStore = MemoryAvailabilityStore(), identity: KeyPair? = nil) throws -> ContentAvailabilityManager {
        ContentAvailabilityManager(
            identity: try identity ?? KeyPair.generate(), prover: self.surroundings, announcer: self.surroundings, reports: self.surroundings, store: store, clock: self.surroundings.time.clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs the manager while `body` runs.
    private func running(_ manager: ContentAvailabilityManager, _ body: () async throws -> Void) async throws {
        let task = Task { try await manager.run() }
        do { try await body() } catch {
            task.cancel()
            throw error
        }
        task.cancel()
        try await task.value
    }

    /// Lets time pass in steps until the condition holds.
    private func advance(until condition: () -> Bool, step: UInt64 = Scene.second, limit: Int = 20_000) async throws {
        for _ in 0..<limit {
            if condition() { return }
            self.surroundings.time.advance(step)
            for _ in 0..<20 { await Task.yield() }
        }
        #expect(condition())
    }

    private func announcement(_ identity: KeyPair, isAvailable: Bool = true, at time: UInt64? = nil) throws -> SignedEnvelope {
        try Scene.announcement(identity.peerID, self.content, at: time ?? self.surroundings.time.now, isAvailable: isAvailable).signed(with: identity)
    }

    private func report(_ reporter: KeyPair, _ peer: PeerID) throws -> SignedEnvelope {
        try Scene.report(by: reporter.peerID, peer, self.content, at: self.surroundings.time.now).signed(with: reporter)
    }

    @Test("a holder without its content is unavailable after five reports, proves when it is back, and the events say so")
    func story() async throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate()
        let events = manager.events
        try await self.running(manager) {
            try manager.received(announcement: self.announcement(holder))
            #expect(manager.holders(of: self.content).map(\.status) == [.available])
            for number in 1...5 {
                let level = try manager.received(report: self.report(KeyPair.generate(), holder.peerID))
                #expect(level == [.none, .low, .medium, .medium, .high][number - 1])
            }
            try await self.advance(until: { manager.status(of: holder.peerID, for: self.content) == .unavailable })
            #expect(manager.filterPeersByContentStatus([holder.peerID, Scene.peer(9)], for: self.content) == [Scene.peer(9)])
            self.surroundings.state.withLock { _ = $0.honest.insert(holder.peerID) }
            try manager.received(announcement: self.announcement(holder, at: self.surroundings.time.now + 1))
            #expect(manager.status(of: holder.peerID, for: self.content) == .unavailable)
            try await self.advance(until: { manager.status(of: holder.peerID, for: self.content) == .available })
        }
        var statuses: [PeerContentStatus] = []
        for await event in events { if case .statusChanged(_, _, _, let to, _) = event { statuses.append(to) } }
        #expect(statuses == [.suspect, .unavailable, .available])
    }

    @Test("a holder that does not answer is asked three times, and a node without a network asks without counting")
    func silence() async throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate()
        self.surroundings.state.withLock {
            $0.silent = [holder.peerID]
            $0.isOffline = true
        }
        try await self.running(manager) {
            try manager.received(announcement: self.announcement(holder))
            for _ in 0..<5 { try manager.received(report: self.report(KeyPair.generate(), holder.peerID)) }
            try await self.advance(until: { self.surroundings.state.withLock { $0.asked.count >= 6 } })
            #expect(manager.status(of: holder.peerID, for: self.content) == .suspect)
            let count = self.surroundings.state.withLock { state in
                state.isOffline = false
                return state.asked.count
            }
            // Keep the level high.
            for _ in 0..<5 { try manager.received(report: self.report(KeyPair.generate(), holder.peerID)) }
            try await self.advance(until: { manager.status(of: holder.peerID, for: self.content) == .unavailable })
            #expect((3...4).contains(self.surroundings.state.withLock { $0.asked.count } - count))
        }
    }

    @Test("what this node has is announced, announced again every half hour, and withdrawn")
    func announcing() async throws {
        let manager = try self.manager()
        try await self.running(manager) {
            try await manager.announceContentAvailable(self.content, port: 8_080, contentID: "my-video")
            try await self.advance(until: { self.surroundings.state.withLock { $0.announced.count >= 4 } }, step: Scene.minute)
            try await manager.announceContentUnavailable(self.content)
        }
        let announced = self.surroundings.state.withLock { $0.announced }
        #expect(announced.map(\.0.isAvailable) == [true, true, true, true, false])
        let times = announced.map(\.0.timestampMilliseconds)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        #expect(times[3] - times[0] <= 95 * Scene.minute && times[3] - times[0] >= 88 * Scene.minute)
        for (announcement, envelope) in announced {
            #expect(try ContentAnnouncement(verifying: envelope, nowMilliseconds: announcement.timestampMilliseconds) == announcement)
            #expect(announcement.port == 8_080 && announcement.contentID == "my-video" && announcement.lifetime == .seconds(3_600))
        }
    }

    @Test("what this node has met with is believed here and told to others, signed")
    func reporting() async throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate()
        try manager.received(announcement: self.announcement(holder))
        try await manager.reportContentUnavailable(holder.peerID, self.content)
        #expect(manager.status(of: holder.peerID, for: self.content) == .unavailable)
        #expect(manager.reputation(of: holder.peerID).success == 1.0 / 3)
        let sent = self.surroundings.state.withLock { $0.sent }
        let report = try AvailabilityReport(verifying: try #require(sent.first), nowMilliseconds: Scene.now)
        #expect(sent.count == 1 && report.reported == holder.peerID && report.content == self.content && report.reason == .notFound)
        // It comes back by others and is not counted again.
        #expect(try manager.received(report: sent[0]) == .none)
        manager.updatePeerReputation(holder.peerID, success: true)
        #expect(manager.reputation(of: holder.peerID).success == 0.5)
        // Both records are there to be shown.
        #expect(try await manager.records(about: self.content).count == 2)
        for record in try await manager.records() { _ = try record.verified() }
    }

    @Test("what was heard is told to who asks if it is signed, also when it is no news; a forgery is not")
    func heard() async throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate()
        let envelope = try self.announcement(holder)
        let first = try manager.heard(announcement: envelope)
        #expect(first.refusal == nil && first.announcement.peer == holder.peerID)
        let again = try manager.heard(announcement: envelope)
        #expect(again.refusal == .replayed && again.announcement == first.announcement)
        let forged = try SignedEnvelope.seal(domain: ContentAnnouncement.domain, payloadType: ContentAnnouncement.payloadType, payload: envelope.payload, with: KeyPair.generate())
        #expect(throws: AvailabilityError.wrongPeer) { try manager.heard(announcement: forged) }
    }

    @Test("unsigned, mis-keyed, replayed and late records are refused, and nothing changes")
    func refusals() async throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate()
        let envelope = try self.announcement(holder)
        try manager.received(announcement: envelope)
        let before = manager.holders(of: self.content)
        #expect(throws: AvailabilityError.replayed) { try manager.received(announcement: envelope) }
        #expect(throws: AvailabilityError.fromTheFuture) { try manager.received(announcement: self.announcement(holder, at: Scene.now + 200_000)) }
        #expect(throws: AvailabilityError.expired) { try manager.received(announcement: self.announcement(holder, at: Scene.now - Scene.hour)) }
        let report = try self.report(KeyPair.generate(), holder.peerID)
        #expect(throws: AvailabilityError.malformed) { try manager.received(announcement: report) }
        #expect(throws: AvailabilityError.malformed) { try manager.received(report: envelope) }
        let forged = try SignedEnvelope.seal(domain: AvailabilityReport.domain, payloadType: AvailabilityReport.payloadType, payload: report.payload, with: KeyPair.generate())
        #expect(throws: AvailabilityError.wrongPeer) { try manager.received(report: forged) }
        #expect(throws: AvailabilityError.malformed) { try manager.received(json: Array("{\"data\":{\"hash\":\"x\"}}".utf8)) }
        #expect(manager.holders(of: self.content) == before)
        #expect(try await manager.records().count == 1)
    }

    @Test("records in the seed's form are taken as well")
    func seedForm() throws {
        let manager = try self.manager()
        let holder = try KeyPair.generate(.secp256k1)
        try manager.received(json: SignedData.announcement(of: self.content, port: 1, contentID: nil, isAvailable: true, timestampMilliseconds: Scene.now, with: holder).json)
        for _ in 0..<2 {
            let reporter = try KeyPair.generate(.secp256k1)
            try manager.received(json: SignedData.report(Scene.report(by: reporter.peerID, holder.peerID, self.content, at: Scene.now), with: reporter).json)
        }
        #expect(manager.holders(of: self.content).map(\.status) == [.suspect])
        #expect(manager.holders(of: self.content).map(\.reason) == ["reported by 2, level low"])
    }

    @Test("what is known survives a restart")
    func restart() async throws {
        let store = MemoryAvailabilityStore()
        let holder = try KeyPair.generate()
        let first = try self.manager(store)
        try await self.running(first) {
            try first.received(announcement: self.announcement(holder))
            try await first.reportContentUnavailable(holder.peerID, self.content)
        }
        let second = try self.manager(store)
        let waiting = self.surroundings.time.sleeperCount
        try await self.running(second) {
            for _ in 0..<10_000 where second.status(of: holder.peerID, for: self.content) != .unavailable { await Task.yield() }
            #expect(second.status(of: holder.peerID, for: self.content) == .unavailable)
            #expect(second.reputation(of: holder.peerID).success < 0.5)
        }
        #expect(self.surroundings.time.sleeperCount <= waiting)
    }
}
