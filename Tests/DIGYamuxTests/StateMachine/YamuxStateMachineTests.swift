import DIGNet
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGYamux

@Suite("Yamux state machine")
struct YamuxStateMachineTests {
    private let now = NIODeadline.uptimeNanoseconds(5_000_000_000)
    private let window = 262_144

    private func machine(listener: Bool = false, _ change: (inout YamuxConfiguration) -> Void = { _ in }) -> YamuxStateMachine {
        var configuration = YamuxConfiguration()
        change(&configuration)
        return YamuxStateMachine(role: listener ? .listener : .dialer, configuration: configuration, now: self.now)
    }

    private func data(_ id: UInt32, _ flags: YamuxFlags = [], _ length: UInt32 = 0) -> YamuxHeader {
        YamuxHeader(kind: .data, flags: flags, streamID: id, length: length)
    }

    private func update(_ id: UInt32, _ flags: YamuxFlags = [], _ length: UInt32 = 0) -> YamuxHeader {
        YamuxHeader(kind: .windowUpdate, flags: flags, streamID: id, length: length)
    }

    @Test("the dialer opens odd streams, the listener even ones")
    func parity() {
        var dialer = self.machine()
        var listener = self.machine(listener: true)
        #expect([dialer.openStream(now: self.now), dialer.openStream(now: self.now)] == [.opened(1), .opened(3)])
        #expect([listener.openStream(now: self.now), listener.openStream(now: self.now)] == [.opened(2), .opened(4)])
    }

    @Test("SYN rides on the first frame, ACK on the first answer")
    func flags() {
        var dialer = self.machine()
        var listener = self.machine(listener: true)
        #expect(dialer.openStream(now: self.now) == .opened(1))
        #expect(dialer.sendData(1, byteCount: 3) == self.data(1, .syn, 3))
        #expect(dialer.announce(1) == nil)
        #expect(dialer.sendData(1, byteCount: 3) == self.data(1, [], 3))
        #expect(listener.received(self.data(1, .syn, 3), now: self.now) == .stream(.init(streamID: 1, isNew: true)))
        #expect(listener.sendData(1, byteCount: 1) == self.data(1, .ack, 1))
        #expect(listener.sendData(1, byteCount: 1) == self.data(1, [], 1))
        #expect(dialer.unacknowledgedStreamCount == 1)
        #expect(dialer.received(self.data(1, .ack, 1), now: self.now) == .stream(.init(streamID: 1)))
        #expect(dialer.unacknowledgedStreamCount == 0)
        #expect(dialer.openStream(now: self.now) == .opened(3))
        #expect(dialer.announce(3) == self.update(3, .syn))
    }

    @Test("both halves finish in either order, and the stream is gone")
    func finish() {
        for peerFirst in [true, false] {
            var machine = self.machine(listener: true)
            #expect(machine.received(self.update(1, .syn), now: self.now) == .stream(.init(streamID: 1, isNew: true)))
            if peerFirst {
                #expect(machine.received(self.data(1, .fin, 5), now: self.now) == .stream(.init(streamID: 1, isFinished: true)))
                #expect(machine.finish(1) == self.update(1, [.ack, .fin]))
            } else {
                #expect(machine.finish(1) == self.update(1, [.ack, .fin]))
                #expect(machine.sendWindow(1) == 0 && machine.sendData(1, byteCount: 1) == nil)
                #expect(machine.received(self.data(1, .fin, 5), now: self.now) == .stream(.init(streamID: 1, isFinished: true)))
            }
            #expect(machine.streamCount == 0 && machine.inboundStreamCount == 0)
            #expect(machine.finish(1) == nil && machine.reset(1) == nil && machine.read(1, byteCount: 5, now: self.now) == nil)
            // Late frames of the closed stream are nothing.
            #expect(machine.received(self.update(1, [], 9), now: self.now) == .none)
            #expect(machine.received(self.update(1, .fin), now: self.now) == .none)
            #expect(machine.received(self.update(1, .rst), now: self.now) == .none)
        }
    }

    @Test("a reset stream that the peer never heard of needs no word")
    func resets() {
        var machine = self.machine()
        #expect(machine.openStream(now: self.now) == .opened(1))
        #expect(machine.reset(1) == nil)
        #expect(machine.openStream(now: self.now) == .opened(3))
        #expect(machine.announce(3) != nil)
        #expect(machine.reset(3) == self.update(3, .rst))
        #expect(machine.openStream(now: self.now) == .opened(5))
        #expect(machine.announce(5) != nil)
        #expect(machine.received(self.update(5, .rst), now: self.now) == .resetByPeer(5))
        #expect(machine.unacknowledgedStreamCount == 0 && machine.streamCount == 0)
    }

    @Test("the peer's window bounds what is sent; updates add to it")
    func sendWindow() {
        var machine = self.machine()
        #expect(machine.openStream(now: self.now) == .opened(1))
        #expect(machine.sendWindow(1) == self.window)
        #expect(machine.sendData(1, byteCount: self.window + 1) == nil)
        #expect(machine.sendData(1, byteCount: self.window) == self.data(1, .syn, UInt32(self.window)))
        #expect(machine.sendWindow(1) == 0)
        #expect(machine.received(self.update(1, .ack, 100), now: self.now) == .stream(.init(streamID: 1, isCredited: true)))
        #expect(machine.sendWindow(1) == 100)
    }

    @Test("what is read is credited again, once half the window is")
    func credit() {
        var machine = self.machine(listener: true)
        _ = machine.received(self.data(1, .syn, 200_000), now: self.now)
        #expect(machine.read(1, byteCount: 100_000, now: self.now) == nil)
        #expect(machine.read(1, byteCount: 100_000, now: self.now) == self.update(1, .ack, 200_000))
    }

    @Test("windows grow within the connection's budget, which a closed stream gives back")
    func growthBudget() {
        var machine = self.machine(listener: true) { $0.receiveWindowBudget = 3 * 262_144 }
        func fill(_ id: UInt32, _ flags: YamuxFlags = [], _ length: UInt32) -> YamuxHeader? {
            _ = machine.received(self.data(id, flags, length), now: self.now)
            return machine.read(id, byteCount: Int(length), now: self.now + .milliseconds(1))
        }
        _ = machine.received(self.data(1, .syn, 1), now: self.now)
        guard let ping = machine.measureRoundTrip(now: self.now) else { Issue.record("no ping"); return }
        #expect(ping.kind == .ping && machine.measureRoundTrip(now: self.now) == nil)
        _ = machine.received(YamuxHeader(kind: .ping, flags: .ack, streamID: 0, length: ping.length), now: self.now + .milliseconds(50))
        #expect(machine.measuredRoundTrip == .milliseconds(50))
        _ = machine.read(1, byteCount: 1, now: self.now)
        #expect(fill(1, [], 262_143)?.length == 524_288)  // 256 KiB of the budget
        #expect(fill(1, [], 524_288)?.length == 1_048_576)  // 512 KiB more
        #expect(fill(3, .syn, 262_144)?.length == 262_144)  // nothing left
        _ = machine.received(self.update(1, .rst), now: self.now)
        #expect(fill(3, [], 262_144)?.length == 524_288)
    }

    @Test("at most so many streams of ours are unacknowledged")
    func backlog() {
        var machine = self.machine { $0.maximumUnacknowledgedStreams = 2 }
        #expect(machine.openStream(now: self.now) == .opened(1))
        #expect(machine.openStream(now: self.now) == .opened(3))
        #expect(machine.openStream(now: self.now) == .backlogFull)
        _ = machine.received(self.update(1, .ack), now: self.now)
        #expect(machine.openStream(now: self.now) == .opened(5))
    }

    @Test("streams beyond the limit are refused, and one more is taken when one has ended")
    func inboundLimit() {
        var machine = self.machine(listener: true) { $0.maximumInboundStreams = 2 }
        _ = machine.received(self.update(1, .syn), now: self.now)
        _ = machine.received(self.update(3, .syn), now: self.now)
        #expect(machine.received(self.data(5, .syn, 10), now: self.now) == .reply(self.update(5, .rst)))
        #expect(machine.received(self.data(5, [], 10), now: self.now) == .none)
        _ = machine.received(self.update(1, .rst), now: self.now)
        #expect(machine.received(self.update(7, .syn), now: self.now) == .stream(.init(streamID: 7, isNew: true)))
    }

    @Test("after the last stream number there is no stream")
    func exhaustion() {
        var machine = YamuxStateMachine(role: .dialer, configuration: .init(), now: self.now, nextStreamID: .max - 2)
        #expect(machine.openStream(now: self.now) == .opened(.max - 2))
        #expect(machine.openStream(now: self.now) == .exhausted)
    }

    @Test("after a go-away no stream is opened; after ours none is taken")
    func goAway() {
        var machine = self.machine(listener: true)
        #expect(machine.goAway(.normal) == YamuxHeader(kind: .goAway, streamID: 0, length: 0))
        #expect(machine.openStream(now: self.now) == .goneAway)
        #expect(machine.received(self.update(1, .syn), now: self.now) == .reply(self.update(1, .rst)))
        var other = self.machine()
        #expect(other.received(YamuxHeader(kind: .goAway, streamID: 0, length: 0), now: self.now) == .goneAway(.normal))
        #expect(other.openStream(now: self.now) == .goneAway)
    }

    @Test("pings are answered with their value; silence after our own ends the connection")
    func pings() throws {
        var machine = self.machine()
        #expect(
            machine.received(YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: 99), now: self.now)
                == .reply(YamuxHeader(kind: .ping, flags: .ack, streamID: 0, length: 99)))
        #expect(machine.deadline == self.now + .seconds(30))
        #expect(machine.deadlineReached(now: self.now + .seconds(29)) == .none)
        guard case .send(let ping) = machine.deadlineReached(now: self.now + .seconds(30)) else { Issue.record("no ping"); return }
        #expect(machine.deadline == self.now + .seconds(40))
        machine.noteActivity(now: self.now + .seconds(35))
        #expect(machine.deadlineReached(now: self.now + .seconds(40)) == .none)
        #expect(machine.received(YamuxHeader(kind: .ping, flags: .ack, streamID: 0, length: ping.length), now: self.now + .seconds(41)) == .none)
        #expect(machine.deadline == self.now + .seconds(65))
        guard case .send = machine.deadlineReached(now: self.now + .seconds(65)) else { Issue.record("no ping"); return }
        #expect(machine.deadlineReached(now: self.now + .seconds(75)) == .timedOut)
    }

    @Test("while streams are open the peer is asked after 10 seconds; a stream opened after a longer silence has it asked at once")
    func busyKeepAlive() {
        var machine = self.machine()
        #expect(machine.deadline == self.now + .seconds(30))
        _ = machine.openStream(now: self.now + .seconds(20))
        #expect(machine.deadline == self.now + .seconds(10))
        guard case .send = machine.deadlineReached(now: self.now + .seconds(20)) else { Issue.record("no ping"); return }
        #expect(machine.deadline == self.now + .seconds(30))
    }

    @Test("without an interval there are no keep-alives")
    func noKeepAlive() {
        #expect(self.machine { $0.keepAliveInterval = nil }.deadline == nil)
    }

    @Test("violations end the connection")
    func violations() {
        func outcome(_ headers: YamuxHeader...) -> YamuxStateMachine.Outcome {
            var machine = self.machine(listener: true)
            var outcome = YamuxStateMachine.Outcome.none
            for header in headers { outcome = machine.received(header, now: self.now) }
            return outcome
        }
        #expect(outcome(self.update(2, .syn)) == .violation(.wrongParity(2)))
        #expect(outcome(self.update(1, .syn), self.update(1, .syn)) == .violation(.duplicateStream(1)))
        #expect(outcome(self.data(0)) == .violation(.invalidStreamID(0)))
        #expect(outcome(self.update(0, .syn)) == .violation(.invalidStreamID(0)))
        #expect(outcome(YamuxHeader(kind: .ping, flags: .syn, streamID: 1, length: 0)) == .violation(.invalidStreamID(1)))
        #expect(outcome(YamuxHeader(kind: .goAway, streamID: 1, length: 0)) == .violation(.invalidStreamID(1)))
        #expect(outcome(self.data(9, [], .max)) == .violation(.oversizedBody(.max)))
        #expect(
            outcome(self.data(1, .syn, 262_144), self.data(1, [], 1))
                == .violation(.windowExceeded(streamID: 1, byteCount: 1, credit: 0)))
    }

    @Test("CVE-2026-32314: a SYN with more data than the initial window ends the connection")
    func synBeyondCredit() {
        var machine = self.machine(listener: true)
        #expect(
            machine.received(self.data(1, .syn, 262_145), now: self.now)
                == .violation(.windowExceeded(streamID: 1, byteCount: 262_145, credit: 262_144)))
        #expect(machine.streamCount == 0)
        #expect(
            machine.received(self.data(3, .syn, .max), now: self.now)
                == .violation(.windowExceeded(streamID: 3, byteCount: .max, credit: 262_144)))
    }

    @Test("CVE-2026-31814: window updates past 32 bits end the connection")
    func windowOverflow() {
        var machine = self.machine(listener: true)
        #expect(machine.received(self.update(1, .syn, .max), now: self.now) == .violation(.windowOverflow(streamID: 1)))
        var other = self.machine(listener: true)
        _ = other.received(self.update(1, .syn, .max - 262_144), now: self.now)
        #expect(other.sendWindow(1) == Int(UInt32.max))
        #expect(other.received(self.update(1, [], 1), now: self.now) == .violation(.windowOverflow(streamID: 1)))
    }

    @Test("bytes after a FIN reset their stream only")
    func dataAfterFinish() {
        var machine = self.machine(listener: true)
        _ = machine.received(self.update(1, [.syn, .fin]), now: self.now)
        #expect(machine.received(self.data(1, [], 1), now: self.now) == .resetStream(1, self.update(1, .rst)))
    }

    @Test("what a reset stream had credit for may still arrive; more of it counts as glitches")
    func lateBytes() {
        var machine = self.machine(listener: true) {
            $0.glitchBurst = 3
            $0.glitchesPerSecond = 0
        }
        _ = machine.received(self.data(1, .syn, 100_000), now: self.now)
        #expect(machine.reset(1) == self.update(1, .rst))
        for _ in 0..<16 { #expect(machine.received(self.data(1, [], 10_000), now: self.now) == .none) }
        for _ in 0..<3 { #expect(machine.received(self.data(1, [], 10_000), now: self.now) == .none) }
        #expect(machine.received(self.data(1, [], 10_000), now: self.now) == .violation(.tooManyGlitches))
    }

    @Test(
        "floods end the connection",
        arguments: [
            YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: 1), YamuxHeader(kind: .ping, flags: .ack, streamID: 0, length: 1),
            YamuxHeader(kind: .windowUpdate, streamID: 1, length: 0), YamuxHeader(kind: .windowUpdate, flags: .ack, streamID: 1, length: 1),
            YamuxHeader(kind: .data, flags: .ack, streamID: 1, length: 0), YamuxHeader(kind: .data, streamID: 1, length: 0),
            YamuxHeader(kind: .windowUpdate, streamID: 77, length: 1), YamuxHeader(kind: .data, streamID: 77, length: 1),
            YamuxHeader(kind: .windowUpdate, flags: .rst, streamID: 77, length: 1),
        ])
    func floods(header: YamuxHeader) {
        var machine = self.machine(listener: true)
        _ = machine.received(self.update(1, .syn), now: self.now)
        var count = 0
        var outcome = YamuxStateMachine.Outcome.none
        while count < 5000 {
            count += 1
            outcome = machine.received(header, now: self.now)
            if case .violation = outcome { break }
        }
        #expect(outcome == .violation(.tooManyGlitches))
        #expect(count > 2000)
    }

    @Test("rapid open and reset ends the connection")
    func rapidReset() {
        var machine = self.machine(listener: true)
        var id: UInt32 = 1
        var outcome = YamuxStateMachine.Outcome.none
        while id < 20_000 {
            _ = machine.received(self.data(id, .syn, 1), now: self.now)
            outcome = machine.received(self.update(id, .rst), now: self.now)
            if case .violation = outcome { break }
            id += 2
        }
        #expect(outcome == .violation(.tooManyGlitches))
        #expect(machine.streamCount == 0)
    }

    @Test("resets of streams that were used are free")
    func usedStreamsMayBeReset() {
        var machine = self.machine(listener: true) { $0.glitchBurst = 1 }
        for id in stride(from: 1, to: 20_000, by: 2) as StrideTo<UInt32> {
            _ = machine.received(self.data(id, .syn, 1), now: self.now)
            #expect(machine.sendData(id, byteCount: 1) != nil)
            #expect(machine.received(self.update(id, .rst), now: self.now) == .resetByPeer(id))
        }
    }

    @Test("a reader may credit what we send in small pieces")
    func smallUpdates() {
        var machine = self.machine(listener: true) { $0.glitchBurst = 1 }
        _ = machine.received(self.update(1, .syn), now: self.now)
        for _ in 0..<100 {
            #expect(machine.sendData(1, byteCount: 65_507) != nil)
            for _ in 0..<127 {
                #expect(machine.received(self.update(1, [], 516), now: self.now) == .stream(.init(streamID: 1, isCredited: true)))
            }
        }
    }

    @Test("random sequences of frames and calls never trap and keep the counts")
    func randomSequences() {
        for seed in 0..<200 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var machine = self.machine(listener: true)
            var now = self.now
            for _ in 0..<300 {
                now = now + .milliseconds(Int64.random(in: 0...100, using: &generator))
                let id = UInt32.random(in: 0...12, using: &generator)
                let length: UInt32 = [0, 1, 100_000, 262_144, .max].randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<12, using: &generator) {
                case 0: _ = machine.openStream(now: now)
                case 1: _ = machine.announce(id)
                case 2: _ = machine.sendData(id, byteCount: Int.random(in: 0...300_000, using: &generator))
                case 3: _ = machine.finish(id)
                case 4: _ = machine.reset(id)
                case 5: _ = machine.read(id, byteCount: Int.random(in: 0...300_000, using: &generator), now: now)
                case 6: _ = machine.deadlineReached(now: now)
                case 7: _ = machine.measureRoundTrip(now: now)
                default:
                    let header = YamuxHeader(
                        kind: YamuxHeader.Kind.allCases.randomElement(using: &generator) ?? .data,
                        flags: YamuxFlags(rawValue: UInt16.random(in: 0..<16, using: &generator)), streamID: id, length: length)
                    _ = machine.received(header, now: now)
                }
                #expect(machine.inboundStreamCount >= 0 && machine.unacknowledgedStreamCount >= 0)
                #expect(machine.inboundStreamCount <= machine.streamCount)
            }
        }
    }
}
