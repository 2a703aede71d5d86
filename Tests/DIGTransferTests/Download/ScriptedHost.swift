import DIGContent
import NIOCore

@testable import DIGTransfer

/// A peer that answers correctly except where the test says otherwise.
final class ScriptedHost: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Script: Sendable {
        /// What is written instead of the right answer; nil leaves the right answer.
        var describe: (@Sendable (ContentDescription) -> ContentDescription?)?
        var hashes: (@Sendable (HashSegment) -> HashSegment)?
        var chunk: (@Sendable (_ index: UInt32, _ bytes: [UInt8]) -> [(index: UInt32, bytes: [UInt8])])?
        /// Sent once, right after the first description.
        var noise: [UInt8] = []
        /// The stream is closed after so many chunks, in the middle of the next.
        var truncatesAfter: Int?
        var bitfield: BitfieldPart = .complete
        init() {}
    }

    private let file: SharedFile
    private let script: Script
    private let prover: TreeProver
    private var decoder = TransferFrameDecoder()
    private var sentCount = 0
    private var isMuted = false

    init(_ file: SharedFile, _ script: Script) {
        self.file = file
        self.script = script
        self.prover = TreeProver(file.layer)
    }

    static func connection(_ file: SharedFile, _ change: (inout Script) -> Void) async throws -> LoopbackConnection {
        var script = Script()
        change(&script)
        let final = script
        return try await LoopbackConnection { channel, _ in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(ScriptedHost(file, final)) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        do {
            while let event = try self.decoder.next(&bytes) {
                if case .request(let handle, let request) = event { self.answer(request, handle: handle, context: context) }
            }
        } catch {
            context.close(promise: nil)
        }
        context.flush()
    }

    private func write(_ response: TransferResponse, handle: UInt32, context: ChannelHandlerContext) {
        var buffer = ByteBuffer()
        buffer.writeTransferResponse(response, handle: handle)
        context.write(self.wrapOutboundOut(buffer), promise: nil)
    }

    private func answer(_ request: TransferRequest, handle: UInt32, context: ChannelHandlerContext) {
        guard !self.isMuted else { return }
        switch request {
        case .describe:
            let right = ContentDescription(.file(size: self.file.descriptor.size, root: self.file.descriptor.root, chunkLayer: self.file.chunkLayer))
            if let describe = self.script.describe {
                if let other = describe(right) { self.write(.description(other), handle: handle, context: context) }
            } else {
                self.write(.description(right), handle: handle, context: context)
            }
            if !self.script.noise.isEmpty { context.write(self.wrapOutboundOut(ByteBuffer(bytes: self.script.noise)), promise: nil) }
        case .subscribe:
            self.write(.bitfield(self.script.bitfield), handle: handle, context: context)
        case .getHashes(let wanted):
            guard let segment = try? self.prover.segment(layer: wanted.layer, index: wanted.index, count: wanted.count, proofLayers: wanted.proofLayers) else { return }
            self.write(.hashes(self.script.hashes?(segment) ?? segment), handle: handle, context: context)
        case .getChunks(let range):
            for index in range.indices { self.sendChunk(UInt32(index), handle: handle, context: context) }
        case .cancel, .getListing, .prove, .release, .resolve:
            break
        }
    }

    private func sendChunk(_ index: UInt32, handle: UInt32, context: ChannelHandlerContext) {
        guard !self.isMuted else { return }
        let right = Array(self.file.chunk(Int(index)))
        for (index, bytes) in self.script.chunk?(index, right) ?? [(index, right)] {
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(UInt8(1), UInt8(0), UInt16(0), handle, index, UInt32(bytes.count))
            buffer.writeBytes(bytes)
            if let truncatesAfter = self.script.truncatesAfter, self.sentCount == truncatesAfter {
                self.isMuted = true
                let part = buffer.getSlice(at: 0, length: buffer.readableBytes / 2) ?? buffer
                let channel = context.channel
                context.writeAndFlush(self.wrapOutboundOut(part)).whenComplete { _ in channel.close(promise: nil) }
                return
            }
            context.write(self.wrapOutboundOut(buffer), promise: nil)
            self.sentCount += 1
        }
    }
}
