import DIGMultiformats
import Testing

@testable import DIGSwarm

@Suite("Address ranking")
struct AddressRankingTests {
    @Test("near before far, direct before relayed, IPv6 first in turn with IPv4")
    func order() throws {
        let expected = try [
            "/ip6/::1/tcp/1", "/ip4/127.0.0.1/tcp/1",
            "/ip6/fe80::1/tcp/1", "/ip4/192.168.0.2/tcp/1", "/ip4/10.0.0.1/tcp/1",
            "/ip6/2606:4700::1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip6/2606:4700::2/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip4/1.1.1.1/tcp/1",
            "/ip4/8.8.4.4/tcp/1/p2p-circuit",
        ].map { try Multiaddr($0) }
        let scrambled = [10, 5, 3, 6, 0, 7, 8, 1, 9, 2, 4].map { expected[$0] }
        let ranked = AddressRanking.ranked(scrambled, limit: 64)
        // Equals keep the order in which they were given.
        #expect(ranked == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map { expected[$0] })
    }

    @Test("a limit keeps a place for a family that it would cut off")
    func limit() throws {
        let six = try (1...5).map { try Multiaddr("/ip6/fe80::\($0)/tcp/1") }
        let four = try Multiaddr("/ip4/8.8.8.8/tcp/1")
        #expect(AddressRanking.ranked(six + [four], limit: 3) == [six[0], six[1], four])
        #expect(AddressRanking.ranked(six, limit: 3) == Array(six[..<3]))
        #expect(AddressRanking.ranked(six, limit: 0) == [])
        #expect(AddressRanking.ranked(six, limit: -1) == [])
    }
}
