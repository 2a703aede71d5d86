import DIGIdentity
import DIGNet
import NIOCore
import Testing

@testable import DIGSwarm

@Suite("Connection pool")
struct ConnectionPoolTests {
    final class Fake: PooledConnection {
        let id: ConnectionID
        let role: ConnectionRole
        let localPeer: PeerID
        let remotePeer: PeerID
        let establishedAt: NIODeadline
        var isUsed = false
        var lastUse: NIODeadline
        var isClosing = false
        let isRelayed: Bool

        init(_ id: UInt64, _ role: ConnectionRole, from local: PeerID, to remote: PeerID, at time: Int64 = 0, isRelayed: Bool = false) {
            self.isRelayed = isRelayed
            self.id = ConnectionID(rawValue: id)
            self.role = role
            self.localPeer = local
            self.remotePeer = remote
            self.establishedAt = .uptimeNanoseconds(1) + .seconds(time)
            self.lastUse = self.establishedAt
        }
    }

    let low: PeerID
    let high: PeerID
    let others: [PeerID]

    init() throws {
        let peers = try (0..<6).map { _ in try KeyPair.generate().peerID }.sorted()
        self.low = peers[0]
        self.high = peers[1]
        self.others = Array(peers[2...])
    }

    func pool(_ limit: Int = 10) -> ConnectionPool<Fake> {
        ConnectionPool(maximumConnections: limit, simultaneousDialWindow: .seconds(10))
    }

    /// Inserts at the connection's own time.
    @discardableResult
    func insert(_ connection: Fake, _ pool: inout ConnectionPool<Fake>, protecting: Set<PeerID> = []) -> (isFirst: Bool, redundant: UInt64?, victim: UInt64?)? {
        guard
            case .admit(let isFirst, let redundant, let victim) = pool.insert(
                connection, now: connection.establishedAt, isProtected: { protecting.contains($0) })
        else { return nil }
        return (isFirst, redundant?.id.rawValue, victim?.id.rawValue)
    }

    @Test("of two dialed at the same time, both sides keep the one dialed by the lower peer id", arguments: [true, false], [true, false])
    func simultaneous(lowSeesItsOwnFirst: Bool, highSeesItsOwnFirst: Bool) {
        // 1 is dialed by the lower one, 2 by the higher one.
        for (local, remote, ownFirst) in [(self.low, self.high, lowSeesItsOwnFirst), (self.high, self.low, highSeesItsOwnFirst)] {
            var pool = self.pool()
            let isLow = local == self.low
            let own = Fake(isLow ? 1 : 2, .dialer, from: local, to: remote)
            let other = Fake(isLow ? 2 : 1, .listener, from: local, to: remote, at: 1)
            let (first, second) = ownFirst ? (own, other) : (other, own)
            #expect(self.insert(first, &pool)?.isFirst == true)
            let outcome = self.insert(second, &pool)
            #expect(outcome?.isFirst == false)
            #expect(outcome?.redundant == 2)
            #expect(pool.preferred(for: remote)?.id.rawValue == 1)
        }
    }

    @Test("later, the newer one stays, because its dialer has lost the older one")
    func restarted() {
        var pool = self.pool()
        self.insert(Fake(1, .dialer, from: self.low, to: self.high), &pool)
        #expect(self.insert(Fake(2, .listener, from: self.low, to: self.high, at: 11), &pool)?.redundant == 1)
        #expect(self.insert(Fake(3, .listener, from: self.low, to: self.high, at: 12), &pool)?.redundant == 2)
        #expect(pool.preferred(for: self.high)?.id.rawValue == 3)
        #expect(pool.count == 3)
        #expect(pool.preferred.count == 1)
    }

    @Test(
        "a direct connection is preferred to a relayed one at both ends, whoever dialed which and whenever",
        arguments: [true, false], [0, 1, 3600] as [Int64])
    func directBeforeRelayed(lowDialsDirect: Bool, seconds: Int64) {
        for lowDialsRelayed in [true, false] {
            for directFirst in [true, false] {
                for (local, remote) in [(self.low, self.high), (self.high, self.low)] {
                    func role(_ lowDials: Bool) -> ConnectionRole { lowDials == (local == self.low) ? .dialer : .listener }
                    var pool = self.pool()
                    let direct = Fake(1, role(lowDialsDirect), from: local, to: remote, at: directFirst ? 0 : seconds)
                    let relayed = Fake(2, role(lowDialsRelayed), from: local, to: remote, at: directFirst ? seconds : 0, isRelayed: true)
                    self.insert(directFirst ? direct : relayed, &pool)
                    #expect(self.insert(directFirst ? relayed : direct, &pool)?.redundant == 2)
                    #expect(pool.preferred(for: remote) === direct)
                }
            }
        }
    }

    @Test("a relayed connection takes the place of a direct one only when that is going, and a direct one is promoted first")
    func relayedAfterDirect() throws {
        var pool = self.pool()
        let direct = Fake(1, .dialer, from: self.low, to: self.high)
        self.insert(direct, &pool)
        let second = Fake(2, .dialer, from: self.low, to: self.high, isRelayed: true)
        let third = Fake(3, .dialer, from: self.low, to: self.high)
        self.insert(second, &pool)
        self.insert(third, &pool)
        let removal = pool.remove(direct)
        #expect(removal?.promoted === third)
        third.isClosing = true
        let outcome = self.insert(Fake(4, .dialer, from: self.low, to: self.high, isRelayed: true), &pool)
        #expect(outcome?.redundant == 3)
        #expect(pool.preferred(for: self.high)?.id.rawValue == 4)
    }

    @Test("of two attempts of one dial the first stays")
    func sameDial() {
        var pool = self.pool()
        self.insert(Fake(1, .dialer, from: self.high, to: self.low), &pool)
        #expect(self.insert(Fake(2, .dialer, from: self.high, to: self.low), &pool)?.redundant == 2)
    }

    @Test("a connection that is closing gives way")
    func closing() {
        var pool = self.pool()
        let old = Fake(1, .dialer, from: self.high, to: self.low)
        self.insert(old, &pool)
        old.isClosing = true
        #expect(self.insert(Fake(2, .dialer, from: self.high, to: self.low), &pool)?.redundant == 1)
    }

    @Test("the next one takes the place of one that is removed")
    func removal() throws {
        var pool = self.pool()
        let first = Fake(1, .dialer, from: self.low, to: self.high)
        let second = Fake(2, .listener, from: self.low, to: self.high)
        self.insert(first, &pool)
        self.insert(second, &pool)
        let outcome = pool.remove(first)
        let removal = try #require(outcome)
        #expect(removal.promoted === second)
        #expect(!removal.isLast)
        let again = pool.remove(first)
        #expect(again?.isLast == nil)
        let last = pool.remove(second)
        #expect(last?.isLast == true)
        #expect(pool.count == 0)
        #expect(pool.all.isEmpty)
    }

    @Test("at the limit the one unused for longest makes room, never one that is used or protected")
    func limit() {
        var pool = self.pool(3)
        let connections = self.others[..<3].enumerated().map { index, peer in
            Fake(UInt64(index), .listener, from: self.low, to: peer, at: Int64(index))
        }
        for connection in connections { #expect(self.insert(connection, &pool)?.victim == nil) }
        connections[0].isUsed = true
        let new = Fake(9, .listener, from: self.low, to: self.high, at: 5)
        #expect(self.insert(new, &pool, protecting: [self.others[1]])?.victim == 2)
        // The victim leaves when its channel has closed.
        _ = pool.remove(connections[2])
        new.isUsed = true
        #expect(self.insert(Fake(10, .listener, from: self.low, to: self.others[3], at: 6), &pool, protecting: [self.others[1]]) == nil)
        #expect(pool.count == 3)
        // A protected peer always gets in.
        #expect(self.insert(Fake(11, .listener, from: self.low, to: self.others[3], at: 6), &pool, protecting: [self.others[1], self.others[3]]) != nil)
    }

    @Test("one peer does not take the places of all others: its own unused connection makes room, or it is refused")
    func limitPerPeer() {
        var pool = ConnectionPool<Fake>(maximumConnections: 10, maximumConnectionsPerPeer: 3, simultaneousDialWindow: .seconds(10))
        let connections = (0..<3).map { Fake(UInt64($0), .listener, from: self.low, to: self.high, at: Int64($0)) }
        for connection in connections { #expect(self.insert(connection, &pool)?.victim == nil) }
        #expect(self.insert(Fake(9, .listener, from: self.low, to: self.others[0], at: 4), &pool)?.victim == nil)
        connections[0].isUsed = true
        #expect(self.insert(Fake(3, .listener, from: self.low, to: self.high, at: 5), &pool)?.victim == 1)
        // What was told to close does not count any more.
        connections[1].isClosing = true
        for connection in pool.all where connection.remotePeer == self.high { connection.isUsed = true }
        #expect(self.insert(Fake(4, .listener, from: self.low, to: self.high, at: 6), &pool, protecting: [self.high]) == nil)
        #expect(self.insert(Fake(10, .listener, from: self.low, to: self.others[1], at: 6), &pool)?.victim == nil)
    }
}
