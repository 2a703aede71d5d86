import Testing

@testable import DIGTransfer

@Suite("request window")
struct RequestWindowTests {
    static let chunk = 64 * 1024
    let start = ContinuousClock.now

    /// Keeps the window full over a link of `rate` bytes per second for `seconds`.
    func run(_ window: inout RequestWindow, rate: Double, roundTrip: Duration, seconds: Double, from time: inout ContinuousClock.Instant) {
        let end = time + .seconds(seconds)
        var isFirst = true
        while time < end {
            // A window is asked for; it arrives at the link's rate but not faster than one window per round trip.
            let size = window.byteCount
            window.filled()
            let span = max(Double(size) / rate, roundTrip.seconds)
            let count = max(1, size / Self.chunk)
            for index in 1...count {
                let at = time + .seconds(span * Double(index) / Double(count))
                window.received(Self.chunk, roundTrip: isFirst ? roundTrip : nil, now: at)
                isFirst = false
            }
            time += .seconds(span)
        }
    }

    @Test("starts with five chunks")
    func initial() {
        #expect(RequestWindow(chunkByteCount: Self.chunk, now: self.start).byteCount == 5 * Self.chunk)
    }

    @Test("grows to many MiB where the link takes it")
    func fast() {
        var window = RequestWindow(chunkByteCount: Self.chunk, now: self.start)
        var time = self.start
        self.run(&window, rate: 500e6, roundTrip: .milliseconds(1), seconds: 2, from: &time)
        #expect(window.byteCount == RequestWindow.maximumByteCount)
    }

    @Test("covers the product of rate and round trip on a long link")
    func long() {
        var window = RequestWindow(chunkByteCount: Self.chunk, now: self.start)
        var time = self.start
        self.run(&window, rate: 12.5e6, roundTrip: .milliseconds(200), seconds: 20, from: &time)
        #expect(window.byteCount >= 2_500_000)
        #expect(window.byteCount <= 8_000_000)
    }

    @Test("stays small on a slow link")
    func slow() {
        var window = RequestWindow(chunkByteCount: Self.chunk, now: self.start)
        var time = self.start
        self.run(&window, rate: 200e3, roundTrip: .milliseconds(50), seconds: 60, from: &time)
        #expect(window.byteCount <= 20 * Self.chunk)
    }

    @Test("follows a link that becomes faster, and one that becomes slower")
    func step() {
        var window = RequestWindow(chunkByteCount: Self.chunk, now: self.start)
        var time = self.start
        self.run(&window, rate: 2e6, roundTrip: .milliseconds(100), seconds: 20, from: &time)
        let before = window.byteCount
        self.run(&window, rate: 40e6, roundTrip: .milliseconds(100), seconds: 60, from: &time)
        let faster = window.byteCount
        #expect(faster > 4 * before)
        self.run(&window, rate: 2e6, roundTrip: .milliseconds(100), seconds: 60, from: &time)
        #expect(window.byteCount < faster / 4)
    }

    @Test("starts over after a stall")
    func stall() {
        var window = RequestWindow(chunkByteCount: Self.chunk, now: self.start)
        var time = self.start
        self.run(&window, rate: 500e6, roundTrip: .milliseconds(1), seconds: 1, from: &time)
        window.stalled(now: time)
        #expect(window.byteCount == 5 * Self.chunk)
        #expect(window.rate == 0)
    }
}

@Suite("rate meter")
struct RateMeterTests {
    @Test("measures a steady rate, and forgets it within its window")
    func steady() {
        let start = ContinuousClock.now
        var meter = RateMeter(now: start)
        let result24 = meter.rate(now: start + .seconds(1))
        #expect(result24 == 0)
        for step in 1...100 { meter.record(10_000, now: start + .milliseconds(100 * step)) }
        let rate = meter.rate(now: start + .seconds(10))
        #expect(rate > 90_000 && rate < 115_000)
        let result25 = meter.rate(now: start + .seconds(14))
        #expect(result25 == 0)
    }

    @Test("is the mean since the start while it is young")
    func young() {
        let start = ContinuousClock.now
        var meter = RateMeter(now: start)
        meter.record(1000, now: start + .milliseconds(100))
        let rate = meter.rate(now: start + .milliseconds(100))
        #expect(rate > 9_000 && rate < 11_000)
    }
}
