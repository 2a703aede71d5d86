import Testing

@testable import DIGGun

@Suite("The graph")
struct GunGraphTests {
    private static let now = 1_795_255_900_000.0

    private func limits(_ change: (inout GunGraphLimits) -> Void) -> GunGraphLimits {
        var limits = GunGraphLimits()
        change(&limits)
        return limits
    }

    private func entry(_ text: String = "v", _ state: Double = 1) -> GunEntry { GunEntry(.text(text), state: state) }

    @Test("forgets what was used least recently, strangers' before what is signed, and never its own")
    func eviction() {
        let guarded = GunGuard(prefix: "signed/") { _, _, _, _ in true }
        var graph = GunGraph(limits: self.limits { $0.nodeCount = 10 }, guards: [guarded])
        _ = graph.write(self.entry(), to: "k", of: "own", now: Self.now, isOwn: true)
        for index in 0..<3 { _ = graph.write(self.entry(), to: "k", of: ExactText("signed/\(index)"), now: Self.now) }
        for index in 0..<1_000 {
            _ = graph.write(self.entry(), to: "k", of: ExactText("flood\(index)"), now: Self.now)
            graph.touch("flood0")
            #expect(graph.nodeCount <= 10)
        }
        #expect(graph.node("own") != nil)
        #expect((0..<3).allSatisfy { graph.node(ExactText("signed/\($0)")) != nil })
        #expect(graph.node("flood0") != nil)
        #expect(graph.node("flood999") != nil)
        #expect(graph.node("flood1") == nil)
        for index in 3..<100 { _ = graph.write(self.entry(), to: "k", of: ExactText("signed/\(index)"), now: Self.now) }
        #expect(graph.nodeCount == 10)
        #expect(graph.node("own") != nil)
        #expect(graph.node("signed/99") != nil)
    }

    @Test("counts its bytes, and stays below the limit")
    func bytes() {
        var graph = GunGraph(limits: self.limits { $0.byteCount = 100_000 })
        var generator = Generator(seed: 1)
        for _ in 0..<3_000 {
            let soul = ExactText("s\(Int.random(in: 0..<300, using: &generator))")
            let text = String(repeating: "x", count: Int.random(in: 0..<500, using: &generator))
            _ = graph.write(
                self.entry(text, Double(Int.random(in: 0..<100, using: &generator))), to: ExactText("k\(Int.random(in: 0..<5, using: &generator))"), of: soul,
                now: Self.now)
            #expect(graph.byteCount <= 100_000)
        }
        for index in 0..<300 { graph.forget(ExactText("s\(index)")) }
        #expect(graph.byteCount == 0)
        #expect(graph.nodeCount == 0)
    }

    @Test("has room for so many keys in a node: strangers' are refused, guarded ones push out the oldest, and its own always find room")
    func quota() {
        let guarded = GunGuard(prefix: "signed/") { _, _, _, _ in true }
        var graph = GunGraph(limits: self.limits { $0.keyCount = 5 }, guards: [guarded])
        for index in 0..<10 {
            let outcome = graph.write(self.entry("v", Double(index)), to: ExactText("k\(index)"), of: "free", now: Self.now)
            #expect(outcome == (index < 5 ? .taken : .refused))
            #expect(graph.write(self.entry("v", Double(index)), to: ExactText("k\(index)"), of: "signed/s", now: Self.now) == .taken)
        }
        #expect(graph.write(self.entry("w", 100), to: "k0", of: "free", now: Self.now) == .taken)
        #expect(graph.node("free")?.entries.keys.sorted() == ["k0", "k1", "k2", "k3", "k4"])
        #expect(graph.node("signed/s")?.entries.keys.sorted() == ["k5", "k6", "k7", "k8", "k9"])
        #expect(graph.write(self.entry("old", 1), to: "k1", of: "signed/s", now: Self.now) == .refused)
        #expect(graph.write(self.entry(), to: "mine", of: "free", now: Self.now, isOwn: true) == .taken)
        #expect(graph.node("free")?.entries.count == 5)
    }

    @Test("keeps future writes until their time, nearest first, and far ones in quarantine")
    func future() {
        var graph = GunGraph()
        #expect(graph.write(self.entry("later", Self.now + 2_000), to: "k", of: "s", now: Self.now) == .deferred)
        #expect(graph.write(self.entry("sooner", Self.now + 1_000), to: "k", of: "s", now: Self.now) == .deferred)
        #expect(graph.write(self.entry("far", Self.now + 61_000), to: "k", of: "s", now: Self.now) == .quarantined)
        #expect(graph.write(self.entry("absurd", Self.now + 90_000_000), to: "k", of: "s", now: Self.now) == .refused)
        #expect(graph.node("s") == nil)
        #expect(graph.timeCame(now: Self.now + 999) == [])
        #expect(graph.timeCame(now: Self.now + 1_000) == [.init(soul: "s", keys: ["k"])])
        #expect(graph.node("s")?["k"] == .text("sooner"))
        _ = graph.timeCame(now: Self.now + 100_000)
        #expect(graph.node("s")?["k"] == .text("far"))
        #expect(graph.deferredCount == 0)
    }

    @Test("a flood of future states pushes out the furthest, and not the write of a clock that is a little fast", arguments: [1.0, 50_000, 80_000_000])
    func futureFlood(_ ahead: Double) {
        var graph = GunGraph()
        _ = graph.write(self.entry("honest", Self.now + 0.5), to: "k", of: "s", now: Self.now)
        for index in 0..<5_000 {
            _ = graph.write(self.entry("x", Self.now + ahead + Double(index)), to: "k", of: ExactText("f\(index)"), now: Self.now)
        }
        #expect(graph.deferredCount == 1_024)
        #expect(graph.nodeCount == 0)
        _ = graph.timeCame(now: Self.now + 1)
        #expect(graph.node("s")?["k"] == .text("honest"))
        #expect(graph.statistics.droppedDeferredCount >= 3_900)
    }

    @Test("states that are no numbers, or beyond all numbers, change nothing", arguments: [Double.infinity, -.infinity, .nan, 1e308])
    func absurdStates(_ state: Double) {
        var graph = GunGraph()
        #expect(graph.write(self.entry("x", state), to: "k", of: "s", now: Self.now) == .refused)
        #expect(graph.nodeCount == 0 && graph.deferredCount == 0)
    }

    @Test("a guard keeps out what it does not admit, also what comes later")
    func guards() {
        let guarded = GunGuard(prefix: "mine/") { _, key, entry, _ in entry.value == .text(key) }
        var graph = GunGraph(guards: [guarded])
        #expect(graph.write(self.entry("k"), to: "k", of: "mine/a", now: Self.now) == .taken)
        #expect(graph.write(self.entry("forged", 2), to: "k", of: "mine/a", now: Self.now) == .forged)
        #expect(graph.write(GunEntry(.null, state: 2), to: "k", of: "mine/a", now: Self.now) == .forged)
        #expect(graph.write(self.entry("forged", Self.now + 100), to: "k", of: "mine/a", now: Self.now) == .forged)
        #expect(graph.deferredCount == 0)
        #expect(graph.node("mine/a")?["k"] == .text("k"))
    }

    @Test("what is kept comes back as it was, own nodes as own")
    func restore() async throws {
        let storage = GunMemoryStorage()
        var graph = GunGraph()
        _ = graph.write(self.entry("mine"), to: "k", of: "own", now: Self.now, isOwn: true)
        _ = graph.write(self.entry("theirs"), to: "k", of: "other", now: Self.now)
        _ = graph.write(self.entry("gone"), to: "k", of: "gone", now: Self.now)
        var (changed, removed) = graph.takeChanges(limit: 100)
        try await storage.save(changed, removing: removed)
        graph.forget("gone")
        (changed, removed) = graph.takeChanges(limit: 100)
        #expect(changed.isEmpty && removed == ["gone"])
        try await storage.save(changed, removing: removed)
        var next = GunGraph()
        for node in try await storage.load(limit: 100) { next.restore(node, now: Self.now) }
        #expect(next.node("own") == graph.node("own") && next.node("other") == graph.node("other") && next.nodeCount == 2)
        #expect(next.ownSouls == ["own"])
        #expect(!next.hasChanges)
    }

    @Test("states of this node's writes grow, in steps of 1/999 within a millisecond")
    func clock() {
        var clock = GunClock()
        let step: Double = 1.0 / 999
        let states: [Double] = [5.7, 5.8, 5.9, 6].map { clock.next(now: $0) }
        let expected: [Double] = [5, 5 + step, 5 + 2 * step, 6]
        #expect(states == expected)
        #expect(clock.next(now: 3) > 6)
        #expect(GunJSONWriter.number(1_795_255_723_453 + step) == "1795255723453.001")
    }
}
