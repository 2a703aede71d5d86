import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

/// What a peer may say again and again about what it holds.
@Suite("download from a peer that talks about its holdings", .timeLimit(.minutes(5)))
struct HoldingsFloodTests {
    let start = ContinuousClock.now
    let key = PeerKey(rawValue: 1)

    /// A machine that transfers a file of `chunkCount` chunks of 16 KiB, with one peer that is described and holds nothing yet.
    func machine(chunkCount: Int) throws -> DownloadStateMachine {
        let descriptor = try FileDescriptor(size: UInt64(chunkCount) * 16_384, root: SHA256Digest(hashing: [1]))
        var machine = DownloadStateMachine(contentHash: descriptor.contentHash, now: self.start)
        let isTaken = machine.peerAdded(self.key, peer: VirtualSwarm.peerID(), now: self.start)
        #expect(isTaken)
        let content = ContentDescription.Content.file(size: descriptor.size, root: descriptor.root, chunkLayer: 0)
        machine.described(self.key, as: ContentDescription(content), now: self.start)
        machine.storageReady(claimed: nil, chunkLayer: nil, now: self.start)
        machine.receivedBitfield(.part(first: 0, bits: []), from: self.key, now: self.start)
        return machine
    }

    func drops(_ machine: inout DownloadStateMachine) -> [TransferError] {
        var errors: [TransferError] = []
        while let action = machine.nextAction() {
            if case .dropPeer(_, let error) = action { errors.append(error) }
        }
        return errors
    }

    @Test("a message that says nothing new takes no time for each of a million chunks")
    func repetition() throws {
        let count = DownloadStateMachine.maximumChunkCount
        var machine = try self.machine(chunkCount: count)
        machine.receivedHave([ControlCodecTests.range(0, UInt32(count - 1))], from: self.key, now: self.start)
        for _ in 0..<300 {
            machine.receivedHave([ControlCodecTests.range(0, UInt32(count - 1))], from: self.key, now: self.start)
            machine.chunksUnavailable(ControlCodecTests.range(0, UInt32(count)), reason: .busy, from: self.key, now: self.start)
        }
        #expect(self.drops(&machine) == [])
        #expect(machine.peerCount == 1)
    }

    @Test("what is known already, or was never asked for, is no sign of life")
    func signOfLife() throws {
        var machine = try self.machine(chunkCount: 3000)
        machine.receivedHave([ControlCodecTests.range(0, 10)], from: self.key, now: self.start)
        // It owes hashes from now on.
        #expect(machine.deadline == self.start + machine.configuration.requestTimeout)
        let later = self.start + .seconds(9)
        machine.receivedHave([ControlCodecTests.range(0, 10)], from: self.key, now: later)
        machine.receivedBitfield(.part(first: 0, bits: [0xff]), from: self.key, now: later)
        machine.hashesUnavailable(HashRequestID(layer: 0, index: 2048, count: 1024), from: self.key, now: later)
        machine.chunksUnavailable(ControlCodecTests.range(20, 5), reason: .busy, from: self.key, now: later)
        #expect(machine.deadline == self.start + machine.configuration.requestTimeout)
        machine.receivedHave([ControlCodecTests.range(10, 1)], from: self.key, now: later)
        #expect(machine.deadline == later + machine.configuration.requestTimeout)
    }

    @Test("a peer that claims and takes back without end is let go")
    func takingBack() throws {
        var machine = try self.machine(chunkCount: 100)
        for _ in 0..<3 where machine.peerCount > 0 {
            machine.receivedHave([ControlCodecTests.range(0, 60)], from: self.key, now: self.start)
            machine.chunksUnavailable(ControlCodecTests.range(0, 100), reason: .notHeld, from: self.key, now: self.start)
        }
        #expect(machine.peerCount == 0)
        #expect(self.drops(&machine).map(\.code) == [.refused])
    }
}
