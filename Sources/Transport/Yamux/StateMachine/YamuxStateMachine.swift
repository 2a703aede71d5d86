import DIGNet
import NIOCore

/// One Yamux connection without its bytes: which streams are open, who may send how much, which frames to send.
///
/// hashicorp/yamux spec, libp2p specs yamux r0. The caller writes each ``YamuxHeader`` it is given, in order; after
/// ``sendData(_:byteCount:)`` the body follows. Calls about a stream that is gone do nothing: the two sides' frames cross.
struct YamuxStateMachine {
    private struct Stream {
        var isOutbound: Bool
        /// SYN or ACK, until the stream's first frame has carried it.
        var pendingFlags: YamuxFlags
        /// A stream of ours is unacknowledged until the peer's first frame on it.
        var isAcknowledged: Bool
        /// What the peer lets us send.
        var sendWindow = ReceiveWindow.initialByteCount
        /// A data frame of ours was sent on it.
        var hasSent = false
        var sendIsFinished = false
        var receiveIsFinished = false
        var receiveWindow: ReceiveWindow
    }

    /// What a header means for its stream, in this order: open, credit, body, finish.
    struct StreamEvent: Hashable {
        var streamID: UInt32
        var isNew = false
        /// The peer granted credit.
        var isCredited = false
        /// The stream's half of the peer ends after the body of this frame.
        var isFinished = false
    }

    /// What to do about a header. The body that follows it, if any, belongs to the stream of `.stream` and is dropped otherwise.
    enum Outcome: Hashable {
        case none
        case stream(StreamEvent)
        /// The peer reset the stream.
        case resetByPeer(UInt32)
        /// The peer broke the rules of one stream, which is gone; send the header.
        case resetStream(UInt32, YamuxHeader)
        /// Send the header.
        case reply(YamuxHeader)
        case goneAway(YamuxGoAwayCode)
        /// Send go-away and close.
        case violation(YamuxViolation)
    }

    enum OpenOutcome: Hashable {
        case opened(UInt32)
        /// Ask again when a stream was acknowledged or closed.
        case backlogFull
        /// One side has said go-away.
        case goneAway
        /// No stream id is left: close the connection.
        case exhausted
    }

    enum TimerAction: Hashable {
        case none
        case send(YamuxHeader)
        case timedOut
    }

    /// How often the round trip is measured while data arrives. Ours; rust-yamux's too.
    static let roundTripInterval: TimeAmount = .seconds(10)
    /// Each closed stream excuses so many frames that arrive late for it, without bytes in them …
    private static let lateFramesPerStream = 4
    /// … up to this many in all.
    private static let maximumLateFrames = 16_384
    /// A reader may take what we send in pieces as small as this and credit each, as py-libp2p does, …
    private static let byteCountPerWindowUpdate = 64
    /// … with up to so many window updates under way.
    private static let maximumExcusedWindowUpdates = 65_536

    private let configuration: YamuxConfiguration
    private let role: ConnectionRole
    private let maximumReceiveWindow: UInt32
    private var streams: [UInt32: Stream] = [:]
    private var nextStreamID: UInt32
    private var growthAllowance: Int
    private var glitches: GlitchBudget
    /// Bytes that the peer had credit for when their stream was reset: they may still come.
    private var lateBytes: UInt64 = 0
    private var lateFrames = 0
    /// Window updates that the data sent explains.
    private var excusedWindowUpdates = 64
    private var localGoAway = false
    private var remoteGoAway = false
    private var roundTrip = RoundTripEstimate()
    private var wantsRoundTrip = false
    private var lastActivity: NIODeadline
    private(set) var inboundStreamCount = 0
    private(set) var unacknowledgedStreamCount = 0

    init(role: ConnectionRole, configuration: YamuxConfiguration, now: NIODeadline, nextStreamID: UInt32? = nil) {
        self.role = role
        self.configuration = configuration
        self.maximumReceiveWindow = max(ReceiveWindow.initialByteCount, configuration.maximumReceiveWindow)
        self.growthAllowance = max(0, configuration.receiveWindowBudget)
        // Spec, "StreamID Field": the client takes odd numbers, the server even ones.
        self.nextStreamID = nextStreamID ?? (role == .dialer ? 1 : 2)
        self.glitches = GlitchBudget(burst: configuration.glitchBurst, perSecond: configuration.glitchesPerSecond, now: now)
        self.lastActivity = now
    }

    var streamCount: Int { self.streams.count }
    var hasGoneAway: Bool { self.remoteGoAway || self.localGoAway }
    var measuredRoundTrip: TimeAmount? { self.roundTrip.smoothed }

    // MARK: This side

    mutating func openStream(now: NIODeadline) -> OpenOutcome {
        guard !self.hasGoneAway else { return .goneAway }
        guard self.unacknowledgedStreamCount < self.configuration.maximumUnacknowledgedStreams else { return .backlogFull }
        let id = self.nextStreamID
        let (next, overflow) = id.addingReportingOverflow(2)
        guard !overflow else { return .exhausted }
        self.nextStreamID = next
        self.streams[id] = Stream(
            isOutbound: true, pendingFlags: .syn, isAcknowledged: false, receiveWindow: ReceiveWindow(now: now))
        self.unacknowledgedStreamCount += 1
        return .opened(id)
    }

    /// The frame that tells the peer about a stream of ours. nil if a frame has done so.
    mutating func announce(_ id: UInt32) -> YamuxHeader? {
        guard let stream = self.streams[id], stream.isOutbound, stream.pendingFlags.contains(.syn) else { return nil }
        return YamuxHeader(kind: .windowUpdate, flags: self.takePendingFlags(id), streamID: id, length: 0)
    }

    /// How many bytes may be sent on the stream.
    func sendWindow(_ id: UInt32) -> Int {
        guard let stream = self.streams[id], !stream.sendIsFinished else { return 0 }
        return Int(stream.sendWindow)
    }

    /// The header for `byteCount` bytes, at most ``sendWindow(_:)``; nil if the window does not allow them.
    mutating func sendData(_ id: UInt32, byteCount: Int) -> YamuxHeader? {
        guard let length = UInt32(exactly: byteCount), Int(length) <= self.sendWindow(id) else { return nil }
        self.streams[id]?.sendWindow -= length
        self.streams[id]?.hasSent = true
        self.excusedWindowUpdates = min(
            Self.maximumExcusedWindowUpdates, self.excusedWindowUpdates + 4 + byteCount / Self.byteCountPerWindowUpdate)
        return YamuxHeader(kind: .data, flags: self.takePendingFlags(id), streamID: id, length: length)
    }

    /// Finishes this side's half.
    mutating func finish(_ id: UInt32) -> YamuxHeader? {
        guard let stream = self.streams[id], !stream.sendIsFinished else { return nil }
        // A frame of its own: some readers look at the flag before they take the body.
        let header = YamuxHeader(
            kind: .windowUpdate, flags: self.takePendingFlags(id).union(.fin), streamID: id, length: 0)
        self.streams[id]?.sendIsFinished = true
        if stream.receiveIsFinished { self.remove(id) }
        return header
    }

    /// Forgets the stream. nil if the peer need not be told: it has not heard of the stream, or both halves were finished.
    mutating func reset(_ id: UInt32) -> YamuxHeader? {
        guard let stream = self.streams[id] else { return nil }
        self.remove(id)
        guard !(stream.isOutbound && stream.pendingFlags.contains(.syn)) else { return nil }
        return YamuxHeader(kind: .windowUpdate, flags: .rst, streamID: id, length: 0)
    }

    /// The stream's reader took `byteCount` bytes. The window update to send, if one is worth it.
    mutating func read(_ id: UInt32, byteCount: Int, now: NIODeadline) -> YamuxHeader? {
        guard
            let length = UInt32(exactly: byteCount),
            let stream = self.streams[id], !stream.receiveIsFinished,
            let credit = self.streams[id]?.receiveWindow.read(
                length, now: now, roundTrip: self.roundTrip.smoothed, maximum: self.maximumReceiveWindow,
                growthAllowance: &self.growthAllowance)
        else { return nil }
        return YamuxHeader(kind: .windowUpdate, flags: self.takePendingFlags(id), streamID: id, length: credit)
    }

    /// No stream is opened or accepted from here on.
    mutating func goAway(_ code: YamuxGoAwayCode) -> YamuxHeader {
        self.localGoAway = true
        return YamuxHeader(kind: .goAway, streamID: YamuxHeader.sessionID, length: code.rawValue)
    }

    // MARK: The peer

    /// Bytes arrived or left: the peer lives.
    mutating func noteActivity(now: NIODeadline) {
        self.lastActivity = now
    }

    mutating func received(_ header: YamuxHeader, now: NIODeadline) -> Outcome {
        switch header.kind {
        case .data, .windowUpdate:
            guard header.streamID != YamuxHeader.sessionID else { return .violation(.invalidStreamID(header.streamID)) }
            return self.receivedStreamFrame(header, now: now)
        case .ping:
            guard header.streamID == YamuxHeader.sessionID else { return .violation(.invalidStreamID(header.streamID)) }
            return self.receivedPing(header, now: now)
        case .goAway:
            guard header.streamID == YamuxHeader.sessionID else { return .violation(.invalidStreamID(header.streamID)) }
            self.remoteGoAway = true
            return .goneAway(YamuxGoAwayCode(rawValue: header.length))
        }
    }

    private mutating func receivedPing(_ header: YamuxHeader, now: NIODeadline) -> Outcome {
        if header.flags.contains(.syn) {
            guard self.glitches.spend(now: now) else { return .violation(.tooManyGlitches) }
            return .reply(YamuxHeader(kind: .ping, flags: .ack, streamID: YamuxHeader.sessionID, length: header.length))
        }
        if header.flags.contains(.ack), self.roundTrip.answered(header.length, now: now) { return .none }
        return self.glitch(now: now)
    }

    private mutating func receivedStreamFrame(_ header: YamuxHeader, now: NIODeadline) -> Outcome {
        let id = header.streamID
        var event = StreamEvent(streamID: id)

        if header.flags.contains(.syn) {
            // Whoever opens takes its own parity, so that the two sides never collide.
            guard (id % 2 == 1) == (self.role == .listener) else { return .violation(.wrongParity(id)) }
            guard self.streams[id] == nil else { return .violation(.duplicateStream(id)) }
            guard !header.flags.contains(.rst) else { return self.glitch(now: now) }
            // CVE-2026-32314: the first frame's bytes count against the initial window like all others.
            guard header.bodyByteCount <= ReceiveWindow.initialByteCount else {
                return .violation(
                    .windowExceeded(streamID: id, byteCount: header.bodyByteCount, credit: ReceiveWindow.initialByteCount))
            }
            guard !self.localGoAway, self.inboundStreamCount < self.configuration.maximumInboundStreams else {
                guard self.glitches.spend(now: now) else { return .violation(.tooManyGlitches) }
                // Until the refusal arrives, the peer may use the whole initial window.
                self.excuse(bytes: UInt64(ReceiveWindow.initialByteCount - header.bodyByteCount))
                return .reply(YamuxHeader(kind: .windowUpdate, flags: .rst, streamID: id, length: 0))
            }
            self.streams[id] = Stream(
                isOutbound: false, pendingFlags: .ack, isAcknowledged: true, receiveWindow: ReceiveWindow(now: now))
            self.inboundStreamCount += 1
            event.isNew = true
        }

        guard let stream = self.streams[id] else { return self.receivedLate(header, now: now) }

        if header.flags.contains(.rst) {
            self.remove(id)
            // Opening streams only to reset them costs us work (as HTTP/2's rapid reset, CVE-2023-44487, does). A stream on which
            // something came of it may end like this.
            if !stream.hasSent, !stream.sendIsFinished, !stream.receiveIsFinished {
                guard self.glitches.spend(now: now) else { return .violation(.tooManyGlitches) }
            }
            return .resetByPeer(id)
        }

        // What makes a frame without bytes or credit worth sending.
        let carriesNews = event.isNew || !stream.isAcknowledged || header.flags.contains(.fin)
        if !stream.isAcknowledged {
            // Any frame on the stream shows that the peer has taken it.
            self.streams[id]?.isAcknowledged = true
            self.unacknowledgedStreamCount -= 1
        }

        switch header.kind {
        case .data:
            if stream.receiveIsFinished { return self.resetForMisuse(id) }
            guard self.streams[id]?.receiveWindow.received(header.length) == true else {
                return .violation(
                    .windowExceeded(streamID: id, byteCount: header.length, credit: stream.receiveWindow.credit))
            }
            if header.length > 0 {
                self.wantsRoundTrip = true
            } else if !carriesNews {
                guard self.glitches.spend(now: now) else { return .violation(.tooManyGlitches) }
            }
        case .windowUpdate:
            // CVE-2026-31814: the sum may not leave 32 bits.
            let (window, overflow) = stream.sendWindow.addingReportingOverflow(header.length)
            guard !overflow else { return .violation(.windowOverflow(streamID: id)) }
            self.streams[id]?.sendWindow = window
            event.isCredited = header.length > 0
            if !carriesNews, !self.excuseWindowUpdate() {
                guard self.glitches.spend(now: now) else { return .violation(.tooManyGlitches) }
            }
        case .ping, .goAway:
            return .none  // handled by the caller
        }

        if header.flags.contains(.fin) {
            if stream.receiveIsFinished { return self.resetForMisuse(id) }
            event.isFinished = true
            self.streams[id]?.receiveIsFinished = true
            if stream.sendIsFinished { self.remove(id) }
        }
        return .stream(event)
    }

    /// A frame for a stream that is not open: usually it crossed our reset. Free as far as closed streams explain it.
    private mutating func receivedLate(_ header: YamuxHeader, now: NIODeadline) -> Outcome {
        let byteCount = UInt64(header.bodyByteCount)
        guard byteCount <= UInt64(self.maximumReceiveWindow) else { return .violation(.oversizedBody(header.bodyByteCount)) }
        if byteCount > 0, byteCount <= self.lateBytes {
            self.lateBytes -= byteCount
            return .none
        }
        if byteCount == 0, self.lateFrames > 0 {
            self.lateFrames -= 1
            return .none
        }
        if header.kind == .windowUpdate, self.excuseWindowUpdate() { return .none }
        return self.glitch(now: now)
    }

    private mutating func excuseWindowUpdate() -> Bool {
        guard self.excusedWindowUpdates > 0 else { return false }
        self.excusedWindowUpdates -= 1
        return true
    }

    private mutating func glitch(now: NIODeadline) -> Outcome {
        self.glitches.spend(now: now) ? .none : .violation(.tooManyGlitches)
    }

    private mutating func resetForMisuse(_ id: UInt32) -> Outcome {
        guard let header = self.reset(id) else { return .none }
        return .resetStream(id, header)
    }

    private mutating func excuse(bytes: UInt64) {
        let limit = UInt64(self.maximumReceiveWindow) * 16
        self.lateBytes = min(limit, self.lateBytes + min(bytes, limit))
        self.lateFrames = min(Self.maximumLateFrames, self.lateFrames + Self.lateFramesPerStream)
    }

    private mutating func remove(_ id: UInt32) {
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        self.growthAllowance += Int(stream.receiveWindow.growth)
        self.excuse(bytes: stream.receiveIsFinished ? 0 : UInt64(stream.receiveWindow.credit))
        if !stream.isOutbound { self.inboundStreamCount -= 1 }
        if !stream.isAcknowledged { self.unacknowledgedStreamCount -= 1 }
    }

    private mutating func takePendingFlags(_ id: UInt32) -> YamuxFlags {
        guard let flags = self.streams[id]?.pendingFlags else { return [] }
        self.streams[id]?.pendingFlags = []
        return flags
    }

    // MARK: Time

    /// A ping to send now because data arrives and the round trip is unknown or old. Poll after each batch received.
    mutating func measureRoundTrip(now: NIODeadline) -> YamuxHeader? {
        guard self.wantsRoundTrip, self.roundTrip.inFlight == nil else { return nil }
        if let last = self.roundTrip.lastSentAt, now - last < Self.roundTripInterval { return nil }
        self.wantsRoundTrip = false
        return self.ping(now: now)
    }

    /// When to call ``deadlineReached(now:)``.
    var deadline: NIODeadline? {
        if let inFlight = self.roundTrip.inFlight {
            // Bytes show life as well as the answer does, which may stand behind them in a queue.
            return max(inFlight.sentAt, self.lastActivity) + TimeAmount(self.configuration.keepAliveTimeout)
        }
        guard let interval = self.configuration.keepAliveInterval else { return nil }
        return self.lastActivity + TimeAmount(self.streams.isEmpty ? interval : min(interval, self.configuration.busyKeepAliveInterval))
    }

    /// Early and repeated calls are harmless.
    mutating func deadlineReached(now: NIODeadline) -> TimerAction {
        guard let deadline = self.deadline, now >= deadline else { return .none }
        guard self.roundTrip.inFlight == nil else { return .timedOut }
        return .send(self.ping(now: now))
    }

    private mutating func ping(now: NIODeadline) -> YamuxHeader {
        YamuxHeader(
            kind: .ping, flags: .syn, streamID: YamuxHeader.sessionID, length: self.roundTrip.begin(now: now))
    }
}
