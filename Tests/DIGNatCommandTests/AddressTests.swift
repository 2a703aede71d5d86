import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTraversal
import Testing

@testable import DIGTransfer
@testable import dig_nat

@Suite("Addresses in links and paths in words")
struct AddressTests {
    @Test("public addresses come first; loopback and link-local only if there is nothing else")
    func select() throws {
        let addresses = try ["/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/2600::1/tcp/1"].map { try Multiaddr($0) }
        #expect(LinkAddresses.select(addresses).map(\.description) == ["/ip4/9.9.9.9/tcp/1", "/ip6/2600::1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/192.0.2.1/tcp/1"])
        #expect(LinkAddresses.select([addresses[0]]) == [addresses[0]])
        #expect(LinkAddresses.select([]) == [])
    }

    @Test("of a relay one address goes in for each transport and version of IP, and none of its private network if it has others")
    func relays() throws {
        let (a, b) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        func circuits(_ texts: [String], _ relay: PeerID) throws -> [Multiaddr] { try texts.map { try Multiaddr("\($0)/p2p/\(relay)/p2p-circuit") } }
        let first = try circuits(
            ["/ip4/192.168.12.1/tcp/4001", "/ip4/9.9.9.9/tcp/4001", "/ip4/9.9.9.10/tcp/4001", "/ip4/9.9.9.9/tcp/80/ws", "/ip6/2600::1/tcp/4001", "/ip4/192.168.12.1/tcp/80/ws", "/ip4/127.0.0.1/tcp/1"], a)
        let second = try circuits(["/ip4/192.168.12.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001"], b)
        let own = try ["/ip4/192.168.1.2/tcp/1", "/ip4/192.168.2.2/tcp/1"].map { try Multiaddr($0) }
        #expect(LinkAddresses.select(own + first + second) == [first[1], first[3], first[4]] + own + [second[0]])
        // In a laboratory the public addresses are those for documentation.
        let lab = try circuits(["/ip4/192.168.12.1/tcp/4001", "/ip4/203.0.113.7/tcp/4001", "/ip4/203.0.113.8/tcp/4001"], a)
        #expect(LinkAddresses.select(lab) == [lab[1]])
        #expect(first[0].relay == a && own[0].relay == nil)
    }

    @Test("a link reaches other networks by a public address or a relay")
    func reach() throws {
        let relay = try KeyPair.generate().peerID
        func reaches(_ text: String, documentation: Bool = false) throws -> Bool {
            LinkReach.reachesOutside([try Multiaddr("/ip4/192.168.1.2/tcp/1"), try Multiaddr(text)], policy: AddressPolicy(treatsDocumentationAsPublic: documentation))
        }
        #expect(try reaches("/ip4/9.9.9.9/tcp/1") && reaches("/dns4/a.example/tcp/1") && reaches("/ip4/10.0.0.1/tcp/1/p2p/\(relay)/p2p-circuit"))
        #expect(try !reaches("/ip4/10.0.0.1/tcp/1") && !reaches("/ip4/203.0.113.1/tcp/1") && reaches("/ip4/203.0.113.1/tcp/1", documentation: true))
    }

    @Test("a path says what carries the bytes and from how far")
    func path() throws {
        let texts: [(String, String)] = [
            ("/ip4/9.9.9.9/tcp/1", "TCP direct"), ("/ip4/10.0.0.1/tcp/1", "TCP on this network"), ("/ip6/::1/tcp/1", "TCP on this machine"),
            ("/ip4/9.9.9.9/tcp/443/wss", "WebSocket direct"), ("/ip4/9.9.9.9/udp/1/quic-v1", "QUIC direct"), ("/ip4/9.9.9.9/tcp/1/p2p-circuit", "relayed"),
        ]
        func path(_ address: String, _ method: TraversalMethod = .direct) throws -> ConnectionPath {
            ConnectionPath(method: method, address: try Multiaddr(address), origin: nil)
        }
        for (address, text) in texts { #expect(PathDescription.text(try path(address)) == text) }
        #expect(PathDescription.text(try path("/ip4/9.9.9.9/tcp/1", .tcpHolePunch)) == "TCP through the NAT")
        #expect(PathDescription.text(try path("/ip4/9.9.9.9/tcp/1", .portMapping)) == "TCP through a mapped port")
        let many = try ["/ip4/10.0.0.1/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.2/tcp/1"].map { try path($0) }
        #expect(PathDescription.text(many) == "TCP on this network, TCP direct")
        #expect(PathDescription.text([]) == nil)
    }

    @Test("what came over which path is counted by what is new at each look")
    func delivery() throws {
        let (a, b) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        let relayed = ConnectionPath(method: .circuitRelay, address: try Multiaddr("/ip4/9.9.9.9/tcp/1/p2p-circuit"), origin: nil)
        let punched = ConnectionPath(method: .tcpHolePunch, address: try Multiaddr("/ip4/9.9.9.8/tcp/1"), origin: nil)
        var paths = DeliveryPaths()
        #expect(paths.text == nil && paths.json == .array([]))
        // Nothing is known of the path yet: it is not lost.
        paths.look(at: a, byteCount: 1024, path: nil)
        paths.look(at: a, byteCount: 2048, path: relayed)
        #expect(paths.text == "relayed")
        paths.look(at: a, byteCount: 2048, path: punched)
        #expect(paths.text == "relayed")
        paths.look(at: a, byteCount: 10_240, path: punched)
        paths.look(at: b, byteCount: 1024, path: relayed)
        // The connection is gone, and what came last was not looked at before.
        paths.look(at: a, byteCount: 12_288, path: nil)
        #expect(paths.text == "10.0 KiB TCP through the NAT, 3.00 KiB relayed")
        #expect(
            (["paths": paths.json] as JSONObject).text
                == #"{"paths":[{"path":"TCP through the NAT","layer":"tcp-hole-punch","direct":true,"bytes":10240},{"path":"relayed","layer":"circuit-relay","direct":false,"bytes":3072}]}"#)
    }

    @Test("a peer that gave something is not left out because its connection broke on the way; one that gave wrong bytes is")
    func interrupted() throws {
        let peer = try KeyPair.generate().peerID
        func statistics(_ byteCount: UInt64) -> PeerStatistics {
            PeerStatistics(
                peer: peer, verifiedByteCount: byteCount, rate: 0, roundTrip: nil, outstandingChunkCount: 0, windowChunkCount: 0, stallCount: 0, isStalled: false, isConnected: false)
        }
        func isOnlyInterrupted(_ code: TransferError.Code, _ byteCount: UInt64) -> Bool {
            GetCommand.isOnlyInterrupted(PeerFailure(peer: peer, error: TransferError(code, "x")), peers: [statistics(byteCount)])
        }
        #expect(isOnlyInterrupted(.disconnected, 1) && isOnlyInterrupted(.stalled, 1))
        #expect(!isOnlyInterrupted(.disconnected, 0) && !isOnlyInterrupted(.corruptChunk, 1))
        #expect(!GetCommand.isOnlyInterrupted(PeerFailure(peer: peer, error: TransferError(.disconnected, "x")), peers: []))
    }

    @Test("everything was sent once when every file was, in however many sessions")
    func once() {
        let (a, b, empty) = (1, 2, 3)
        func hash(_ number: Int) -> ContentHash { ContentHash(digest: SHA256Digest(hashing: [UInt8(number)])) }
        var sent = SentOnce(files: [hash(a): 100, hash(b): 50, hash(empty): 0])
        #expect(!sent.isComplete)
        sent.sent([hash(a): 60])
        sent.sent([hash(b): 50, hash(9): 1000])
        #expect(!sent.isComplete)
        sent.sent([hash(a): 40])
        #expect(sent.isComplete)
        var none = SentOnce(files: [hash(empty): 0])
        #expect(!none.isComplete)
        none.sent([:])
        #expect(none.isComplete)
    }
}
