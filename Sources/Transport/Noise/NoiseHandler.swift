import DIGNet
import NIOCore

/// Opens and seals the frames of a connection: a 16-bit length, then at most 65535 bytes of ciphertext and tag.
///
/// Inbound, everything complete in one read is opened into one buffer. Outbound, what was written is packed into full frames
/// on flush, whatever the sizes of the writes, so that a multiplexer's header and body cost no frame of their own.
final class NoiseHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let lengthPrefix = 2
    /// libp2p specs, noise, "Wire Format".
    static let maximumPlaintext = 65535 - CipherState.tagLength
    /// Ours: what is sealed into one buffer. It is on its way while the next is sealed.
    static let batch = 4 * maximumPlaintext

    private var outbound: CipherState
    private var inbound: CipherState

    /// The beginning of a frame whose rest has not come yet.
    private var partial = ByteBuffer()
    private var hasFailed = false
    /// Somebody asked to read and was given nothing yet.
    private var isReadDue = false

    private struct PendingWrite {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }
    private var pending = CircularBuffer<PendingWrite>()
    private var pendingByteCount = 0

    init(outbound: CipherState, inbound: CipherState) {
        self.outbound = outbound
        self.inbound = inbound
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.hasFailed else { return }
        var bytes = self.unwrapInboundIn(data)
        // How much can be opened, so that the plaintext is allocated once.
        let count = self.partial.readableBytes + bytes.readableBytes
        var plaintext = context.channel.allocator.buffer(capacity: count)
        var failure: NoiseError?
        do {
            try self.completePartial(with: &bytes, into: &plaintext)
            while let frame = Self.readFrame(&bytes) { try self.inbound.open(frame, into: &plaintext) }
        } catch {
            failure = error
        }
        if failure == nil { self.keepPartial(&bytes) }

        // What came before a bad frame is authentic.
        if plaintext.readableBytes > 0 {
            self.isReadDue = false
            context.fireChannelRead(self.wrapInboundOut(plaintext))
        }
        if let failure {
            self.fail(context, ConnectionError(.protocolViolation, "a Noise frame could not be opened", cause: failure))
        }
    }

    private static func readFrame(_ bytes: inout ByteBuffer) -> ByteBuffer? {
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt16.self), bytes.readableBytes >= Self.lengthPrefix + Int(length) else { return nil }
        bytes.moveReaderIndex(forwardBy: Self.lengthPrefix)
        return bytes.readSlice(length: Int(length))
    }

    /// Takes from `bytes` what the frame that has begun lacks, no more: the others are opened where they are.
    private func completePartial(with bytes: inout ByteBuffer, into plaintext: inout ByteBuffer) throws(NoiseError) {
        guard self.partial.readableBytes > 0 else { return }
        self.takeIntoPartial(upTo: Self.lengthPrefix, from: &bytes)
        guard let length = self.partial.getInteger(at: self.partial.readerIndex, as: UInt16.self) else { return }
        self.takeIntoPartial(upTo: Self.lengthPrefix + Int(length), from: &bytes)
        guard let frame = Self.readFrame(&self.partial) else { return }
        self.partial = ByteBuffer()
        try self.inbound.open(frame, into: &plaintext)
    }

    private func takeIntoPartial(upTo count: Int, from bytes: inout ByteBuffer) {
        let missing = min(max(0, count - self.partial.readableBytes), bytes.readableBytes)
        guard var part = bytes.readSlice(length: missing) else { return }
        self.partial.writeBuffer(&part)
    }

    /// Copies what is left of `bytes`, whose storage can be read into again then.
    private func keepPartial(_ bytes: inout ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        guard self.partial.readableBytes == 0 else { return self.takeIntoPartial(upTo: .max, from: &bytes) }
        let length = bytes.getInteger(at: bytes.readerIndex, as: UInt16.self).map { Self.lengthPrefix + Int($0) } ?? Self.lengthPrefix
        self.partial = ByteBuffer()
        self.partial.reserveCapacity(length)
        self.partial.writeBuffer(&bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Half a frame satisfies nobody who asked for bytes.
        if self.isReadDue { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.checkTruncation(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.checkTruncation(context)
        self.failPending(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.failPending(ChannelError.ioOnClosedChannel)
    }

    private func checkTruncation(_ context: ChannelHandlerContext) {
        guard !self.hasFailed, self.partial.readableBytes > 0 else { return }
        self.fail(context, ConnectionError(.closed, "the connection ended inside a Noise frame", cause: NoiseError.truncated))
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ConnectionError) {
        guard !self.hasFailed else { return }
        self.hasFailed = true
        self.partial = ByteBuffer()
        self.failPending(error)
        context.fireErrorCaught(error)
        context.close(mode: .all, promise: nil)
    }

    // MARK: Outbound

    func read(context: ChannelHandlerContext) {
        self.isReadDue = true
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.hasFailed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bytes = self.unwrapOutboundIn(data)
        self.pendingByteCount += bytes.readableBytes
        self.pending.append(PendingWrite(bytes: bytes, promise: promise))
        // The channel must learn of it, or its writability would not change before the flush.
        while self.pendingByteCount >= Self.batch { self.sealBatch(context) }
    }

    func flush(context: ChannelHandlerContext) {
        while !self.pending.isEmpty {
            self.sealBatch(context)
            if !self.pending.isEmpty { context.flush() }
        }
        context.flush()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // As for any channel: what was not flushed is lost.
        if mode != .input { self.failPending(ChannelError.ioOnClosedChannel) }
        context.close(mode: mode, promise: promise)
    }

    /// Seals up to ``batch`` bytes into one buffer and writes it.
    private func sealBatch(_ context: ChannelHandlerContext) {
        var remaining = min(self.pendingByteCount, Self.batch)
        let frameCount = (remaining + Self.maximumPlaintext - 1) / Self.maximumPlaintext
        var output = context.channel.allocator.buffer(capacity: remaining + frameCount * (Self.lengthPrefix + CipherState.tagLength))
        // Of the writes that end in this batch.
        var promises: [EventLoopPromise<Void>] = []

        do {
            while remaining > 0 {
                let count = min(remaining, Self.maximumPlaintext)
                output.writeInteger(UInt16(truncatingIfNeeded: count + CipherState.tagLength))
                try self.sealFrame(count, into: &output, promises: &promises)
                remaining -= count
            }
        } catch {
            let failure = ConnectionError(.closed, "the connection can seal no more frames", cause: error)
            for promise in promises { promise.fail(failure) }
            return self.fail(context, failure)
        }
        self.removeEmptied(&promises)
        context.write(self.wrapOutboundOut(output), promise: Self.joined(promises, on: context.eventLoop))
    }

    /// Seals the next `count` pending bytes, which are there.
    private func sealFrame(_ count: Int, into output: inout ByteBuffer, promises: inout [EventLoopPromise<Void>]) throws(NoiseError) {
        try self.outbound.beginFrame()
        var missing = count
        while missing > 0 {
            self.removeEmptied(&promises)
            guard !self.pending.isEmpty else { break }
            let index = self.pending.startIndex
            guard let part = self.pending[index].bytes.readSlice(length: min(missing, self.pending[index].bytes.readableBytes)) else { break }
            try self.outbound.seal(part, into: &output)
            missing -= part.readableBytes
        }
        self.pendingByteCount -= count
        try self.outbound.endFrame(into: &output)
    }

    private func removeEmptied(_ promises: inout [EventLoopPromise<Void>]) {
        while let first = self.pending.first, first.bytes.readableBytes == 0 {
            self.pending.removeFirst()
            if let promise = first.promise { promises.append(promise) }
        }
    }

    private func failPending(_ error: any Error) {
        let pending = self.pending
        self.pending.removeAll()
        self.pendingByteCount = 0
        for write in pending { write.promise?.fail(error) }
    }

    /// One promise that completes all.
    private static func joined(_ promises: [EventLoopPromise<Void>], on eventLoop: any EventLoop) -> EventLoopPromise<Void>? {
        guard promises.count > 1 else { return promises.first }
        let joined = eventLoop.makePromise(of: Void.self)
        joined.futureResult.whenComplete { result in
            for promise in promises { promise.completeWith(result) }
        }
        return joined
    }
}
