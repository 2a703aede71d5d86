import DIGContent
import DIGIdentity
import NIOCore
import Testing

@testable import DIGAvailability

@Suite("Messages between nodes about availability")
struct AvailabilityCodecTests {
    private func bytes(_ request: AvailabilityRequest) -> [UInt8] { Array(AvailabilityCodec.encode(request).readableBytesView) }
    private func bytes(_ response: AvailabilityResponse) -> [UInt8] { Array(AvailabilityCodec.encode(response).readableBytesView) }

    @Test("writes what the protocol says")
    func pinned() throws {
        let content = Scene.content(1)
        #expect(self.bytes(.ask(content)) == [0x12, 32] + content.digest.bytes)
        #expect(self.bytes(.tell([])) == [0x0A, 0])
        #expect(self.bytes(.tell([.envelope([1, 2]), .json(Array("{}".utf8))])) == [0x0A, 12, 0x0A, 4, 0x0A, 2, 1, 2, 0x0A, 4, 0x12, 2, 0x7B, 0x7D])
        #expect(self.bytes(AvailabilityResponse(verdicts: [.taken, .refused(.replayed), .refusedOtherwise(99)])) == [0x0A, 3, 0, 8, 99])
        #expect(self.bytes(AvailabilityResponse(known: [.envelope([5])])) == [0x12, 5, 0x0A, 3, 0x0A, 1, 5])
        #expect(self.bytes(AvailabilityResponse()) == [])
    }

    @Test("every refusal has a number of its own, which comes back")
    func verdicts() {
        let codes = AvailabilityError.allCases.map { StatementVerdict.refused($0).code }
        #expect(codes == (1...14).map(UInt32.init))
        for error in AvailabilityError.allCases { #expect(StatementVerdict(code: StatementVerdict.refused(error).code) == .refused(error)) }
        #expect(StatementVerdict(code: 0) == .taken && StatementVerdict(code: 15) == .refusedOtherwise(15))
    }

    @Test("reads what it wrote; a strict prefix fails by its error or is something shorter")
    func prefixes() throws {
        let requests: [AvailabilityRequest] = [.ask(Scene.content(1)), .tell([.envelope([1, 2, 3]), .json([0x7B, 0x7D]), .envelope([])]), .tell([])]
        for request in requests {
            let bytes = self.bytes(request)
            #expect(try AvailabilityCodec.decodeRequest(ByteBuffer(bytes: bytes)) == request)
            for count in 0..<bytes.count {
                do throws(AvailabilityError) {
                    let read = try AvailabilityCodec.decodeRequest(ByteBuffer(bytes: bytes.prefix(count)))
                    #expect(read != request)
                } catch { #expect(error == .malformed) }
            }
        }
        let response = AvailabilityResponse(verdicts: [.taken, .refused(.expired)], known: [.envelope([1]), .json([0x7B, 0x7D])])
        let bytes = self.bytes(response)
        #expect(try AvailabilityCodec.decodeResponse(ByteBuffer(bytes: bytes)) == response)
        for count in 0..<bytes.count {
            do throws(AvailabilityError) { #expect(try AvailabilityCodec.decodeResponse(ByteBuffer(bytes: bytes.prefix(count))) != response) } catch { #expect(error == .malformed) }
        }
    }

    @Test("what is longer, or more, than may be is refused")
    func limits() throws {
        let most = AvailabilityExchangeLimits.maximumStatementCount
        let many = AvailabilityRequest.tell(Array(repeating: .envelope([1]), count: most + 1))
        #expect(throws: AvailabilityError.limitExceeded) { try AvailabilityCodec.decodeRequest(AvailabilityCodec.encode(many)) }
        let long = AvailabilityRequest.tell([.envelope([UInt8](repeating: 1, count: AvailabilityExchangeLimits.maximumStatementByteCount + 1))])
        #expect(throws: AvailabilityError.limitExceeded) { try AvailabilityCodec.decodeRequest(AvailabilityCodec.encode(long)) }
        let verdicts = AvailabilityResponse(verdicts: Array(repeating: .taken, count: most + 1))
        #expect(throws: AvailabilityError.limitExceeded) { try AvailabilityCodec.decodeResponse(AvailabilityCodec.encode(verdicts)) }
        for bytes: [UInt8] in [[0x12, 31] + [UInt8](repeating: 0, count: 31), [0x12, 33] + [UInt8](repeating: 0, count: 33), [0x0A, 2, 0x0A, 0]] {
            #expect(throws: AvailabilityError.malformed) { try AvailabilityCodec.decodeRequest(ByteBuffer(bytes: bytes)) }
        }
        #expect(try AvailabilityCodec.decodeRequest(ByteBuffer()) == .unknown)
        #expect(try AvailabilityCodec.decodeRequest(ByteBuffer(bytes: [0x7A, 1, 0])) == .unknown)
        // A writer fills no more than a message may have, and leaves out what is too long for any.
        let statements = Array(repeating: Statement.envelope([UInt8](repeating: 1, count: 6_000)), count: 100)
        let fitting = AvailabilityCodec.fitting([.envelope([UInt8](repeating: 0, count: 20_000))] + statements)
        #expect(fitting.count > 30 && fitting.count < 64)
        #expect(AvailabilityCodec.encode(.tell(fitting)).readableBytes <= AvailabilityExchangeLimits.maximumMessageByteCount)
        #expect(AvailabilityCodec.fitting(Array(repeating: Statement.envelope([1]), count: 100)).count == most)
    }

    @Test("a peer's records are counted, all together too, and who is over takes nothing from the others")
    func meter() {
        var configuration = AvailabilityExchangeConfiguration()
        configuration.statementBurstPerPeer = 3
        configuration.statementsPerSecondPerPeer = 1
        configuration.statementBurst = 5
        configuration.statementsPerSecond = 1
        configuration.meteredPeerCount = 2
        let start = ContinuousClock.now
        var meter = StatementMeter(configuration: configuration, now: start)
        #expect((0..<5).map { _ in meter.admit(Scene.peer(1), now: start) } == [true, true, true, false, false])
        #expect((0..<3).map { _ in meter.admit(Scene.peer(2), now: start) } == [true, true, false])
        // A third has no place before an account is as good as new.
        #expect(meter.admit(Scene.peer(3), now: start + .seconds(1)) == false)
        #expect(meter.admit(Scene.peer(1), now: start + .seconds(1)) == true)
        #expect(meter.admit(Scene.peer(3), now: start + .seconds(10)) == true)
    }
}
