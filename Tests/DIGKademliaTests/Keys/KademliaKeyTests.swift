import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTestSupport
import Testing

@testable import DIGKademlia

@Suite("Kademlia keys")
struct KademliaKeyTests {
    @Test("a key is the SHA-256 of the bytes (kad-dht r2, Distance)")
    func hashes() {
        // sha256("abc"), FIPS 180-2
        let expected: [UInt8] = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a,
            0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ]
        let key = KademliaKey(hashing: Array("abc".utf8))
        #expect(key.bytes == expected)
        #expect(KademliaKey(bytes: expected) == key)
        #expect(KademliaKey(bytes: expected.dropLast()) == nil)
        #expect(KademliaKey(bytes: expected + [0]) == nil)
        #expect(key.description == "ba7816bf8f01cfea")
    }

    @Test("distance is symmetric, zero only to itself, and orders as the number does")
    func distance() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100 {
            let (a, b, c) = (KademliaKey.random(using: &generator), KademliaKey.random(using: &generator), KademliaKey.random(using: &generator))
            #expect(a.distance(to: b) == b.distance(to: a))
            #expect(a.distance(to: a) == .zero)
            #expect((a.distance(to: b) < a.distance(to: c)) == a.distance(to: b).value.bytes.lexicographicallyPrecedes(a.distance(to: c).value.bytes))
        }
    }

    @Test("common prefixes of every length are counted", arguments: 0...256)
    func prefix(length: Int) {
        var generator = SeededGenerator(seed: UInt64(length))
        let key = KademliaKey.random(using: &generator)
        let other = length == 256 ? key : key.neighbour(sharing: length, using: &generator)
        #expect(key.commonPrefixLength(with: other) == length)
    }

    @Test("networks are a /24, a /64; not those of relays, nor of names")
    func networks() throws {
        #expect(NetworkGroup(address(1, 2, 3, 4)) == NetworkGroup(address(1, 2, 3, 99)))
        #expect(NetworkGroup(address(1, 2, 3, 4)) != NetworkGroup(address(1, 2, 4, 4)))
        #expect(try NetworkGroup(Multiaddr("/ip6/2001:db8::1/tcp/1")) == NetworkGroup(Multiaddr("/ip6/2001:db8::ffff:1/tcp/1")))
        #expect(try NetworkGroup(Multiaddr("/ip6/2001:db8::1/tcp/1")) != NetworkGroup(Multiaddr("/ip6/2001:db8:0:1::1/tcp/1")))
        #expect(try NetworkGroup(Multiaddr("/ip6/::ffff:1.2.3.4/tcp/1")) == NetworkGroup(address(1, 2, 3, 4)))
        #expect(try NetworkGroup(Multiaddr("/dns/example.com/tcp/1")) == nil)
        let relay = address(1, 2, 3, 4).encapsulating(.p2p(try KeyPair.generate().peerID.multihash)).encapsulating(.p2pCircuit)
        #expect(NetworkGroup(relay) == nil)
    }

    @Test("private addresses are left out, except where they are meant to be used; each address once")
    func filter() throws {
        let addresses = [
            address(10, 0, 0, 1), address(8, 8, 8, 8), address(8, 8, 8, 8), address(127, 0, 0, 1), address(224, 0, 0, 1), address(0, 0, 0, 0),
            try Multiaddr("/memory/1"), address(9, 9, 9, 9).withPeerID(try KeyPair.generate().peerID),
        ]
        var filter = PeerAddressFilter(policy: AddressPolicy(), allowsPrivate: false, maximumCount: 8)
        #expect(filter(addresses) == [address(8, 8, 8, 8), address(9, 9, 9, 9)])
        #expect(filter.group(address(8, 8, 8, 8)) != nil)
        filter.allowsPrivate = true
        #expect(filter(addresses) == [address(10, 0, 0, 1), address(8, 8, 8, 8), address(127, 0, 0, 1), try Multiaddr("/memory/1"), address(9, 9, 9, 9)])
        #expect(filter.group(address(10, 0, 0, 1)) == nil)
        filter.maximumCount = 1
        #expect(filter(addresses).count == 1)
    }

    @Test("networks have names that can be in a protocol's id")
    func names() throws {
        #expect(try Kademlia.protocolID(network: "lab-1") == "/dig/lab-1/kad/1.0.0")
        for name in ["", "a/b", "ä", String(repeating: "a", count: 65)] {
            #expect(throws: KademliaError(.invalidConfiguration, "")) { _ = try Kademlia.protocolID(network: name) }
        }
        #expect(KademliaConfiguration.publicBootstrapPeers.count == 5)
        #expect(KademliaConfiguration.publicBootstrapPeers.allSatisfy { $0.peerID != nil })
    }
}
