import DIGCommandLine
import Testing

@Suite("Progress presenter")
struct ProgressPresenterTests {
    let start = ContinuousClock.now

    private func snapshot(_ byteCount: UInt64) -> ProgressSnapshot {
        ProgressSnapshot(.receiving, name: "x", byteCount: byteCount, total: 100)
    }

    @Test("rewrites one line at most ten times a second")
    func bar() throws {
        var presenter = ProgressPresenter(style: .bar(Terminal(isInteractive: true, columns: 60)))
        let output = presenter.update(self.snapshot(0), now: self.start)
        let first = try #require(output)
        #expect(first.hasPrefix("\r"))
        #expect(first.hasSuffix("\u{1B}[K"))
        #expect(presenter.update(self.snapshot(1), now: self.start + .milliseconds(99)) == nil)
        #expect(presenter.update(self.snapshot(2), now: self.start + .milliseconds(100)) != nil)
        #expect(presenter.interrupted() == "\r\u{1B}[K")
        #expect(presenter.interrupted() == nil)
        #expect(presenter.update(self.snapshot(3), now: self.start + .milliseconds(101)) != nil)
    }

    @Test("prints plain lines at intervals, the first after one interval")
    func lines() {
        var presenter = ProgressPresenter(style: .lines)
        #expect(presenter.update(self.snapshot(0), now: self.start) == nil)
        #expect(presenter.update(self.snapshot(10), now: self.start + .seconds(4)) == nil)
        #expect(presenter.update(self.snapshot(20), now: self.start + .seconds(5)) == "x: 20 %, 20 B of 100 B, 4 B/s, 0:20 left\n")
        #expect(presenter.interrupted() == nil)
    }

    @Test("writes one event on a line with --json, and nothing with --quiet")
    func jsonAndSilent() {
        var json = ProgressPresenter(style: .json)
        #expect(json.update(self.snapshot(0), now: self.start)?.hasSuffix("}\n") == true)
        #expect(json.update(self.snapshot(1), now: self.start + .milliseconds(499)) == nil)
        #expect(json.update(self.snapshot(1), now: self.start + .milliseconds(500)) != nil)
        var silent = ProgressPresenter(style: .silent)
        #expect(silent.update(self.snapshot(0), now: self.start) == nil)
        #expect(silent.interrupted() == nil)
    }

    @Test("starts counting again for the next file")
    func nextFile() {
        var presenter = ProgressPresenter(style: .lines)
        for second in 0...5 { _ = presenter.update(self.snapshot(UInt64(second)), now: self.start + .seconds(second)) }
        #expect(presenter.rate(now: self.start + .seconds(5)) != nil)
        #expect(presenter.update(ProgressSnapshot(.receiving, name: "y", byteCount: 0, total: 9), now: self.start + .seconds(6)) == nil)
        #expect(presenter.rate(now: self.start + .seconds(6)) == nil)
    }
}
