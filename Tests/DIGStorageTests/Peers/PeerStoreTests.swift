import DIGIdentity
import DIGStorage
import Foundation
import Testing

@Suite("Peer records")
struct PeerStoreTests {
    let directory: TemporaryDirectory
    let store: PeerStore

    init() throws {
        self.directory = try TemporaryDirectory()
        self.store = PeerStore(database: try NodeDatabase(directory: self.directory.path))
    }

    @Test("add up, and stop at the largest number instead of overflowing")
    func sums() async throws {
        let peer = try KeyPair.generate().peerID
        let seen = Date(timeIntervalSince1970: 1_000)
        try await self.store.add(PeerHistory(peer: peer, receivedByteCount: 10, sentByteCount: 1, lastSeen: seen))
        try await self.store.add(PeerHistory(peer: peer, receivedByteCount: .max, failureCount: 2, lastSeen: seen - 5))
        let record = try #require(try await self.store.peer(peer))
        #expect(record == PeerHistory(peer: peer, receivedByteCount: UInt64(Int64.max), sentByteCount: 1, failureCount: 2, lastSeen: seen))
        #expect(try await self.store.peer(KeyPair.generate().peerID) == nil)
    }

    @Test("are listed by when they were seen")
    func list() async throws {
        var peers: [PeerID] = []
        for second in 0..<5 {
            let peer = try KeyPair.generate().peerID
            peers.append(peer)
            try await self.store.add(PeerHistory(peer: peer, lastSeen: Date(timeIntervalSince1970: Double(second))))
        }
        #expect(try await self.store.peers(limit: 2).map(\.peer) == [peers[4], peers[3]])
        #expect(try await self.store.peers(limit: -1).isEmpty)
    }

    @Test("counters count")
    func counters() async throws {
        try await self.store.increment("a")
        try await self.store.increment("a", by: 4)
        try await self.store.increment("b", by: .max)
        try await self.store.increment("b", by: .max)
        #expect(try await self.store.counters() == ["a": 5, "b": UInt64(Int64.max)])
    }
}
