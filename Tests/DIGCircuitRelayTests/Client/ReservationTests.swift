import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGCircuitRelay

@Suite("what a relay grants is checked")
struct ReservationTests {
    private static let now: UInt64 = 1_700_000_000
    private let relay: KeyPair
    private let peer: PeerID
    private let known: Multiaddr

    init() throws {
        self.relay = try KeyPair.generate()
        self.peer = try KeyPair.generate().peerID
        self.known = try Multiaddr("/ip4/198.51.100.1/tcp/4001")
    }

    private func grant(_ lifetime: Int64, addresses: [String] = [], voucher: [UInt8]? = nil) throws -> ReservationGrant {
        ReservationGrant(
            expirationSeconds: UInt64(Int64(Self.now) + lifetime), addresses: try addresses.map { try Multiaddr($0) }, voucher: voucher)
    }

    private func check(_ grant: ReservationGrant, limit: RelayLimit? = nil) throws(CircuitRelayError) -> Reservation {
        try Reservation(
            grant, limit: limit, relay: self.relay.peerID, peer: self.peer, knownAddress: self.known,
            isAcceptable: { address in
                if case .ip4(let ip) = address.components.first { ip.scope == .global } else { true }
            }, nowSeconds: Self.now)
    }

    private func voucher(_ lifetime: Int64, of relay: KeyPair? = nil, for peer: PeerID? = nil) throws -> [UInt8] {
        let relay = relay ?? self.relay
        return try ReservationVoucher(relay: relay.peerID, peer: peer ?? self.peer, expirationSeconds: UInt64(Int64(Self.now) + lifetime))
            .sealed(with: relay).encoded
    }

    @Test("a good one is taken, with or without voucher and limit")
    func good() throws {
        let plain = try self.check(self.grant(3600))
        #expect(plain.lifetime == .seconds(3600))
        #expect(plain.limit == .unlimited)
        #expect(plain.voucher == nil)
        let limit = RelayLimit(durationSeconds: 120, byteCount: 1 << 17)
        let full = try self.check(self.grant(3600, voucher: self.voucher(3601)), limit: limit)
        #expect(full.limit == limit)
        #expect(full.voucher != nil)
    }

    @Test("one that is over, or nearly, is refused; one for longer than a day is taken for a day")
    func times() throws {
        for lifetime: Int64 in [-1_000_000, -1, 0, 1, 29] {
            let grant = try self.grant(lifetime)
            #expect(throws: CircuitRelayError(.invalidReservation, "")) { try self.check(grant) }
        }
        #expect(try self.check(self.grant(30)).lifetime == .seconds(30))
        #expect(try self.check(ReservationGrant(expirationSeconds: .max, addresses: [], voucher: nil)).lifetime == .seconds(86_400))
    }

    @Test("a voucher for others, by others, for another time, or no voucher at all in the field, is a lie")
    func vouchers() throws {
        let other = try KeyPair.generate()
        let bad: [[UInt8]] = [
            [], [1, 2, 3], try self.voucher(3600, of: other), try self.voucher(3600, for: other.peerID), try self.voucher(3606), try self.voucher(3594),
            try self.voucher(-5),
        ]
        for voucher in bad {
            let grant = try self.grant(3600, voucher: voucher)
            #expect(throws: CircuitRelayError(.invalidReservation, "")) { try self.check(grant) }
        }
    }

    @Test("addresses: the one that was used first, then the relay's own that may be believed, eight at most")
    func addresses() throws {
        let id = self.relay.peerID
        let reservation = try self.check(
            self.grant(
                3600,
                addresses: [
                    "/ip4/10.0.0.1/tcp/1/p2p/\(id)", "/ip4/127.0.0.1/tcp/1/p2p/\(id)", "/ip4/169.254.169.254/tcp/80/p2p/\(id)",
                    "/ip4/8.8.8.8/tcp/1/p2p/\(id)", "/ip4/8.8.8.8/tcp/2", "/ip4/8.8.8.8/tcp/3/p2p/\(id)/p2p-circuit",
                    "/ip4/8.8.8.8/tcp/4/p2p/\(self.peer)", "/ip4/8.8.8.8/tcp/1/p2p/\(id)",
                    "/ip4/8.8.8.8/tcp/5/p2p/\(self.peer)/p2p-circuit/p2p/\(id)", "/p2p/\(id)",
                ]))
        #expect(
            reservation.addresses.map(\.description)
                == ["198.51.100.1/tcp/4001", "8.8.8.8/tcp/1", "8.8.8.8/tcp/2", "8.8.8.8/tcp/3"].map { "/ip4/\($0)/p2p/\(id)/p2p-circuit" })
        let many = try self.check(self.grant(3600, addresses: (1...16).map { "/ip4/8.8.8.8/tcp/\($0)" }))
        #expect(many.addresses.count == Reservation.maximumAddressCount)
    }
}
