import Testing

@testable import DIGGun

@Suite("HAM")
struct HAMTests {
    private static let now = 1_795_255_900_000.0

    @Test("decides by state first")
    func states() {
        let known = GunEntry(.text("m"), state: 100)
        #expect(HAM.decide(GunEntry(.text("a"), state: 101), known: known, now: Self.now) == .taken)
        #expect(HAM.decide(GunEntry(.text("z"), state: 99), known: known, now: Self.now) == .historical)
        #expect(HAM.decide(GunEntry(.text("z"), state: Self.now + 0.5), known: known, now: Self.now) == .deferred)
        #expect(HAM.decide(GunEntry(.text("z"), state: Self.now), known: known, now: Self.now) == .taken)
        #expect(HAM.decide(GunEntry(.null, state: -.greatestFiniteMagnitude), known: nil, now: Self.now) == .taken)
    }

    @Test("then by JSON text: of each two values of the recording the same wins, whichever is there first")
    func values() {
        let order: [GunValue] = [.text("a"), .text("m"), .text("n"), .number(5), .null, .bool(true), .link("x")]
        for (i, left) in order.enumerated() {
            for (j, right) in order.enumerated() {
                let verdict = HAM.decide(GunEntry(right, state: 7), known: GunEntry(left, state: 7), now: Self.now)
                #expect(verdict == (j > i ? .taken : .converged))
            }
        }
        #expect(HAM.decide(GunEntry(.number(10), state: 7), known: GunEntry(.number(9), state: 7), now: Self.now) == .converged)
        #expect(HAM.decide(GunEntry(.number(-0.0), state: 7), known: GunEntry(.number(0), state: 7), now: Self.now) == .converged)
        // By UTF-16: a surrogate pair begins below U+FF5E.
        #expect(HAM.decide(GunEntry(.text("\u{FF5E}"), state: 7), known: GunEntry(.text("\u{10000}"), state: 7), now: Self.now) == .taken)
    }

    @Test("every order of the same writes ends in the same graph")
    func convergence() {
        var generator = Generator(seed: 4)
        var writes: [(ExactText, GunEntry)] = []
        for _ in 0..<200 {
            let values: [GunValue] = [.null, .bool(true), .bool(false), .number(Double(Int.random(in: 0..<20, using: &generator))), .text("t"), .link("l")]
            writes.append(
                (ExactText("k\(Int.random(in: 0..<5, using: &generator))"), GunEntry(values.randomElement(using: &generator) ?? .null, state: Double(Int.random(in: 0..<6, using: &generator)))))
        }
        var expected: GunNode?
        for _ in 0..<20 {
            writes.shuffle(using: &generator)
            var graph = GunGraph()
            for (key, entry) in writes { _ = graph.write(entry, to: key, of: "s", now: Self.now) }
            let node = graph.node("s")
            #expect(node == expected ?? node)
            expected = node
        }
    }
}

struct Generator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
