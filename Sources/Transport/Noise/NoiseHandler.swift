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
    /// The nonce of the first frame is written here and over its length; see ``CipherState/open(at:length:in:into:)``.
    private static let headroom = CipherState.nonceLength - lengthPrefix
    /// Ours: opened bytes are dropped from ``frames`` when there are so many, and idle storage above this is given back.
    private static let retainedCapacity = 128 * 1024

    private var outbound: CipherState
    private var inbound: CipherState

    /// Received and not opened. Before the reader index there are always ``headroom`` bytes to write on.
    private var frames = ByteBuffer()
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
        if self.frames.readableBytes == 0 {
            self.frames.clear(minimumCapacity: Self.headroom + bytes.readableBytes)
            self.frames.writeRepeatingByte(0, count: Self.headroom)
            self.frames.moveReaderIndex(forwardBy: Self.headroom)
        }
        self.frames.writeBuffer(&bytes)
        self.open(context)
    }

    private func open(_ context: ChannelHandlerContext) {
        // How much is complete, so that the plaintext is allocated once.
        var plaintextCount = 0
        var index = self.frames.readerIndex
        while let length = self.frames.getInteger(at: index, as: UInt16.self), index + Self.lengthPrefix + Int(length) <= self.frames.writerIndex {
            plaintextCount += max(0, Int(length) - CipherState.tagLength)
            index += Self.lengthPrefix + Int(length)
        }
        let end = index
        guard end > self.frames.readerIndex else { return }

        var plaintext = context.channel.allocator.buffer(capacity: plaintextCount)
        var failure: NoiseError?
        do {
            while self.frames.readerIndex < end, let length = self.frames.readInteger(as: UInt16.self) {
                try self.inbound.open(at: self.frames.readerIndex, length: Int(length), in: &self.frames, into: &plaintext)
                self.frames.moveReaderIndex(forwardBy: Int(length))
            }
        } catch {
            failure = error
        }
        self.dropOpened()

        // What came before a bad frame is authentic.
        if plaintext.readableBytes > 0 {
            self.isReadDue = false
            context.fireChannelRead(self.wrapInboundOut(plaintext))
        }
        if let failure {
            self.fail(context, ConnectionError(.protocolViolation, "a Noise frame could not be opened", cause: failure))
        }
    }

    private func dropOpened() {
        guard self.frames.readerIndex > Self.retainedCapacity, self.frames.readableBytes > 0 else { return }
        self.frames.moveReaderIndex(to: self.frames.readerIndex - Self.headroom)
        self.frames.discardReadBytes()
        self.frames.moveReaderIndex(forwardBy: Self.headroom)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.frames.readableBytes == 0, self.frames.capacity > Self.retainedCapacity {
            self.frames = ByteBuffer()
        }
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
        guard !self.hasFailed, self.frames.readableBytes > 0 else { return }
        self.fail(context, ConnectionError(.closed, "the connection ended inside a Noise frame", cause: NoiseError.truncated))
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ConnectionError) {
        guard !self.hasFailed else { return }
        self.hasFailed = true
        self.frames = ByteBuffer()
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
        let allocator = context.channel.allocator
        var remaining = min(self.pendingByteCount, Self.batch)
        let frameCount = (remaining + Self.maximumPlaintext - 1) / Self.maximumPlaintext
        var output = allocator.buffer(capacity: remaining + frameCount * (Self.lengthPrefix + CipherState.tagLength))
        var scratch: ByteBuffer?
        // Of the writes that end in this batch.
        var promises: [EventLoopPromise<Void>] = []

        do {
            while remaining > 0 {
                let count = min(remaining, Self.maximumPlaintext)
                output.writeInteger(UInt16(truncatingIfNeeded: count + CipherState.tagLength))
                try self.sealFrame(count, into: &output, scratch: &scratch, allocator: allocator, promises: &promises)
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
    private func sealFrame(
        _ count: Int, into output: inout ByteBuffer, scratch: inout ByteBuffer?, allocator: ByteBufferAllocator,
        promises: inout [EventLoopPromise<Void>]
    ) throws(NoiseError) {
        self.removeEmptied(&promises)
        guard let first = self.pending.first else { return }
        self.pendingByteCount -= count
        if first.bytes.readableBytes >= count {
            try self.outbound.seal(first.bytes, count: count, into: &output)
            self.pending[self.pending.startIndex].bytes.moveReaderIndex(forwardBy: count)
            return
        }

        // The cipher wants the frame in one piece.
        var gathered = scratch ?? allocator.buffer(capacity: count)
        scratch = nil
        gathered.clear(minimumCapacity: count)
        while gathered.readableBytes < count, let next = self.pending.first {
            var part = next.bytes
            let length = min(part.readableBytes, count - gathered.readableBytes)
            part.moveWriterIndex(to: part.readerIndex + length)
            gathered.writeImmutableBuffer(part)
            self.pending[self.pending.startIndex].bytes.moveReaderIndex(forwardBy: length)
            self.removeEmptied(&promises)
        }
        try self.outbound.seal(gathered, count: count, into: &output)
        scratch = gathered
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
