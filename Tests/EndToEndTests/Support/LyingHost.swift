import DIGContent
import NIOCore

@testable import DIGTransfer

/// Answers a stream of the transfer protocol correctly, except where the script says otherwise.
final class LyingHost: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Script: Sendable {
        /// What is written instead of the right answer; nil: silence.
        var describe: @Sendable (ContentDescription) -> ContentDescription? = { $0 }
        var hashes: @Sendable (HashSegment) -> HashSegment = { $0 }
        var chunk: @Sendable (_ index: Int, _ bytes: [UInt8]) -> [(index: UInt32, bytes: [UInt8])] = { [(UInt32($0), $1)] }
        /// Sent right after the description.
        var noise: [UInt8] = []
        /// The stream ends in the middle of the chunk after so many.
        var chunkCountBeforeEnd: Int?
        /// A folder's listing in place of the file.
        var listing: [UInt8]?
        var name: String?

        init() {}
    }

    private let file: SampleFile
    private let script: Script
    private let asked: Watched<HostilePeer.Log>
    private let prover: TreeProver
    private var decoder = TransferFrameDecoder()
    private var sentCount = 0
    private var isMuted = false

    init(_ file: SampleFile, _ script: Script, asked: Watched<HostilePeer.Log>) {
        self.file = file
        self.script = script
        self.asked = asked
        self.prover = TreeProver(file.layer)
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

    func channelInactive(context: ChannelHandlerContext) {
        self.asked.update { $0.endedStreamCount += 1 }
        context.fireChannelInactive()
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
            self.asked.update { $0.describeCount += 1 }
            let content: ContentDescription.Content =
                if let listing = self.script.listing { .folder(byteCount: UInt64(listing.count)) } else {
                    .file(size: self.file.descriptor.size, root: self.file.descriptor.root, chunkLayer: SampleFile.chunkLayer)
                }
            if let description = self.script.describe(ContentDescription(content, name: self.script.name)) {
                self.write(.description(description), handle: handle, context: context)
            }
            if !self.script.noise.isEmpty { context.write(self.wrapOutboundOut(ByteBuffer(bytes: self.script.noise)), promise: nil) }
        case .subscribe:
            self.write(.bitfield(.complete), handle: handle, context: context)
        case .getHashes(let wanted):
            guard
                let segment = try? self.prover.segment(
                    layer: wanted.layer, index: wanted.index, count: wanted.count, proofLayers: wanted.proofLayers)
            else { return }
            self.write(.hashes(self.script.hashes(segment)), handle: handle, context: context)
        case .getChunks(let range):
            self.asked.update { $0.chunkCount += range.indices.count }
            for index in range.indices { self.send(index, handle: handle, context: context) }
        case .getListing(let offset, let byteCount):
            guard let listing = self.script.listing, let start = Int(exactly: offset), start <= listing.count else { return }
            self.write(
                .listingPart(offset: offset, bytes: Array(listing[start..<min(listing.count, start + byteCount)])), handle: handle, context: context)
        case .cancel, .prove, .release, .resolve:
            break
        }
    }

    private func send(_ index: Int, handle: UInt32, context: ChannelHandlerContext) {
        guard !self.isMuted, index < self.file.chunkCount else { return }
        for (index, bytes) in self.script.chunk(index, self.file.chunk(index)) {
            // By hand: the encoder refuses what is not allowed.
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(UInt8(1), UInt8(0), UInt16(0), handle, index, UInt32(bytes.count))
            buffer.writeBytes(bytes)
            if let limit = self.script.chunkCountBeforeEnd, self.sentCount == limit {
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
