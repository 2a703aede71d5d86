import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGPeerExchange

/// One node and its peers in virtual time.
struct Scene {
    let me: Somebody
    var moment = Moment(now: .now, milliseconds: 1_800_000_000_000)
    var machine: PeerExchangeStateMachine
    var generator = SeededGenerator(seed: 11)

    init(_ change: (inout PeerExchangeConfiguration) -> Void = { _ in }) throws {
        self.me = try Somebody()
        var configuration = PeerExchangeConfiguration()
        configuration.jitter = 0
        change(&configuration)
        self.machine = PeerExchangeStateMachine(localPeer: self.me.peer, configuration: configuration.checked, now: self.moment.now)
    }

    mutating func wait(_ duration: Duration) { self.moment = self.moment.after(duration) }

    mutating func meet(_ somebody: Somebody, record: SignedPeerRecord? = nil) throws {
        self.machine.identified(somebody.peer, speaks: true, record: try record ?? somebody.record(), addresses: [], now: self.moment.now)
    }

    /// What is sent now; each is answered at once.
    mutating func sent(_ outcome: PeerExchangeStateMachine.PushOutcome = .answered(.taken)) -> [PeerID: PeerExchangeRequest] {
        var sent: [PeerID: PeerExchangeRequest] = [:]
        for action in self.machine.actions(moment: self.moment, using: &self.generator) {
            guard case .push(let request, let peer, let link) = action else { continue }
            sent[peer] = request
            self.machine.pushed(to: peer, link: link, outcome, now: self.moment.now)
        }
        return sent
    }

    mutating func dials() -> [PeerID] {
        self.machine.actions(moment: self.moment, using: &self.generator).compactMap { if case .dial(let peer, _) = $0 { peer } else { nil } }
    }

    /// The exchange with one peer now.
    mutating func exchange(with somebody: Somebody, _ outcome: PeerExchangeStateMachine.PushOutcome = .answered(.taken)) -> ExchangeMessage? {
        self.sent(outcome)[somebody.peer]?.exchange
    }

    @discardableResult
    mutating func hear(_ exchange: PeerExchangeStateMachine.HeardExchange, from somebody: Somebody) -> PeerExchangeResponse.Status {
        _ = self.machine.link(to: somebody.peer, now: self.moment.now)
        return self.machine.received(exchange, from: somebody.peer, moment: self.moment)
    }
}

@Suite("Peer exchange")
struct PeerExchangeStateMachineTests {
    // MARK: Lists

    @Test("a new peer is told at once of all others, then every 30 s of what has changed, and of nothing if nothing has")
    func deltas() throws {
        var scene = try Scene()
        let (a, b, c) = (try Somebody(), try Somebody(), try Somebody())
        try scene.meet(a)
        #expect(scene.sent().isEmpty)
        try scene.meet(b)
        let first = scene.exchange(with: b)
        #expect(first?.addedPeers == [a.peer] && first?.number == 0 && first?.dropped == [])
        // A is told when its time has come.
        scene.wait(.seconds(29))
        #expect(scene.sent().isEmpty)
        scene.wait(.seconds(1))
        #expect(scene.machine.deadline <= scene.moment.now)
        let second = scene.sent()
        #expect(second[a.peer]?.exchange?.addedPeers == [b.peer])
        #expect(second[b.peer] == nil)

        try scene.meet(c)
        #expect(scene.exchange(with: c)?.addedPeers == [a.peer, b.peer])
        scene.wait(.seconds(30))
        let third = scene.sent()
        #expect(third[a.peer]?.exchange?.addedPeers == [c.peer] && third[a.peer]?.exchange?.number == 1)
        #expect(third[b.peer]?.exchange?.addedPeers == [c.peer])
        scene.wait(.seconds(30))
        #expect(scene.sent().isEmpty)
        // A peer that can be reached elsewhere is told of again.
        try scene.meet(b, record: b.record(sequence: 2, addresses: [address(8, 8, 8, 8)]))
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a)?.addedPeers == [b.peer])
        #expect(scene.machine.counters.exchangesSent == 7)
    }

    @Test("whoever has left is passed on for five minutes more, then dropped, and forgotten with all it announced")
    func dropped() throws {
        var scene = try Scene()
        let (a, b, c) = (try Somebody(), try Somebody(), try Somebody())
        for somebody in [a, b] { try scene.meet(somebody) }
        let key = try RendezvousKey.test(1)
        scene.machine.received([try b.announcement(key, at: scene.moment.milliseconds)], record: nil, from: b.peer, moment: scene.moment)
        _ = scene.sent()
        scene.machine.disconnected(b.peer, now: scene.moment.now)
        scene.wait(.seconds(299))
        try scene.meet(c)
        #expect(scene.exchange(with: c)?.addedPeers == [a.peer, b.peer])
        #expect(scene.machine.answer(key, to: c.peer, nowMilliseconds: scene.moment.milliseconds).holders.count == 1)
        #expect(scene.machine.knownPeers.first { $0.peer == b.peer }?.isConnected == false)
        _ = scene.machine.takeEvents()
        scene.wait(.seconds(30))
        let exchange = scene.exchange(with: a)
        #expect(exchange?.dropped == [b.peer] && exchange?.added == [])
        #expect(scene.machine.takeEvents() == [.lost(b.peer)])
        #expect(scene.machine.answer(key, to: c.peer, nowMilliseconds: scene.moment.milliseconds).holders.isEmpty)
        #expect(!scene.machine.knownPeers.contains { $0.peer == b.peer })
        // Back again.
        try scene.meet(b)
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a)?.addedPeers == [b.peer])
    }

    @Test("at most 50 in an exchange; the rest follows, and all in all no more than 200")
    func cap() throws {
        var scene = try Scene()
        let all = try (0..<240).map { _ in try Somebody() }
        let reader = try Somebody()
        for somebody in all { try scene.meet(somebody) }
        try scene.meet(reader)
        var told: Set<PeerID> = []
        for round in 0..<4 {
            let added = scene.exchange(with: reader)?.addedPeers ?? []
            #expect(added.count == 50 && told.isDisjoint(with: added), "round \(round)")
            told.formUnion(added)
            scene.wait(.seconds(30))
        }
        #expect(scene.exchange(with: reader) == nil)
        // Sixty of those it knows leave: fifty are dropped at once, and as many others take their places.
        for peer in told.sorted().prefix(60) { scene.machine.disconnected(peer, now: scene.moment.now) }
        scene.wait(.seconds(330))
        let first = scene.exchange(with: reader)
        #expect(first?.dropped.count == 50)
        #expect(first?.addedPeers.count == 40)
        scene.wait(.seconds(30))
        let second = scene.exchange(with: reader)
        #expect(second?.dropped.count == 10)
        #expect(second?.added.isEmpty == true)
        #expect(first.map { PeerExchangeCodec.encode(.exchange($0)).readableBytes < PeerExchangeLimits.maximumMessageByteCount } == true)
    }

    @Test("long records fill the frame sooner, and the rest waits")
    func bytes() throws {
        var scene = try Scene()
        let addresses = (0..<130).map { address(9, 9, UInt8($0), 9).encapsulating(.p2p(scene.me.peer.multihash)).encapsulating(.p2pCircuit) }
        let reader = try Somebody()
        for index in 0..<60 {
            let somebody = try Somebody()
            try scene.meet(somebody, record: somebody.record(addresses: Array(addresses.prefix(index == 0 ? 128 : 70))))
        }
        try scene.meet(reader)
        let exchange = scene.exchange(with: reader)
        #expect((1...50).contains(exchange?.added.count ?? 0))
        #expect(exchange.map { PeerExchangeCodec.encode(.exchange($0)).readableBytes <= PeerExchangeLimits.maximumMessageByteCount } == true)
        scene.wait(.seconds(30))
        _ = scene.sent()
        scene.wait(.seconds(30))
        // The one with 128 addresses is too long to be passed on.
        #expect(scene.exchange(with: reader) == nil)
        #expect(scene.machine.links[reader.peer]?.told.count == 59)
    }

    @Test("only what was heard from a peer itself is passed on: not those that others told of, not those without a record of their own, not others' protocols")
    func firstHand() throws {
        var scene = try Scene()
        let (a, b, c, d, e) = (try Somebody(), try Somebody(), try Somebody(), try Somebody(), try Somebody())
        try scene.meet(a)
        scene.hear(.init(number: 0, added: [try b.record()]), from: a)
        scene.machine.identified(c.peer, speaks: true, record: nil, addresses: [address(7, 7, 7, 7)], now: scene.moment.now)
        scene.machine.identified(d.peer, speaks: false, record: try d.record(), addresses: [], now: scene.moment.now)
        try scene.meet(e)
        #expect(scene.exchange(with: e)?.addedPeers == [a.peer])
        #expect(scene.machine.knownPeers.first { $0.peer == b.peer } == PeerExchangePeer(
            peer: b.peer, addresses: [address(9, 9, 9, 9)], isConnected: false, isFirstHand: false, sourceCount: 1))
        // Once they have given one, they are passed on.
        scene.machine.met(try c.record())
        try scene.meet(b)
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: e)?.addedPeers == [b.peer, c.peer])
        // Somebody who no longer speaks the protocol is as good as gone.
        scene.machine.identified(b.peer, speaks: false, record: nil, addresses: [], now: scene.moment.now)
        #expect(scene.machine.links[b.peer] == nil)
    }

    @Test("what was not taken is sent again; an exchange that was lost makes both begin anew")
    func restart() throws {
        var scene = try Scene()
        let (a, b, c) = (try Somebody(), try Somebody(), try Somebody())
        try scene.meet(a)
        try scene.meet(b)
        #expect(scene.exchange(with: a, .failed)?.addedPeers == [b.peer])
        scene.wait(.seconds(29))
        #expect(scene.sent().isEmpty)
        scene.wait(.seconds(1))
        #expect(scene.exchange(with: a, .answered(.busy))?.addedPeers == [b.peer])
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a)?.addedPeers == [b.peer])
        try scene.meet(c)
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a, .answered(.restart))?.number == 1)
        scene.wait(.seconds(1))
        let anew = scene.exchange(with: a)
        #expect(anew?.number == 0 && anew?.addedPeers == [b.peer, c.peer])
        #expect(scene.machine.counters.requestsFailed >= 1 && scene.machine.counters.requestsPutOff >= 1)
        // One that wants this for ever gets it every 30 s.
        try scene.meet(c, record: c.record(sequence: 2))
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a, .answered(.restart))?.number == 1)
        scene.wait(.seconds(1))
        #expect(scene.exchange(with: a, .answered(.restart))?.number == 0)
        scene.wait(.seconds(1))
        #expect(scene.sent()[a.peer] == nil)
        scene.wait(.seconds(29))
        #expect(scene.exchange(with: a)?.number == 0)
        // Nobody there to tell.
        scene.wait(.seconds(30))
        try scene.meet(c, record: c.record(sequence: 3))
        _ = scene.exchange(with: a, .notSpoken)
        #expect(scene.machine.links[a.peer] == nil)
    }

    @Test("a late outcome of an earlier connection changes nothing")
    func lateOutcome() throws {
        var scene = try Scene()
        let (a, b) = (try Somebody(), try Somebody())
        try scene.meet(b)
        try scene.meet(a)
        guard case .push(_, let peer, let link)? = scene.machine.actions(moment: scene.moment, using: &scene.generator).last else { throw NeverHappened() }
        scene.machine.disconnected(peer, now: scene.moment.now)
        try scene.meet(peer == a.peer ? a : b)
        scene.machine.pushed(to: peer, link: link, .answered(.taken), now: scene.moment.now)
        #expect(scene.machine.links[peer]?.told.isEmpty == true && scene.machine.links[peer]?.number == 0)
    }

    @Test("the own record goes out when it says something new")
    func ownRecord() throws {
        var scene = try Scene()
        let a = try Somebody()
        try scene.meet(a)
        scene.machine.ownRecordChanged(try scene.me.record(sequence: 1))
        #expect(scene.exchange(with: a)?.record == scene.machine.ownRecord?.envelope)
        scene.machine.ownRecordChanged(try scene.me.record(sequence: 2))
        scene.wait(.seconds(30))
        #expect(scene.sent().isEmpty)
        scene.machine.ownRecordChanged(try scene.me.record(sequence: 3, addresses: [address(8, 8, 8, 8)]))
        scene.wait(.seconds(30))
        #expect(scene.exchange(with: a)?.record == scene.machine.ownRecord?.envelope)
        scene.machine.ownRecordChanged(try a.record(sequence: 9))
        #expect(scene.machine.ownRecord?.peer == scene.me.peer)
    }

    // MARK: Hearing

    @Test("exchanges have to follow each other; 0 begins anew without making anybody vanish")
    func numbers() throws {
        var scene = try Scene()
        let (a, b, c) = (try Somebody(), try Somebody(), try Somebody())
        #expect(scene.hear(.init(number: 1), from: a) == .restart)
        #expect(scene.hear(.init(number: 0, added: [try b.record(), try c.record()]), from: a) == .taken)
        #expect(scene.hear(.init(number: 0, added: [try b.record()]), from: a) == .taken)
        #expect(scene.hear(.init(number: 2), from: a) == .restart)
        #expect(scene.hear(.init(number: 1), from: a) == .taken)
        #expect(scene.machine.learned.count == 2)
        #expect(scene.machine.takeEvents().count == 2)
        // Only C was not told of again.
        scene.wait(.seconds(601))
        _ = scene.sent()
        #expect(scene.machine.takeEvents() == [.lost(c.peer)])
        #expect(scene.hear(.init(number: 2, dropped: [b.peer, c.peer, a.peer]), from: a) == .taken)
        #expect(scene.machine.takeEvents() == [.lost(b.peer)])
    }

    @Test("a discovery is reported once, and again when the peer is elsewhere; nobody tells of itself, of this node, or of whom it is connected to")
    func events() throws {
        var scene = try Scene()
        let (a, b, c) = (try Somebody(), try Somebody(), try Somebody())
        try scene.meet(a)
        try scene.meet(c)
        let (old, new) = (try b.record(sequence: 1), try b.record(sequence: 2, addresses: [address(8, 8, 8, 8)]))
        scene.hear(.init(number: 0, added: [old, try a.record(sequence: 5), try scene.me.record(), try c.record()]), from: a)
        scene.hear(.init(number: 0, added: [old]), from: c)
        #expect(scene.machine.takeEvents() == [.discovered(b.peer, addresses: [address(9, 9, 9, 9)], key: nil)])
        scene.hear(.init(number: 1, added: [new]), from: c)
        scene.hear(.init(number: 1, added: [old]), from: a)
        #expect(scene.machine.takeEvents() == [.discovered(b.peer, addresses: [address(8, 8, 8, 8)], key: nil)])
        #expect(scene.machine.learned.entries[b.peer]?.liveSourceCount == 2)
    }

    @Test("what a source told of is remembered for ten minutes after it is gone")
    func sourceGone() throws {
        var scene = try Scene()
        let (a, b) = (try Somebody(), try Somebody())
        scene.hear(.init(number: 0, added: [try b.record()]), from: a)
        scene.machine.disconnected(a.peer, now: scene.moment.now)
        scene.wait(.seconds(599))
        _ = scene.sent()
        #expect(scene.machine.learned.count == 1)
        scene.wait(.seconds(6))
        _ = scene.sent()
        #expect(scene.machine.learned.count == 0)
    }

    // MARK: Announcing

    @Test("announcements go out at once, to each new peer too, in messages of 64, and withdrawals as well")
    func announcing() throws {
        var scene = try Scene()
        let (a, b) = (try Somebody(), try Somebody())
        try scene.meet(a)
        _ = scene.sent()
        let keys = try (0..<100).map { try RendezvousKey.test($0) }
        for key in keys { #expect(scene.machine.announced(try scene.me.announcement(key, at: 1_800_000_000_000), nowMilliseconds: 0) == .taken) }
        #expect(scene.machine.toldCount(of: keys[0]) == 0)
        #expect(scene.sent()[a.peer]?.announce?.announcements.count == 64)
        #expect(scene.machine.toldCount(of: keys[0]) == 1 && scene.machine.toldCount(of: keys[99]) == 0)
        #expect(scene.sent()[a.peer]?.announce?.announcements.count == 36)
        #expect(scene.sent().isEmpty)
        try scene.meet(b)
        #expect(scene.sent()[b.peer]?.announce?.announcements.count == 64)
        #expect(scene.sent()[b.peer]?.announce?.announcements.count == 36)
        #expect(scene.machine.toldCount(of: keys[99]) == 2)
        _ = scene.machine.announced(try scene.me.announcement(keys[3], at: 1_800_000_000_001, isAvailable: false), nowMilliseconds: 0)
        let sent = scene.sent()
        #expect(sent[a.peer]?.announce?.announcements == scene.machine.own[keys[3]].map { [$0.envelope.encoded] } && sent.count == 2)
        #expect(scene.machine.counters.announcementsSent == 202)
    }

    @Test("a peer is told of no more keys than it takes, but of everything that happens to those")
    func announceBound() throws {
        var scene = try Scene { $0.maximumAnnouncementsPerPeer = 70 }
        let a = try Somebody()
        try scene.meet(a)
        _ = scene.sent()
        let keys = try (0..<100).map { try RendezvousKey.test($0) }
        for key in keys { _ = scene.machine.announced(try scene.me.announcement(key, at: 1_800_000_000_000), nowMilliseconds: 0) }
        #expect(scene.sent()[a.peer]?.announce?.announcements.count == 64)
        #expect(scene.sent()[a.peer]?.announce?.announcements.count == 6)
        #expect(scene.sent().isEmpty)
        _ = scene.machine.announced(try scene.me.announcement(keys[90], at: 1_800_000_000_001), nowMilliseconds: 0)
        _ = scene.machine.announced(try scene.me.announcement(keys[5], at: 1_800_000_000_001), nowMilliseconds: 0)
        #expect(scene.sent()[a.peer]?.announce?.announcements == scene.machine.own[keys[5]].map { [$0.envelope.encoded] })
        #expect(scene.sent().isEmpty)
    }

    @Test("followed keys: holders are passed on once with the exchanges, and their withdrawals, and reported at the other end")
    func following() throws {
        var (scene, other) = (try Scene(), try Scene())
        let (holder, late) = (try Somebody(), try Somebody())
        let key = try RendezvousKey.test(1)
        try scene.meet(holder)
        try scene.meet(other.me)
        try other.meet(scene.me)
        #expect(other.machine.follow(key) == true)
        #expect(other.machine.follow(key) == true)
        guard let wish = other.exchange(with: scene.me) else { throw NeverHappened() }
        #expect(wish.interests == [key])
        scene.hear(.init(number: 0, interests: wish.interests), from: other.me)
        let (at, own) = (scene.moment.milliseconds, holder.peer)
        scene.machine.received(
            [try holder.announcement(key, at: at, addresses: [address(6, 6, 6, 6)]), try holder.announcement(.test(2), at: at)], record: nil, from: own,
            moment: scene.moment)
        scene.machine.received([try other.me.announcement(key, at: at)], record: nil, from: other.me.peer, moment: scene.moment)

        func pass() throws -> [PeerExchangeEvent] {
            guard let exchange = scene.exchange(with: other.me) else { return [] }
            var verifier = EnvelopeVerifier(nowMilliseconds: scene.moment.milliseconds)
            let announcements = exchange.announcements.compactMap { verifier.announcement($0) }
            other.hear(.init(number: exchange.number, announcements: announcements), from: scene.me)
            return other.machine.takeEvents().filter { if case .discovered(_, _, nil) = $0 { false } else { true } }
        }
        #expect(try pass() == [.discovered(holder.peer, addresses: [address(6, 6, 6, 6)], key: key)])
        scene.wait(.seconds(30))
        #expect(try pass().isEmpty)
        // Announced again: passed on, but no news. Then withdrawn.
        scene.machine.received([try holder.announcement(key, at: at + 30_000)], record: nil, from: own, moment: scene.moment)
        scene.wait(.seconds(30))
        #expect(try pass().isEmpty)
        scene.machine.received([try holder.announcement(key, at: at + 60_000, isAvailable: false)], record: nil, from: own, moment: scene.moment)
        try scene.meet(late)
        scene.machine.received([try late.announcement(key, at: at)], record: nil, from: late.peer, moment: scene.moment)
        scene.wait(.seconds(30))
        #expect(Set(try pass()) == [.withdrawn(holder.peer, key: key), .discovered(late.peer, addresses: [], key: key)])
        // No longer followed: no longer told, and what comes nevertheless is not taken.
        other.machine.unfollow(key)
        #expect(other.machine.interests.isEmpty)
        other.hear(.init(number: 3, announcements: [try holder.announcement(key, at: at + 90_000)]), from: scene.me)
        #expect(other.machine.takeEvents().isEmpty)
        #expect(other.machine.counters.unwantedAnnouncements == 1)
    }

    @Test("64 keys are followed at most")
    func followBound() throws {
        var scene = try Scene()
        for index in 0..<64 { #expect(scene.machine.follow(try .test(index)) == true) }
        #expect(scene.machine.follow(try .test(64)) == false)
        scene.machine.unfollow(try .test(0))
        #expect(scene.machine.follow(try .test(64)) == true)
    }

    // MARK: Questions

    @Test("an answer names this node, then connected holders, then those just gone, each with its record, and not the asker or those who withdrew")
    func answer() throws {
        var scene = try Scene()
        let key = try RendezvousKey.test(1)
        let somebodies = try (0..<5).map { _ in try Somebody() }
        let now = scene.moment.milliseconds
        for somebody in somebodies {
            try scene.meet(somebody)
            scene.machine.received([try somebody.announcement(key, at: now)], record: nil, from: somebody.peer, moment: scene.moment)
        }
        scene.machine.received([try somebodies[1].announcement(key, at: now + 1, isAvailable: false)], record: nil, from: somebodies[1].peer, moment: scene.moment)
        scene.machine.disconnected(somebodies[2].peer, now: scene.moment.now)
        scene.machine.ownRecordChanged(try scene.me.record())
        _ = scene.machine.announced(try scene.me.announcement(key, at: now), nowMilliseconds: now)
        func holders(at milliseconds: UInt64) -> [PeerID] {
            scene.machine.answer(key, to: somebodies[0].peer, nowMilliseconds: milliseconds).holders.compactMap { holder in
                var verifier = EnvelopeVerifier(nowMilliseconds: now)
                let signed = verifier.announcement(holder.announcement)
                #expect(signed != nil && holder.record.flatMap { verifier.record($0, of: signed?.announcement.peer) } != nil)
                return signed?.announcement.peer
            }
        }
        let names = holders(at: now)
        #expect(names.first == scene.me.peer && names.last == somebodies[2].peer)
        #expect(Set(names) == [scene.me.peer, somebodies[2].peer, somebodies[3].peer, somebodies[4].peer])
        #expect(holders(at: now + 3_600_000).isEmpty)
        _ = scene.machine.announced(try scene.me.announcement(key, at: now + 1, isAvailable: false), nowMilliseconds: now)
        #expect(holders(at: now).first != scene.me.peer)
        #expect(scene.machine.answer(try .test(2), to: somebodies[0].peer, nowMilliseconds: now).holders.isEmpty)
    }

    @Test("a search knows whoever announced itself here, and asks some of the connected peers")
    func search() throws {
        var scene = try Scene()
        let key = try RendezvousKey.test(1)
        let now = scene.moment.milliseconds
        let holder = try Somebody()
        try scene.meet(holder)
        scene.machine.received([try holder.announcement(key, at: now, addresses: [address(6, 6, 6, 6)])], record: nil, from: holder.peer, moment: scene.moment)
        for _ in 0..<30 { try scene.meet(try Somebody()) }
        let (known, ask) = scene.machine.search(key, nowMilliseconds: now, using: &scene.generator)
        #expect(known.map(\.peer) == [holder.peer] && known[0].addresses == [address(6, 6, 6, 6), address(9, 9, 9, 9)])
        #expect(ask.count == 16 && Set(ask).count == 16)
        // What is answered: another's word, merged with its record; not this node, not another key, not somebody who withdrew here since.
        let other = try Somebody()
        let found = scene.machine.answered(
            [
                .init(signed: try other.announcement(key, at: now), record: try other.record(addresses: [address(5, 5, 5, 5)])),
                .init(signed: try scene.me.announcement(key, at: now)), .init(signed: try other.announcement(.test(2), at: now)),
                .init(signed: try other.announcement(key, at: now + 1, isAvailable: false)),
                .init(signed: try holder.announcement(key, at: now - 1)),
            ], about: key, by: ask[0], nowMilliseconds: now)
        #expect(found.map(\.peer) == [other.peer] && found[0].addresses == [address(5, 5, 5, 5)])
        #expect(scene.machine.counters.unwantedAnnouncements == 3)
        // Second-hand: not passed on.
        #expect(scene.machine.answer(key, to: ask[0], nowMilliseconds: now).holders.count == (ask[0] == holder.peer ? 0 : 1))
    }

    // MARK: Connecting

    @Test("those learned of are dialed, two at a time, until eight peers are connected; failures are left alone for a while")
    func dialing() throws {
        var scene = try Scene()
        let (a, b) = (try Somebody(), try Somebody())
        let others = try (0..<20).map { _ in try Somebody() }
        scene.hear(.init(number: 0, added: try others.map { try $0.record() }), from: a)
        let first = scene.dials()
        #expect(first.count == 2 && scene.dials().isEmpty)
        scene.machine.dialed(first[0], isConnected: false, now: scene.moment.now)
        let third = scene.dials()
        #expect(third.count == 1 && !first.contains(third[0]))
        // With the two under way and these, eight.
        for somebody in try (0..<5).map({ _ in try Somebody() }) { try scene.meet(somebody) }
        scene.machine.dialed(third[0], isConnected: false, now: scene.moment.now)
        #expect(scene.dials().count == 1)
        try scene.meet(b)
        for peer in scene.machine.dials.dialing { scene.machine.dialed(peer, isConnected: false, now: scene.moment.now) }
        scene.wait(.seconds(30))
        #expect(scene.dials().count == 1)
        #expect(scene.machine.statistics.linkCount == 7)
        #expect(scene.machine.counters.dialsStarted == 5 && scene.machine.counters.dialsFailed == 4)
    }
}
