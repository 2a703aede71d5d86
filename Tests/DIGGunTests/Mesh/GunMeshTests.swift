import Testing

@testable import DIGGun

@Suite("The mesh")
struct GunMeshTests {
    static let start = GunTime(instant: .now, unix: 1_795_255_900_000)

    private func mesh(_ change: (inout GunMeshConfiguration) -> Void = { _ in }, guards: [GunGuard] = []) -> GunMesh {
        var configuration = GunMeshConfiguration()
        change(&configuration)
        return GunMesh(configuration: configuration, guards: guards, actsAsStorage: true)
    }

    private func put(_ id: String, _ soul: String, _ state: Double = 1, _ value: String = "1") -> [UInt8] {
        Array("{\"#\":\"\(id)\",\"put\":{\"\(soul)\":{\"_\":{\"#\":\"\(soul)\",\">\":{\"k\":\(GunJSONWriter.number(state))}},\"k\":\(value)}}}".utf8)
    }

    private func texts(_ actions: [GunMesh.Action], to link: GunLinkID) -> [String] {
        actions.compactMap { action in
            guard case .send(let bytes, link) = action else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test("says [] every 20 s to those it accepted, and nothing to those it dialed")
    func keepAlive() {
        var mesh = self.mesh()
        let (accepted, _) = mesh.connected(to: nil, at: Self.start)
        let (dialed, greeting) = mesh.connected(to: "ws://relay/gun", at: Self.start)
        #expect(self.texts(greeting, to: dialed).count == 1)
        #expect(mesh.deadlineReached(at: Self.start.advanced(by: .seconds(19))) == [])
        #expect(mesh.deadlineReached(at: Self.start.advanced(by: .seconds(20))) == [.send(Array("[]".utf8), to: accepted)])
        #expect(mesh.deadlineReached(at: Self.start.advanced(by: .seconds(21))) == [])
        #expect(mesh.keepAliveDeadline == Self.start.instant + .seconds(40))
        #expect(mesh.received(Array("[]".utf8), from: accepted, at: Self.start) == [])
    }

    @Test("tells a relay that is connected what is its own and what it waits for")
    func reconnected() {
        var mesh = self.mesh()
        _ = mesh.put(["k": .number(1)], to: "own", at: Self.start)
        #expect(mesh.subscribe("watched") == true)
        let (relay, actions) = mesh.connected(to: "ws://relay/gun", at: Self.start)
        let texts = self.texts(actions, to: relay)
        #expect(texts.count == 3)
        #expect(texts[0].contains("\"dam\":\"hi\""))
        #expect(texts[1].contains("\"put\":{\"own\":"))
        #expect(texts[2].contains("\"get\":{\"#\":\"watched\"}"))
        mesh.unsubscribe("watched")
        mesh.disconnected(relay)
        #expect(mesh.connected(to: "ws://relay/gun", at: Self.start).1.count == 2)
    }

    @Test("closes a connection to itself")
    func ourselves() {
        var mesh = self.mesh()
        let (link, _) = mesh.connected(to: nil, at: Self.start)
        #expect(mesh.received(Array("{\"dam\":\"?\",\"#\":\"a\",\"pid\":\"\(mesh.pid)\"}".utf8), from: link, at: Self.start) == [.close(link, .ourselves)])
    }

    @Test("a put of a ring of relays passes each once")
    func loop() {
        // Five relays in a ring, and each also knows the one after the next.
        let count = 5
        var meshes = (0..<count).map { _ in self.mesh() }
        var ends: [[GunLinkID: (mesh: Int, link: GunLinkID)]] = Array(repeating: [:], count: count)
        for step in [1, 2] {
            for index in 0..<count {
                let other = (index + step) % count
                let (mine, _) = meshes[index].connected(to: "ws://r\(other)/gun".exact, at: Self.start)
                let (theirs, _) = meshes[other].connected(to: nil, at: Self.start)
                ends[index][mine] = (other, theirs)
                ends[other][theirs] = (index, mine)
            }
        }
        var frames = 0
        var queue = meshes[0].put(["k": .number(1)], to: "s", at: Self.start).actions.map { (0, $0) }
        while !queue.isEmpty {
            let (from, action) = queue.removeFirst()
            guard case .send(let bytes, let link) = action, let (to, theirs) = ends[from][link] else { continue }
            frames += 1
            #expect(frames < 200)
            if frames >= 200 { break }
            queue += meshes[to].received(bytes, from: theirs, at: Self.start).map { (to, $0) }
        }
        #expect(meshes.allSatisfy { $0.graph.node("s") != nil })
        // Each put goes at most once each way over each of ten connections, and so does each acknowledgement.
        #expect(frames <= 60)
    }

    @Test("a neighbour that gives every message a new id moves no more than its rate")
    func relabelling() {
        var mesh = self.mesh { $0.acceptedMessageRate = 10 }
        let (hostile, _) = mesh.connected(to: nil, at: Self.start)
        let (other, _) = mesh.connected(to: nil, at: Self.start)
        var passed = 0
        for index in 0..<2_000 { passed += self.texts(mesh.received(self.put("id\(index)", "s"), from: hostile, at: Self.start), to: other).count }
        #expect(passed == 200)
        #expect(mesh.statistics.throttledCount == 1_800)
        #expect(self.texts(mesh.received(self.put("later", "s"), from: hostile, at: Self.start.advanced(by: .seconds(1))), to: other).count == 1)
    }

    @Test("ids are remembered for 15 s after they were seen last, and so many at most")
    func log() {
        var log = MessageLog(lifetime: .seconds(15), maximumCount: 100)
        let start = Self.start.instant
        log.note(.message("a"), via: nil, now: start)
        #expect(log.isKnown(.message("a"), now: start + .seconds(14)) == true)
        #expect(log.isKnown(.message("a"), now: start + .seconds(28)) == true)
        #expect(log.isKnown(.message("a"), now: start + .seconds(44)) == false)
        for index in 0..<20_000 {
            log.note(.message(ExactText("i\(index)")), via: nil, now: start + .seconds(50))
            #expect(log.count <= 100)
        }
        #expect(log.isKnown(.message("i19999"), now: start + .seconds(50)) == true)
        #expect(log.isKnown(.message("i19899"), now: start + .seconds(50)) == false)
        #expect(log.isKnown(.message("i19999"), now: start + .seconds(70)) == false)
        #expect(log.count == 0)
    }

    @Test("answers come back to whoever asked, once, and to nobody else")
    func routing() {
        var mesh = self.mesh()
        let links = (0..<3).map { _ in mesh.connected(to: nil, at: Self.start).0 }
        let asked = mesh.received(Array("{\"#\":\"ask\",\"get\":{\"#\":\"s\"}}".utf8), from: links[0], at: Self.start)
        // Not found, and passed on to the two others.
        #expect(self.texts(asked, to: links[0]).count == 1)
        #expect(self.texts(asked, to: links[1]).count == 1)
        // A second "not found" says nothing new.
        #expect(mesh.received(Array("{\"#\":\"m1\",\"@\":\"ask\"}".utf8), from: links[1], at: Self.start) == [])
        let answer = "\"@\":\"ask\",\"put\":{\"s\":{\"_\":{\"#\":\"s\",\">\":{\"k\":1}},\"k\":1}}}"
        let first = mesh.received(Array("{\"#\":\"a1\",\(answer)".utf8), from: links[1], at: Self.start)
        #expect(self.texts(first, to: links[0]).count == 1)
        #expect(self.texts(first, to: links[2]).isEmpty)
        #expect(self.texts(mesh.received(Array("{\"#\":\"a2\",\(answer)".utf8), from: links[2], at: Self.start), to: links[0]) == [])
        // An answer to nothing is merged like any other, and goes nowhere.
        let stray = mesh.received(Array("{\"#\":\"a3\",\"@\":\"none\",\"put\":{\"t\":{\"_\":{\"#\":\"t\",\">\":{\"k\":1}},\"k\":1}}}".utf8), from: links[2], at: Self.start)
        #expect(links.allSatisfy { self.texts(stray, to: $0).isEmpty })
        #expect(mesh.statistics.unroutableCount == 1)
    }

    @Test("of a put that is partly forged the rest is passed on, and what is forged has no effect")
    func forged() {
        let guarded = GunGuard(prefix: "signed/") { _, _, entry, _ in entry.value == .text("good") }
        var mesh = self.mesh(guards: [guarded])
        let (one, _) = mesh.connected(to: nil, at: Self.start)
        let (two, _) = mesh.connected(to: nil, at: Self.start)
        let text =
            "{\"#\":\"p\",\"put\":{\"signed/s\":{\"_\":{\"#\":\"signed/s\",\">\":{\"a\":1,\"b\":1}},\"a\":\"good\",\"b\":\"bad\"},\"t\":{\"_\":{\"#\":\"t\",\">\":{\"k\":1}},\"k\":1}}}"
        let passed = self.texts(mesh.received(Array(text.utf8), from: one, at: Self.start), to: two)
        #expect(passed.count == 1)
        #expect(passed.first?.contains("good") == true && passed.first?.contains("bad") == false && passed.first?.contains("\"t\"") == true)
        #expect(mesh.graph.statistics.forgedCount == 1)
        #expect(self.texts(mesh.received(self.put("p2", "signed/s", 5), from: one, at: Self.start), to: two) == [])
        // The writer of a forgery is not told that it is stored.
        #expect(self.texts(mesh.received(self.put("p3", "signed/s", 6), from: one, at: Self.start), to: one) == [])
    }

    @Test("far states are told to nobody, near ones to all")
    func future() {
        var mesh = self.mesh()
        let (one, _) = mesh.connected(to: nil, at: Self.start)
        let (two, _) = mesh.connected(to: nil, at: Self.start)
        #expect(self.texts(mesh.received(self.put("near", "s", Self.start.unix + 1_000), from: one, at: Self.start), to: two).count == 1)
        #expect(self.texts(mesh.received(self.put("far", "s", Self.start.unix + 61_000), from: one, at: Self.start), to: two) == [])
        #expect(self.texts(mesh.received(self.put("never", "s", 1e308), from: one, at: Self.start), to: two) == [])
        #expect(mesh.deadlineReached(at: Self.start.advanced(by: .seconds(2))) == [.changed([.init(soul: "s", keys: ["k"])])])
    }

    @Test("too long a message is complained about, and the connection kept")
    func oversize() {
        var mesh = self.mesh { $0.limits.messageByteCount = 1_000 }
        let (link, _) = mesh.connected(to: nil, at: Self.start)
        let actions = mesh.received([UInt8](repeating: UInt8(ascii: " "), count: 1_001), from: link, at: Self.start)
        #expect(self.texts(actions, to: link).first?.contains("\"dam\":\"!\"") == true)
        #expect(mesh.linkCount == 1 && mesh.statistics.oversizeCount == 1)
    }
}

extension String {
    fileprivate var exact: ExactText { ExactText(self) }
}
