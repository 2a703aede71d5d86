import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Synchronization
import Testing

@testable import DIGKademlia

/// What peers, hostile ones among them, get a node to say and to keep.
@Suite("Answering others")
struct ResponderTests {
    let local: KeyPair
    let peer: KeyPair
    let responder: KademliaResponder
    let moment = KademliaResponder.Moment(now: .now, milliseconds: 1_800_000_000_000)
    let remote = address(8, 8, 8, 8)

    init() throws {
        self.local = try KeyPair.generate()
        self.peer = try KeyPair.generate()
        self.responder = KademliaResponder(localKey: KademliaKey(self.local.peerID), configuration: .dig)
    }

    var statistics: KademliaStatistics { self.responder.state.withLock { $0.snapshot } }

    func reply(_ message: KademliaMessage, from peer: PeerID? = nil, after: Duration = .zero) -> KademliaResponder.Reply {
        self.responder.reply(to: message, from: peer ?? self.peer.peerID, at: self.remote, moment: self.moment.after(after))
    }

    func announcement(
        _ key: [UInt8] = [1], by provider: KeyPair? = nil, sequence: UInt64? = nil, lifetime: Int64 = 3_600_000, signedKey: [UInt8]? = nil,
        addresses: [Multiaddr] = [address(9, 9, 9, 9)], isWithdrawn: Bool = false
    ) throws -> KademliaMessage {
        let provider = provider ?? self.peer
        let statement = ProviderStatement(
            provider: provider.peerID, key: signedKey ?? key, sequence: sequence ?? self.moment.milliseconds,
            expiresAtMilliseconds: UInt64(Int64(self.moment.milliseconds) + lifetime), addresses: addresses, isWithdrawn: isWithdrawn)
        return KademliaMessage(
            kind: .addProvider, key: key, providerPeers: [.init(peer: provider.peerID, statement: try statement.sealed(with: provider).encoded)])
    }

    func providers(_ key: [UInt8] = [1], after: Duration = .zero) -> [KademliaMessage.Peer] {
        guard case .answer(let answer) = self.reply(KademliaMessage(kind: .getProviders, key: key), after: after) else { return [] }
        return answer.providerPeers
    }

    @Test("PING is answered")
    func ping() {
        #expect(self.reply(KademliaMessage(kind: .ping)) == .answer(KademliaMessage(kind: .ping)))
    }

    @Test("FIND_NODE names the k closest nodes, not the asker, and whoever is connected if it is the target")
    func findNode() throws {
        var generator = SeededGenerator(seed: 41)
        let client = try KeyPair.generate().peerID
        try self.responder.state.withLock { state in
            for _ in 0..<100 { _ = state.table.insert(try .random(at: address(7, 7, 7, 7), using: &generator), network: nil, now: self.moment.now) }
            _ = state.table.insert(KademliaPeer(self.peer.peerID, addresses: [self.remote]), network: nil, now: self.moment.now)
            state.connected(client, addresses: [address(6, 6, 6, 6)])
        }
        guard case .answer(let answer) = self.reply(KademliaMessage(kind: .findNode, key: client.bytes)) else { throw NeverHappened() }
        #expect(answer.closerPeers.count == 21)
        #expect(answer.closerPeers[0] == .init(peer: client, addresses: [address(6, 6, 6, 6)], connection: .connected))
        #expect(!answer.closerPeers.contains { $0.peer == self.peer.peerID })
        #expect(self.reply(KademliaMessage(kind: .findNode)) == .reset)
    }

    @Test("a signed provider record is kept for as long as it says, and given to others with its signature")
    func provider() throws {
        let announcement = try self.announcement()
        #expect(self.reply(announcement) == .nothing)
        let expected = KademliaMessage.Peer(
            peer: self.peer.peerID, addresses: [address(9, 9, 9, 9)], connection: .canConnect, statement: announcement.providerPeers[0].statement)
        #expect(self.providers() == [expected])
        #expect(self.providers(after: .seconds(3599)).count == 1)
        #expect(self.providers(after: .seconds(3600)).isEmpty)
        // Withdrawn with a newer number only.
        _ = self.reply(try self.announcement(sequence: self.moment.milliseconds - 1, isWithdrawn: true))
        #expect(self.providers().count == 1)
        _ = self.reply(try self.announcement(sequence: self.moment.milliseconds + 1, isWithdrawn: true))
        #expect(self.providers().isEmpty)
        // What was said before does not come back, what is said later does.
        _ = self.reply(announcement)
        #expect(self.providers().isEmpty && self.statistics.outdatedRecords == 1)
        _ = self.reply(try self.announcement(sequence: self.moment.milliseconds + 2))
        #expect(self.providers().count == 1)
    }

    @Test("provider records with a bad signature, of another peer, for another key, ancient or far in the future have no effect but a counter")
    func badProviders() throws {
        let other = try KeyPair.generate()
        var damaged = try self.announcement()
        damaged.providerPeers[0].statement?[100] ^= 1
        _ = self.reply(damaged)
        #expect(self.statistics.invalidSignatures + self.statistics.invalidRecords == 1)
        let before = self.statistics.invalidRecords
        // In another's name; with another's signature under the own name.
        _ = self.reply(try self.announcement(by: other))
        #expect(self.statistics.wrongPeerRecords == 1)
        var borrowed = try self.announcement(by: other)
        borrowed.providerPeers[0].peer = self.peer.peerID
        _ = self.reply(borrowed)
        #expect(self.statistics.wrongPeerRecords == 2)
        _ = self.reply(try self.announcement(signedKey: [2]))
        #expect(self.statistics.wrongPeerRecords == 3)
        for lifetime in [0, -1, -1_700_000_000_000] as [Int64] { _ = self.reply(try self.announcement(lifetime: lifetime)) }
        #expect(self.statistics.expiredRecords == 3)
        _ = self.reply(try self.announcement(lifetime: 49 * 3_600_000))
        _ = self.reply(try self.announcement(lifetime: 1 << 60))
        _ = self.reply(try self.announcement(sequence: .max))
        #expect(self.statistics.futureRecords == 3)
        var unsigned = try self.announcement()
        unsigned.providerPeers[0].statement = nil
        _ = self.reply(unsigned)
        _ = self.reply(KademliaMessage(kind: .addProvider, key: [], providerPeers: unsigned.providerPeers))
        _ = self.reply(KademliaMessage(kind: .addProvider, key: Array(repeating: 1, count: 81), providerPeers: unsigned.providerPeers))
        #expect(self.statistics.invalidRecords == before + 3)
        #expect(self.statistics.providerRecordCount == 0)
        #expect(self.providers().isEmpty)
    }

    @Test("private addresses are not passed on")
    func addresses() throws {
        _ = self.reply(try self.announcement(addresses: [address(10, 0, 0, 1), address(127, 0, 0, 1), address(9, 9, 9, 9)]))
        #expect(self.providers().map(\.addresses) == [[address(9, 9, 9, 9)]])
    }

    @Test("where records need no signature, the sender is a provider for 48 hours, and nobody else is")
    func unsigned() throws {
        var configuration = KademliaConfiguration.publicNetwork
        configuration.bootstrapPeers = []
        let responder = KademliaResponder(localKey: KademliaKey(self.local.peerID), configuration: configuration)
        let other = try KeyPair.generate().peerID
        let message = KademliaMessage(
            kind: .addProvider, key: [1],
            providerPeers: [.init(peer: other, addresses: [address(9, 9, 9, 9)]), .init(peer: self.peer.peerID, addresses: [address(9, 9, 9, 9)])])
        #expect(responder.reply(to: message, from: self.peer.peerID, at: self.remote, moment: self.moment) == .nothing)
        func providers(_ moment: KademliaResponder.Moment) -> [PeerID] {
            guard case .answer(let answer) = responder.reply(
                to: KademliaMessage(kind: .getProviders, key: [1]), from: other, at: self.remote, moment: moment)
            else { return [] }
            return answer.providerPeers.map(\.peer)
        }
        #expect(providers(self.moment.after(.seconds(48 * 3600 - 1))) == [self.peer.peerID])
        #expect(providers(self.moment.after(.seconds(48 * 3600))).isEmpty)
        #expect(responder.state.withLock { $0.statistics.wrongPeerRecords } == 1)
    }

    @Test("10,000 providers of one key: a hundred are kept, an answer names 64 and fits")
    func flood() throws {
        var configuration = KademliaConfiguration.publicNetwork
        configuration.bootstrapPeers = []
        let responder = KademliaResponder(localKey: KademliaKey(self.local.peerID), configuration: configuration)
        var generator = SeededGenerator(seed: 42)
        for index in 0..<10_000 {
            let peer = try PeerID.random(using: &generator)
            let message = KademliaMessage(kind: .addProvider, key: [1], providerPeers: [.init(peer: peer, addresses: (0..<16).map { address(9, 9, 9, $0) })])
            _ = responder.reply(to: message, from: peer, at: address(1, 1, UInt8(index % 250), 1), moment: self.moment)
        }
        let statistics = responder.state.withLock { $0.snapshot }
        #expect(statistics.providerRecordCount == 100)
        #expect(statistics.evictedRecords == 9900)
        guard case .answer(let answer) = responder.reply(
            to: KademliaMessage(kind: .getProviders, key: [1]), from: self.peer.peerID, at: self.remote, moment: self.moment)
        else { throw NeverHappened() }
        #expect(answer.providerPeers.count == 64)
        #expect(KademliaCodec.encode(answer).readableBytes < 64 << 10)
    }

    // MARK: Values

    func put(_ value: [UInt8], _ key: [UInt8]) -> KademliaMessage {
        KademliaMessage(kind: .putValue, key: key, record: ValueRecord(key: key, value: value))
    }

    func value(_ sequence: UInt64, lifetime: Int64 = 60_000, bytes: Int = 1) throws -> [UInt8] {
        try SignedValue(
            owner: self.peer.peerID, key: SignedValue.key("x", of: self.peer.peerID), sequence: sequence,
            expiresAtMilliseconds: UInt64(Int64(self.moment.milliseconds) + lifetime), value: Array(repeating: 7, count: bytes)
        ).sealed(with: self.peer)
    }

    @Test("a value is echoed and kept; a better one takes its place, a worse one is refused; it goes when it is over")
    func values() throws {
        let key = SignedValue.key("x", of: self.peer.peerID)
        let (old, new) = (try self.value(1), try self.value(2))
        func stored(after: Duration = .zero) -> [UInt8]? {
            guard case .answer(let answer) = self.reply(KademliaMessage(kind: .getValue, key: key), after: after) else { return nil }
            return answer.record?.value
        }
        guard case .answer(let echo) = self.reply(self.put(old, key)) else { throw NeverHappened() }
        #expect(echo.kind == .putValue && echo.record?.value == old && echo.record?.timeReceived == "2027-01-15T08:00:00Z")
        #expect(stored() == old)
        guard case .answer = self.reply(self.put(new, key)) else { throw NeverHappened() }
        #expect(self.reply(self.put(old, key)) == .reset)
        guard case .answer = self.reply(self.put(new, key)) else { throw NeverHappened() }
        #expect(self.statistics.outdatedRecords == 1)
        #expect(stored() == new && stored(after: .seconds(59)) == new && stored(after: .seconds(60)) == nil)
    }

    @Test("values of nobody, of another, ancient, far in the future, of unknown namespaces and too long have no effect but a counter")
    func badValues() throws {
        let key = SignedValue.key("x", of: self.peer.peerID)
        #expect(self.reply(KademliaMessage(kind: .putValue, key: key)) == .reset)
        var mismatch = self.put(try self.value(1), key)
        mismatch.key = [1]
        #expect(self.reply(mismatch) == .reset)
        #expect(self.reply(self.put([1], Array("/unknown/a".utf8))) == .reset)
        #expect(self.reply(self.put(try self.value(1, bytes: 17 << 10), key)) == .reset)
        #expect(self.statistics.invalidRecords == 4)
        #expect(self.reply(self.put(try self.value(1), SignedValue.key("y", of: self.peer.peerID))) == .reset)
        #expect(self.statistics.wrongPeerRecords == 1)
        #expect(self.reply(self.put(try self.value(1, lifetime: -5), key)) == .reset)
        #expect(self.statistics.expiredRecords == 1)
        #expect(self.reply(self.put(try self.value(1, lifetime: 1 << 60), key)) == .reset)
        #expect(self.statistics.futureRecords == 1)
        var damaged = try self.value(1)
        damaged[damaged.count - 1] ^= 1
        #expect(self.reply(self.put(damaged, key)) == .reset)
        #expect(self.statistics.invalidSignatures == 1)
        #expect(self.statistics.valueCount == 0)
        #expect(self.reply(KademliaMessage(kind: .getValue)) == .reset)
        #expect(self.reply(KademliaMessage(kind: .getProviders)) == .reset)
    }

    // MARK: Letters

    func letter(to recipient: PeerID, from sender: KeyPair? = nil, lifetime: Int64 = 60_000) throws -> [UInt8] {
        let sender = sender ?? self.peer
        return try Letter(
            sender: sender.peerID, recipient: recipient, sequence: 1, expiresAtMilliseconds: UInt64(Int64(self.moment.milliseconds) + lifetime),
            encapsulatedKey: [1], ciphertext: [2]
        ).sealed(with: sender)
    }

    @Test("letters are taken from their senders, one at a time, for ten minutes at most, and given to whoever asks")
    func letters() throws {
        let recipient = try KeyPair.generate().peerID
        let key = Letter.key(for: recipient)
        let letter = try self.letter(to: recipient)
        func bundle(_ letters: [[UInt8]]) -> KademliaMessage { self.put(LetterBundle.encode(letters), key) }
        #expect(self.reply(bundle([letter, letter])) == .reset)
        #expect(self.reply(bundle([])) == .reset)
        #expect(self.reply(bundle([try self.letter(to: recipient, from: try KeyPair.generate())])) == .reset)
        #expect(self.reply(bundle([try self.letter(to: self.local.peerID)])) == .reset)
        #expect(self.reply(bundle([try self.letter(to: recipient, lifetime: 0)])) == .reset)
        #expect(self.reply(bundle([try self.letter(to: recipient, lifetime: 800_000)])) == .reset)
        #expect(self.reply(self.put([0xff], key)) == .reset)
        #expect(self.statistics.letterCount == 0)
        guard case .answer = self.reply(bundle([letter])) else { throw NeverHappened() }
        guard case .answer(let answer) = self.reply(KademliaMessage(kind: .getValue, key: key)) else { throw NeverHappened() }
        #expect(LetterBundle.decode(answer.record?.value ?? []) == [letter])
        guard case .answer(let later) = self.reply(KademliaMessage(kind: .getValue, key: key), after: .seconds(60)) else { throw NeverHappened() }
        #expect(later.record == nil)
    }

    // MARK: Rates

    @Test("whoever asks faster than allowed has to wait, in proportion; others do not")
    func rates() {
        var state = KademliaState(localKey: KademliaKey(self.local.peerID), configuration: .dig)
        let now = self.moment.now
        for _ in 0..<10 { #expect(state.delay(for: self.peer.peerID, rate: 10, burst: 10, now: now) == .zero) }
        #expect(state.delay(for: self.peer.peerID, rate: 10, burst: 10, now: now) == .milliseconds(100))
        #expect(state.delay(for: self.peer.peerID, rate: 10, burst: 10, now: now) == .milliseconds(200))
        #expect(state.delay(for: self.local.peerID, rate: 10, burst: 10, now: now) == .zero)
        #expect(state.delay(for: self.peer.peerID, rate: 10, burst: 10, now: now + .seconds(2)) == .zero)
    }

    @Test("requests changed at random are answered or refused, and what is kept stays small")
    func fuzz() throws {
        var generator = SeededGenerator(seed: 43)
        let key = SignedValue.key("x", of: self.peer.peerID)
        let requests = [
            try self.announcement(), self.put(try self.value(1), key), self.put(LetterBundle.encode([try self.letter(to: self.local.peerID)]), Letter.key(for: self.local.peerID)),
            KademliaMessage(kind: .getProviders, key: [1]), KademliaMessage(kind: .findNode, key: self.local.peerID.bytes),
        ].map { Array(KademliaCodec.encode($0).readableBytesView) }
        for index in 0..<3000 {
            do throws(KademliaDecodingError) {
                _ = self.reply(try KademliaCodec.decode(ByteBuffer(bytes: generator.mutated(requests[index % requests.count]))))
            } catch {
                continue
            }
        }
        let statistics = self.statistics
        #expect(statistics.providerRecordCount <= 1 && statistics.valueCount <= 1 && statistics.letterCount <= 1)
    }
}
