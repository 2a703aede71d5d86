import DIGContent
import DIGIdentity
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGTransfer

/// Sequences of answers that hosts might send, damaged on the way.
@Suite("download state machine under random answers", .timeLimit(.minutes(5)))
struct DownloadFuzzTests {
    /// Encodes, damages, decodes: what passes the decoder reaches the machine.
    private static func damaged(_ response: TransferResponse, _ random: inout SeededGenerator) -> TransferResponse? {
        guard let bytes = ControlCodec.encode(response) else { return nil }
        let changed = Int.random(in: 0..<4, using: &random) == 0 ? bytes : random.mutated(bytes)
        guard case .response(let damaged) = try? ControlCodec.decode(ByteBuffer(bytes: changed)) else { return nil }
        return damaged
    }

    private static func answer(_ swarm: VirtualSwarm, _ random: inout SeededGenerator) -> TransferResponse {
        let count = UInt32(swarm.layout.chunkCount)
        let range = ControlCodecTests.range(UInt32.random(in: 0..<count + 2, using: &random), UInt32.random(in: 1...count, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return .description(ContentDescription(.file(size: swarm.descriptor.size, root: swarm.descriptor.root, chunkLayer: 2)))
        case 1: return .bitfield(.complete)
        case 2: return .bitfield(.part(first: 8 * UInt32.random(in: 0..<count / 8, using: &random), bits: [0xff, 1, 0x80]))
        case 3: return .have([range])
        case 4:
            let reasons: [UnavailableReason] = [.busy, .notHeld, .unspecified, .busy, .changed]
            return .chunksUnavailable(range, reasons.randomElement(using: &random) ?? .busy)
        case 5: return .hashesUnavailable(HashRequestID(layer: 2, index: 1024 * Int.random(in: 0..<4, using: &random), count: 1024), .notHeld)
        default:
            let index = 1024 * Int.random(in: 0..<2, using: &random)
            guard let segment = try? swarm.prover.segment(layer: 2, index: index, count: 1024) else { return .bitfield(.complete) }
            return .hashes(segment)
        }
    }

    @Test("never traps, and an honest peer still brings the whole file", arguments: 0..<12 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var swarm = try VirtualSwarm(chunkCount: 2100)
        var keys: [PeerKey] = []
        var next: UInt64 = 1000
        for _ in 0..<150 where swarm.outcome == nil {
            swarm.now += .milliseconds(Int.random(in: 0..<400, using: &random))
            if keys.count < 4 {
                next += 1
                let key = PeerKey(rawValue: next)
                if swarm.machine.peerAdded(key, peer: VirtualSwarm.peerID(), now: swarm.now) { keys.append(key) }
                if Bool.random(using: &random) {
                    let content = ContentDescription.Content.file(size: swarm.descriptor.size, root: swarm.descriptor.root, chunkLayer: 2)
                    swarm.machine.described(key, as: ContentDescription(content), now: swarm.now)
                }
            }
            swarm.drain()
            guard let key = keys.randomElement(using: &random) else { continue }
            switch Self.damaged(Self.answer(swarm, &random), &random) {
            case .description(let description): swarm.machine.described(key, as: description, now: swarm.now)
            case .bitfield(let part): swarm.machine.receivedBitfield(part, from: key, now: swarm.now)
            case .have(let ranges): swarm.machine.receivedHave(ranges, from: key, now: swarm.now)
            case .chunksUnavailable(let range, let reason): swarm.machine.chunksUnavailable(range, reason: reason, from: key, now: swarm.now)
            case .hashes(let segment): swarm.machine.receivedHashes(segment, from: key, now: swarm.now)
            case .hashesUnavailable(let id, _): swarm.machine.hashesUnavailable(id, from: key, now: swarm.now)
            default: break
            }
            let asked = (0..<2100).filter { swarm.machine.picker.state(of: $0) == .requested }
            if let chunk = asked.randomElement(using: &random) {
                let corrupt = Int.random(in: 0..<10, using: &random) == 0 ? [chunk] : []
                swarm.machine.chunksChecked(chunk..<chunk + 1, corrupt: corrupt, from: key, now: swarm.now)
            }
            if let deadline = swarm.machine.deadline, swarm.now >= deadline { swarm.machine.deadlineReached(now: swarm.now) }
            swarm.drain()
            keys.removeAll { swarm.dropped[$0] != nil }
            #expect(swarm.machine.peerCount == keys.count)
        }
        for key in keys { swarm.machine.peerRemoved(key, error: nil, now: swarm.now) }
        guard swarm.outcome == nil else { return }
        swarm.add(1, rate: 100e6)
        swarm.run()
        guard case .success = swarm.outcome else {
            Issue.record("\(String(describing: swarm.outcome))")
            return
        }
        #expect(Set(swarm.verifiedOrder) == Set(0..<2100))
        #expect(swarm.verifiedOrder.count == 2100)
    }
}
