import Testing

@testable import DIGGun

/// What gun.js answered, to the letter: see Fixtures/README.md.
@Suite("Recorded frames of gun.js")
struct ReplayTests {
    /// Milliseconds since 1970 at `t` 0: so that nothing in the recording was written in the future.
    private func replay(_ name: String, storage: Bool) throws -> Replay {
        var base = 1_795_000_000_000.0
        for frame in try Fixture(name).frames where frame.isInput {
            guard case .success(let messages) = Result(catching: { try GunCodec.decode(Array(frame.raw.utf8)) }) else { continue }
            for case .success(let message) in messages {
                for node in message.put ?? [] {
                    for entry in node.entries.values { base = max(base, entry.state - frame.time + 1) }
                }
            }
        }
        return Replay(actsAsStorage: storage, base: base)
    }

    @Test(
        "are answered as the relay did",
        arguments: [
            ("put_ack", true), ("put_no_storage", false), ("hash", false), ("dedup", false), ("map", false), ("subscribe", false), ("lex", true),
            ("keepalive", false),
        ])
    func whole(_ name: String, _ storage: Bool) throws {
        var replay = try self.replay(name, storage: storage)
        replay.play(try Fixture(name).frames)
        replay.expectEnd()
    }

    @Test("of the registry: register, find, list, unregister")
    func registry() throws {
        // Clients have some keys of a node and answer with them; the relay's disk answers once more. What is compared is the asker's first answer
        // and everything the relay passes on.
        var replay = try self.replay("dig_registry", storage: true)
        replay.play(try Fixture("dig_registry").frames)
        replay.expectEnd()
        let link = replay.graph.entry("dig-nat-tools", "host-0001")
        #expect(link == GunEntry(.null, state: 1_795_257_272_203))
        #expect(replay.graph.node("dig-nat-tools/host-0001")?["directHttp_port"] == .number(8080))
    }

    @Test("of the registry at a relay without storage, which answers nothing that it does not know")
    func registryInMemory() throws {
        var replay = try self.replay("dig_registry_memory", storage: false)
        replay.play(try Fixture("dig_registry_memory").frames)
        replay.expectEnd()
        #expect(replay.graph.entry("dig-nat-tools", "host-0001") == GunEntry(.null, state: 1_795_257_315_079))
    }

    @Test("of a client that is cut off and comes back: it is told what has changed meanwhile")
    func reconnection() throws {
        var replay = try self.replay("reconnect", storage: false)
        var frames = try Fixture("reconnect").frames
        for index in frames.indices where frames[index].connection == "B" && frames[index].time > 4_000 { frames[index].connection = "B again" }
        replay.play(frames.filter { $0.time < 2_000 })
        replay.disconnect("B")
        replay.play(frames.filter { $0.time > 2_000 })
        replay.expectEnd()
        #expect(replay.graph.node("room")?["topic"] == .text("two"))
    }

    @Test("that a relay sends, also one with AXE on, a client of ours takes", arguments: [
        "axe", "batch", "dedup", "dig_registry", "dig_registry_memory", "get_hit", "get_miss", "ham", "hash", "hello", "keepalive", "lex", "map", "put_ack",
        "put_no_storage", "reconnect", "relay_chain", "subscribe",
    ])
    func client(_ name: String) throws {
        let frames = try Fixture(name).frames.filter { !$0.isInput }
        let time = GunTime(instant: .now, unix: 1_800_000_000_000)
        var clients: [String: (mesh: GunMesh, link: GunLinkID)] = [:]
        for connection in Set(frames.map(\.connection)) {
            var mesh = GunMesh(configuration: .init(), actsAsStorage: false)
            let (link, _) = mesh.connected(to: "ws://relay/gun", at: time)
            clients[connection] = (mesh, link)
        }
        for frame in frames {
            guard let link = clients[frame.connection]?.link else { continue }
            _ = clients[frame.connection]?.mesh.received(Array(frame.raw.utf8), from: link, at: time)
        }
        for (connection, client) in clients {
            let statistics = client.mesh.statistics
            #expect(statistics.malformedCount + statistics.malformedEntryCount + statistics.oversizeCount + statistics.throttledCount == 0, "\(connection)")
        }
        if name == "axe" {
            for connection in ["B", "C"] { #expect(clients[connection]?.mesh.graph.node("ax")?["v"] == .number(2)) }
        }
    }

    @Test("of two peers that greet, and one that does not")
    func hello() throws {
        var replay = try self.replay("hello", storage: false)
        replay.play(try Fixture("hello").frames)
        replay.expectEnd("neither an unknown verb nor an answered question is answered")
    }

    @Test("of gets that nothing answers, at a relay with storage and at one without")
    func misses() throws {
        let frames = try Fixture("get_miss").frames
        for storage in [false, true] {
            var replay = try self.replay("get_miss", storage: storage)
            replay.play(frames.filter { ($0.time > 16_000) == storage })
            replay.expectEnd()
        }
    }

    @Test("of gets, with answers of other clients that come back along the way of the get")
    func hits() throws {
        var replay = try self.replay("get_hit", storage: false)
        replay.play(try Fixture("get_hit").frames)
        replay.expectEnd()
    }

    @Test("of a node of 25 keys: the same chunks with the same hashes")
    func chunks() throws {
        var replay = try self.replay("batch", storage: true)
        let frames = try Fixture("batch").frames
        for frame in frames {
            if frame.connection == "A", frame.time < 1000, frame.raw.contains("hi") { replay.connect("A", at: 0) }
            if frame.connection == "A", frame.isInput, frame.time < 3000 { replay.input(frame) }
        }
        let node = try #require(replay.graph.node("wide"))
        #expect(node.entries.count == 25)
        let hashes = GunMesh.chunks(of: [node], GunQuery(soul: "wide")).map { GunHash.hash(GunNode.json($0)) }
        #expect(hashes == [-94_224_702, 1_141_922_837, -1_485_853_117])
        #expect(GunHash.hash(GunNode.json([node])) == -1_386_112_912)
    }

    @Test("of every conflict: the same winner after each write, and everything passed on")
    func conflicts() throws {
        // One write is two seconds ahead when it is sent.
        var replay = Replay(actsAsStorage: false, base: 1_795_255_957_382 - 2_000 - 4_462)
        let lines = try Fixture("ham").lines
        var checked = 0
        var waits = false
        for line in lines {
            switch line {
            case .frame(let frame):
                if replay.count(on: frame.connection) == 0 { replay.connect(frame.connection, at: frame.time) }
                if frame.isInput { replay.input(frame) } else { replay.expect(frame) }
            case .note(let note):
                guard let expected = note["h"] else { continue }
                // The last but one look at the future write comes after its time.
                let text = GunJSONWriter.string(expected)
                if text.contains("future"), !waits {
                    waits = true
                    replay.pass(to: 6_900)
                }
                let node = try #require(replay.graph.node("h"))
                #expect(GunJSONWriter.string(node.json) == text)
                checked += 1
            }
        }
        #expect(checked == 12)
        replay.expectEnd()
    }

    @Test("of what is invalid: the same graph but for a state that is text, and nothing of it is passed on")
    func invalid() throws {
        var replay = try self.replay("invalid", storage: false)
        for frame in try Fixture("invalid").frames {
            if replay.count(on: frame.connection) == 0 { replay.connect(frame.connection, at: 0) }
            if frame.isInput { replay.input(frame) }
        }
        // The greeting, the good key of i8, the put of i12.
        #expect(replay.count(on: "B") == 3)
        #expect(replay.count(on: "A") == 1)
        #expect(replay.graph.node("s")?.entries == ["a": GunEntry(.number(1), state: 1_795_255_710_268)])
        #expect(replay.graph.node("p")?["v"] == .number(1))
    }

    @Test("of ids that begin with another's: taken for what they are, where gun.js drops the second")
    func collidingIDs() throws {
        var replay = try self.replay("id_collision", storage: false)
        for frame in try Fixture("id_collision").frames {
            if replay.count(on: frame.connection) == 0 { replay.connect(frame.connection, at: 0) }
            if frame.isInput { replay.input(frame) }
        }
        #expect(replay.graph.node("c")?.entries.count == 3)
        #expect(replay.count(on: "B") == 4)
    }

    @Test("through two relays: both answer and pass on as theirs did")
    func chain() throws {
        let frames = try Fixture("relay_chain").frames
        // R1 is reached by A and by R2, whose frames are recorded; R2 by B and C, and it dialed R1.
        var first = try self.replay("relay_chain", storage: false)
        for frame in frames where frame.connection.hasSuffix(">R1") {
            if first.count(on: frame.connection) == 0 { first.connect(frame.connection, at: frame.time) }
            if frame.isInput { first.input(frame) }
        }
        for frame in frames where frame.connection.hasSuffix(">R1") && !frame.isInput { first.expect(frame) }
        first.expectEnd()

        var second = try self.replay("relay_chain", storage: false)
        for var frame in frames where frame.connection.hasSuffix(">R2") || frame.connection == "R2>R1" {
            let isDialed = frame.connection == "R2>R1"
            if second.count(on: frame.connection) == 0 {
                second.connect(frame.connection, at: frame.time, dialing: isDialed ? "ws://127.0.0.1:42539/gun" : nil)
            }
            // On this connection R2 is the one that dialed.
            if isDialed { frame.isInput.toggle() }
            if frame.isInput { second.input(frame) }
        }
        for var frame in frames where frame.connection.hasSuffix(">R2") || frame.connection == "R2>R1" {
            if frame.connection == "R2>R1" { frame.isInput.toggle() }
            if !frame.isInput { second.expect(frame) }
        }
        second.expectEnd()
    }
}
