import DIGIdentity
import DIGMultiformats
import DIGSTUN
import Testing

@testable import DIGTraversal

@Suite("Capabilities of peers")
struct CapabilityTests {
    private let key: KeyPair
    private let now: UInt64 = 1_800_000_000_000

    init() throws {
        self.key = try KeyPair.generate()
    }

    private func record(tier: ConnectionTier = .directCapable, issuedAt: UInt64? = nil, relays: Bool = true) throws -> PeerConnectionCapabilities {
        PeerConnectionCapabilities(
            peer: self.key.peerID, issuedAt: issuedAt ?? self.now, tier: tier, relays: relays,
            addresses: try zip(
                ["/ip4/192.168.1.2/tcp/4001", "/ip4/203.0.113.7/tcp/4001", "/ip4/203.0.113.7/tcp/5000"], [AddressOrigin.interface, .observed, .pcp]
            ).map { .init(try Multiaddr($0), origin: $1) },
            mapping: .endpointIndependent, filtering: .addressAndPortDependent, methods: [.direct, .tcpHolePunch])
    }

    private func attempt(_ method: TraversalMethod, _ outcome: AttemptRecord.Outcome) -> AttemptRecord {
        AttemptRecord(peer: self.key.peerID, method: method, addresses: [], startedAt: self.now, duration: .seconds(1), outcome: outcome, network: .unknown)
    }

    @Test("A record survives signing and opening")
    func roundTrip() throws {
        let record = try self.record()
        let envelope = try record.sealed(with: self.key)
        #expect(try PeerConnectionCapabilities(opening: SignedEnvelope(decoding: envelope.encoded)) == record)
        #expect(record.origin(of: try Multiaddr("/ip4/203.0.113.7/tcp/5000/p2p/\(self.key.peerID)")) == .pcp)
        #expect(record.origin(of: try Multiaddr("/ip4/203.0.113.7/tcp/1")) == nil)
    }

    @Test("Nobody signs for somebody else, and a strict prefix is refused or a smaller record")
    func hostile() throws {
        let record = try self.record()
        let other = try KeyPair.generate()
        #expect(throws: IdentityError.self) { try record.sealed(with: other) }
        let forged = try SignedEnvelope.seal(
            domain: PeerConnectionCapabilities.domain, payloadType: PeerConnectionCapabilities.payloadType, payload: record.encoded, with: other)
        #expect(throws: IdentityError(.signerMismatch, "")) { try PeerConnectionCapabilities(opening: forged) }
        let bytes = record.encoded
        for count in 0..<bytes.count {
            do throws(IdentityError) {
                let smaller = try PeerConnectionCapabilities(decoding: Array(bytes.prefix(count)))
                #expect(smaller != record)
            } catch {
                #expect(error == IdentityError(.invalidRecord, ""))
            }
        }
        var crowded = record
        crowded.addresses = Array(repeating: record.addresses[0], count: PeerConnectionCapabilities.maximumAddressCount + 9)
        #expect(try PeerConnectionCapabilities(decoding: crowded.encoded).addresses.count == PeerConnectionCapabilities.maximumAddressCount)
    }

    @Test("A record counts from a little before its date until it has expired")
    func life() throws {
        let record = try self.record()
        #expect(record.isCurrent(at: self.now - 5 * 60_000))
        #expect(!record.isCurrent(at: self.now - 5 * 60_000 - 1))
        #expect(record.isCurrent(at: self.now + 3_600_000))
        #expect(!record.isCurrent(at: self.now + 3_600_001))
        var eternal = record
        eternal.timeToLive = .seconds(Int64(UInt32.max))
        #expect(!eternal.isCurrent(at: self.now + 25 * 3_600_000))
        eternal.issuedAt = .max
        #expect(!eternal.isCurrent(at: self.now))
    }

    @Test("The peer's word is a hint; what was tried here decides")
    func proof() throws {
        var table = CapabilityTable()
        let peer = self.key.peerID
        #expect(table.tier(of: peer, now: self.now) == .unknown)
        #expect(table.add(try self.record(), now: self.now))
        #expect(!table.add(try self.record(tier: .natRestricted, issuedAt: self.now - 1), now: self.now), "an older record")
        #expect(table.tier(of: peer, now: self.now) == .directCapable)
        #expect(table.dualRolePeers(now: self.now) == [peer])

        table.add(self.attempt(.direct, .failed("no answer")), now: self.now)
        #expect(table.tier(of: peer, now: self.now) == .natRestricted, "a lie costs one attempt")
        #expect(table.dualRolePeers(now: self.now) == [])
        table.add(self.attempt(.direct, .succeeded), now: self.now + 1)
        #expect(table.tier(of: peer, now: self.now + 1) == .directCapable)
        #expect(table.statistics(of: peer)[.direct]?.attempts == 2)
    }

    @Test("The table is bounded")
    func bounded() throws {
        var table = CapabilityTable()
        for index in 0...CapabilityTable.maximumPeerCount {
            var seed = [UInt8](repeating: 0, count: 32)
            seed[0] = UInt8(truncatingIfNeeded: index)
            seed[1] = UInt8(truncatingIfNeeded: index >> 8)
            let record = AttemptRecord(
                peer: try KeyPair(ed25519Seed: seed).peerID, method: .direct, addresses: [], startedAt: 0, duration: .zero, outcome: .succeeded, network: .unknown)
            table.add(record, now: UInt64(index))
        }
        #expect(table.count <= CapabilityTable.maximumPeerCount)
    }

    @Test("Strangers who make themselves known by the thousand do not push out what was tried here")
    func flood() throws {
        var table = CapabilityTable()
        let known = self.key.peerID
        table.add(self.attempt(.direct, .succeeded), now: self.now)
        for index in 0...CapabilityTable.maximumPeerCount {
            var seed = [UInt8](repeating: 1, count: 32)
            seed[0] = UInt8(truncatingIfNeeded: index)
            seed[1] = UInt8(truncatingIfNeeded: index >> 8)
            table.add(PeerConnectionCapabilities(peer: try KeyPair(ed25519Seed: seed).peerID, issuedAt: self.now), now: self.now + 1)
        }
        #expect(table.count <= CapabilityTable.maximumPeerCount)
        #expect(table.tier(of: known, now: self.now + 1) == .directCapable)
    }

    @Test("A long address is left out, a long record is none")
    func sizes() throws {
        let peer = self.key.peerID
        let name = String(repeating: "a", count: 60)
        let (short, long) = (try Multiaddr("/dns4/\(name).example/tcp/1"), try Multiaddr("/dns4/\(name).example/tcp/1" + String(repeating: "/p2p-circuit/dns4/\(name).example", count: 5)))
        #expect(long.bytes.count > PeerConnectionCapabilities.maximumAddressByteCount)
        let record = PeerConnectionCapabilities(peer: peer, issuedAt: self.now, addresses: [.init(long, origin: .observed), .init(short, origin: .observed)])
        #expect(try PeerConnectionCapabilities(decoding: record.encoded).addresses.map(\.address) == [short])
        let padding = [UInt8](repeating: 0, count: PeerConnectionCapabilities.maximumByteCount)
        // A field of bytes that nobody knows.
        #expect(throws: IdentityError.self) { try PeerConnectionCapabilities(decoding: record.encoded + [0xfa, 0x01, 0x80, 0x80, 0x01] + padding) }
    }

    @Test("The decision matrix")
    func matrix() {
        typealias Decision = ConnectionDecision
        let bad: [TraversalMethod: MethodStatistics] = [.direct: .init(attempts: 3, successes: 0)]
        let good: [TraversalMethod: MethodStatistics] = [.direct: .init(attempts: 3, successes: 3)]
        #expect(Decision(tier: .directCapable, statistics: [:]) == Decision(approach: .direct, priority: .high, fallback: .traversal))
        #expect(Decision(tier: .directCapable, statistics: good) == Decision(approach: .direct, priority: .high, fallback: .traversal))
        #expect(Decision(tier: .directCapable, statistics: bad) == Decision(approach: .traversal, priority: .medium, fallback: .relay))
        for history in [[:], good, bad] {
            #expect(Decision(tier: .natRestricted, statistics: history) == Decision(approach: .relay, priority: .low, fallback: .bootstrap))
            #expect(Decision(tier: .unknown, statistics: history) == Decision(approach: .all, priority: .automatic, fallback: .bootstrap))
        }
    }
}
