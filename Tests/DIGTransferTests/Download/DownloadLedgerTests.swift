import DIGContent
import Testing

@testable import DIGTransfer

@Suite("what of a download is proven")
struct DownloadLedgerTests {
    private let start = ContinuousClock.now
    private let layout: ChunkLayout
    private let empty: DownloadLedger

    init() throws {
        // 16 chunks, the last of them of one byte.
        self.layout = try ChunkLayout(fileSize: 15 * 65_536 + 1, layer: 2)
        self.empty = DownloadLedger(checkpointByteCount: 4 * 65_536, checkpointInterval: .seconds(5), now: self.start)
    }

    @Test("counts the bytes of chunks, a short last one too")
    func bytes() {
        var ledger = self.empty
        #expect(ledger.layout == nil && ledger.rate(now: self.start) == 0)
        ledger.opened(self.layout)
        ledger.insert(0..<2, now: self.start)
        ledger.insert(15..<16, now: self.start)
        ledger.resumed(14..<16)
        #expect(ledger.verifiedByteCount == 2 * 65_536 + 1)
        #expect(ledger.resumedByteCount == 65_537)
        #expect(ledger.verified.setCount == 3)
        #expect(!ledger.isNearEnd)
        ledger.insert(2..<15, now: self.start)
        #expect(ledger.verified.isComplete && ledger.verifiedByteCount == self.layout.fileSize)
        #expect(ledger.isNearEnd)
        #expect(ledger.rate(now: self.start + .seconds(1)) > 900_000)
    }

    @Test("a file that was there is whole")
    func present() {
        var ledger = self.empty
        ledger.foundPresent(self.layout)
        #expect(ledger.verifiedByteCount == self.layout.fileSize && ledger.resumedByteCount == 0)
        #expect(!ledger.isCheckpointDue(now: self.start + .seconds(60)))
    }

    @Test("a checkpoint is due after enough bytes, or after some bytes and enough time")
    func checkpoints() {
        var ledger = self.empty
        ledger.opened(self.layout)
        #expect(!ledger.isCheckpointDue(now: self.start + .seconds(60)))
        ledger.insert(0..<3, now: self.start)
        #expect(!ledger.isCheckpointDue(now: self.start + .milliseconds(4999)))
        #expect(ledger.isCheckpointDue(now: self.start + .seconds(5)))
        ledger.insert(3..<4, now: self.start)
        #expect(ledger.isCheckpointDue(now: self.start))
        ledger.checkpointed(now: self.start + .seconds(2))
        ledger.insert(4..<5, now: self.start + .seconds(2))
        #expect(!ledger.isCheckpointDue(now: self.start + .seconds(6)))
        #expect(ledger.isCheckpointDue(now: self.start + .seconds(7)))

        // With both at zero, after every write, and never when there is nothing to remember.
        var eager = DownloadLedger(checkpointByteCount: 0, checkpointInterval: .zero, now: self.start)
        eager.opened(self.layout)
        #expect(!eager.isCheckpointDue(now: self.start + .seconds(1)))
        eager.insert(0..<1, now: self.start + .seconds(1))
        #expect(eager.isCheckpointDue(now: self.start + .seconds(1)))
    }
}
