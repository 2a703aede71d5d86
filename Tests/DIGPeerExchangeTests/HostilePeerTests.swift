import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Synchronization
import Testing

@testable import DIGPeerExchange

/// What hostile peers get a node to believe, to keep and to do.
@Suite("Hostile peers")
struct HostilePeerTests {
    let me: Somebody
    let peer: Somebody
    let moment = Moment(now: .now, milliseconds: 1_800_000_000_000)
    let key: RendezvousKey

    init() throws {
        self.me = try Somebody()
        self.peer = try Somebody()
        self.key = try .test(1)
    }

    func node(_ change: (inout PeerExchangeConfiguration) -> Void = { _ in }) -> PeerExchangeResponder {
        var configuration = PeerExchangeConfiguration()
        change(&configuration)
        return PeerExchangeResponder(localPeer: self.me.peer, configuration: configuration.checked, now: self.moment.now)
    }

    func statistics(_ node: PeerExchangeResponder) -> PeerExchangeStatistics { node.state.withLock { $0.statistics } }

    func events(_ node: PeerExchangeResponder) -> [PeerExchangeEvent] { node.state.withLock { $0.takeEvents() } }

    @Test("peer records that are forged, signed by another, or something else are not believed, and nothing else happens")
    func forgedRecords() throws {
        let node = self.node()
        let (other, third) = (try Somebody(), try Somebody())
        let good = try other.record()
        var damaged = good.envelope
        damaged[damaged.count - 1] ^= 1
        // Third signs a record that names other.
        let forged = try SignedEnvelope.seal(
            domain: PeerRecord.domain, payloadType: PeerRecord.payloadType, payload: SignedEnvelope(decoding: good.envelope).payload, with: third.identity)
        let announcement = try other.announcement(self.key, at: self.moment.milliseconds).envelope.encoded
        let message = ExchangeMessage(
            number: 0, record: good.envelope, added: [damaged, forged.encoded, [1, 2, 3], announcement, good.envelope])
        let response = node.respond(to: .exchange(message), from: self.peer.peer, moment: self.moment)
        #expect(response.status == .taken)
        let statistics = self.statistics(node)
        // The sender's own record belongs to somebody else, and the forged one.
        #expect(statistics.wrongPeerRecords == 2)
        #expect(statistics.invalidSignatures == 1)
        #expect(statistics.invalidRecords == 2)
        #expect(statistics.learnedPeerCount == 1)
        #expect(self.events(node) == [.discovered(other.peer, addresses: good.addresses, key: nil)])
        #expect(node.state.withLock { $0.contacts[self.peer.peer]?.record } == nil)
    }

    @Test("announcements are taken from their signers only: others', forged ones, ancient ones and those from the future are not")
    func forgedAnnouncements() throws {
        let node = self.node()
        let other = try Somebody()
        let now = self.moment.milliseconds
        func announce(_ announcements: [[UInt8]]) {
            #expect(node.respond(to: .announce(AnnounceMessage(announcements: announcements)), from: self.peer.peer, moment: self.moment).status == .taken)
        }
        let own = try self.peer.announcement(self.key, at: now)
        // Relayed for another; in another's name.
        announce([try other.announcement(self.key, at: now).envelope.encoded])
        let borrowed = try SignedEnvelope.seal(
            domain: ContentAnnouncement.domain, payloadType: ContentAnnouncement.payloadType,
            payload: try other.announcement(self.key, at: now).envelope.payload, with: self.peer.identity)
        announce([borrowed.encoded])
        #expect(self.statistics(node).wrongPeerRecords == 2)
        var damaged = own.envelope.encoded
        damaged[damaged.count - 1] ^= 1
        announce([damaged])
        #expect(self.statistics(node).invalidSignatures == 1)
        announce([try self.peer.announcement(self.key, at: now - 3_600_000).envelope.encoded, try self.peer.announcement(self.key, at: 0).envelope.encoded])
        #expect(self.statistics(node).expiredAnnouncements == 2)
        announce([
            try self.peer.announcement(self.key, at: now + 130_000).envelope.encoded, try self.peer.announcement(self.key, at: .max).envelope.encoded,
        ])
        #expect(self.statistics(node).futureAnnouncements == 2)
        announce([[1], try self.peer.record().envelope])
        #expect(self.statistics(node).invalidRecords == 2)
        #expect(self.statistics(node).announcementCount == 0 && self.events(node).isEmpty)
        announce([own.envelope.encoded])
        #expect(self.statistics(node).announcementCount == 1)
        #expect(self.events(node) == [.discovered(self.peer.peer, addresses: [], key: self.key)])
        // An older one does not take its place.
        announce([try self.peer.announcement(self.key, at: now - 1, isAvailable: false).envelope.encoded])
        #expect(node.state.withLock { $0.announcements.holders(of: self.key, nowMilliseconds: now).count } == 1)
    }

    @Test("lies in an answer are not believed")
    func lyingAnswer() throws {
        let node = self.node()
        let (holder, liar) = (try Somebody(), try Somebody())
        let now = self.moment.milliseconds
        let good = try holder.announcement(self.key, at: now, addresses: [address(6, 6, 6, 6)]).envelope.encoded
        var damaged = good
        damaged[damaged.count - 1] ^= 1
        let response = PeerExchangeResponse(holders: [
            .init(announcement: damaged), .init(announcement: try liar.announcement(self.key, at: now - 7_200_000).envelope.encoded),
            .init(announcement: try liar.announcement(.test(9), at: now).envelope.encoded),
            // True, but with another's record.
            .init(announcement: good, record: try liar.record().envelope),
        ])
        let found = node.answered(response, about: self.key, by: self.peer.peer, moment: self.moment)
        #expect(found.map(\.peer) == [holder.peer] && found[0].addresses == [address(6, 6, 6, 6)])
        let statistics = self.statistics(node)
        #expect(statistics.invalidSignatures == 1 && statistics.expiredAnnouncements == 1 && statistics.wrongPeerRecords == 1)
        #expect(statistics.unwantedAnnouncements == 1)
        #expect(statistics.announcementCount == 0 && statistics.learnedPeerCount == 0)
    }

    @Test("10,000 announcements of one key: one for each peer that is connected, and an answer of 32 that fits")
    func manyHolders() throws {
        let node = self.node { $0.maximumLinks = 40 }
        let somebodies = try (0..<100).map { _ in try Somebody() }
        var refused = 0
        for round in 0..<100 {
            for somebody in somebodies {
                let signed = try somebody.announcement(self.key, at: self.moment.milliseconds + UInt64(round))
                let record = round == 0 ? try somebody.record().envelope : nil
                let response = node.respond(
                    to: .announce(AnnounceMessage(record: record, announcements: [signed.envelope.encoded])), from: somebody.peer, moment: self.moment)
                if response.status == .busy { refused += 1 }
            }
        }
        #expect(self.statistics(node).announcementCount == 40 && self.statistics(node).linkCount == 40)
        #expect(refused >= 6000)
        let answer = node.respond(to: .query(self.key), from: somebodies[0].peer, moment: self.moment)
        #expect(answer.holders.count == 32 && answer.holders.allSatisfy { $0.record != nil })
        #expect(PeerExchangeCodec.encode(answer).readableBytes < PeerExchangeLimits.maximumMessageByteCount)
        #expect(self.events(node).count == 40)
    }

    @Test("10,000 keys of one peer: a thousand are kept")
    func manyKeys() throws {
        let node = self.node()
        for batch in 0..<157 {
            let announcements = try (0..<64).map { try self.peer.announcement(.test(batch * 64 + $0), at: self.moment.milliseconds).envelope.encoded }
            // As slowly as is allowed.
            _ = node.respond(to: .announce(AnnounceMessage(announcements: announcements)), from: self.peer.peer, moment: self.moment.after(.seconds(15 * batch)))
        }
        #expect(self.statistics(node).announcementCount == 1000)
        #expect(self.statistics(node).refusedEntries == 157 * 64 - 1000)
        #expect(self.statistics(node).refusedRequests == 0)
    }

    @Test("a flood of exchanges is turned away before anything in it is opened, and costs nobody else")
    func flood() throws {
        let node = self.node()
        let records = try (0..<50).map { _ in try Somebody().record().envelope }
        var damaged = records[0]
        damaged[damaged.count - 1] ^= 1
        var statuses: [PeerExchangeResponse.Status: Int] = [:]
        for number in 0..<1000 {
            let message = ExchangeMessage(number: UInt64(number), added: number < 6 ? records : Array(repeating: damaged, count: 50))
            statuses[node.respond(to: .exchange(message), from: self.peer.peer, moment: self.moment).status, default: 0] += 1
        }
        #expect(statuses == [.taken: 6, .busy: 994])
        #expect(self.statistics(node).invalidSignatures == 0)
        #expect(self.statistics(node).refusedRequests == 994)
        let other = try Somebody()
        #expect(node.respond(to: .exchange(ExchangeMessage()), from: other.peer, moment: self.moment).status == .taken)
        // Coming back does not help.
        node.state.withLock { $0.disconnected(self.peer.peer, now: self.moment.now) }
        #expect(node.respond(to: .exchange(ExchangeMessage()), from: self.peer.peer, moment: self.moment).status == .busy)
        #expect(node.respond(to: .exchange(ExchangeMessage()), from: self.peer.peer, moment: self.moment.after(.seconds(10))).status == .taken)
        // Exchanges out of turn are not opened either.
        let late = ExchangeMessage(number: 9, added: [damaged])
        #expect(node.respond(to: .exchange(late), from: other.peer, moment: self.moment).status == .restart)
        #expect(self.statistics(node).invalidSignatures == 0 && self.statistics(node).restarts == 1)
    }

    @Test("a flood of questions is turned away")
    func questions() throws {
        let node = self.node()
        let statuses = (0..<1000).map { _ in node.respond(to: .query(self.key), from: self.peer.peer, moment: self.moment).status }
        #expect(statuses.count { $0 == .taken } == 50)
        #expect(node.respond(to: .unknown, from: self.me.peer, moment: self.moment).status == .busy)
        let other = try Somebody()
        #expect(node.respond(to: .unknown, from: other.peer, moment: self.moment).status == .unsupported)
    }

    @Test("peers that name thousands of others fill their own share of the table, and no dial goes beyond the plan")
    func manyPeers() throws {
        let node = self.node {
            $0.maximumLearnedPeers = 300
            $0.exchangesPerMinutePerPeer = 1000
        }
        let honest = try Somebody()
        let named = try Somebody()
        _ = node.respond(to: .exchange(ExchangeMessage(added: [try named.record().envelope])), from: honest.peer, moment: self.moment)
        for liar in try (0..<3).map({ _ in try Somebody() }) {
            for number in 0..<6 {
                let records = try (0..<50).map { _ in try Somebody().record().envelope }
                _ = node.respond(to: .exchange(ExchangeMessage(number: UInt64(number), added: records)), from: liar.peer, moment: self.moment)
            }
        }
        #expect(self.statistics(node).learnedPeerCount == 300)
        #expect(node.state.withLock { $0.learned.entries[named.peer] } != nil)
        var generator = SeededGenerator(seed: 1)
        let actions = node.state.withLock { $0.actions(moment: self.moment, using: &generator) }
        #expect(actions.count { if case .dial = $0 { true } else { false } } == 2)
    }

    @Test("peers that come and go fill no table beyond its bound, and do not push out those that are connected")
    func churn() throws {
        let node = self.node {
            $0.maximumContacts = 20
            $0.maximumLinks = 10
        }
        let faithful = try Somebody()
        func meet(_ somebody: Somebody) throws {
            let record = try somebody.record()
            node.state.withLock { $0.identified(somebody.peer, speaks: true, record: record, addresses: [], now: self.moment.now) }
        }
        try meet(faithful)
        for _ in 0..<100 {
            let somebody = try Somebody()
            try meet(somebody)
            _ = node.respond(
                to: .announce(AnnounceMessage(announcements: [try somebody.announcement(self.key, at: self.moment.milliseconds).envelope.encoded])),
                from: somebody.peer, moment: self.moment)
            node.state.withLock { $0.disconnected(somebody.peer, now: self.moment.now) }
        }
        let statistics = self.statistics(node)
        #expect(statistics.contactCount == 20 && statistics.linkCount == 1 && statistics.announcementCount == 19)
        #expect(node.state.withLock { $0.links[faithful.peer] } != nil)
        for _ in 0..<20 { try meet(try Somebody()) }
        #expect(self.statistics(node).linkCount == 10 && self.statistics(node).refusedEntries == 11)
    }

    @Test("requests changed at random are answered or refused, and what is kept stays small")
    func fuzz() throws {
        var generator = SeededGenerator(seed: 43)
        let node = self.node {
            $0.exchangesPerMinutePerPeer = 1e9
            $0.announcementsPerSecondPerPeer = 1e9
            $0.announcementsPerSecond = 1e9
            $0.queriesPerSecondPerPeer = 1e9
            $0.queriesPerSecond = 1e9
        }
        let requests = [
            PeerExchangeRequest.exchange(
                ExchangeMessage(
                    record: try self.peer.record().envelope, added: [try Somebody().record().envelope], dropped: [try Somebody().peer], interests: [self.key],
                    announcements: [try Somebody().announcement(self.key, at: self.moment.milliseconds).envelope.encoded])),
            .announce(AnnounceMessage(announcements: [try self.peer.announcement(self.key, at: self.moment.milliseconds).envelope.encoded])),
            .query(self.key),
        ].map { Array(PeerExchangeCodec.encode($0).readableBytesView) }
        for index in 0..<2000 {
            do throws(PeerExchangeDecodingError) {
                let request = try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: generator.mutated(requests[index % requests.count])))
                let response = node.respond(to: request, from: self.peer.peer, moment: self.moment.after(.milliseconds(index)))
                _ = PeerExchangeCodec.encode(response)
            } catch {
                continue
            }
        }
        let statistics = self.statistics(node)
        #expect(statistics.learnedPeerCount <= 1 && statistics.announcementCount <= 1 && statistics.contactCount == 1)
    }
}
