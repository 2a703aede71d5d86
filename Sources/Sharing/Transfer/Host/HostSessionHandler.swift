import DIGContent
import DIGIdentity
import DIGNet
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Runs a ``HostSessionStateMachine`` on a stream.
///
/// The stream is read only while the machine wants requests and the stream takes bytes, and files are read only as far ahead as the
/// machine allows. So a peer that floods is slowed down and one that does not read costs a bounded number of bytes.
final class HostSessionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let id: UInt64
    private let peer: PeerID
    private let connection: (any Connection)?
    private let gate: (any ContentGate)?
    private let provider: any ContentProvider
    private let configuration: TransferHostConfiguration
    private let threadPool: NIOThreadPool
    private let reader: HostReader
    private let registry: HostRegistry
    private let limiter: RateLimiter
    private let logger: Logger

    private var context: ChannelHandlerContext?
    /// For jobs that wait for their turn on another thread.
    private let hasEnded = SharedFlag()
    private var decoder = TransferFrameDecoder()
    private(set) var machine: HostSessionStateMachine
    /// Read and not decoded yet, because the machine is at a limit.
    private var inbound = ByteBuffer()
    private var isReadHeldBack = false
    private var isInputClosed = false
    private var isOutputClosed = false
    private var isPumping = false
    private var isPumpWanted = false
    /// When the next frame may go; reserved in the limiter.
    private var frameReservation: (readyAt: NIODeadline, byteCount: Int)?
    private var paceTimer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var lastProgress: NIODeadline = .uptimeNanoseconds(0)
    private var tasks: [UInt64: Task<Void, Never>] = [:]
    private var nextTaskID: UInt64 = 0
    private var observations: [UInt32: ChunkAvailabilityObservation] = [:]
    /// Sent and not yet recorded in the registry.
    private var unrecorded: (contentHash: ContentHash, byteCount: Int, chunkCount: Int)?

    init(
        id: UInt64, peer: PeerID, connection: (any Connection)?, gate: (any ContentGate)?, provider: any ContentProvider, configuration: TransferHostConfiguration, threadPool: NIOThreadPool,
        reader: HostReader, registry: HostRegistry, limiter: RateLimiter, logger: Logger
    ) {
        self.id = id
        self.peer = peer
        self.connection = connection
        self.gate = gate
        self.provider = provider
        self.configuration = configuration
        self.threadPool = threadPool
        self.reader = reader
        self.registry = registry
        self.limiter = limiter
        self.logger = logger
        var limits = HostSessionLimits()
        limits.readAheadByteCount = configuration.readAheadByteCount
        limits.pieceByteCount = configuration.pieceByteCount
        limits.lowerLayerByteCount = configuration.lowerLayerByteCount
        self.machine = HostSessionStateMachine(limits: limits)
    }

    // MARK: - the stream

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        self.registry.attach(
            self.id,
            withdraw: { hash, reason in
                eventLoop.execute {
                    bound.value.machine.withdraw(hash, reason)
                    bound.value.pump()
                }
            },
            close: { eventLoop.execute { bound.value.context?.close(mode: .all, promise: nil) } },
            contents: { eventLoop.submit { bound.value.machine.openContents } })
        self.lastProgress = context.eventLoop.now
        self.scheduleIdleTimer(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    /// Lets go of everything; harmless when repeated.
    private func end() {
        guard self.context != nil else { return }
        self.recordSent()
        _ = self.hasEnded.set()
        self.context = nil
        for task in self.tasks.values { task.cancel() }
        self.tasks = [:]
        self.observations = [:]
        self.paceTimer?.cancel()
        self.idleTimer?.cancel()
        if let reservation = self.frameReservation { self.limiter.refund(reservation.byteCount) }
        self.frameReservation = nil
        self.inbound = ByteBuffer()
        self.machine = HostSessionStateMachine()
        self.registry.remove(self.id)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.lastProgress = context.eventLoop.now
        if self.inbound.readableBytes == 0 {
            self.inbound = bytes
        } else {
            self.inbound.writeBuffer(&bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.pump()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        self.isReadHeldBack = true
        self.readIfWanted(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.pump() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            self.isInputClosed = true
            self.pump()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.logger.debug("transfer session failed", metadata: ["dig.transfer.peer": "\(self.peer)", "dig.transfer.error": "\(error)"])
        context.close(mode: .all, promise: nil)
    }

    private func readIfWanted(_ context: ChannelHandlerContext) {
        guard self.isReadHeldBack, self.machine.wantsRequests, self.inbound.readableBytes == 0, context.channel.isWritable else { return }
        self.isReadHeldBack = false
        context.read()
    }

    private func scheduleIdleTimer(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.idleTimer = context.eventLoop.scheduleTask(deadline: self.lastProgress + TimeAmount(self.configuration.idleTimeout)) {
            bound.value.idleDeadlineReached()
        }
    }

    private func idleDeadlineReached() {
        guard let context = self.context else { return }
        // Waiting for our own rate limit is no idleness of the peer.
        if self.frameReservation != nil { self.lastProgress = context.eventLoop.now }
        if context.eventLoop.now >= self.lastProgress + TimeAmount(self.configuration.idleTimeout) {
            self.logger.debug("transfer session is idle", metadata: ["dig.transfer.peer": "\(self.peer)"])
            context.close(mode: .all, promise: nil)
        } else {
            self.scheduleIdleTimer(context)
        }
    }

    // MARK: - the pump

    /// Moves everything that can move: requests in, jobs and reads out, responses and frames to the stream.
    private func pump() {
        // A write may change the writability, which comes back here.
        self.isPumpWanted = true
        guard !self.isPumping else { return }
        self.isPumping = true
        defer { self.isPumping = false }
        while self.isPumpWanted, let context = self.context {
            self.isPumpWanted = false
            do {
                try self.decodeRequests()
            } catch {
                self.logger.debug(
                    "peer broke the transfer protocol", metadata: ["dig.transfer.peer": "\(self.peer)", "dig.transfer.error": "\(error)"])
                self.registry.recordViolation()
                context.close(mode: .all, promise: nil)
                return
            }
            self.performEffects(context)
            self.startJobs(context)
            if self.write(context) {
                self.lastProgress = context.eventLoop.now
                context.flush()
                // What waited for room among the responses goes on.
                self.isPumpWanted = true
            }
            self.startReads(context)
            self.readIfWanted(context)
            if self.machine.isIdle {
                self.machine.dropSpareBuffers()
                self.recordSent()
                if self.isInputClosed, self.inbound.readableBytes == 0, !self.isPumpWanted, !self.isOutputClosed {
                    self.isOutputClosed = true
                    context.close(mode: .output, promise: nil)
                }
            }
        }
    }

    private func decodeRequests() throws(TransferWireError) {
        while self.machine.wantsRequests, self.inbound.readableBytes > 0 {
            switch try self.decoder.next(&self.inbound) {
            case .request(let handle, let request): try self.machine.received(request, handle: handle)
            case .response, .chunkBegan, .chunkBody, .chunkEnded: throw .unexpectedMessage
            case nil: self.inbound = ByteBuffer()
            }
        }
    }

    private func performEffects(_ context: ChannelHandlerContext) {
        while let effect = self.machine.pollEffect() {
            switch effect {
            case .observe(let handle, let generation, let availability):
                self.observe(availability, handle: handle, generation: generation, context: context)
            case .stopObserving(let handle):
                self.observations[handle] = nil
            case .contentChanged(let hash):
                let provider = self.provider
                self.logger.info("a shared file changed on disk and is not served any more", metadata: ["dig.transfer.content": "\(hash)"])
                self.run(context) { await provider.contentChanged(hash) } completion: { _, _ in }
            }
        }
    }

    private func startJobs(_ context: ChannelHandlerContext) {
        while let job = self.machine.pollJob() {
            let provider = self.provider
            let reader = self.reader
            let admission = HostAdmission(gate: self.gate, connection: self.connection)
            switch job.work {
            case .lookUp(let hash):
                self.run(context) {
                    // Before anything of it is read: what is refused costs nothing but the question.
                    if let refusal = await admission.refusal(of: hash) { return Result<HostedContent?, any Error>.failure(refusal) }
                    do {
                        return .success(try await provider.content(for: hash))
                    } catch {
                        return .failure(error)
                    }
                } completion: { handler, outcome in
                    handler.machine.lookedUp(outcome, id: job.id)
                }
            case .resolve(_, let key):
                self.run(context) {
                    let (bindings, withheld) = await admission.admitted(await provider.bindings(for: key))
                    return (BindingList.encode(bindings), withheld)
                } completion: { handler, answer in
                    handler.machine.resolved(answer.0, withheld: answer.1, id: job.id)
                }
            case .readHashes(let file, let request):
                let jobs = request.layer < file.chunkLayer ? reader.lowerLayers : nil
                self.block(context, in: jobs) { try reader.hashes(of: file, request: request) } completion: { handler, outcome in
                    handler.machine.hashesRead(outcome, id: job.id)
                }
            case .readProof(let file, let block, _):
                self.block(context) { try reader.proof(of: block, in: file) } completion: { handler, outcome in
                    handler.machine.proofRead(outcome, id: job.id)
                }
            case .cutListing:
                break  // the machine does it
            }
        }
    }

    private func startReads(_ context: ChannelHandlerContext) {
        let share = self.configuration.totalReadAheadByteCount / max(1, self.registry.sessionCount)
        while let read = self.machine.pollRead(readAheadByteCount: share) {
            let reader = self.reader
            // The buffer must have one owner while it is written to, so it travels in a box.
            let box = PieceBox(self.machine.takeSpareBuffer())
            self.block(context) { () throws -> Result<ByteBuffer, FileReadError> in
                var buffer = box.take()
                do throws(FileReadError) {
                    try reader.readFrames(of: read.file, layout: read.layout, chunks: read.chunks, handle: read.handle, into: &buffer)
                    return .success(buffer)
                } catch {
                    return .failure(error)
                }
            } completion: { handler, outcome in
                switch outcome {
                case .success(let result): handler.machine.framesRead(result, id: read.id)
                case .failure: handler.machine.framesRead(.failure(.failed(errno: 0)), id: read.id)
                }
            }
        }
    }

    /// - Returns: Whether anything was written.
    private func write(_ context: ChannelHandlerContext) -> Bool {
        var hasWritten = false
        while context.channel.isWritable, let next = self.machine.pollResponse() {
            var buffer = context.channel.allocator.buffer(capacity: next.response.approximateByteCount + 64)
            if !buffer.writeTransferResponse(next.response, handle: next.handle) {
                self.logger.error("a transfer response is too long", metadata: ["dig.transfer.peer": "\(self.peer)"])
                continue
            }
            // Never delayed, but what it takes is missing for the chunks.
            _ = self.limiter.reserve(buffer.readableBytes, now: context.eventLoop.now)
            context.write(self.wrapOutboundOut(buffer), promise: nil)
            hasWritten = true
        }
        while context.channel.isWritable, let byteCount = self.machine.nextFrameByteCount {
            let now = context.eventLoop.now
            let readyAt: NIODeadline
            if let reservation = self.frameReservation, reservation.byteCount == byteCount {
                readyAt = reservation.readyAt
            } else {
                if let other = self.frameReservation { self.limiter.refund(other.byteCount) }
                readyAt = self.limiter.reserve(byteCount, now: now)
                self.frameReservation = (readyAt, byteCount)
            }
            guard readyAt <= now else {
                self.schedulePace(at: readyAt, context: context)
                break
            }
            self.frameReservation = nil
            guard let (frame, contentHash) = self.machine.takeFrame() else { break }
            self.countSent(contentHash, byteCount: frame.readableBytes - TransferLimits.frameHeaderByteCount)
            context.write(self.wrapOutboundOut(frame), promise: nil)
            hasWritten = true
        }
        return hasWritten
    }

    private func schedulePace(at readyAt: NIODeadline, context: ChannelHandlerContext) {
        self.paceTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.paceTimer = context.eventLoop.scheduleTask(deadline: readyAt) { bound.value.pump() }
    }

    // MARK: - outside the loop

    /// Runs `body` in a task that ends with the session.
    private func run<Value: Sendable>(
        _ context: ChannelHandlerContext, _ body: @escaping @Sendable () async -> Value,
        completion: @escaping @Sendable (HostSessionHandler, Value) -> Void
    ) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let id = self.nextTaskID
        self.nextTaskID += 1
        self.tasks[id] = Task {
            let value = await body()
            eventLoop.execute {
                let handler = bound.value
                handler.tasks[id] = nil
                guard handler.context != nil else { return }
                completion(handler, value)
                handler.pump()
            }
        }
    }

    /// Runs `body` on the thread pool.
    ///
    /// - Parameter jobs: Nil: as soon as a thread is free. Else in its turn, and not at all if the session has ended by then.
    private func block<Value: Sendable>(
        _ context: ChannelHandlerContext, in jobs: SerialJobs? = nil, _ body: @escaping @Sendable () throws -> Value,
        completion: @escaping @Sendable (HostSessionHandler, Result<Value, any Error>) -> Void
    ) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let hasEnded = self.hasEnded
        let future =
            if let jobs {
                jobs.run(on: self.threadPool, eventLoop: context.eventLoop) {
                    if hasEnded.isSet { throw CancellationError() }
                    return try body()
                }
            } else {
                self.threadPool.runIfActive(eventLoop: context.eventLoop, body)
            }
        future.whenComplete { result in
            let handler = bound.value
            guard handler.context != nil else { return }
            completion(handler, result)
            handler.pump()
        }
    }

    /// Tells the machine of changes, at most once per interval.
    private func observe(_ availability: any ChunkAvailability, handle: UInt32, generation: UInt64, context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let interval = TimeAmount(self.configuration.availabilityInterval)
        let isScheduled = SharedFlag()
        self.observations[handle] = availability.observe {
            guard isScheduled.set() else { return }
            eventLoop.scheduleTask(in: interval) {
                isScheduled.clear()
                let handler = bound.value
                guard handler.context != nil else { return }
                handler.machine.availabilityChanged(handle: handle, generation: generation)
                handler.pump()
            }
        }
        // What changed between the bitfield and now.
        self.machine.availabilityChanged(handle: handle, generation: generation)
    }

    // MARK: - statistics

    /// Counts here, and in the registry once a piece's worth has gathered.
    private func countSent(_ contentHash: ContentHash, byteCount: Int) {
        if self.unrecorded?.contentHash != contentHash { self.recordSent() }
        let before = self.unrecorded ?? (contentHash, 0, 0)
        self.unrecorded = (contentHash, before.byteCount + byteCount, before.chunkCount + 1)
        if before.byteCount + byteCount >= self.configuration.pieceByteCount { self.recordSent() }
    }

    private func recordSent() {
        guard let unrecorded = self.unrecorded, let now = self.context?.eventLoop.now else { return }
        self.unrecorded = nil
        self.registry.recordSent(
            unrecorded.contentHash, byteCount: unrecorded.byteCount, chunkCount: unrecorded.chunkCount, session: self.id, now: now)
    }
}
