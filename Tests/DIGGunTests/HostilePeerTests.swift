import DIGAnnouncement
import DIGContent
import Testing

@testable import DIGGun

/// Whatever a peer sends: no effect but a counter, and memory stays bounded.
@Suite("A hostile peer of GUN")
struct HostilePeerTests {
    private static let start = GunMeshTests.start

    private func mesh(_ change: (inout GunMeshConfiguration) -> Void = { _ in }) -> (GunMesh, GunLinkID) {
        var configuration = GunMeshConfiguration()
        // Everything but the rate is to be seen.
        configuration.acceptedMessageRate = 1e9
        configuration.byteRate = 1e12
        change(&configuration)
        var mesh = GunMesh(configuration: configuration, guards: GunNamespace.standard.guards, actsAsStorage: true)
        let (link, _) = mesh.connected(to: nil, at: Self.start)
        return (mesh, link)
    }

    @Test("a graph bomb: nodes that link to each other, deep nesting, wide objects")
    func bomb() {
        var (mesh, link) = self.mesh { $0.graph.byteCount = 500_000 }
        for round in 0..<30 {
            let nodes = (0..<100).map { index in
                let soul = "b\(round)-\(index)"
                let keys = (0..<10).map { "\"k\($0)\":1" }.joined(separator: ",")
                let links = (0..<10).map { "\"k\($0)\":{\"#\":\"b\(round)-\((index * 7 + $0) % 100)\"}" }.joined(separator: ",")
                return "\"\(soul)\":{\"_\":{\"#\":\"\(soul)\",\">\":{\(keys)}},\(links)}"
            }
            _ = mesh.received(Array("{\"#\":\"bomb\(round)\",\"put\":{\(nodes.joined(separator: ","))}}".utf8), from: link, at: Self.start)
            #expect(mesh.graph.byteCount <= 500_000)
        }
        let deep = String(repeating: "{\"a\":", count: 50_000)
        #expect(mesh.received(Array(deep.utf8), from: link, at: Self.start) == [])
        let arrays = String(repeating: "[", count: 100_000)
        #expect(mesh.received(Array(arrays.utf8), from: link, at: Self.start) == [])
        let wide = "[" + Array(repeating: "1", count: 100_000).joined(separator: ",") + "]"
        #expect(mesh.received(Array(wide.utf8), from: link, at: Self.start) == [])
        #expect(mesh.statistics.malformedCount == 3)
    }

    @Test("souls by the ten thousand: the bounds hold, and what is its own stays")
    func souls() {
        var (mesh, link) = self.mesh { $0.graph.nodeCount = 1_000 }
        _ = mesh.put(["k": .number(1)], to: "own", at: Self.start)
        for round in 0..<20 {
            let nodes = (0..<500).map { "\"f\(round)-\($0)\":{\"_\":{\"#\":\"f\(round)-\($0)\",\">\":{\"k\":1}},\"k\":1}" }
            _ = mesh.received(Array("{\"#\":\"flood\(round)\",\"put\":{\(nodes.joined(separator: ","))}}".utf8), from: link, at: Self.start)
            #expect(mesh.graph.nodeCount <= 1_000)
        }
        #expect(mesh.graph.node("own") != nil)
        #expect(mesh.graph.statistics.evictedNodeCount >= 9_000)
    }

    @Test("ten thousand hosts of one hash without a signature, or with another's: none is taken")
    func providers() {
        var (mesh, link) = self.mesh()
        let soul = GunNamespace.standard.content(RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [7]))))
        for index in 0..<10_000 {
            let text = "{\"#\":\"p\(index)\",\"put\":{\"\(soul)\":{\"_\":{\"#\":\"\(soul)\",\">\":{\"peer\(index)\":1795255899999}},\"peer\(index)\":\"AAAA\"}}}"
            #expect(mesh.received(Array(text.utf8), from: link, at: Self.start) == [])
        }
        #expect(mesh.graph.nodeCount == 0)
        #expect(mesh.graph.statistics.forgedCount == 10_000)
    }

    @Test("a value of 1 MiB is too long a message")
    func bigValue() {
        var (mesh, link) = self.mesh()
        let value = String(repeating: "x", count: 1 << 20)
        let actions = mesh.received(Array("{\"#\":\"big\",\"put\":{\"s\":{\"_\":{\"#\":\"s\",\">\":{\"k\":1}},\"k\":\"\(value)\"}}}".utf8), from: link, at: Self.start)
        #expect(actions.count == 1)
        #expect(mesh.graph.nodeCount == 0 && mesh.statistics.oversizeCount == 1)
    }

    @Test("ids by the ten thousand are forgotten again")
    func ids() {
        var (mesh, link) = self.mesh { $0.messageCount = 1_000 }
        for index in 0..<10_000 {
            _ = mesh.received(Array("{\"#\":\"g\(index)\",\"get\":{\"#\":\"s\"}}".utf8), from: link, at: Self.start)
            #expect(mesh.knownMessageCount <= 1_000)
        }
    }

    @Test("a put that claims another's id is dropped while that is known, whatever is in it")
    func idTheft() {
        var (mesh, link) = self.mesh()
        let (other, _) = mesh.connected(to: nil, at: Self.start)
        let put = { (value: Int) in Array("{\"#\":\"same\",\"put\":{\"s\":{\"_\":{\"#\":\"s\",\">\":{\"k\":\(value)}},\"k\":\(value)}}}".utf8) }
        _ = mesh.received(put(1), from: other, at: Self.start)
        #expect(mesh.received(put(2), from: link, at: Self.start) == [])
        #expect(mesh.graph.node("s")?["k"] == .number(1))
    }

    @Test("garbage of every kind does not stop the next message")
    func garbage() {
        var (mesh, link) = self.mesh()
        var generator = Generator(seed: 99)
        let seed = Array("[{\"#\":\"x\",\"@\":\"y\",\"##\":1,\"put\":{\"s\":{\"_\":{\"#\":\"s\",\">\":{\"k\":1}},\"k\":\"v\"}}},{\"get\":{\"#\":{\"*\":\"\"},\".\":{\">\":\"a\"}}}]".utf8)
        for _ in 0..<3_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = mesh.received(bytes, from: link, at: Self.start)
        }
        let actions = mesh.received(Array("{\"#\":\"fine\",\"get\":{\"#\":\"nothing\"}}".utf8), from: link, at: Self.start)
        #expect(!actions.isEmpty)
    }
}
