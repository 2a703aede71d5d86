import DIGContent
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGTransfer

/// Every way in which a dialogue with a peer ends, in virtual time.
@Suite("dialogue with a peer")
struct TransferDialogueHandlerTests {
    /// Asks again under the next handle until it was answered three times.
    private struct Thrice: TransferDialogue {
        static let overdueMessage = "never said it three times"
        var count: UInt32 = 0

        mutating func begin() -> [TransferAsk] { [TransferAsk(handle: 1, request: .subscribe)] }

        mutating func received(_ response: TransferResponse, handle: UInt32) throws(TransferError) -> TransferDialogueStep<UInt32> {
            guard handle == self.count + 1 else { return .wait }
            self.count += 1
            return self.count == 3 ? .end(self.count) : .ask([TransferAsk(handle: self.count + 1, request: .subscribe)])
        }
    }

    /// A stream on which a dialogue is led, and what came of it.
    private struct Scene<Dialogue: TransferDialogue> {
        let channel = EmbeddedChannel()
        let answer: EventLoopFuture<Dialogue.Answer>

        init(_ dialogue: Dialogue) throws {
            let promise = self.channel.embeddedEventLoop.makePromise(of: Dialogue.Answer.self)
            self.answer = promise.futureResult
            try self.channel.pipeline.syncOperations.addHandler(TransferDialogueHandler(dialogue, timeout: .seconds(10), promise: promise))
            try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).wait()
        }

        func asked() throws -> [TransferAsk] {
            var asks: [TransferAsk] = []
            var decoder = TransferFrameDecoder()
            while var bytes = try self.channel.readOutbound(as: ByteBuffer.self) {
                while let event = try decoder.next(&bytes) {
                    if case .request(let handle, let request) = event { asks.append(TransferAsk(handle: handle, request: request)) }
                }
            }
            return asks
        }

        /// The code and the message of the error; nil if the dialogue has not ended, or with an answer.
        var failure: (TransferError.Code, String)? {
            var failure: (TransferError.Code, String)?
            self.answer.assumeIsolated().whenFailure { if let error = $0 as? TransferError { failure = (error.code, error.message) } }
            return failure
        }

        var isEnded: Bool {
            var isEnded = false
            self.answer.assumeIsolated().whenComplete { _ in isEnded = true }
            return isEnded
        }
    }

    private static func frame(_ response: TransferResponse, handle: UInt32) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeTransferResponse(response, handle: handle)
        return bytes
    }

    private static var question: TransferQuestion { TransferQuestion(.describe(ContentHash(digest: .zero), chunkLayer: nil), handle: 1) }

    @Test("a question is asked once, and its answer may come a byte at a time")
    func question() throws {
        let scene = try Scene(Self.question)
        #expect(try scene.asked() == [Self.question.ask])
        let answer = TransferResponse.description(ContentDescription(.notFound))
        for byte in Self.frame(answer, handle: 1).readableBytesView {
            #expect(!scene.isEnded)
            try scene.channel.writeInbound(ByteBuffer(bytes: [byte]))
        }
        #expect(try scene.answer.wait() == answer)
        #expect(!scene.channel.isActive)
        #expect(try scene.asked().isEmpty)
    }

    @Test("a longer dialogue asks again as it is answered, and hears nothing after its end")
    func thrice() throws {
        let scene = try Scene(Thrice())
        #expect(try scene.asked().map(\.handle) == [1])
        try scene.channel.writeInbound(Self.frame(.bitfield(.complete), handle: 1))
        #expect(try scene.asked().map(\.handle) == [2])
        var rest = Self.frame(.bitfield(.complete), handle: 9)
        for handle: UInt32 in [2, 3, 4] { rest.writeImmutableBuffer(Self.frame(.bitfield(.complete), handle: handle)) }
        try scene.channel.writeInbound(rest)
        #expect(try scene.asked().map(\.handle) == [3])
        #expect(try scene.answer.wait() == 3)
        #expect(!scene.channel.isActive)
    }

    @Test("what was not asked for, and what is no frame, end it")
    func violations() throws {
        var chunk = ByteBuffer()
        chunk.writeTransferFrameHeader(.chunk(handle: 1, index: 0, byteCount: 1))
        let wrong: [(ByteBuffer, String)] = [
            (Self.frame(.bitfield(.complete), handle: 2), "the peer sent what was not asked for"), (chunk, "the peer sent what was not asked for"),
            (ByteBuffer(repeating: 0xFF, count: 16), "the peer sent no frame of the transfer protocol"),
        ]
        for (bytes, message) in wrong {
            let scene = try Scene(Self.question)
            try scene.channel.writeInbound(bytes)
            let failure = try #require(scene.failure)
            #expect(failure == (.protocolViolation, message))
            #expect(!scene.channel.isActive)
        }
    }

    @Test("a peer that ends the stream, and one that says nothing, answer nothing")
    func silence() throws {
        let closed = try Scene(Self.question)
        try closed.channel.close().wait()
        #expect(try #require(closed.failure) == (.disconnected, "the peer ended the stream before it answered"))

        let silent = try Scene(Thrice())
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(!silent.isEnded)
        // The time is for all of it, not for each answer.
        try silent.channel.writeInbound(Self.frame(.bitfield(.complete), handle: 1))
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(try #require(silent.failure) == (.stalled, "never said it three times"))
        #expect(!silent.channel.isActive)
    }

    @Test("what breaks the stream is what the caller learns")
    func broken() throws {
        struct Broken: Error {}
        let scene = try Scene(Self.question)
        scene.channel.pipeline.fireErrorCaught(Broken())
        #expect(throws: Broken.self) { try scene.answer.wait() }
        #expect(!scene.channel.isActive)
    }
}
